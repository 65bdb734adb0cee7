import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ceilDiv, ceilSqrt, floorDiv, isqrt } from '../../src/util/integer.ts'

const divisions: [a: bigint, b: bigint, floor: bigint, ceil: bigint][] = [
  [7n, 2n, 3n, 4n],
  [-7n, 2n, -4n, -3n],
  [-8n, 2n, -4n, -4n],
  [-1n, 10n ** 30n, -1n, 0n],
  [0n, 5n, 0n, 0n],
]
test.each(divisions)('%s / %s lies between %s and %s', (a, b, floor, ceil) => {
  expect([floorDiv(a, b), ceilDiv(a, b)]).toEqual([floor, ceil])
})

test('a divisor that is not positive is our own mistake', () => {
  expect(() => floorDiv(1n, 0n)).toThrow('divisor')
  expect(() => ceilDiv(1n, -1n)).toThrow('divisor')
})

test('floor and ceiling enclose the quotient, whatever its sign', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }), fc.bigInt({ min: 1n, max: 2n ** 60n }), (a, b) => {
      const floor = floorDiv(a, b)
      expect(floor * b <= a && a < (floor + 1n) * b).toBe(true)
      expect(ceilDiv(a, b)).toBe(a % b === 0n ? floor : floor + 1n)
    }),
  )
})

test('the first thousand square roots are right', () => {
  for (let n = 0; n <= 1_000; n++) expect(isqrt(BigInt(n))).toBe(BigInt(Math.floor(Math.sqrt(n))))
})

test('square roots enclose the number, also next to large squares', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 200n }), fc.bigInt({ min: -2n, max: 2n }), (root, shift) => {
      const square = root * root + shift
      const n = square < 0n ? 0n : square
      const floor = isqrt(n)
      expect(floor * floor <= n && n < (floor + 1n) * (floor + 1n)).toBe(true)
      expect(ceilSqrt(n)).toBe(floor * floor === n ? floor : floor + 1n)
    }),
  )
})

test('a negative number has no square root', () => {
  expect(() => isqrt(-1n)).toThrow('square root')
})
