/**
 * Which sequences a validator judges on: the opened sealed shards of the cycle, or the public pool (protocol §5).
 *
 * For each domain one list of sequences, interleaved over the shards, so that the first k of them are the first k of all
 * shards together: one pass over the list serves the checkpoints, and `split` gives every shard its own losses back.
 */
import type { Cancel, PeerAddress, Samples } from '../ports.ts'
import { rawCidOf } from '../protocol/codec.ts'
import type { Constitution, Network } from '../protocol/constitution.ts'
import { POOL_BYTES_MAX, SHARD_BYTES_MAX, SHARD_SEQUENCES_MIN } from '../protocol/limits.ts'
import { samplePool } from '../protocol/sample.ts'
import { Flaw } from '../protocol/schema.ts'
import { decodePool, decodeShard, elsewhereCount, openingKey, planShards } from '../protocol/shard.ts'
import { largestFirst, type Snapshot } from '../protocol/snapshot.ts'
import type { Track } from '../protocol/track.ts'
import { concat, hexBytes } from '../util/bytes.ts'
import { interleave } from '../util/interleave.ts'
import { type Engine, STAGES, type Stage } from './turn.ts'

/** The sequences of one owner; the pool is nobody's and stands alone. */
export type OwnedShard = {
  readonly owner: string | null
  readonly stake: bigint
  readonly sequences: readonly Uint8Array[]
}

export type DomainSamples = {
  readonly domain: string
  readonly shards: readonly OwnedShard[]
  /** Interleaved: entry i belongs to shard i mod the number of shards. */
  readonly own: Samples
  /** Of the other domains, as many for each shard; `null` when there is no other domain. */
  readonly elsewhere: Samples | null
}

export type SamplingInput = {
  readonly network: Network
  readonly constitution: Constitution
  readonly track: Track
  readonly snapshot: Snapshot
  readonly cycle: number
  /** Hash of the second finalised block after the reveal window: draws from the pool. */
  readonly beacon: string
  readonly openings: ReadonlyMap<string, string>
  readonly addressOf: (hotkey: string) => readonly PeerAddress[]
}

/**
 * Domains for which there is nothing to judge on are missing from the result. Shards are fetched at once until the stage is
 * over, the largest stakes first: an owner that hangs, of however little stake, keeps nobody waiting for longer.
 */
export async function drawSamples(
  engine: Pick<Engine, 'blobs' | 'turns'>,
  stage: Stage,
  input: SamplingInput,
  opts: Cancel,
): Promise<ReadonlyMap<string, DomainSamples>> {
  const opened = await openedShards(engine, stage, input, opts)
  const { domains, scoring } = input.track
  const planned = domains.map((domain) => {
    const own = opened.filter((one) => one.domain === domain.name).map(({ shard }) => shard)
    return { domain, own, use: planShards(own.map(sizeOf), input.snapshot.stakeTotal, scoring.samples) }
  })
  const uncovered = planned.filter(({ use }) => use.source === 'pool').map(({ domain }) => domain)
  const pools = await poolShards(engine, input, uncovered, opts)
  const shards = new Map<string, readonly OwnedShard[]>()
  for (const { domain, own, use } of planned) {
    const used = use.source === 'pool' ? (pools.get(domain.name) ?? []) : chosenOf(own, use.hotkeys, use.sequencesEach)
    if (used.length > 0) shards.set(domain.name, used)
  }
  return new Map([...shards.keys()].map((domain) => [domain, arrange(domain, shards)]))
}

const sizeOf = ({ owner, stake, sequences }: OwnedShard) => ({
  hotkey: owner ?? '',
  stake,
  sequences: sequences.length,
})

const chosenOf = (opened: readonly OwnedShard[], hotkeys: readonly string[], each: number): readonly OwnedShard[] =>
  hotkeys.flatMap((hotkey) => {
    const shard = opened.find(({ owner }) => owner === hotkey)
    return shard === undefined ? [] : [{ ...shard, sequences: shard.sequences.slice(0, each) }]
  })

type Opened = { readonly domain: string; readonly shard: OwnedShard }

