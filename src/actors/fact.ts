/**
 * Finalised facts: what a node reads from the chain at the blocks that the constitution fixes (protocol §2, §6).
 */
import type { Cancel, Chain } from '../ports.ts'
import { decodeRecord, type SlotRecord } from '../protocol/commitment.ts'
import type { Network } from '../protocol/constitution.ts'
import { commitmentsOf } from '../protocol/reveal.ts'
import { type Snapshot, snapshotOf } from '../protocol/snapshot.ts'

/** A record in a slot, and where in the chain it was written. */
export type Written = SlotRecord & { readonly block: number; readonly index: number }

/** All slots of this network at a finalised block. */
export async function readSlots(
  chain: Chain,
  network: Network,
  block: number,
  opts: Cancel,
): Promise<ReadonlyMap<string, Written>> {
  const written = new Map<string, Written>()
  for (const slot of await chain.slots(block, opts)) {
    const record = decodeRecord(network, slot.bytes)
    if (record !== null) written.set(slot.hotkey, { ...record, block: slot.block, index: slot.index })
  }
  return written
}

export type OpeningFacts = {
  readonly snapshot: Snapshot
  readonly registered: ReadonlySet<string>
  readonly slots: ReadonlyMap<string, Written>
}

/** Who counts in a cycle: read at its first block, once. */
export async function readOpening(
  chain: Chain,
  network: Network,
  cycle: number,
  block: number,
  opts: Cancel,
): Promise<OpeningFacts> {
  const neurons = await chain.neurons(block, opts)
  const slots = await readSlots(chain, network, block, opts)
  const candidates = neurons.map((neuron) => ({ ...neuron, slot: slots.get(neuron.hotkey) ?? null }))
  return { snapshot: snapshotOf(cycle, candidates), registered: new Set(neurons.map(({ hotkey }) => hotkey)), slots }
}

export type Committed = Extract<Written, { readonly kind: 'submission' | 'router' }>

/** What was committed to in this cycle, at the end of the commit window. */
export async function readCommitments(
  chain: Chain,
  network: Network,
  snapshot: Snapshot,
  block: number,
  opts: Cancel,
): Promise<ReadonlyMap<string, Committed>> {
  return commitmentsOf(snapshot, await readSlots(chain, network, block, opts))
}
