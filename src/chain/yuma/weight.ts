/**
 * The weights that count, what the stake agrees on, and the weights cut down to it.
 *
 * Consensus on a column is the greatest weight that enough of the stake supports. No minority can raise it: what one of
 * them sets above it is clipped, so it pays nobody.
 */
import { multiply, normalise, ONE, ratio, U16_MAX } from './fixed.ts'
import type { YumaInput } from './input.ts'
import { type Matrix, zeroMatrix } from './matrix.ts'

/** Rows are zero or sum to 1. A stored zero is present (1), and only liquid alpha tells it from an absent entry. */
export type Weights = Matrix & { readonly present: Uint8Array }

/** Rows of permitted validators, less what they may not say: about themselves, and about who came after them. */
export function readWeights(input: YumaInput, permits: readonly boolean[]): Weights {
  const matrix = zeroMatrix(input.stake.length)
  const present = new Uint8Array(matrix.cells.length)
  input.weights.forEach((row, i) => {
    if (permits[i] !== true) return
    let total = 0
    for (const entry of row) {
      if (isMasked(input, i, entry[0])) continue
      present[i * matrix.size + entry[0]] = 1
      total += entry[1]
    }
    for (const entry of row) {
      const at = i * matrix.size + entry[0]
      if (present[at] === 1 && entry[1] > 0) matrix.cells[at] = ratio(entry[1], total)
    }
  })
  return { ...matrix, present }
}

function isMasked({ ownerUid, lastUpdate, registeredAt, earliestCommit }: YumaInput, i: number, j: number): boolean {
  const registered = registeredAt[j] as number
  const commit = earliestCommit?.[i] ?? null
  const isSelf = i === j && i !== ownerUid
  return isSelf || (lastUpdate[i] as number) <= registered || (commit !== null && commit < registered)
}

/** By column, the stake-weighted median of the weights at kappa. */
export function consensusOf({ size, cells }: Matrix, activeStake: Float64Array, kappa: number): Float64Array {
  const voters = Array.from(activeStake.keys()).filter((i) => (activeStake[i] as number) > 0)
  const shares = normalise(Float64Array.from(voters, (i) => activeStake[i] as number))
  const median = createWeightedMedian(shares, ratio(kappa, U16_MAX))
  const column = new Float64Array(voters.length)
  return Float64Array.from({ length: size }, (_, j) => {
    for (let k = 0; k < voters.length; k++) column[k] = cells[(voters[k] as number) * size + j] as number
    return median(column)
  })
}

/**
 * The value whose supporters first pass all but `majority` of the shares, counted from below; of no values, 0.
 *
 * A search by pivots: each round keeps the values on one side. Sums are exact, so which pivots it takes is no matter.
 */
function createWeightedMedian(shares: Float64Array, majority: number): (values: Float64Array) => number {
  const total = shares.reduce((sum, share) => sum + share, 0)
  const minority = total - majority
  let kept = new Uint16Array(shares.length)
  let lower = new Uint16Array(shares.length)
  let upper = new Uint16Array(shares.length)

  return (values) => {
    let count = shares.length
    let below = 0 // the shares of the values below all that are kept
    let upTo = total // and of those up to the last of them
    for (let k = 0; k < count; k++) kept[k] = k
    while (count > 1) {
      const pivot = values[kept[count >> 1] as number] as number
      let lowers = 0
      let uppers = 0
      let lowerShare = 0
      let upperShare = 0
      for (let k = 0; k < count; k++) {
        const voter = kept[k] as number
        const value = values[voter] as number
        if (value < pivot) {
          lower[lowers++] = voter
          lowerShare += shares[voter] as number
        } else if (value > pivot) {
          upper[uppers++] = voter
          upperShare += shares[voter] as number
        }
      }
      if (lowers > 0 && minority < below + lowerShare) {
        ;[kept, lower, count] = [lower, kept, lowers]
        upTo = below + lowerShare
      } else if (uppers > 0 && upTo - upperShare <= minority) {
        ;[kept, upper, count] = [upper, kept, uppers]
        below = upTo - upperShare
      } else return pivot
    }
    return count === 0 ? 0 : (values[kept[0] as number] as number)
  }
}

/** No weight above the consensus on its column. Where that is zero, what was cut away is no longer present. */
export function clipWeights({ size, cells, present }: Weights, consensus: Float64Array): Weights {
  const clipped = { size, cells: cells.slice(), present: present.slice() }
  for (let i = 0, at = 0; i < size; i++) {
    for (let j = 0; j < size; j++, at++) {
      const limit = consensus[j] as number
      if ((cells[at] as number) <= limit) continue
      clipped.cells[at] = limit
      if (limit === 0) clipped.present[at] = 0
    }
  }
  return clipped
}

/** What bonds follow: between the weights as set and the clipped ones, by the u16 `bondsPenalty`. */
export function bondWeights(weights: Weights, clipped: Weights, bondsPenalty: number): Weights {
  const share = ratio(bondsPenalty, U16_MAX)
  if (share === 0) return weights
  if (share === ONE) return clipped
  const cells = weights.cells.map((weight, at) => weight + multiply(share, (clipped.cells[at] as number) - weight))
  return { size: weights.size, cells, present: Uint8Array.from(cells, (value) => (value > 0 ? 1 : 0)) }
}
