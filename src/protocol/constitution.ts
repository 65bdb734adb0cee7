/**
 * The constitution: everything on which honest peers must agree, as one document (protocol §3).
 *
 * The CID of the genesis constitution is the network's name and part of every topic and every signature. Reading one is
 * judging one: a document that cannot work (windows too short for the chain's finality, commitments that do not fit the
 * chain's space, overlapping groups) is refused here with the arithmetic, never half-started.
 */
import { cycleBlocks, WINDOWS } from './clock.ts'
import { cidOf, decode, encode } from './codec.ts'
import {
  BLOCK_MAX,
  CONSTITUTION_BYTES_MAX,
  EPOCH_SPACE_BYTES,
  GROUPS_MAX,
  PHASE_BLOCKS_MAX,
  RECORD_BYTES_MAX,
  SEATS_MAX,
  SHARD_BYTES_MAX,
  TRACKS_MAX,
} from './limits.ts'
import { Flaw, id, integer, link, list, literal, nullable, record, type TypeOf } from './schema.ts'
import { TOKEN_BYTES } from './shard.ts'
import { groupsOf, type Taken, trackShape } from './track.ts'
import { TRACK_RULES } from './track-rule.ts'

const blocks = integer(1, PHASE_BLOCKS_MAX)

export const constitutionShape = record({
  version: literal(1),
  /** `null` in the genesis constitution; an amendment names the document that it replaces. */
  predecessor: nullable(link),
  /** From this block on these rules hold, beginning with this cycle. */
  start: record({ block: integer(0, BLOCK_MAX), cycle: integer(0, BLOCK_MAX) }),
  chain: record({
    genesis: id(32),
    netuid: integer(0, 65_535),
    /** Blocks from one epoch of the subnet to the next. */
    tempo: integer(1, PHASE_BLOCKS_MAX),
    /** Blocks by which the finalised head may trail the best one before a window would be missed. */
    finality: integer(1, 64),
  }),
  /** Lengths of the windows in blocks, in their order. `report` and `attest` are the two halves of the phase `agree`. */
  windows: record({
    distribute: blocks,
    train: blocks,
    commit: blocks,
    reveal: blocks,
    evaluate: blocks,
    report: blocks,
    attest: blocks,
    merge: blocks,
    weigh: blocks,
  }),
  model: record({
    /** The manifest of the genesis model. */
    genesis: link,
    /** What the model computes in, and the version of the graph that computes it: both change losses. */
    compute: literal('f32'),
    graph: integer(1, 65_535),
    vocabulary: integer(2, 10_000_000),
    sequenceTokens: integer(2, 131_072),
  }),
  tracks: list(trackShape, 1, TRACKS_MAX),
  limits: record({
    /** Bounds what one submission can make every validator download. */
    submissionBytes: integer(1, Number.MAX_SAFE_INTEGER),
    /** A card lives at most this long: a stolen one expires. */
    cardBlocks: integer(1, BLOCK_MAX),
  }),
  rewards: record({
    /** Weights are the sum over this many cycles: a whole number of tempos, so that every cycle is paid alike (protocol §8). */
    cycles: integer(1, 1_000),
    burnUid: integer(0, 65_535),
  }),
})
export type Constitution = TypeOf<typeof constitutionShape>

/** What separates one network from all others, in every signature and every commitment. */
export type Network = { readonly genesis: string; readonly constitution: string }

export const encodeConstitution = (constitution: Constitution): Uint8Array => encode(constitutionShape, constitution)
export const constitutionCid = (constitution: Constitution): string => cidOf(encodeConstitution(constitution))

/** The network that a genesis constitution names. */
export const networkOf = (genesis: Constitution): Network => ({
  genesis: genesis.chain.genesis,
  constitution: constitutionCid(genesis),
})

/** Reads the bytes of a constitution; the flaw names the field. */
export function decodeConstitution(bytes: Uint8Array): Constitution | Flaw {
  const constitution = decode(constitutionShape, bytes, CONSTITUTION_BYTES_MAX)
  return constitution instanceof Flaw ? constitution : (checkConstitution(constitution) ?? constitution)
}

