/**
 * Sealed shards: fresh data for judging that nobody could train on (protocol §5).
 *
 * A validator's report of cycle c names the CID of one unused shard per domain for c+1, so the report's hash seals it before
 * training starts. It is opened when the reveal window is final and used once. The salt inside keeps a small corpus from
 * being guessed from its CID. An owner's shard is less than half of every median, so a leaked one is worth little.
 */
import { decode } from './codec.ts'
import type { Envelope } from './envelope.ts'
import {
  BLOCK_MAX,
  POOL_BYTES_MAX,
  POOL_SEQUENCES_MAX,
  SHARD_BYTES_MAX,
  SHARD_SEQUENCES_MAX,
  SHARD_SEQUENCES_MIN,
  SHARDS_MAX,
} from './limits.ts'
import { weightedLowerMedian } from './median.ts'
import { nameShape } from './name.ts'
import { blob, Flaw, id, integer, link, list, record, type TypeOf } from './schema.ts'
import { isQuorum, largestFirst } from './snapshot.ts'
import { ACCEPT, ignore, reject, type Verdict } from './verdict.ts'

export const TOKEN_BYTES = 4

export const shardShape = record({
  network: link,
  /** The cycle in which it is used. */
  cycle: integer(0, BLOCK_MAX),
  domain: nameShape,
  salt: id(32),
  /** Sequences of equally many tokens, each token four bytes, the least significant first. */
  sequences: list(blob(SHARD_BYTES_MAX), 1, SHARD_SEQUENCES_MAX),
})
export type Shard = TypeOf<typeof shardShape>

export type ShardTerms = {
  readonly network: string
  readonly cycle: number
  readonly domain: string
  readonly sequenceTokens: number
  readonly vocabulary: number
}

/** The content of an opened shard, or what is wrong with it: a flawed shard is one that was not opened. */
export function decodeShard(terms: ShardTerms, bytes: Uint8Array): Shard | Flaw {
  const shard = decode(shardShape, bytes, SHARD_BYTES_MAX)
  if (shard instanceof Flaw) return shard
  for (const key of ['network', 'cycle', 'domain'] as const) {
    if (shard[key] !== terms[key]) return new Flaw(key, `is not ${terms[key]}`)
  }
  return checkSequences(terms, shard.sequences) ?? shard
}

function checkSequences(
  { sequenceTokens, vocabulary }: Pick<ShardTerms, 'sequenceTokens' | 'vocabulary'>,
  sequences: readonly Uint8Array[],
): Flaw | null {
  for (const [i, sequence] of sequences.entries()) {
    if (sequence.length !== sequenceTokens * TOKEN_BYTES)
      return new Flaw(`sequences[${i}]`, `must have ${sequenceTokens} tokens`)
    if (tokensOf(sequence).some((token) => token >= vocabulary)) {
      return new Flaw(`sequences[${i}]`, `has a token outside the vocabulary of ${vocabulary}`)
    }
  }
  return null
}

/** The public pool of a domain: sequences that anybody may have trained on, for cycles without enough shards. */
export const poolShape = record({
  domain: nameShape,
  sequences: list(blob(SHARD_BYTES_MAX), 1, POOL_SEQUENCES_MAX),
})
export type Pool = TypeOf<typeof poolShape>

export function decodePool(
  terms: Pick<ShardTerms, 'domain' | 'sequenceTokens' | 'vocabulary'>,
  bytes: Uint8Array,
): Pool | Flaw {
  const pool = decode(poolShape, bytes, POOL_BYTES_MAX)
  if (pool instanceof Flaw) return pool
  if (pool.domain !== terms.domain) return new Flaw('domain', `is not ${terms.domain}`)
  return checkSequences(terms, pool.sequences) ?? pool
}

export function tokensOf(sequence: Uint8Array): Uint32Array {
  const view = new DataView(sequence.buffer, sequence.byteOffset, sequence.length)
  const tokens = new Uint32Array(sequence.length / TOKEN_BYTES)
  for (let i = 0; i < tokens.length; i++) tokens[i] = view.getUint32(i * TOKEN_BYTES, true)
  return tokens
}

export function sequenceOf(tokens: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(tokens.length * TOKEN_BYTES)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < tokens.length; i++) view.setUint32(i * TOKEN_BYTES, tokens[i] ?? 0, true)
  return bytes
}

/** "My sealed shard of this domain can be fetched now." */
export const openingShape = record({
  domain: nameShape,
  shard: link,
})
export type ShardOpening = TypeOf<typeof openingShape>

export type ShardView = {
  /** True once the last block of the reveal window is final. */
  readonly open: boolean
  /** What a validator sealed for this cycle, as `domain` → CID, from its report of the cycle before. */
  readonly seals: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly openings: { has(key: string): boolean }
}

export const openingKey = (hotkey: string, domain: string): string => `${hotkey}/${domain}`

export function judgeOpening(view: ShardView, { hotkey }: Pick<Envelope, 'hotkey'>, opening: ShardOpening): Verdict {
  if (view.openings.has(openingKey(hotkey, opening.domain))) return ignore('KNOWN')
  const sealed = view.seals.get(hotkey)
  // Whoever missed the report of the cycle before cannot know what was sealed in it.
  if (sealed === undefined) return ignore('VALIDATOR_UNCOUNTED')
  if (sealed.get(opening.domain) !== opening.shard) return reject('SHARD_UNSEALED')
  return view.open ? ACCEPT : ignore('EARLY')
}

export type OpenedShard = { readonly hotkey: string; readonly stake: bigint; readonly sequences: number }
export type ShardUse =
  | { readonly source: 'sealed'; readonly hotkeys: readonly string[]; readonly sequencesEach: number }
  | { readonly source: 'pool' }

/**
 * Which opened shards of a domain are used, and how many sequences of each: the largest stakes first, `samples` in all,
 * at least 16 of each. With less than two thirds of the stake open an owner could hold half of the median, so the public
 * pool is used instead. A shard of less than half of what is asked of all is not used: all are cut to the shortest, and
 * one owner could make everybody's errors as large as it likes.
 */
export function planShards(opened: readonly OpenedShard[], stakeTotal: bigint, samples: number): ShardUse {
  const staked = opened.filter(({ stake }) => stake > 0n)
  if (staked.length === 0) return { source: 'pool' }
  const usual = weightedLowerMedian(staked.map(({ sequences: value, stake: weight }) => ({ value, weight })))
  const asked = Math.min(usual, Math.floor(samples / Math.min(staked.length, SHARDS_MAX)))
  const usable = staked
    .filter(({ sequences }) => sequences >= SHARD_SEQUENCES_MIN && 2 * sequences >= asked)
    .toSorted(largestFirst)
  const count = Math.min(usable.length, SHARDS_MAX, Math.floor(samples / SHARD_SEQUENCES_MIN))
  const chosen = usable.slice(0, count)
  const stake = chosen.reduce((sum, shard) => sum + shard.stake, 0n)
  if (count === 0 || !isQuorum(stake, stakeTotal)) return { source: 'pool' }
  const each = Math.min(Math.floor(samples / count), ...chosen.map((shard) => shard.sequences))
  return { source: 'sealed', hotkeys: chosen.map((shard) => shard.hotkey), sequencesEach: each }
}

/** How many sequences of each other domain stand for "elsewhere" beside `own` sequences: a quarter in all, two at least. */
export const elsewhereCount = (own: number, otherDomains: number): number =>
  otherDomains === 0 ? 0 : Math.max(2, Math.floor(own / (4 * otherDomains)))
