import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SAMPLE_COUNT_MAX, samplePool } from '../../src/protocol/sample.ts'

const seed = new Uint8Array(32).fill(1)
const sizeMax = Number.MAX_SAFE_INTEGER

// The expected numbers come from a second implementation, with Python's hashlib and unbounded integers.
test.each<[size: number, count: number, sample: number[]]>([
  [1_000, 5, [46, 303, 334, 418, 780]],
  [sizeMax, 3, [3_944_010_129_965_734, 4_573_853_042_746_602, 7_426_571_452_324_468]],
  [
    2 ** 52 + 1, // nearly every second draw is rejected
    6,
    [
      70_253_415_376_108, 991_337_694_969_786, 2_922_971_824_953_975, 3_615_201_285_329_334, 3_944_010_129_965_734,
      4_500_108_883_678_900,
    ],
  ],
])('of %i, %i indices are the same on all machines', (size, count, sample) => {
  expect(samplePool({ seed, domain: 'code', size, count })).toEqual(sample)
})

test('another domain or another seed gives another sample', () => {
  const sample = samplePool({ seed, domain: 'code', size: 2 ** 40, count: 4 })
  expect(samplePool({ seed, domain: 'law', size: 2 ** 40, count: 4 })).not.toEqual(sample)
  expect(samplePool({ seed: new Uint8Array(32), domain: 'code', size: 2 ** 40, count: 4 })).not.toEqual(sample)
})

test.each<[why: string, size: number, count: number, sample: number[]]>([
  ['nothing of nothing', 0, 0, []],
  ['nothing of something', 5, 0, []],
  ['all there is', 5, 5, [0, 1, 2, 3, 4]],
])('%s', (_, size, count, sample) => expect(samplePool({ seed, domain: 'code', size, count })).toEqual(sample))

test('what cannot be drawn is our own mistake', () => {
  const good = { seed, domain: 'code', size: 10, count: 3 }
  expect(() => samplePool({ ...good, count: 11 })).toThrow('not larger than its pool')
  expect(() => samplePool({ ...good, size: 2 ** 53 })).toThrow('size')
  expect(() => samplePool({ ...good, size: sizeMax, count: SAMPLE_COUNT_MAX + 1 })).toThrow('bounded')
  expect(() => samplePool({ ...good, seed: new Uint8Array(31) })).toThrow('32 bytes')
})

const anySeed = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('indices are distinct, ascending and inside the pool, however large it is', () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: sizeMax }))
  fc.assert(
    fc.property(anySeed, fc.string(), size, fc.nat({ max: 60 }), (seed, domain, size, wish) => {
      const count = Math.min(wish, size)
      const sample = samplePool({ seed, domain, size, count })
      expect(sample.length).toBe(count)
      expect(sample.every((index, i) => index >= 0 && index < size && index > (sample[i - 1] ?? -1))).toBe(true)
    }),
  )
})

test('every index of a small pool is drawn alike', () => {
  const DRAWS = 3_000
  const hits = new Array<number>(7).fill(0)
  for (let i = 0; i < DRAWS; i++) {
    for (const index of samplePool({ seed, domain: `${i}`, size: 7, count: 3 })) hits[index] = (hits[index] ?? 0) + 1
  }
  // Each is hit with probability 3/7: 1286 ± 27, and five deviations are allowed.
  for (const count of hits) expect(Math.abs(count - (DRAWS * 3) / 7)).toBeLessThan(136)
})
