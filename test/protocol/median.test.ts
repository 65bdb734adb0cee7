import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMedian, lowerMedian, type WeightedValue, weightedLowerMedian } from '../../src/protocol/median.ts'

const U64_MAX = 2n ** 64n - 1n
const entriesOf = (...pairs: [value: number, weight: bigint][]): WeightedValue[] =>
  pairs.map(([value, weight]) => ({ value, weight }))

const cases: [why: string, entries: WeightedValue[], median: number][] = [
  ['one value is its own median', entriesOf([7, 1n]), 7],
  ['two equal weights give the lower value', entriesOf([9, 5n], [3, 5n]), 3],
  ['exactly half is enough', entriesOf([1, 2n], [2, 1n], [3, 1n]), 1],
  ['one unit below half is not', entriesOf([1, U64_MAX - 1n], [2, U64_MAX]), 2],
  ['half counts to the last unit of a u64', entriesOf([1, U64_MAX], [2, U64_MAX]), 1],
  ['a carry between the limbs is seen', entriesOf([1, 2n ** 32n - 1n], [1, 1n], [2, 2n ** 32n]), 1],
  ['a borrow between the limbs is seen', entriesOf([1, 2n ** 32n], [2, 2n ** 32n - 1n], [3, 2n]), 2],
  ['an entry of no weight never decides', entriesOf([-5, 0n], [4, 1n], [9, 0n]), 4],
  ['negative values sort below', entriesOf([-1, 1n], [-10, 1n], [5, 1n]), -1],
  ['equal values pool their weight', entriesOf([2, 1n], [8, 2n], [2, 1n]), 2],
  ['numbers are not sorted as text', entriesOf([10, 1n], [9, 1n], [100, 1n]), 10],
  ['a liar with less than half moves nothing', entriesOf([2 ** 53 - 1, 49n], [5, 51n]), 5],
]
test.each(cases)('%s', (_, entries, median) => expect(weightedLowerMedian(entries)).toBe(median))

test.each<[why: string, entries: WeightedValue[]]>([
  ['no entries', []],
  ['no weight', entriesOf([1, 0n], [2, 0n])],
  ['a negative weight', entriesOf([1, -1n], [2, 5n])],
  ['a weight beyond u64', entriesOf([1, U64_MAX + 1n])],
  ['a fraction', entriesOf([1.5, 1n])],
  ['NaN', entriesOf([Number.NaN, 1n])],
  ['infinity', entriesOf([Number.POSITIVE_INFINITY, 1n])],
])('%s is our own mistake', (_, entries) => expect(() => weightedLowerMedian(entries)).toThrow('broken invariant'))

test('prepared weights want one value each', () => {
  expect(() => createMedian([1n, 2n])([1])).toThrow('one value per weight')
})

test('negative zero comes out as zero, which has one encoding', () => {
  expect(Object.is(weightedLowerMedian(entriesOf([-0, 1n])), 0)).toBe(true)
  expect(Object.is(lowerMedian([-0]), 0)).toBe(true)
})

const entry = fc.record({ value: fc.integer({ min: -9, max: 9 }), weight: fc.bigInt({ min: 0n, max: 6n }) })
const huge = fc.record({ value: fc.maxSafeInteger(), weight: fc.bigInt({ min: 0n, max: U64_MAX }) })
const someEntries = fc
  .oneof(fc.array(entry, { minLength: 1, maxLength: 12 }), fc.array(huge, { minLength: 1, maxLength: 130 }))
  .filter((entries) => entries.some(({ weight }) => weight > 0n))

test('the median is the smallest value that half of the weight does not exceed', () => {
  fc.assert(
    fc.property(someEntries, (entries) => {
      const total = entries.reduce((sum, { weight }) => sum + weight, 0n)
      const upTo = (v: number) => entries.reduce((sum, { value, weight }) => (value <= v ? sum + weight : sum), 0n)
      const fitting = entries.map(({ value }) => value).filter((value) => 2n * upTo(value) >= total)
      expect(weightedLowerMedian(entries)).toBe(Math.min(...fitting))
    }),
  )
})

test('neither the order of the entries nor the use before matters', () => {
  fc.assert(
    fc.property(someEntries, (entries) => {
      const reversed = entries.toReversed()
      const median = createMedian(reversed.map(({ weight }) => weight))
      median(reversed.map(({ value }) => -value))
      expect(median(Float64Array.from(reversed, ({ value }) => value))).toBe(weightedLowerMedian(entries))
    }),
  )
})

test('less than half of the weight never moves the median out of the range of the others', () => {
  const values = fc.array(fc.maxSafeInteger(), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(values, values, fc.integer({ min: 0, max: 2 ** 30 }), (honest, lies, grain) => {
      const honestWeight = BigInt(lies.length) * BigInt(grain + 1)
      const lieWeight = BigInt(honest.length) * BigInt(grain + 1) - 1n
      const median = weightedLowerMedian([
        ...honest.map((value) => ({ value, weight: honestWeight })),
        ...lies.map((value) => ({ value, weight: lieWeight })),
      ])
      expect(median).toBeGreaterThanOrEqual(Math.min(...honest))
      expect(median).toBeLessThanOrEqual(Math.max(...honest))
    }),
  )
})

test('the plain median is the weighted one with equal weights', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 30 }), (values) => {
      expect(lowerMedian(values)).toBe(weightedLowerMedian(values.map((value) => ({ value, weight: 3n }))))
    }),
  )
  expect(() => lowerMedian([])).toThrow('needs a value')
})
