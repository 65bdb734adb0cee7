/**
 * Which sequences a validator judges on: the opened sealed shards of the cycle, or the public pool (design §5).
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
import type { Snapshot } from '../protocol/snapshot.ts'
import type { Track } from '../protocol/track.ts'
import { concat, hexBytes } from '../util/bytes.ts'
import { interleave } from '../util/interleave.ts'
import type { Source } from './library.ts'

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

/** Domains for which there is nothing to judge on are missing from the result. */
export async function drawSamples(
  { blobs }: { readonly blobs: Source },
  input: SamplingInput,
  opts: Cancel,
): Promise<ReadonlyMap<string, DomainSamples>> {
  const shards = new Map<string, readonly OwnedShard[]>()
  for (const { name } of input.track.domains) {
    const used = await shardsOf(blobs, input, name, opts)
    if (used.length > 0) shards.set(name, used)
  }
  return new Map([...shards.keys()].map((domain) => [domain, arrange(domain, shards)]))
}

async function shardsOf(
  blobs: Source,
  input: SamplingInput,
  domain: string,
  opts: Cancel,
): Promise<readonly OwnedShard[]> {
  const opened = await openedShards(blobs, input, domain, opts)
  const sizes = opened.map(({ owner, stake, sequences }) => ({
    hotkey: owner ?? '',
    stake,
    sequences: sequences.length,
  }))
  const use = planShards(sizes, input.snapshot.stakeTotal, input.track.scoring.samples)
  if (use.source === 'pool') return poolShard(blobs, input, domain, use.sequences, opts)
  return use.hotkeys.flatMap((hotkey) => {
    const shard = opened.find(({ owner }) => owner === hotkey)
    return shard === undefined ? [] : [{ ...shard, sequences: shard.sequences.slice(0, use.sequencesEach) }]
  })
}

async function openedShards(
  blobs: Source,
  { network, constitution, snapshot, cycle, openings, addressOf }: SamplingInput,
  domain: string,
  { signal }: Cancel,
): Promise<readonly OwnedShard[]> {
  const { sequenceTokens, vocabulary } = constitution.model
  const terms = { network: network.constitution, cycle, domain, sequenceTokens, vocabulary }
  const opened: OwnedShard[] = []
  for (const { hotkey, stake } of snapshot.validators) {
    const cid = openings.get(openingKey(hotkey, domain))
    if (cid === undefined) continue
    // A shard that cannot be fetched is one that was not opened.
    const bytes = await blobs.get(cid, { bytesMax: SHARD_BYTES_MAX, from: addressOf(hotkey), signal }).catch(() => null)
    const shard = bytes === null ? null : decodeShard(terms, bytes)
    if (shard !== null && !(shard instanceof Flaw)) opened.push({ owner: hotkey, stake, sequences: shard.sequences })
  }
  return opened
}

async function poolShard(
  blobs: Source,
  { constitution, track, beacon }: SamplingInput,
  domain: string,
  samples: number,
  { signal }: Cancel,
): Promise<readonly OwnedShard[]> {
  const cid = track.domains.find(({ name }) => name === domain)?.pool
  if (cid == null) return []
  const bytes = await blobs.get(cid, { bytesMax: POOL_BYTES_MAX, from: [], signal }).catch(() => null)
  const pool = bytes === null ? null : decodePool({ domain, ...constitution.model }, bytes)
  if (pool === null || pool instanceof Flaw || pool.sequences.length < SHARD_SEQUENCES_MIN) return []
  const size = pool.sequences.length
  const places = samplePool({ seed: hexBytes(beacon), domain, size, count: Math.min(samples, size) })
  return [{ owner: null, stake: 1n, sequences: places.map((place) => pool.sequences[place] as Uint8Array) }]
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
