/**
 * Medians: how many opinions become one number that no minority can move out of the honest range (protocol §6).
 *
 * The lower median is the smallest value that at least half of the weight does not exceed. It is always one of the
 * values given, so it needs no rounding, and entries of no weight never decide it.
 */
import { assert } from '../util/assert.ts'

export type WeightedValue = { readonly value: number; readonly weight: bigint }

/** The lower median of `values`, the i-th of which has the i-th weight. */
export type Median = (values: ArrayLike<number>) => number

/** A snapshot holds at most 128 validators (protocol §6). The margin keeps the sums of limbs below 2^48, thus exact. */
export const MEDIAN_ENTRIES_MAX = 65_536

/** The runtime's stake is a u64. */
const WEIGHT_MAX = 2n ** 64n - 1n
const LIMB = 2 ** 32

/** The smallest value v with 2 × (weight of the values not above v) >= the total weight. */
export function weightedLowerMedian(entries: readonly WeightedValue[]): number {
  return createMedian(entries.map((entry) => entry.weight))(entries.map((entry) => entry.value))
}

/** The same where every value weighs alike. */
export function lowerMedian(values: readonly number[]): number {
  assert(values.length >= 1, 'a median needs a value')
  assert(values.every(Number.isSafeInteger), 'values are integers')
  const sorted = Float64Array.from(values).sort()
  return (sorted[(sorted.length - 1) >> 1] as number) + 0 // −0 would be encoded as a float
}

/**
 * Prepares the weights once for many medians: certification takes one per miner and integer over the same stakes.
 *
 * Stakes pass 2^53, so they are split into two limbs of 32 bits. Each limb's sum stays below 2^48 and is exact in a
 * double, and so is the comparison: with hi and lo the differences of the limbs' sums, hi × 2^32 + lo >= 0 is the same
 * as hi + floor(lo / 2^32) >= 0 since hi is an integer, and dividing by a power of two loses nothing.
 */
export function createMedian(weights: readonly bigint[]): Median {
  const count = weights.length
  assert(count >= 1, 'a median needs a value')
  assert(count <= MEDIAN_ENTRIES_MAX, 'a median has a bounded number of values')
  for (const weight of weights) assert(weight >= 0n && weight <= WEIGHT_MAX, 'a weight is a u64')
  const high = Float64Array.from(weights, (weight) => Number(weight >> 32n))
  const low = Float64Array.from(weights, (weight) => Number(weight & 0xffff_ffffn))
  const highTotal = high.reduce((sum, limb) => sum + limb, 0)
  const lowTotal = low.reduce((sum, limb) => sum + limb, 0)
  assert(highTotal + lowTotal > 0, 'the total weight is positive')
  const sorted = new Float64Array(count)

  const holdsHalf = (values: ArrayLike<number>, limit: number): boolean => {
    let highSum = 0
    let lowSum = 0
    for (let i = 0; i < count; i++) {
      if ((values[i] as number) > limit) continue
      highSum += high[i] as number
      lowSum += low[i] as number
    }
    return 2 * highSum - highTotal + Math.floor((2 * lowSum - lowTotal) / LIMB) >= 0
  }

  return (values) => {
    assert(values.length === count, 'one value per weight')
    for (let i = 0; i < count; i++) assert(Number.isSafeInteger(values[i]), 'values are integers')
    sorted.set(values)
    sorted.sort()
    let first = 0
    let last = count - 1 // the greatest value always holds half
    while (first < last) {
      const middle = (first + last) >> 1
      if (holdsHalf(values, sorted[middle] as number)) last = middle
      else first = middle + 1
    }
    return (sorted[first] as number) + 0 // −0 would be encoded as a float
  }
}
