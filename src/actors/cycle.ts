/**
 * What every machine of one cycle shares: its input, the blocks it hears of, and what it knows when it starts.
 *
 * A machine lives for one cycle and can only end: it never fails, and every wait in it ends with a block.
 */
import { NodeError } from '../errors.ts'
import type { Cancel, PeerAddress, Ports } from '../ports.ts'
import { adoptedRoot, repeatedRoot } from '../protocol/agreement.ts'
import { type Deadlines, deadlinesOf } from '../protocol/clock.ts'
import type { Constitution, Network } from '../protocol/constitution.ts'
import type { Snapshot } from '../protocol/snapshot.ts'
import { groupsOf } from '../protocol/track.ts'
import { type Base, fetchBase } from './base.ts'
import { readOpening, readSlots } from './fact.ts'
import type { Inbox } from './inbox.ts'
import type { Voice } from './voice.ts'

/** What a node is, for as long as it runs. */
export type Self = {
  readonly network: Network
  readonly constitution: Constitution
  readonly inbox: Inbox
  readonly voice: Voice
}

export type CycleInput = {
  readonly cycle: number
  /** The root in force, or `null` when this node does not know: it then takes what two thirds of the stake repeat. */
  readonly root: string | null
  /** Shards that validators sealed for this cycle: hotkey → domain → CID. */
  readonly seals: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly best: number
  readonly finalised: number
}

export type CycleEvent =
  | { readonly type: 'block.best'; readonly number: number }
  | { readonly type: 'block.finalised'; readonly number: number }
  /** The inbox has something new. */
  | { readonly type: 'message.heard' }

/** To the node, as soon as D is final and before the next cycle begins: what stands from now on. */
export type CycleRooted = {
  readonly type: 'cycle.rooted'
  readonly cycle: number
  readonly root: string | null
  readonly seals: CycleInput['seals']
}

/** Where the chain is, as the machine has heard. */
export type CycleFacts = { readonly input: CycleInput; readonly best: number; readonly finalised: number }

export const deadlinesIn = ({ constitution }: Self, cycle: number): Deadlines => deadlinesOf(constitution, cycle)

/**
 * The last best block at which a write for a deadline is worth starting: it must be included, and final, by then. Also the
 * end of every wait before such a write.
 */
export const lastCall = ({ constitution }: Self, deadline: number): number => deadline - constitution.chain.finality - 1

/** Everything that stands when a cycle begins. */
export type Opening = { readonly snapshot: Snapshot; readonly base: Base }

export async function openCycle(
  self: Self,
  { chain, blobs }: Pick<Ports, 'chain' | 'blobs'>,
  { cycle, root: held, seals }: CycleInput,
  opts: Cancel,
): Promise<Opening> {
  const { first } = deadlinesIn(self, cycle)
  const { snapshot, registered, slots } = await readOpening(chain, self.network, cycle, first, opts)
  const root = held ?? repeatedRoot(snapshot, slots)
  if (root === null) {
    throw new NodeError('ROOT_UNKNOWN', {
      what: `the current root is not known at block ${first}`,
      why: 'no root is repeated by two thirds of the stake in its slots',
    })
  }
  const terms = { network: self.network, constitution: self.constitution, snapshot, base: root }
  self.inbox.begin({
    cycle,
    block: first,
    registered,
    validators: snapshot.placeOf,
    commitments: null,
    open: false,
    seals,
    terms,
    hashes: null,
  })
  const expires = first + self.constitution.limits.cardBlocks
  self.voice.sayCard(cycle, expires, opts)
  const base = await fetchBase(blobs, root, { from: holdersOf(self, snapshot), ...opts })
  if (base === null) {
    throw new NodeError('ROOT_MALFORMED', { what: 'the current root cannot be read', why: `root ${root} is malformed` })
  }
  return { snapshot, base }
}

/** Validators keep everything that the current root needs. */
export const holdersOf = ({ inbox }: Self, snapshot: Snapshot): readonly PeerAddress[] =>
  snapshot.validators.flatMap(({ hotkey }) => inbox.addressOf(hotkey))

/** The root that the chain holds at D: the new one, or `null` when the old one stays. */
export async function readAdopted(
  { network, constitution }: Self,
  { chain }: Pick<Ports, 'chain'>,
  snapshot: Snapshot,
  opts: Cancel,
): Promise<string | null> {
  const slots = await readSlots(chain, network, deadlinesOf(constitution, snapshot.cycle).merge, opts)
  return adoptedRoot(snapshot, slots)
}

/** What stands after D: the new root, the base when none was adopted, `null` when the chain could not be read. */
export const standingRoot = (facts: { readonly opening?: Opening; readonly adopted?: string | null }): string | null =>
  facts.adopted === undefined ? null : (facts.adopted ?? facts.opening?.base.cid ?? null)

export const domainOf = ({ constitution }: Self, group: string): string =>
  groupsOf(constitution).find(({ name }) => name === group)?.domain ?? ''

/** A step that has not ended when its block comes is left behind: what waits for it would come too late as well. */
export function tellLate(ports: Pick<Ports, 'observe'>, { input, best, finalised }: CycleFacts, step: string): void {
  const what = `the step ${step} of cycle ${input.cycle} did not end in time`
  const why = `it was under way at block ${best}, with block ${finalised} final`
  tellFailure(
    ports,
    input.cycle,
    step,
    new NodeError(step === 'evaluate' ? 'EVALUATION_LATE' : 'STEP_LATE', { what, why }),
  )
}

/** A step that failed is told, and the cycle goes on without it. */
export function tellFailure({ observe }: Pick<Ports, 'observe'>, cycle: number, step: string, error: unknown): void {
  const isKnown = error instanceof NodeError
  const code = isKnown ? error.code : 'INTERNAL'
  observe({ type: 'step.failed', cycle, step, code, what: isKnown ? error.what : String(error) })
}
