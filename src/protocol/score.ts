/**
 * Decides whether a submission counts, and its score: the two gates and the guard of the other domains (protocol §5).
 *
 * Every decision is a stake-weighted lower median over shards, never a pooled mean: the owner of a shard who lets its
 * own miner train on it holds less than half of the median, but would own a mean.
 */
import { assert } from '../util/assert.ts'
import { SCORE_MAX } from './limits.ts'
import type { ShardStat } from './loss.ts'
import { createMedian, weightedLowerMedian } from './median.ts'

/** What one validator measured on one opened shard, with the stake of the shard's owner. */
export type JudgedShard = {
  readonly stake: bigint
  readonly own: ShardStat
  /** Mean difference on the mixed sample of the other domains; null when the network has no other domain. */
  readonly elsewhere: number | null
}

/** In nano-nats. `epsilon` is carried in the root, `harmMax` (τ) in the constitution. */
export type Gates = { readonly epsilon: number; readonly harmMax: number }

export type GainReason = 'LOSS_NOT_LOWER' | 'GAIN_BELOW_EPSILON' | 'HARMS_OTHER_DOMAINS'

export type GainVerdict = {
  readonly accepted: boolean
  /** The score: u32, 0 when refused. */
  readonly gain: number
  readonly reason: GainReason | null
  /** The medians behind the verdict, so that a miner can see by how much it failed. */
  readonly median: number
  readonly bound: number
}

/**
 * Both gates are needed: a bare "the loss fell" lets up to 47 % of tiny noise pass (protocol §5).
 * The reason is the first that applies, in the order of the type above.
 */
export function judgeGain(shards: readonly JudgedShard[], gates: Gates): GainVerdict {
  assert(shards.length >= 1, 'a submission is judged on at least one shard')
  assert(Number.isSafeInteger(gates.epsilon) && gates.epsilon >= 0, 'epsilon is not negative')
  assert(Number.isSafeInteger(gates.harmMax) && gates.harmMax >= 0, 'harmMax is not negative')
  const over = createMedian(shards.map((shard) => shard.stake))
  const median = over(shards.map((shard) => shard.own.mean))
  const bound = over(shards.map((shard) => shard.own.bound))
  const reason = reasonAgainst(median, bound, elsewhereOf(shards), gates)
  return { accepted: reason === null, gain: reason === null ? Math.min(median, SCORE_MAX) : 0, reason, median, bound }
}

function reasonAgainst(median: number, bound: number, elsewhere: number | null, gates: Gates): GainReason | null {
  if (bound <= 0) return 'LOSS_NOT_LOWER'
  if (median <= gates.epsilon) return 'GAIN_BELOW_EPSILON'
  if (elsewhere !== null && elsewhere <= -gates.harmMax) return 'HARMS_OTHER_DOMAINS'
  return null
}

/** The median over the shards that have other domains to speak of, by the stake of those shards alone. */
function elsewhereOf(shards: readonly JudgedShard[]): number | null {
  const entries = shards.flatMap(({ elsewhere, stake }) =>
    elsewhere === null ? [] : { value: elsewhere, weight: stake },
  )
  return entries.some((entry) => entry.weight > 0n) ? weightedLowerMedian(entries) : null
}

/**
 * May the rest of the samples be saved? Only at the constitution's checkpoints, and only to refuse: looking often with
 * leave to accept turns 1 % of false accepts into 5 % (security notes). An accepted score has used all samples.
 *
 * `shards` hold the stats of the first sequences of every shard, `samples` in all: the constitution counts checkpoints
 * over all shards together. The upper bound mirrors the lower one about the mean: mean + z·s. Refused when even that is
 * no gain for the median.
 */
export function mayRejectEarly(
  shards: readonly Pick<JudgedShard, 'stake' | 'own'>[],
  samples: number,
  checkpoints: readonly number[],
): boolean {
  if (!checkpoints.includes(samples)) return false
  const upper = shards.map(({ stake, own }) => ({ value: 2 * own.mean - own.bound, weight: stake }))
  return weightedLowerMedian(upper) <= 0
}
