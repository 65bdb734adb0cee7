/**
 * Proof-of-Loss on one shard: by how much did the loss fall, and how sure is that (protocol §5)?
 *
 * Base and candidate are measured on the same sequences, so the differences are paired: what makes a sequence hard is
 * in both losses and cancels. Losses are integers of nano-nats, and everything derived from them is exact.
 */
import { assert } from '../util/assert.ts'
import { ceilDiv, ceilSqrt, floorDiv } from '../util/integer.ts'
import { LOSS_NANO_MAX } from './limits.ts'

/** Ten standard errors: beyond it a gate is shut, not strict. Keeps `bound` far below 2^53. */
export const Z_MILLI_MAX = 10_000

/** In nano-nats; positive means that the candidate is better. */
export type ShardStat = {
  /** The mean difference, rounded down. */
  readonly mean: number
  /** The mean less z standard errors, rounded down: what is left of the gain when luck is taken away. */
  readonly bound: number
}

/**
 * With d_j = base_j − candidate_j, n sequences and z = zMilli / 1000:
 *
 *   mean  = floor(Σd / n)
 *   s²    = Σ(d − Σd/n)² / (n − 1) / n = (n·Σd² − (Σd)²) / (n²·(n − 1))
 *   bound = mean − ceil(z·s), where ceil(√(p/q)) = ceil(√ceil(p/q)), as the square of an integer is an integer
 */
export function shardStat(base: ArrayLike<number>, candidate: ArrayLike<number>, zMilli: number): ShardStat {
  assert(base.length === candidate.length, 'base and candidate are measured on the same sequences')
  assert(base.length >= 2, 'a standard error needs two sequences')
  assert(Number.isInteger(zMilli) && zMilli >= 0 && zMilli <= Z_MILLI_MAX, 'zMilli is within its range')
  let sum = 0n
  let squares = 0n
  for (let j = 0; j < base.length; j++) {
    const difference = BigInt(checkedLoss(base[j]) - checkedLoss(candidate[j]))
    sum += difference
    squares += difference * difference
  }
  const n = BigInt(base.length)
  const z = BigInt(zMilli)
  const spread = n * squares - sum * sum
  const margin = ceilSqrt(ceilDiv(z * z * spread, 1_000_000n * n * n * (n - 1n)))
  const mean = floorDiv(sum, n)
  return { mean: Number(mean), bound: Number(mean - margin) }
}

/** The engine clamps what it measured; a number outside the range here is our own mistake. */
function checkedLoss(loss: number | undefined): number {
  assert(Number.isInteger(loss) && loss !== undefined, 'a loss is an integer of nano-nats')
  assert(loss >= 0 && loss <= LOSS_NANO_MAX, 'a loss is within its range')
  return loss
}
