import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encode } from '../../src/protocol/codec.ts'
import { SHARD_SEQUENCES_MAX, SHARDS_MAX } from '../../src/protocol/limits.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import {
  decodePool,
  decodeShard,
  elsewhereCount,
  judgeOpening,
  type OpenedShard,
  openingKey,
  type Pool,
  planShards,
  poolShape,
  type Shard,
  type ShardTerms,
  type ShardView,
  sequenceOf,
  shardShape,
  tokensOf,
} from '../../src/protocol/shard.ts'
import type { Verdict } from '../../src/protocol/verdict.ts'
import { CYCLE, cidOfText, constitution, hexOf, network, shard, validatorKey, view } from './world.ts'

const { sequenceTokens, vocabulary } = constitution.model
const terms: ShardTerms = { network: network.constitution, cycle: CYCLE, domain: 'code', sequenceTokens, vocabulary }

const contents: [why: string, change: Partial<Shard>, field: string | null][] = [
  ['a good one', {}, null],
  ['the last token of the vocabulary', { sequences: [sequenceOf([0, 0, 0, vocabulary - 1])] }, null],
  ['of another network', { network: cidOfText('elsewhere') }, 'network'],
  ['of another cycle: used twice', { cycle: CYCLE - 1 }, 'cycle'],
  ['of another domain', { domain: 'law' }, 'domain'],
  ['without a sequence', { sequences: [] }, 'sequences'],
  ['a sequence too short', { sequences: [sequenceOf([1, 2, 3])] }, 'sequences[0]'],
  ['a sequence too long', { sequences: [sequenceOf([1, 2, 3, 4, 5])] }, 'sequences[0]'],
  ['bytes that are no whole token', { sequences: [new Uint8Array(15)] }, 'sequences[0]'],
  ['a token outside the vocabulary', { sequences: [sequenceOf([0, 0, 0, vocabulary])] }, 'sequences[0]'],
  ['too many sequences', { sequences: Array(SHARD_SEQUENCES_MAX + 1).fill(new Uint8Array(0)) }, 'sequences'],
]
test.each(contents)('an opened shard: %s', (_, change, field) => {
  const read = decodeShard(terms, encode(shardShape, { ...shard, ...change }))
  if (field === null) expect(read).toEqual({ ...shard, ...change })
  else expect((read as Flaw).field).toBe(field)
})

test('the shard of two equal corpora is not guessed from its content: the salt differs', () => {
  const [a, b] = [shard, { ...shard, salt: '22'.repeat(32) }].map((content) => encode(shardShape, content))
  expect(a).not.toEqual(b)
})

test.each<[why: string, change: Partial<Pool>, field: string | null]>([
  ['a good one', {}, null],
  ['of another domain', { domain: 'law' }, 'domain'],
  ['a sequence too short', { sequences: [sequenceOf([1])] }, 'sequences[0]'],
  ['a token outside the vocabulary', { sequences: [sequenceOf([vocabulary, 0, 0, 0])] }, 'sequences[0]'],
])('a public pool: %s', (_, change, field) => {
  const pool: Pool = { domain: 'code', sequences: shard.sequences, ...change }
  const read = decodePool(terms, encode(poolShape, pool))
  if (field === null) expect(read).toEqual(pool)
  else expect((read as Flaw).field).toBe(field)
})

test('bytes that are no document are a flaw', () => {
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0xff), encode(shardShape, shard).subarray(1)]) {
    expect(decodeShard(terms, bytes)).toBeInstanceOf(Flaw)
    expect(decodePool(terms, bytes)).toBeInstanceOf(Flaw)
  }
})

test('tokens come back as they were written, also from the middle of a buffer', () => {
  const tokens = fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 40 })
  fc.assert(
    fc.property(tokens, fc.nat({ max: 9 }), (given, offset) => {
      const bytes = sequenceOf(given)
      const buffer = new Uint8Array(bytes.length + offset)
      buffer.set(bytes, offset)
      expect([...tokensOf(buffer.subarray(offset))]).toEqual(given)
    }),
  )
})

const owner = validatorKey(0).hotkey
const said = { cycle: CYCLE, hotkey: owner }
const opening = { domain: 'code', shard: cidOfText('sealed') }
const unsealed: Verdict = { kind: 'reject', code: 'SHARD_UNSEALED' }
const verdicts: [why: string, ShardView, typeof said, typeof opening, Verdict][] = [
  ['what was sealed', view, said, opening, { kind: 'accept' }],
  [
    'opened twice',
    { ...view, openings: new Set([openingKey(owner, 'code')]) },
    said,
    opening,
    { kind: 'ignore', code: 'KNOWN' },
  ],
  ['before the reveals are in', { ...view, open: false }, said, opening, { kind: 'ignore', code: 'EARLY' }],
  [
    'of whom no report was seen',
    view,
    { ...said, hotkey: validatorKey(1).hotkey },
    opening,
    { kind: 'ignore', code: 'VALIDATOR_UNCOUNTED' },
  ],
  [
    'of whom no report was seen, before the reveals are in',
    { ...view, open: false },
    { ...said, hotkey: validatorKey(1).hotkey },
    opening,
    { kind: 'ignore', code: 'VALIDATOR_UNCOUNTED' },
  ],
  ['another shard than was sealed', view, said, { ...opening, shard: cidOfText('fresh') }, unsealed],
  ['a shard for a domain without one', view, said, { ...opening, domain: 'law' }, unsealed],
  ['another shard, early', { ...view, open: false }, said, { ...opening, shard: cidOfText('fresh') }, unsealed],
]
test.each(verdicts)('an opening: %s', (_, known, head, body, verdict) =>
  expect(judgeOpening(known, head, body)).toEqual(verdict),
)

