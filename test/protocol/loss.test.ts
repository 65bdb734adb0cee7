import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LOSS_NANO_MAX } from '../../src/protocol/limits.ts'
import { type ShardStat, shardStat } from '../../src/protocol/loss.ts'

const Z = 2_326

const cases: [why: string, base: number[], candidate: number[], zMilli: number, stat: ShardStat][] = [
  ['equal gains leave no doubt', [10, 10, 10], [7, 7, 7], Z, { mean: 3, bound: 3 }],
  ['nothing gained is nothing', [5, 6], [5, 6], Z, { mean: 0, bound: 0 }],
  // d = 0, 4: mean 2, standard error 2
  ['one standard error is taken off', [4, 4], [4, 0], 1_000, { mean: 2, bound: 0 }],
  // 2.326 × 2 = 4.652, rounded up
  ['the margin rounds up', [4, 4], [4, 0], Z, { mean: 2, bound: -3 }],
  // d = 0, −1: mean −0.5, standard error 0.5
  ['a negative mean rounds down too', [5, 5], [5, 6], 1_000, { mean: -1, bound: -2 }],
  ['z of zero leaves the mean', [9, 1], [0, 0], 0, { mean: 5, bound: 5 }],
  ['an irrational error rounds up', [6, 6, 6], [0, 3, 6], 1_732, { mean: 3, bound: 0 }],
  [
    'the widest losses stay exact',
    [LOSS_NANO_MAX, 0],
    [0, LOSS_NANO_MAX],
    10_000,
    { mean: 0, bound: -10 * LOSS_NANO_MAX },
  ],
]
test.each(cases)('%s', (_, base, candidate, zMilli, stat) => expect(shardStat(base, candidate, zMilli)).toEqual(stat))

test.each<[why: string, base: number[], candidate: number[], zMilli: number]>([
  ['a single sequence', [1], [1], Z],
  ['unequal lengths', [1, 2], [1, 2, 3], Z],
  ['a fraction of a nano-nat', [1, 2.5], [1, 2], Z],
  ['a negative loss', [1, 2], [1, -1], Z],
  ['a loss above the limit', [LOSS_NANO_MAX + 1, 2], [1, 1], Z],
  ['NaN', [Number.NaN, 1], [1, 1], Z],
  ['a negative z', [1, 2], [1, 2], -1],
  ['a z beyond its range', [1, 2], [1, 2], 10_001],
])('%s is our own mistake', (_, base, candidate, zMilli) =>
  expect(() => shardStat(base, candidate, zMilli)).toThrow('broken invariant'),
)

const loss = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: LOSS_NANO_MAX }))
const pairs = fc.array(fc.tuple(loss, loss), { minLength: 2, maxLength: 40 })
const zMilli = fc.integer({ min: 0, max: 10_000 })
const statOf = (rows: readonly (readonly [number, number])[], z: number) =>
  shardStat(
    rows.map(([base]) => base),
    rows.map(([, candidate]) => candidate),
    z,
  )

test('the mean is the floor, and the margin the least integer not below z standard errors', () => {
  fc.assert(
    fc.property(pairs, zMilli, (rows, z) => {
      const { mean, bound } = statOf(rows, z)
      const n = BigInt(rows.length)
      const differences = rows.map(([base, candidate]) => BigInt(base) - BigInt(candidate))
      const sum = differences.reduce((a, b) => a + b, 0n)
      expect(BigInt(mean) * n <= sum && sum < (BigInt(mean) + 1n) * n).toBe(true)
      // Σ(d − mean)² as a fraction over n: Σ(n·d − sum)² / n², and the error's square is that / (n·(n − 1)).
      const spread = differences.reduce((a, d) => a + (n * d - sum) ** 2n, 0n)
      const reaches = (margin: bigint) => (margin * 1_000n) ** 2n * n ** 3n * (n - 1n) >= BigInt(z) ** 2n * spread
      const margin = BigInt(mean) - BigInt(bound)
      expect(margin >= 0n && reaches(margin)).toBe(true)
      expect(margin === 0n || !reaches(margin - 1n)).toBe(true)
    }),
  )
})

test('the order of the sequences does not matter', () => {
  fc.assert(
    fc.property(pairs, zMilli, (rows, z) => {
      expect(statOf(rows.toReversed(), z)).toEqual(statOf(rows, z))
    }),
  )
})

test('swapping base and candidate turns the sign', () => {
  fc.assert(
    fc.property(pairs, zMilli, (rows, z) => {
      const there = statOf(rows, z)
      const back = shardStat(
        rows.map(([, candidate]) => candidate),
        rows.map(([base]) => base),
        z,
      )
      expect([0, -1]).toContain(there.mean + back.mean)
      expect(back.mean - back.bound).toBe(there.mean - there.bound)
    }),
  )
})

test('a stricter z never raises the bound', () => {
  fc.assert(
    fc.property(pairs, zMilli, zMilli, (rows, a, b) => {
      expect(statOf(rows, Math.max(a, b)).bound).toBeLessThanOrEqual(statOf(rows, Math.min(a, b)).bound)
    }),
  )
})
