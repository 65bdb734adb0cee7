/**
 * The snapshot: whose voice counts in a cycle, and for how much (protocol §6).
 *
 * Read once from the finalised state of the cycle's first block. Nothing learned from gossip ever changes it: a voter that
 * could be talked out of the total would be two totals in one cycle. Permit holders that never take part are not in it, or
 * their absence would freeze the model for ever.
 */
import { assert } from '../util/assert.ts'
import { compareNumber, compareText } from '../util/compare.ts'
import type { SlotRecord } from './commitment.ts'
import { SNAPSHOT_CYCLES, VALIDATORS_MAX } from './limits.ts'

export type Validator = {
  readonly hotkey: string
  readonly uid: number
  /** The runtime's own integer: it passes 2^53, so it is never a number. */
  readonly stake: bigint
}
export type Candidate = Validator & {
  readonly permit: boolean
  /** What the hotkey's slot holds, or `null` when it is nothing of this network. */
  readonly slot: SlotRecord | null
}

export type Snapshot = {
  readonly cycle: number
  /** In the order of hotkey bytes: a validator's place here is its bit in every bitmap. */
  readonly validators: readonly Validator[]
  readonly stakeTotal: bigint
  readonly placeOf: ReadonlyMap<string, number>
}

/** A record of this cycle is one of a newcomer that wrote its root before the first block. */
const takesPart = (slot: SlotRecord | null, cycle: number): boolean =>
  slot !== null && slot.kind !== 'submission' && slot.cycle <= cycle && slot.cycle >= cycle - SNAPSHOT_CYCLES

export function snapshotOf(cycle: number, candidates: readonly Candidate[]): Snapshot {
  const counted = candidates.filter(
    (candidate) => candidate.permit && candidate.stake > 0n && takesPart(candidate.slot, cycle),
  )
  const largest = counted.toSorted(largestFirst).slice(0, VALIDATORS_MAX)
  const validators = largest
    .toSorted((a, b) => compareText(a.hotkey, b.hotkey))
    .map(({ hotkey, uid, stake }) => ({ hotkey, uid, stake }))
  const placeOf = new Map(validators.map(({ hotkey }, place) => [hotkey, place]))
  assert(placeOf.size === validators.length, 'a hotkey is in a snapshot once')
  const stakeTotal = validators.reduce((sum, { stake }) => sum + stake, 0n)
  return { cycle, validators, stakeTotal, placeOf }
}

/** Among equal stakes the hotkey decides, so that everybody has the same order. */
export const largestFirst = (
  a: { readonly stake: bigint; readonly hotkey: string },
  b: { readonly stake: bigint; readonly hotkey: string },
): number => compareNumber(b.stake, a.stake) || compareText(a.hotkey, b.hotkey)

/** Strictly more than half. */
export const isMajority = (stake: bigint, total: bigint): boolean => 2n * stake > total

/** At least two thirds: with "more than", three equal validators would stop at the first crash, and gain no safety. */
export const isQuorum = (stake: bigint, total: bigint): boolean => total > 0n && 3n * stake >= 2n * total
