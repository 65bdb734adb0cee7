import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EMPTY_BITMAP, NO_HASH, type SlotRecord } from '../../src/protocol/commitment.ts'
import { VALIDATORS_MAX } from '../../src/protocol/limits.ts'
import { type Candidate, isMajority, isQuorum, snapshotOf } from '../../src/protocol/snapshot.ts'
import { CYCLE, cidOfText, hexOf } from './world.ts'

const root = cidOfText('root')
const attest = (cycle: number): SlotRecord => ({ kind: 'attest', cycle, hash: NO_HASH, root, bitmap: EMPTY_BITMAP })
const good: Candidate = { hotkey: hexOf(1), uid: 1, stake: 5n, permit: true, slot: attest(CYCLE - 1) }

const cases: [why: string, change: Partial<Candidate>, counts: boolean][] = [
  ['a record of the last cycle', {}, true],
  ['a record of three cycles ago', { slot: attest(CYCLE - 3) }, true],
  ['a record of four cycles ago', { slot: attest(CYCLE - 4) }, false],
  ['a newcomer that wrote its root in this cycle', { slot: attest(CYCLE) }, true],
  ['a record of the future', { slot: attest(CYCLE + 1) }, false],
  ['a report in the slot', { slot: { kind: 'report', cycle: CYCLE - 1, hash: NO_HASH, root } }, true],
  ['routing rows in the slot', { slot: { kind: 'router', cycle: CYCLE - 1, hash: NO_HASH, root } }, true],
  ['a miner', { slot: { kind: 'submission', cycle: CYCLE - 1, hash: NO_HASH } }, false],
  ['nothing of this network in the slot', { slot: null }, false],
  ['no permit', { permit: false }, false],
  ['no stake', { stake: 0n }, false],
]
test.each(cases)('%s', (_, change, counts) => {
  const { validators, stakeTotal } = snapshotOf(CYCLE, [{ ...good, ...change }])
  expect(validators).toEqual(counts ? [{ hotkey: good.hotkey, uid: 1, stake: 5n }] : [])
  expect(stakeTotal).toBe(counts ? 5n : 0n)
})

test('with more validators than bits the largest stakes count, ties by hotkey', () => {
  const many = Array.from({ length: VALIDATORS_MAX + 10 }, (_, i) => ({
    ...good,
    hotkey: hexOf(i),
    uid: i,
    stake: i < 20 ? 1n : 2n,
  }))
  const { validators } = snapshotOf(CYCLE, many.toReversed())
  expect(validators.map(({ uid }) => uid)).toEqual([
    ...Array.from({ length: 10 }, (_, i) => i),
    ...Array.from({ length: VALIDATORS_MAX - 10 }, (_, i) => i + 20),
  ])
})

test('stakes beyond 2^53 are summed exactly', () => {
  const whales = [1, 2, 3].map((n) => ({ ...good, hotkey: hexOf(n), stake: 2n ** 53n + 1n }))
  expect(snapshotOf(CYCLE, whales).stakeTotal).toBe(3n * 2n ** 53n + 3n)
})

test('a hotkey that is a candidate twice is our own mistake', () => {
  expect(() => snapshotOf(CYCLE, [good, good])).toThrow('broken invariant')
})

test('places ascend with the bytes of hotkeys, whatever order the chain lists them in', () => {
  const candidates = fc.uniqueArray(fc.nat({ max: 1_000 }), { maxLength: 40 })
  fc.assert(
    fc.property(candidates, (numbers) => {
      const listed = numbers.map((n) => ({ ...good, hotkey: hexOf(n, 0xee), uid: n, stake: BigInt(n + 1) }))
      const snapshot = snapshotOf(CYCLE, listed)
      const hotkeys = snapshot.validators.map(({ hotkey }) => hotkey)
      expect(hotkeys).toEqual(hotkeys.toSorted())
      expect(snapshotOf(CYCLE, listed.toReversed())).toEqual(snapshot)
      for (const [place, hotkey] of hotkeys.entries()) expect(snapshot.placeOf.get(hotkey)).toBe(place)
    }),
  )
})

test.each<[stake: bigint, total: bigint, majority: boolean, quorum: boolean]>([
  [0n, 0n, false, false],
  [0n, 1n, false, false],
  [1n, 1n, true, true],
  [1n, 2n, false, false],
  [2n, 3n, true, true],
  [2n, 4n, false, false],
  [3n, 5n, true, false],
  [66n, 100n, true, false],
  [67n, 100n, true, true],
  [2n ** 64n, 3n * 2n ** 63n, true, true],
  [2n ** 64n - 1n, 3n * 2n ** 63n, true, false],
])('%s of %s is a majority: %s, a quorum: %s', (stake, total, majority, quorum) => {
  expect([isMajority(stake, total), isQuorum(stake, total)]).toEqual([majority, quorum])
})