/** Reads a constitution as people write it: JSON, with CIDs and identifiers as text. */
export function parseConstitution(json: unknown): Constitution | Flaw {
  const constitution = constitutionShape.read(json, '', 'json')
  // What a person writes is judged as what a peer sends: nobody starts a network that others cannot read.
  return constitution instanceof Flaw ? constitution : decodeConstitution(encodeConstitution(constitution))
}

/** What no field shows alone. The first flaw, or `null`. */
export function checkConstitution(constitution: Constitution): Flaw | null {
  return (
    checkStart(constitution) ??
    checkWindows(constitution) ??
    checkSpace(constitution) ??
    checkTracks(constitution) ??
    checkShards(constitution) ??
    checkRewards(constitution) ??
    checkCards(constitution)
  )
}

/** The histories in a root count cycles from the first one on. */
function checkStart({ predecessor, start }: Constitution): Flaw | null {
  return predecessor === null && start.cycle !== 0 ? new Flaw('start.cycle', 'must be 0 without a predecessor') : null
}

/** Blocks to include a write, to see it, and to repeat it once. */
const INCLUSION_BLOCKS = 3

/**
 * A window whose end is read from the chain must outlast finality and a repeated write, and `evaluate` the beacon: the
 * second block after the reveal window, when that is final. A window that answers another starts only when that one is
 * final, so it must outlast finality at least.
 */
function checkWindows({ windows, chain }: Constitution): Flaw | null {
  const onChain = chain.finality + INCLUSION_BLOCKS
  const least = {
    distribute: 1,
    train: 1,
    commit: onChain,
    reveal: chain.finality + 1,
    evaluate: onChain,
    report: onChain,
    attest: onChain,
    merge: onChain,
    weigh: chain.finality,
  } satisfies Constitution['windows']
  for (const window of WINDOWS) {
    if (windows[window] >= least[window]) continue
    const why =
      least[window] === onChain
        ? `finality ${chain.finality} + ${INCLUSION_BLOCKS} to include and repeat a write, or to see the beacon`
        : `it opens ${chain.finality} blocks late, when the window before it is final`
    return new Flaw(`windows.${window}`, `has ${windows[window]} blocks, at least ${least[window]} are needed: ${why}`)
  }
  return null
}

/** A card is signed for a cycle less than it may live, because its judges may have seen fewer blocks than its author. */
function checkCards(constitution: Constitution): Flaw | null {
  const least = 2 * cycleBlocks(constitution)
  const { cardBlocks } = constitution.limits
  if (cardBlocks >= least) return null
  return new Flaw(
    'limits.cardBlocks',
    `is ${cardBlocks}, at least two cycles (${least}) are needed to find one another`,
  )
}

/** The slot writes of one validator in one epoch must fit the space that the chain gives it, or its retries silence it. */
function checkSpace(constitution: Constitution): Flaw | null {
  const { tempo } = constitution.chain
  const cycle = cycleBlocks(constitution)
  const cycles = Math.ceil(tempo / cycle) + 1
  const routerTurns = constitution.tracks.map((track) => Math.ceil(cycles / track.router.everyCycles))
  const routerCycles = Math.min(
    cycles,
    routerTurns.reduce((sum, turns) => sum + turns, 0),
  )
  const writes = cycles * 3 + routerCycles
  const space = writes * RECORD_BYTES_MAX
  if (space <= EPOCH_SPACE_BYTES) return null
  return new Flaw(
    'windows',
    `commitments do not fit the chain's space: an epoch of ${tempo} blocks touches ${cycles} cycles of ${cycle}, ` +
      `${cycles} × 3 writes + ${routerCycles} of router cycles = ${writes}, ` +
      `× ${RECORD_BYTES_MAX} bytes = ${space} > ${EPOCH_SPACE_BYTES}`,
  )
}

