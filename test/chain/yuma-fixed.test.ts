import fc from 'fast-check'
import { expect, test } from 'vitest'
import { divide, exponential, multiply, normalise, ONE, ratio, toU16 } from '../../src/chain/yuma/fixed.ts'

const floorDiv = (a: bigint, b: bigint) => a / b - (a % b < 0n ? 1n : 0n)
const exact = (a: number, b: number) => Number(floorDiv(BigInt(a) * BigInt(b), 2n ** 32n))
const upTo = (max: number) =>
  fc.oneof(
    fc.nat({ max: 70_000 }),
    fc.nat({ max }),
    fc.nat({ max: 300 }).map((k) => Math.max(0, max - k)),
  )

test('a product is the floor of the exact one, for negative factors too', () => {
  fc.assert(
    fc.property(upTo(2 ** 32), upTo(2 ** 49), fc.boolean(), (a, b, isNegative) => {
      expect(multiply(isNegative ? -a : a, b) + 0).toBe(exact(isNegative ? -a : a, b))
      expect(multiply(b, isNegative ? -a : a) + 0).toBe(exact(isNegative ? -a : a, b))
    }),
    { numRuns: 2_000 },
  )
})

test('a quotient is the floor of the exact one', () => {
  fc.assert(
    fc.property(upTo(2 ** 44), upTo(2 ** 44 - 1), (a, b) => {
      const [part, whole] = [Math.min(a, b + 1), Math.max(a, b + 1)]
      expect(divide(part, whole)).toBe(Number((BigInt(part) * 2n ** 32n) / BigInt(whole)))
    }),
    { numRuns: 2_000 },
  )
})

test('a quotient just below an integer is not rounded up to it', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 32 }), fc.integer({ min: 2 ** 32, max: 2 ** 43 }), (quotient, whole) => {
      const part = Number((BigInt(quotient) * BigInt(whole)) / 2n ** 32n)
      expect(divide(part, whole)).toBe(Number((BigInt(part) * 2n ** 32n) / BigInt(whole)))
    }),
    { numRuns: 2_000 },
  )
})

test('sums of a column of 4,096 whole numbers divide exactly', () => {
  fc.assert(
    fc.property(fc.nat({ max: 65_535 }), fc.integer({ min: 65_535, max: 4_096 * 65_535 }), (part, whole) => {
      expect(divide(part * ONE, whole * ONE)).toBe(ratio(part, whole))
      expect(ratio(part, whole)).toBe(Number((BigInt(part) * 2n ** 32n) / BigInt(whole)))
    }),
  )
})

test.each<[value: number, stored: number]>([
  [0, 0],
  [ONE, 65_535],
  [ONE - 1, 65_534],
  [2 * ONE, 65_535],
  [ONE / 2, 32_767],
  [ONE / 65_536, 0],
])('%d counts of 2^-32 are stored as %d', (value, stored) => expect(toU16(value)).toBe(stored))

test('what is normalised sums to 1 but for what was cut off, and zeros stay', () => {
  expect([...normalise(Float64Array.of(1, 1, 1))]).toEqual(Array(3).fill(Math.floor(ONE / 3)))
  expect([...normalise(Float64Array.of(0, 0))]).toEqual([0, 0])
})

function series(x: number): number {
  const operand = BigInt(Math.abs(x))
  let sum = operand + 2n ** 32n
  let term = operand
  for (let i = 2n; i < 32n; i++) {
    term = ((term * operand) >> 32n) / i
    sum += term
  }
  return Number(x < 0 ? 2n ** 64n / sum : sum)
}

test('e^x is the series of rounded terms, up to 12 to the last bit', () => {
  const grid = fc.integer({ min: -48, max: 48 }).map((quarters) => (quarters * ONE) / 4)
  const anywhere = fc.maxSafeInteger().map((roll) => roll % (12 * ONE))
  fc.assert(
    fc.property(
      fc.oneof(grid, anywhere).filter((x) => x !== 0 && x !== ONE),
      (x) => {
        expect(exponential(x)).toBe(series(x))
      },
    ),
    { numRuns: 1_000 },
  )
})

test.each<[x: number, power: number]>([
  [0, ONE],
  [-0, ONE],
  [ONE, 22_802_600 * 512],
  [21 * ONE, exponential(20 * ONE)],
  [-21 * ONE, exponential(-20 * ONE)],
])('e^(%d / 2^32) is %d / 2^32', (x, power) => expect(exponential(x)).toBe(power))

test.each([21_345_416_263, 21_068_322_534, 20_939_124_049, 20_909_221_905])(
  'a term of e^(%d / 2^32) that falls on an integer is not taken for its neighbour',
  (x) => expect(exponential(x)).toBe(series(x)),
)

test('beyond 12, e^x is the series to twelve digits, and what it makes of a sigmoid to the last but one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 12 * ONE, max: 20 * ONE }), (x) => {
      expect(exponential(x) / series(x)).toBeCloseTo(1, 12)
      expect(Math.abs(exponential(-x) - series(-x))).toBeLessThanOrEqual(1)
    }),
    { numRuns: 1_000 },
  )
})
