import { expect, test } from 'vitest'
import { EMPTY_BITMAP, NO_HASH, type SlotRecord } from '../../src/protocol/commitment.ts'
import { commitmentsOf, judgeReveal, type Reveal, type RevealView } from '../../src/protocol/reveal.ts'
import type { Verdict } from '../../src/protocol/verdict.ts'
import { CYCLE, cidOfText, hashOf, keyOf, minerKey, revealOf, snapshot, validatorKey, view } from './world.ts'

const miner = minerKey(0)
const reveal = revealOf(miner)
const hash = hashOf('submission', miner, reveal.manifest)
const withSlot = (slot: { kind: string; cycle: number; hash: string }): RevealView => ({
  ...view,
  commitments: new Map([[miner.hotkey, slot]]),
})
const said = { cycle: CYCLE, hotkey: miner.hotkey }
const accept: Verdict = { kind: 'accept' }
const missing: Verdict = { kind: 'reject', code: 'COMMITMENT_MISSING' }
const mismatch: Verdict = { kind: 'reject', code: 'COMMITMENT_MISMATCH' }

const cases: [why: string, view: RevealView, said: { cycle: number; hotkey: string }, reveal: Reveal, Verdict][] = [
  ['what was committed', view, said, reveal, accept],
  ['another card than at the commitment', view, said, { ...reveal, card: Uint8Array.of(1) }, accept],
  ['revealed twice', { ...view, reveals: new Set([miner.hotkey]) }, said, reveal, { kind: 'ignore', code: 'KNOWN' }],
  ['before the window is final', { ...view, commitments: null }, said, reveal, { kind: 'ignore', code: 'EARLY' }],
  [
    'a made-up key, before the window is final',
    { ...view, commitments: null },
    { ...said, hotkey: keyOf(99).hotkey },
    reveal,
    { kind: 'ignore', code: 'HOTKEY_UNREGISTERED' },
  ],
  ['nothing was committed', { ...view, commitments: new Map() }, said, reveal, missing],
  ['a commitment of an earlier cycle', withSlot({ kind: 'submission', cycle: CYCLE - 1, hash }), said, reveal, missing],
  ['a commitment of another kind', withSlot({ kind: 'router', cycle: CYCLE, hash }), said, reveal, missing],
  ['a report in the slot', withSlot({ kind: 'report', cycle: CYCLE, hash }), said, reveal, missing],
  ['another kind than committed', view, said, { ...reveal, kind: 'router' }, missing],
  ['another manifest', view, said, { ...reveal, manifest: cidOfText('another') }, mismatch],
  ['another salt', view, said, { ...reveal, salt: '00'.repeat(32) }, mismatch],
  ['the reveal of another miner', view, { ...said, hotkey: minerKey(1).hotkey }, reveal, mismatch],
  [
    "another miner's hash copied into this slot",
    withSlot({ kind: 'submission', cycle: CYCLE, hash: hashOf('submission', minerKey(1), reveal.manifest) }),
    said,
    reveal,
    mismatch,
  ],
  [
    'the hash of an earlier cycle written again',
    withSlot({ kind: 'submission', cycle: CYCLE, hash: hashOf('submission', miner, reveal.manifest, CYCLE - 1) }),
    said,
    reveal,
    mismatch,
  ],
  [
    'a commitment of another network',
    { ...view, network: { ...view.network, genesis: 'cd'.repeat(32) } },
    said,
    reveal,
    mismatch,
  ],
]
test.each(cases)('%s', (_, given, head, body, verdict) => expect(judgeReveal(given, head, body)).toEqual(verdict))

test('one hotkey has one role: commitments in the other one do not exist', () => {
  const of = (kind: SlotRecord['kind'], cycle = CYCLE): SlotRecord => {
    if (kind === 'submission') return { kind, cycle, hash: NO_HASH }
    if (kind === 'router' || kind === 'report') return { kind, cycle, hash: NO_HASH, root: cidOfText('root') }
    const root = cidOfText('root')
    if (kind === 'root') return { kind, cycle, base: root, root, bitmap: EMPTY_BITMAP }
    return { kind, cycle, hash: NO_HASH, root, bitmap: EMPTY_BITMAP }
  }
  const slots = new Map<string, SlotRecord>([
    [minerKey(0).hotkey, of('submission')],
    [minerKey(1).hotkey, of('router')],
    [keyOf(31).hotkey, of('submission', CYCLE - 1)],
    [keyOf(32).hotkey, of('submission', CYCLE + 1)],
    [validatorKey(0).hotkey, of('router')],
    [validatorKey(1).hotkey, of('submission')],
    [validatorKey(2).hotkey, of('report')],
    [validatorKey(3).hotkey, of('attest')],
  ])
  const committed = commitmentsOf(snapshot, slots)
  expect([...committed.keys()]).toEqual([minerKey(0).hotkey, validatorKey(0).hotkey])
})
