/**
 * Tracks: kinds of work that a network pays for, each with a share of the rewards (protocol §3).
 *
 * A track's kind decides what a submission is, how it is judged and what becomes of the accepted ones. There is one kind so
 * far, `experts`; another is a new row in `TRACK_RULES`, and the compiler lists what it owes.
 */
import { assert } from '../util/assert.ts'
import type { Constitution } from './constitution.ts'
import {
  DOMAINS_MAX,
  GROUPS_MAX,
  LOSS_NANO_MAX,
  PHASE_BLOCKS_MAX,
  SEATS_MAX,
  SHARD_SEQUENCES_MAX,
  SHARD_SEQUENCES_MIN,
  TENSORS_MAX,
} from './limits.ts'
import { Z_MILLI_MAX } from './loss.ts'
import { nameShape } from './name.ts'
import { ascending, Flaw, integer, link, list, nullable, record, type TypeOf, text, word } from './schema.ts'
import { isTensorName, TENSOR_NAME_CHARS_MAX } from './tensor.ts'

export const TRACK_KINDS = ['experts'] as const
export type TrackKind = (typeof TRACK_KINDS)[number]

/** Routing rows are nobody's group: they are trained under this name, by validators (protocol §7). */
export const ROUTER = 'router'
/** The part of a model that never changes. A group of this name would be merged into its place. */
export const HUB = 'hub'

const tensorName = text(new RegExp(`^.{1,${TENSOR_NAME_CHARS_MAX}}$`), 'a tensor name')
const tensors = ascending(tensorName, 1, TENSORS_MAX, (tensor) => tensor)
const nano = integer(0, LOSS_NANO_MAX)

export const groupShape = record({
  name: nameShape,
  domain: nameShape,
  /** What customers ask for: a group's share of the rewards is its value over the sum of values. */
  value: integer(0, 1_000_000_000),
  /** How many submissions are evaluated in a cycle; anybody may commit. */
  seats: integer(1, SEATS_MAX),
  tensors,
})
export type Group = TypeOf<typeof groupShape>

export const trackShape = record({
  name: nameShape,
  kind: word(TRACK_KINDS),
  sharePpm: integer(0, 1_000_000),
  domains: list(
    record({
      name: nameShape,
      /** A public pool of sequences, for cycles in which too few sealed shards were opened (protocol §5). */
      pool: nullable(link),
    }),
    1,
    DOMAINS_MAX,
  ),
  groups: list(groupShape, 1, GROUPS_MAX),
  router: record({ everyCycles: integer(1, PHASE_BLOCKS_MAX), tensors }),
  scoring: record({
    /** One-sided confidence in standard errors, in thousandths: 2326 is 99 %. */
    zMilli: integer(1, Z_MILLI_MAX),
    epsilonMin: nano,
    epsilonMax: nano,
    /** How much a submission or a root may worsen what it is not meant to change: τ of protocol §5 and §7. */
    harmMax: nano,
    /** A marginal reward below this share of the best score is left out of the merge. */
    marginalFloorMilli: integer(0, 1_000),
    /** Scores closer than this are a tie, decided by who committed first. */
    roundingNano: integer(1, LOSS_NANO_MAX),
    /** A group that never earned anything is paid in full from this gain on. */
    referenceMin: nano,
    /** Sequences of all shards together, and the counts at which an evaluation may reject early. */
    samples: integer(SHARD_SEQUENCES_MIN, SHARD_SEQUENCES_MAX),
    checkpoints: ascending(integer(2, SHARD_SEQUENCES_MAX), 0, 16, (count) => count),
  }),
  merge: record({
    etaPpm: integer(1, 10_000_000),
    /** A tensor may move by this share of its norm, in thousandths. */
    normRatioMilli: integer(1, 1_000_000),
  }),
})
export type Track = TypeOf<typeof trackShape>

/** Who already holds a name or a tensor, over all tracks: the field that claimed it. */
export type Taken = {
  readonly domains: Map<string, string>
  readonly groups: Map<string, string>
  readonly tensors: Map<string, string>
}

