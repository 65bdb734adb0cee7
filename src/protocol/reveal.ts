/**
 * Reveals: what a miner (or, for the router, a validator) committed to, and where to fetch it.
 *
 * A reveal is valid if and only if it matches the commitment that the finalised state holds at the end of the commit
 * window. Nobody adjudicates lateness: what a validator could not fetch is absent from its report, and the median decides.
 * The peer card inside is not part of what was committed, so a restart under new addresses harms nobody.
 */
import { commitmentHash, SALT_BYTES, type SlotRecord } from './commitment.ts'
import type { Network } from './constitution.ts'
import type { Envelope } from './envelope.ts'
import { CARD_BYTES_MAX } from './limits.ts'
import { blob, id, link, record, type TypeOf, word } from './schema.ts'
import type { Snapshot } from './snapshot.ts'
import { ACCEPT, ignore, reject, type Verdict } from './verdict.ts'

export const revealShape = record({
  kind: word(['submission', 'router']),
  manifest: link,
  salt: id(SALT_BYTES),
  /** The author's peer card, in its envelope. */
  card: blob(CARD_BYTES_MAX),
})
export type Reveal = TypeOf<typeof revealShape>

/**
 * The commitments of this cycle in the state at the end of the commit window. One hotkey has one role (protocol §4):
 * validators submit routing rows, everybody else experts; what a hotkey commits in the other role does not exist. A report
 * with such a row would be malformed.
 */
export function commitmentsOf<S extends SlotRecord>(
  snapshot: Snapshot,
  slots: ReadonlyMap<string, S>,
): Map<string, Commitment<S>> {
  const committed = new Map<string, Commitment<S>>()
  for (const [hotkey, slot] of slots) {
    const kind = snapshot.placeOf.has(hotkey) ? 'router' : 'submission'
    if (slot.cycle === snapshot.cycle && slot.kind === kind) committed.set(hotkey, slot as Commitment<S>)
  }
  return committed
}

type Commitment<S extends SlotRecord> = Extract<S, { readonly kind: 'submission' | 'router' }>

export type RevealView = {
  readonly network: Network
  readonly registered: { has(hotkey: string): boolean }
  /** What the slots held at the end of the commit window, or `null` while that block is not final. */
  readonly commitments: ReadonlyMap<
    string,
    { readonly kind: string; readonly cycle: number; readonly hash: string }
  > | null
  readonly reveals: { has(hotkey: string): boolean }
}

export function judgeReveal(
  view: RevealView,
  { cycle, hotkey }: Pick<Envelope, 'cycle' | 'hotkey'>,
  reveal: Reveal,
): Verdict {
  if (view.reveals.has(hotkey)) return ignore('KNOWN')
  // Before EARLY: what waits for its window takes room, and anybody can make a key.
  if (!view.registered.has(hotkey)) return ignore('HOTKEY_UNREGISTERED')
  if (view.commitments === null) return ignore('EARLY')
  const commitment = view.commitments.get(hotkey)
  if (commitment === undefined || commitment.cycle !== cycle || commitment.kind !== reveal.kind) {
    return reject('COMMITMENT_MISSING')
  }
  const { kind, manifest: content, salt } = reveal
  const matches = commitment.hash === commitmentHash(view.network, { cycle, kind, hotkey, content, salt })
  return matches ? ACCEPT : reject('COMMITMENT_MISMATCH')
}
