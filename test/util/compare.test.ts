import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareNumber, compareText } from '../../src/util/compare.ts'

test.each([
  ['a', 'b', -1],
  ['b', 'a', 1],
  ['a', 'a', 0],
  ['B', 'a', -1],
  ['', 'a', -1],
])('text %j against %j is %i', (a, b, order) => expect(compareText(a, b)).toBe(order))

test.each<[number | bigint, number | bigint, number]>([
  [9, 10, -1],
  [2n ** 53n + 1n, 2 ** 53, 1],
  [5n, 5, 0],
])('number %s against %s is %i', (a, b, order) => expect(compareNumber(a, b)).toBe(order))

test('lower-case hex sorts as its bytes do', () => {
  const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 })
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const byText = compareText(Buffer.from(a).toString('hex'), Buffer.from(b).toString('hex'))
      expect(byText).toBe(Buffer.compare(a, b))
    }),
  )
})