const opened = (number: number, stake: bigint, sequences = 64): OpenedShard => ({
  hotkey: hexOf(number),
  stake,
  sequences,
})
const POOL = { source: 'pool' }
const sealed = (sequencesEach: number, ...numbers: number[]) => ({
  source: 'sealed',
  hotkeys: numbers.map((number) => hexOf(number)),
  sequencesEach,
})
const plans: [why: string, opened: OpenedShard[], stakeTotal: bigint, plan: object][] = [
  ['nothing is open', [], 10n, POOL],
  ['all four are open', [4, 3, 2, 1].map((n) => opened(n, 5n)), 20n, sealed(64, 1, 2, 3, 4)],
  ['the largest stakes first', [opened(1, 1n), opened(2, 3n), opened(3, 2n)], 6n, sealed(64, 2, 3, 1)],
  ['exactly two thirds are open', [opened(1, 1n), opened(2, 1n)], 3n, sealed(64, 1, 2)],
  ['a unit less than two thirds is open', [opened(1, 2n ** 60n - 1n), opened(2, 2n ** 60n)], 3n * 2n ** 60n, POOL],
  ['one owner holds all', [opened(1, 7n, 256)], 7n, sealed(256, 1)],
  ['more sequences than are asked for', [opened(1, 7n, 4_000)], 7n, sealed(256, 1)],
  ['all are cut to the shortest', [opened(1, 5n, 80), opened(2, 5n, 60)], 10n, sealed(60, 1, 2)],
  ['one is too short for an error', [opened(1, 5n, 16), opened(2, 5n, 15)], 10n, POOL],
  ['without stake there is no voice', [opened(1, 5n), opened(2, 0n)], 5n, sealed(64, 1)],
  ['nobody has stake', [opened(1, 0n)], 0n, POOL],
  [
    'a shard that is short, and long enough',
    [opened(1, 5n, 256), opened(2, 5n, 256), opened(3, 5n, 50)],
    15n,
    sealed(50, 1, 2, 3),
  ],
  [
    'a minority opens short shards to blind the others',
    [opened(1, 30n, 16), opened(2, 35n), opened(3, 35n)],
    100n,
    sealed(64, 2, 3),
  ],
]
test.each(plans)('shards: %s', (_, list, stakeTotal, plan) => {
  expect(planShards(list, stakeTotal, 256)).toEqual(plan)
  expect(planShards(list.toReversed(), stakeTotal, 256)).toEqual(plan)
})

test('no more shards are used than samples suffice for', () => {
  const whale = [opened(0, 1_000n, 4_096), ...Array.from({ length: 30 }, (_, i) => opened(i + 1, 1n, 4_096))]
  const use = planShards(whale, 1_030n, 256)
  expect(use).toMatchObject({ source: 'sealed', sequencesEach: 16 })
  expect(use.source === 'sealed' && use.hotkeys.length).toBe(SHARDS_MAX)
  expect(planShards(whale, 1_030n, 40)).toEqual(sealed(20, 0, 1))
  expect(planShards(whale, 1_030n, 16)).toEqual(sealed(16, 0))
})

test('no owner of less than a third of the stake ever holds half of the shards that are used', () => {
  const owners = fc.array(fc.tuple(fc.nat({ max: 50 }), fc.nat({ max: 300 })), { maxLength: 40 })
  fc.assert(
    fc.property(owners, fc.nat({ max: 500 }), fc.integer({ min: 16, max: 512 }), (list, silent, samples) => {
      const shards = list.map(([stake, length], i) => opened(i, BigInt(stake), length))
      const stakes = new Map(shards.map(({ hotkey, stake }) => [hotkey, stake]))
      const total = shards.reduce((sum, { stake }) => sum + stake, BigInt(silent))
      const use = planShards(shards, total, samples)
      if (use.source === 'pool') return
      expect(use.sequencesEach).toBeGreaterThanOrEqual(16)
      expect(use.sequencesEach * use.hotkeys.length).toBeLessThanOrEqual(samples)
      const used = use.hotkeys.map((hotkey) => stakes.get(hotkey) ?? 0n)
      const sum = used.reduce((all, stake) => all + stake, 0n)
      for (const stake of used) if (3n * stake < total) expect(2n * stake < sum).toBe(true)
    }),
  )
})

test.each([
  [64, 0, 0],
  [64, 1, 16],
  [64, 4, 4],
  [64, 63, 2],
  [16, 1, 4],
])('beside %i sequences of its own, of each of %i other domains %i are judged', (own, others, count) =>
  expect(elsewhereCount(own, others)).toBe(count),
)