export function checkExperts(track: Track, field: string, taken: Taken): Flaw | null {
  const domains = new Set(track.domains.map((domain) => domain.name))
  for (const [i, domain] of track.domains.entries()) {
    const flaw = claimName(domain.name, `${field}.domains[${i}].name`, taken.domains)
    if (flaw !== null) return flaw
  }
  for (const [i, group] of track.groups.entries()) {
    const flaw = checkGroup(group, `${field}.groups[${i}]`, domains, taken)
    if (flaw !== null) return flaw
  }
  const empty = track.domains.findIndex((domain) => !track.groups.some((group) => group.domain === domain.name))
  if (empty !== -1) {
    return new Flaw(
      `${field}.domains[${empty}]`,
      `domain "${track.domains[empty]?.name}" has no group: nobody would train it`,
    )
  }
  if (track.groups.every((group) => group.value === 0))
    return new Flaw(`${field}.groups`, 'all values are 0: nobody is paid')
  return claimTensors(track.router.tensors, `${field}.router`, ROUTER, taken.tensors) ?? checkScoring(track, field)
}

function checkGroup(group: Group, field: string, domains: ReadonlySet<string>, taken: Taken): Flaw | null {
  if (group.name === ROUTER) return new Flaw(`${field}.name`, `"${ROUTER}" is reserved for routing rows`)
  if (group.name === HUB) return new Flaw(`${field}.name`, `"${HUB}" is reserved for what never changes`)
  const flaw = claimName(group.name, `${field}.name`, taken.groups)
  if (flaw !== null) return flaw
  if (!domains.has(group.domain)) return new Flaw(`${field}.domain`, `there is no domain "${group.domain}"`)
  return claimTensors(group.tensors, field, group.name, taken.tensors)
}

function claimName(claimed: string, field: string, held: Map<string, string>): Flaw | null {
  const other = held.get(claimed)
  if (other !== undefined) return new Flaw(field, `"${claimed}" is taken by ${other}`)
  held.set(claimed, field)
  return null
}

/** Groups are disjoint: two owners of one tensor would overwrite each other's work in every merge. */
function claimTensors(names: readonly string[], field: string, owner: string, held: Map<string, string>): Flaw | null {
  for (const [i, tensor] of names.entries()) {
    const at = `${field}.tensors[${i}]`
    if (!isTensorName(tensor)) return new Flaw(at, 'is no tensor name')
    const other = held.get(tensor)
    if (other !== undefined) return new Flaw(at, `"${tensor}" belongs to "${other}" too: groups may not overlap`)
    held.set(tensor, owner)
  }
  return null
}

function checkScoring({ scoring }: Track, field: string): Flaw | null {
  if (scoring.epsilonMin > scoring.epsilonMax) {
    return new Flaw(`${field}.scoring.epsilonMin`, `${scoring.epsilonMin} is above epsilonMax ${scoring.epsilonMax}`)
  }
  const last = scoring.checkpoints.at(-1)
  if (last !== undefined && last >= scoring.samples) {
    return new Flaw(`${field}.scoring.checkpoints`, `${last} is not below samples ${scoring.samples}`)
  }
  return null
}

/** All groups of all tracks, in the order of the document. */
export const groupsOf = (constitution: Pick<Constitution, 'tracks'>): readonly Group[] =>
  constitution.tracks.flatMap((track) => track.groups)

/** All domains of all tracks, in the order of the document; seals and losses name them by place or by name. */
export const domainsOf = (constitution: Pick<Constitution, 'tracks'>): readonly string[] =>
  constitution.tracks.flatMap((track) => track.domains.map((domain) => domain.name))

export function trackOfGroup({ tracks }: Pick<Constitution, 'tracks'>, group: string): Track {
  const found = tracks.find((track) => track.groups.some((g) => g.name === group))
  assert(found !== undefined, 'a group is in a track of its constitution')
  return found
}

/** Every k cycles the routing rows may be recalibrated (protocol §7); never in cycle 0, when nothing has changed yet. */
export const isRouterCycle = (constitution: Pick<Constitution, 'tracks'>, cycle: number): boolean =>
  cycle > 0 && constitution.tracks.some((track) => cycle % track.router.everyCycles === 0)
