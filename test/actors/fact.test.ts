import { expect, test } from 'vitest'
import { readCommitments, readOpening, readSlots } from '../../src/actors/fact.ts'
import type { Neuron } from '../../src/ports.ts'
import { EMPTY_BITMAP, encodeRecord, type SlotRecord } from '../../src/protocol/commitment.ts'
import type { Network } from '../../src/protocol/constitution.ts'
import { createSimChain, type SimChain } from '../../src/sim/chain.ts'
import { never } from '../contracts/harness.ts'
import { baseCid, CYCLE, cidOfText, hexOf, network, snapshotWith } from '../protocol/world.ts'

const [VALIDATOR, IDLE, MINER, STRANGER] = [hexOf(1), hexOf(2), hexOf(3), hexOf(4)] as const
const root = baseCid
const hash = 'ab'.repeat(32)
const opts = { signal: never }

const neurons: readonly Neuron[] = [
  { uid: 0, hotkey: VALIDATOR, stake: 10n, permit: true },
  { uid: 1, hotkey: IDLE, stake: 30n, permit: true },
  { uid: 2, hotkey: MINER, stake: 0n, permit: false },
  { uid: 3, hotkey: STRANGER, stake: 0n, permit: false },
]
const other: Network = { ...network, constitution: cidOfText('another network') }

/** The chain after one block with these slots. */
function chainWith(slots: readonly [hotkey: string, bytes: Uint8Array][]): SimChain {
  const chain = createSimChain({ seed: 'fact', finality: 0, neurons, entriesMin: 1 })
  for (const [hotkey, bytes] of slots) chain.as(hotkey).writeSlot(bytes, { lastBlock: 1, signal: never })
  chain.seal()
  return chain
}
const record = (slot: SlotRecord, of = network): Uint8Array => encodeRecord(of, slot)
const reportOf = (cycle: number): SlotRecord => ({ kind: 'report', cycle, hash, root })
const submissionOf = (cycle: number): SlotRecord => ({ kind: 'submission', cycle, hash })

test('slots of other networks and other programs are none of ours', async () => {
  const chain = chainWith([
    [VALIDATOR, record(reportOf(CYCLE))],
    [MINER, record(reportOf(CYCLE), other)],
    [STRANGER, Uint8Array.of(1, 2, 3)],
  ])
  const slots = await readSlots(chain.as(MINER), network, 1, opts)
  expect(slots).toEqual(new Map([[VALIDATOR, { ...reportOf(CYCLE), block: 1, index: 0 }]]))
})

test('writes of one block have places in it', async () => {
  const chain = chainWith([
    [MINER, record(submissionOf(CYCLE))],
    [STRANGER, record(submissionOf(CYCLE))],
  ])
  const slots = await readSlots(chain.as(MINER), network, 1, opts)
  expect([slots.get(MINER)?.index, slots.get(STRANGER)?.index]).toEqual([0, 1])
})

test('who counts is who has a permit, stake and a record of late; who is registered is everybody', async () => {
  const chain = chainWith([
    [VALIDATOR, record({ kind: 'root', cycle: CYCLE - 1, base: root, root, bitmap: EMPTY_BITMAP })],
    [MINER, record(submissionOf(CYCLE - 1))],
  ])
  const { snapshot, registered, slots } = await readOpening(chain.as(MINER), network, CYCLE, 1, opts)
  expect(snapshot.validators).toEqual([{ hotkey: VALIDATOR, uid: 0, stake: 10n }])
  expect(snapshot.stakeTotal).toBe(10n)
  expect(registered).toEqual(new Set(neurons.map(({ hotkey }) => hotkey)))
  expect([...slots.keys()]).toEqual([VALIDATOR, MINER])
})

test('a commitment is of this cycle and of its author’s role', async () => {
  const snapshot = snapshotWith([10n, 30n])
  const router: SlotRecord = { kind: 'router', cycle: CYCLE, hash, root }
  const cases: [hotkey: string, slot: SlotRecord, counts: boolean][] = [
    [MINER, submissionOf(CYCLE), true],
    [MINER, submissionOf(CYCLE - 1), false],
    [MINER, submissionOf(CYCLE + 1), false],
    [MINER, router, false],
    [MINER, reportOf(CYCLE), false],
    [VALIDATOR, router, true],
    [VALIDATOR, submissionOf(CYCLE), false],
    [VALIDATOR, reportOf(CYCLE), false],
  ]
  for (const [hotkey, slot, counts] of cases) {
    const chain = chainWith([[hotkey, record(slot)]])
    const commitments = await readCommitments(chain.as(MINER), network, snapshot, 1, opts)
    expect([...commitments.keys()], `${slot.kind} of cycle ${slot.cycle}`).toEqual(counts ? [hotkey] : [])
  }
})
