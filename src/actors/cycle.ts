/**
 * What every machine of one cycle shares: its input, the blocks it hears of, and what it knows when it starts.
 *
 * A machine lives for one cycle and can only end: it never fails, and every wait in it ends with a block.
 */
import { NodeError } from '../errors.ts'
import type { Cancel, PeerAddress, Ports } from '../ports.ts'
import { adoptedRoot, repeatedRoot } from '../protocol/agreement.ts'
import { cycleBlocks, type Deadlines, deadlinesOf } from '../protocol/clock.ts'
import type { Constitution, Network } from '../protocol/constitution.ts'
import { SNAPSHOT_CYCLES } from '../protocol/limits.ts'
import { genesisRoot, rootCid } from '../protocol/root.ts'
import type { Snapshot } from '../protocol/snapshot.ts'
import { groupsOf } from '../protocol/track.ts'
import { assert } from '../util/assert.ts'
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
  /** The root in force, or `null` when this node does not know: it then asks the chain (`readStanding`). */
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

/** Where the chain is, as the machine has heard, and what both roles find out. */
export type CycleFacts = {
  readonly input: CycleInput
  readonly best: number
  readonly finalised: number
  readonly opening?: Opening
  /** The root that the chain holds at D: the new one, or `null` when the old one stays. */
  readonly adopted?: string | null
}

export const deadlinesIn = ({ constitution }: Self, cycle: number): Deadlines => deadlinesOf(constitution, cycle)

type Known = { readonly context: CycleFacts }

/** The ends of waits: every one ends with a block. */
export const createGuards = (self: Self) => {
  const at = ({ input }: CycleFacts): Deadlines => deadlinesIn(self, input.cycle)
  return {
    at,
    isFinal:
      (deadline: keyof Deadlines) =>
      ({ context }: Known): boolean =>
        context.finalised >= at(context)[deadline],
    /** A write for a deadline is told when that is final, so its wait ends one block later. */
    isPast:
      (deadline: keyof Deadlines) =>
      ({ context }: Known): boolean =>
        context.finalised > at(context)[deadline],
  }
}

/** A write needs a block to be sent in and one to be included in. */
const CALL_BLOCKS = 2

/**
 * The last best block at which a write for a deadline is worth starting: it must be included by then; that the deadline's
 * block becomes final takes its time afterwards. Also the end of every wait before such a write.
 */
export const lastCall = (deadline: number): number => deadline - CALL_BLOCKS

/** Everything that stands when a cycle begins. */
export type Opening = { readonly snapshot: Snapshot; readonly base: Base }

export type CycleStep = 'open' | 'adopt'
type CycleWork = (facts: CycleFacts, opts: Cancel) => Promise<Partial<CycleFacts>>

/** How a cycle begins and how it ends, alike for both roles. */
export const createSteps = (
  self: Self,
  ports: Pick<Ports, 'chain' | 'blobs'>,
): { readonly [S in CycleStep]: CycleWork } => ({
  open: async ({ input }, opts) => ({ opening: await openCycle(self, ports, input, opts) }),

  adopt: async ({ input: { cycle }, opening }, opts) => {
    if (opening === undefined) return { adopted: null }
    const slots = await readSlots(ports.chain, self.network, deadlinesIn(self, cycle).merge, opts)
    return { adopted: adoptedRoot(opening.snapshot, slots) }
  },
})

async function openCycle(
  self: Self,
  { chain, blobs }: Pick<Ports, 'chain' | 'blobs'>,
  { cycle, root: held, seals }: CycleInput,
  opts: Cancel,
): Promise<Opening> {
  const { first } = deadlinesIn(self, cycle)
  const { snapshot, registered } = await readOpening(chain, self.network, cycle, first, opts)
  const root = held ?? (await readStanding(self, chain, cycle, opts))
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
  self.voice.sayCard(cycle, cardExpiry(self, first), opts)
  const base = await fetchBase(blobs, root, { from: holdersOf(self, snapshot), ...opts })
  if (base === null) {
    throw new NodeError('ROOT_MALFORMED', { what: 'the current root cannot be read', why: `root ${root} is malformed` })
  }
  return { snapshot, base }
}

/**
 * Until when a card counts that is signed at a block. A cycle less than what is allowed: whoever judges it may have seen
 * fewer blocks than its author.
 */
export const cardExpiry = ({ constitution }: Self, block: number): number =>
  block + constitution.limits.cardBlocks - cycleBlocks(constitution)

/**
 * The root in force in a cycle, for who was not there when the last one ended: what the last cycle adopted, or else what
 * two thirds of it repeat as its base, by the slots at its D and under its snapshot; or else what stood before it. Later
 * records are proposals and prove nothing. In the first cycles that is the genesis root.
 */
async function readStanding(self: Self, chain: Ports['chain'], cycle: number, opts: Cancel): Promise<string> {
  const { constitution, network } = self
  for (let last = cycle - 1; last >= cycle - SNAPSHOT_CYCLES; last--) {
    if (last < constitution.start.cycle) return rootCid(genesisRoot(constitution))
    const { first, merge } = deadlinesIn(self, last)
    const { snapshot } = await readOpening(chain, network, last, first, opts)
    const slots = await readSlots(chain, network, merge, opts)
    const root = adoptedRoot(snapshot, slots) ?? repeatedRoot(snapshot, slots)
    if (root !== null) return root
  }
  throw new NodeError('ROOT_UNKNOWN', {
    what: `the root of cycle ${cycle} is not known`,
    why: `in the ${SNAPSHOT_CYCLES} cycles before it no two thirds of the stake wrote a root`,
  })
}

/** Validators keep everything that the current root needs. */
export const holdersOf = ({ inbox }: Self, snapshot: Snapshot): readonly PeerAddress[] =>
  snapshot.validators.flatMap(({ hotkey }) => inbox.addressOf(hotkey))

/** What stands after D: the new root, the base when none was adopted, `null` when the chain could not be read. */
export const standingRoot = ({ opening, adopted }: CycleFacts): string | null =>
  adopted === undefined ? null : (adopted ?? opening?.base.cid ?? null)

export function domainOf({ constitution }: Self, group: string): string {
  const found = groupsOf(constitution).find(({ name }) => name === group)
  assert(found !== undefined, 'a miner has a group of its constitution')
  return found.domain
}

/** Not an endpoint's failure: the slot was read at the deadline, and what stands in it is not what we wrote. */
export const commitmentLost = (what: string, cycle: number, block: number): NodeError =>
  new NodeError('COMMITMENT_LOST', {
    what: `${what} of cycle ${cycle} is not on chain`,
    why: `block ${block} holds another one, or none: another process may write with the same hotkey`,
  })

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