async function openedShards(
  { blobs, turns }: Pick<Engine, 'blobs' | 'turns'>,
  stage: Stage,
  { network, constitution, track, snapshot, cycle, openings, addressOf }: SamplingInput,
  opts: Cancel,
): Promise<readonly Opened[]> {
  const { sequenceTokens, vocabulary } = constitution.model
  const inOrder = snapshot.validators.toSorted(largestFirst)
  const named = inOrder.flatMap(({ hotkey, stake }) =>
    track.domains.flatMap(({ name: domain }) => {
      const cid = openings.get(openingKey(hotkey, domain))
      return cid === undefined ? [] : [{ hotkey, stake, domain, cid }]
    }),
  )
  const fetched = await turns.takeAll(stage, opts, named, async ({ hotkey, stake, domain, cid }, limited) => {
    const terms = { network: network.constitution, cycle, domain, sequenceTokens, vocabulary }
    const bytes = await blobs.get(cid, { bytesMax: SHARD_BYTES_MAX, from: addressOf(hotkey), ...limited })
    const shard = decodeShard(terms, bytes)
    return shard instanceof Flaw ? null : { domain, shard: { owner: hotkey, stake, sequences: shard.sequences } }
  })
  // A shard that cannot be fetched is one that was not opened.
  return fetched.flatMap((result) => (result.status === 'fulfilled' && result.value !== null ? [result.value] : []))
}

async function poolShards(
  { blobs, turns }: Pick<Engine, 'blobs' | 'turns'>,
  { constitution, track, beacon }: SamplingInput,
  domains: Track['domains'],
  opts: Cancel,
): Promise<ReadonlyMap<string, readonly OwnedShard[]>> {
  const named = domains.flatMap(({ name, pool }) => (pool === null ? [] : [{ domain: name, cid: pool }]))
  const drawn = await turns.takeAll(turns.stage(STAGES.documents), opts, named, async ({ domain, cid }, limited) => {
    const bytes = await blobs.get(cid, { bytesMax: POOL_BYTES_MAX, from: [], ...limited })
    const pool = decodePool({ domain, ...constitution.model }, bytes)
    if (pool instanceof Flaw || pool.sequences.length < SHARD_SEQUENCES_MIN) return null
    const size = pool.sequences.length
    const count = Math.min(track.scoring.samples, size)
    const places = samplePool({ seed: hexBytes(beacon), domain, size, count })
    return { domain, sequences: places.map((place) => pool.sequences[place] as Uint8Array) }
  })
  const pools = drawn.flatMap((result) => (result.status === 'fulfilled' ? (result.value ?? []) : []))
  return new Map(pools.map(({ domain, sequences }) => [domain, [{ owner: null, stake: 1n, sequences }]]))
}

function arrange(domain: string, all: ReadonlyMap<string, readonly OwnedShard[]>): DomainSamples {
  const shards = all.get(domain) ?? []
  const others = [...all].filter(([other]) => other !== domain).map(([, other]) => other)
  const count = elsewhereCount(shards[0]?.sequences.length ?? 0, others.length)
  // For each shard its own owner's sequences of the other domains; where it opened none there, the first shard's.
  const mixed = shards.map(({ owner }) =>
    others.flatMap(
      (other) => (other.find((shard) => shard.owner === owner) ?? other[0])?.sequences.slice(0, count) ?? [],
    ),
  )
  return {
    domain,
    shards,
    own: named(interleave(shards.map(({ sequences }) => sequences))),
    elsewhere: others.length === 0 ? null : named(interleave(mixed)),
  }
}

/** Named by what they are, so that no two lists share what the engine keeps under a name. */
const named = (sequences: readonly Uint8Array[]): Samples => ({ name: rawCidOf(concat(...sequences)), sequences })

/** The losses of each shard, from the losses of an interleaved list or of its beginning. */
export function split(losses: readonly number[], shards: number): readonly (readonly number[])[] {
  return Array.from({ length: shards }, (_, shard) => losses.filter((_, i) => i % shards === shard))
}
