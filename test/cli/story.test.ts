import { expect, test } from 'vitest'
import { storyOf, summaryOf } from '../../src/cli/story.ts'
import type { Happening, NodeEvent } from '../../src/event.ts'
import { toSs58 } from '../../src/protocol/hotkey.ts'
import { REWARD_POT } from '../../src/protocol/reward.ts'
import type { Root } from '../../src/protocol/root.ts'
import { base, hexOf, rowOf } from '../protocol/world.ts'

const [WITNESS, OTHER] = [toSs58(hexOf(1)), toSs58(hexOf(2))]
const [EARNER, REFUSED, SILENT] = [hexOf(11), hexOf(12), hexOf(13)]
const loss = { code: { before: 2, after: 1.9 } }

const at = (happening: Happening, node = WITNESS): NodeEvent => ({ ...happening, at: 100, node })
const settled = (validator: string, cycle: number, root: string, certified = true): NodeEvent =>
  at({ type: 'cycle.settled', cycle, validator, certified, certificate: { stake: 0.75 }, root, loss }, validator)
const judged = (validator: string, hotkey: string, cycle = 0): NodeEvent =>
  at({
    type: 'submission.judged',
    cycle,
    validator,
    hotkey: toSs58(hotkey),
    group: null,
    accepted: false,
    reason: 'REVEAL_MISSING',
    gain: 0,
    marginal: 0,
  })
const landed = (validator: string, cycle: number): NodeEvent =>
  at({ type: 'weights.landed', cycle, validator, block: 162, weights: [[0, 65_535]] })

const root: Root = {
  ...base,
  cycle: 0,
  rows: [
    rowOf(EARNER, { score: 40_000_000, marginal: 30_000_000 }),
    rowOf(REFUSED, { score: 0, marginal: 0, reason: 'LOSS_NOT_LOWER' }),
  ],
  rewards: [{ hotkey: EARNER, reward: REWARD_POT / 4 }],
  burned: (3 * REWARD_POT) / 4,
}
const rootOf = (cid: string): Root | null => (cid === 'root' ? root : cid === 'base' ? base : null)

const events: readonly NodeEvent[] = [
  judged(WITNESS, SILENT),
  judged(OTHER, hexOf(99)),
  judged(WITNESS, REFUSED),
  settled(OTHER, 0, 'root'),
  settled(WITNESS, 0, 'root'),
  landed(WITNESS, 0),
  landed(OTHER, 0),
]

test('a cycle’s story is what was certified, and for the rest what the witness saw', () => {
  const [cycle, ...others] = storyOf(events, WITNESS, rootOf)
  expect(others).toEqual([])
  expect(cycle).toMatchObject({ cycle: 0, certified: true, stake: 0.75, root: 'root', loss, burned: 0.75 })
  expect(cycle).toMatchObject({ settledBy: 2, landedBy: 2, weights: [[0, 65_535]] })
  expect(cycle?.lines).toEqual([
    { hotkey: toSs58(EARNER), group: 'code', gain: 0.04, marginal: 0.03, reward: 0.25, reason: null },
    { hotkey: toSs58(REFUSED), group: 'code', gain: 0, marginal: 0, reward: 0, reason: 'LOSS_NOT_LOWER' },
    { hotkey: toSs58(SILENT), group: null, gain: 0, marginal: 0, reward: 0, reason: 'REVEAL_MISSING' },
  ])
})

test('a cycle that left no root pays nobody, whatever root stands', () => {
  const [cycle] = storyOf([judged(WITNESS, SILENT, 1), settled(WITNESS, 1, 'root', false)], WITNESS, rootOf)
  expect(cycle).toMatchObject({ cycle: 1, certified: false, burned: 1, weights: [], landedBy: 0 })
  expect(cycle?.lines.map(({ hotkey }) => hotkey)).toEqual([toSs58(SILENT)])
})

test('validators that hold another root are not counted as holding this one', () => {
  expect(storyOf([settled(WITNESS, 0, 'root'), settled(OTHER, 0, 'base')], WITNESS, rootOf)[0]?.settledBy).toBe(1)
})

test('a cycle that the witness has not settled has no story yet', () => {
  expect(storyOf([settled(OTHER, 0, 'root')], WITNESS, rootOf)).toEqual([])
})

test('the summary says the same in the fields that programs rely on', () => {
  expect(summaryOf(storyOf(events, WITNESS, rootOf))).toEqual([
    { cycle: 0, certified: true, root: 'root', loss, rewards: { [toSs58(EARNER)]: 0.25 } },
  ])
})
