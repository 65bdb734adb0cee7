import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SCORE_MAX } from '../../src/protocol/limits.ts'
import { type GainVerdict, type Gates, type JudgedShard, judgeGain, mayRejectEarly } from '../../src/protocol/score.ts'

const gates: Gates = { epsilon: 100, harmMax: 50 }
const shard = (mean: number, bound: number, elsewhere: number | null = 0, stake = 1n): JudgedShard => ({
  stake,
  own: { mean, bound },
  elsewhere,
})
const refused = (reason: GainVerdict['reason'], median: number, bound: number): GainVerdict => ({
  accepted: false,
  gain: 0,
  reason,
  median,
  bound,
})
const accepted = (gain: number, median: number, bound: number): GainVerdict => ({
  accepted: true,
  gain,
  reason: null,
  median,
  bound,
})

const cases: [why: string, shards: JudgedShard[], verdict: GainVerdict][] = [
  ['just above both gates counts', [shard(101, 1)], accepted(101, 101, 1)],
  ['a bound of zero is luck', [shard(101, 0)], refused('LOSS_NOT_LOWER', 101, 0)],
  ['a gain of epsilon is too small', [shard(100, 1)], refused('GAIN_BELOW_EPSILON', 100, 1)],
  ['a loss that rose is named first', [shard(-5, -9, -99)], refused('LOSS_NOT_LOWER', -5, -9)],
  ['a small gain is named before harm', [shard(5, 1, -99)], refused('GAIN_BELOW_EPSILON', 5, 1)],
  ['harm of harmMax is too much', [shard(500, 400, -50)], refused('HARMS_OTHER_DOMAINS', 500, 400)],
  ['less harm is borne', [shard(500, 400, -49)], accepted(500, 500, 400)],
  ['without other domains there is no harm', [shard(500, 400, null)], accepted(500, 500, 400)],
  ['a score is a u32', [shard(5_000_000_000, 1)], accepted(SCORE_MAX, 5_000_000_000, 1)],
  [
    'one crafted shard of three does not lift the score',
    [shard(10 ** 9, 10 ** 9, 0, 33n), shard(10, -5, 0, 33n), shard(12, -4, 0, 34n)],
    refused('LOSS_NOT_LOWER', 12, -4),
  ],
  [
    'one poisoned shard of three does not sink it',
    [shard(-(10 ** 9), -(10 ** 9), -(10 ** 9), 33n), shard(300, 200, 0, 33n), shard(310, 210, 0, 34n)],
    accepted(300, 300, 200),
  ],
  [
    'stake decides, not the number of shards',
    [shard(1, -1, 0, 1n), shard(2, -1, 0, 1n), shard(900, 800, 0, 3n)],
    accepted(900, 900, 800),
  ],
  [
    'the two medians may come from different shards',
    [shard(200, -1), shard(150, 5), shard(50, 10)],
    accepted(150, 150, 5),
  ],
  [
    'a shard without other domains has no say on harm',
    [shard(500, 400, null, 9n), shard(500, 400, -80)],
    refused('HARMS_OTHER_DOMAINS', 500, 400),
  ],
]
test.each(cases)('%s', (_, shards, verdict) => expect(judgeGain(shards, gates)).toEqual(verdict))

test('a gate of zero still wants more than nothing', () => {
  expect(judgeGain([shard(1, 1, 1)], { epsilon: 0, harmMax: 0 }).accepted).toBe(true)
  expect(judgeGain([shard(1, 1, 0)], { epsilon: 0, harmMax: 0 }).reason).toBe('HARMS_OTHER_DOMAINS')
})

test('without shards, stake or sensible gates there is nothing to judge', () => {
  expect(() => judgeGain([], gates)).toThrow('at least one shard')
  expect(() => judgeGain([shard(1, 1, 0, 0n)], gates)).toThrow('total weight')
  expect(() => judgeGain([shard(1, 1)], { ...gates, epsilon: -1 })).toThrow('epsilon')
  expect(() => judgeGain([shard(1, 1)], { ...gates, harmMax: 0.5 })).toThrow('harmMax')
})

test('early rejection happens at a checkpoint, and only when even luck would not help', () => {
  const hopeless = [shard(-10, -20)] // −10 + 10 = 0
  const hopeful = [shard(-10, -21)]
  expect(mayRejectEarly(hopeless, 64, [32, 64])).toBe(true)
  expect(mayRejectEarly(hopeless, 65, [32, 64])).toBe(false)
  expect(mayRejectEarly(hopeless, 64, [])).toBe(false)
  expect(mayRejectEarly(hopeful, 64, [32, 64])).toBe(false)
  expect(mayRejectEarly([shard(-10, -20, 0, 1n), shard(5, 1, 0, 2n)], 32, [32])).toBe(false)
})

const anyShard = fc
  .tuple(
    fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    fc.integer({ min: -1_000, max: 1_000 }),
    fc.nat({ max: 1_000 }),
    fc.option(fc.integer({ min: -100, max: 100 })),
  )
  .map(([stake, mean, margin, elsewhere]) => shard(mean, mean - margin, elsewhere, stake))
const anyShards = fc.array(anyShard, { minLength: 1, maxLength: 16 })

test('the owners of less than half of the stake cannot make a submission count that the others refuse', () => {
  fc.assert(
    fc.property(anyShards, fc.nat({ max: 100 }), (others, mean) => {
      const refusing = others.map(({ stake, elsewhere }) => shard(mean, 1, elsewhere, stake >> 8n || 1n))
      const stake = refusing.reduce((sum, other) => sum + other.stake, 0n) - 1n
      const shards = [...refusing, shard(10 ** 11, 10 ** 11, 0, stake)]
      expect(judgeGain(shards, gates)).toMatchObject({ accepted: false, gain: 0 })
    }),
  )
})

test('a score is positive exactly when the submission counts, and the order of the shards does not matter', () => {
  fc.assert(
    fc.property(anyShards, (shards) => {
      const verdict = judgeGain(shards, gates)
      expect(verdict.accepted).toBe(verdict.reason === null)
      expect(verdict.gain > gates.epsilon).toBe(verdict.accepted)
      expect(judgeGain(shards.toReversed(), gates)).toEqual(verdict)
    }),
  )
})

test('what passes on the same samples is never rejected early', () => {
  fc.assert(
    fc.property(anyShards, (shards) => {
      if (judgeGain(shards, gates).accepted) expect(mayRejectEarly(shards, 32, [32])).toBe(false)
    }),
  )
})