function checkTracks(constitution: Constitution): Flaw | null {
  const { tracks } = constitution
  const shares = tracks.reduce((sum, track) => sum + track.sharePpm, 0)
  if (shares !== 1_000_000) return new Flaw('tracks', `shares add up to ${shares}, they must add up to 1000000`)

  const taken: Taken = { domains: new Map(), groups: new Map(), tensors: new Map() }
  for (const [i, track] of tracks.entries()) {
    const twin = tracks.findIndex(({ name }) => name === track.name)
    if (twin !== i) return new Flaw(`tracks[${i}].name`, `"${track.name}" is taken by tracks[${twin}].name`)
    const flaw = TRACK_RULES[track.kind].check(track, `tracks[${i}]`, taken)
    if (flaw !== null) return flaw
  }
  // Roots, reports and models list the groups of all tracks together. Domains are no more: each has a group.
  const groups = groupsOf(constitution).length
  if (groups > GROUPS_MAX) return new Flaw('tracks', `have ${groups} groups in all, at most ${GROUPS_MAX} are allowed`)
  const seats = groupsOf(constitution).reduce((sum, group) => sum + group.seats, 0)
  if (seats <= SEATS_MAX) return null
  return new Flaw('tracks', `groups have ${seats} seats in all, at most ${SEATS_MAX} are allowed`)
}

/** Five bytes of head for each sequence, and room for network, cycle, domain and salt. */
const SEQUENCE_HEAD_BYTES = 5
const SHARD_HEAD_BYTES = 256

/** A lone validator's shard must hold all samples, or every cycle would fall back to what anybody could train on. */
function checkShards({ model, tracks }: Constitution): Flaw | null {
  for (const [i, { scoring }] of tracks.entries()) {
    const sequence = model.sequenceTokens * TOKEN_BYTES + SEQUENCE_HEAD_BYTES
    const space = scoring.samples * sequence + SHARD_HEAD_BYTES
    if (space <= SHARD_BYTES_MAX) continue
    return new Flaw(
      `tracks[${i}].scoring.samples`,
      `do not fit a shard: ${scoring.samples} sequences of ${model.sequenceTokens} tokens are ${space} bytes, ` +
        `at most ${SHARD_BYTES_MAX} are allowed`,
    )
  }
  return null
}

function checkRewards(constitution: Constitution): Flaw | null {
  const { tempo } = constitution.chain
  const cycle = cycleBlocks(constitution)
  const window = constitution.rewards.cycles * cycle
  if (window % tempo === 0) return null
  return new Flaw(
    'rewards.cycles',
    `${constitution.rewards.cycles} cycles of ${cycle} blocks are ${window}, no multiple of the tempo ${tempo}: ` +
      'some cycles would be paid in more epochs than others',
  )
}

/** An amendment comes into force this many whole cycles after it can be adopted, so that operators can follow. */
const AMENDMENT_CYCLES_AHEAD = 2

/**
 * May `next` replace `current`, judged in this cycle? It is adopted like a root (protocol §3); the network's name stays.
 * The chain it lives on never changes, and it starts where a cycle of its predecessor starts. `current` is the last one
 * adopted, in force or not, so that there is one line of amendments: what comes later can replace one that has not started,
 * from its first block on, but never starts before it.
 */
export function checkAmendment(current: Constitution, next: Constitution, cycle: number): Flaw | null {
  if (next.predecessor !== constitutionCid(current)) {
    return new Flaw('predecessor', 'is not the last adopted constitution')
  }
  if (next.chain.genesis !== current.chain.genesis) return new Flaw('chain.genesis', 'cannot be amended')
  if (next.chain.netuid !== current.chain.netuid) return new Flaw('chain.netuid', 'cannot be amended')
  if (next.start.cycle < cycle + AMENDMENT_CYCLES_AHEAD) {
    return new Flaw('start.cycle', `must be at least ${AMENDMENT_CYCLES_AHEAD} cycles ahead of cycle ${cycle}`)
  }
  if (next.start.cycle < current.start.cycle) {
    return new Flaw('start.cycle', `must not be before ${current.start.cycle}, where its predecessor starts`)
  }
  const block = current.start.block + (next.start.cycle - current.start.cycle) * cycleBlocks(current)
  if (next.start.block !== block) return new Flaw('start.block', `must be ${block}, the first block of its cycle`)
  return checkConstitution(next)
}

/** The rules in force at a block: the last adopted constitution that has started. Adopted ones in their order. */
export function constitutionAt(adopted: readonly [Constitution, ...Constitution[]], block: number): Constitution {
  return adopted.findLast((constitution) => constitution.start.block <= block) ?? adopted[0]
}
