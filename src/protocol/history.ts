/**
 * The memory of a group: the best certified gains of its last cycles, carried in the root (protocol §5 and §8).
 *
 * From it follow ε, the least gain that counts, and the reference gain that earns a group its full share. Both use the
 * lower median, so neither many minimal submissions nor one hoarded jump move them (security notes).
 */
import { assert } from '../util/assert.ts'
import { LOSS_NANO_MAX, SCORE_MAX } from './limits.ts'
import { lowerMedian } from './median.ts'

/** Protocol §5: the last eight cycles. */
export const HISTORY_CYCLES_MAX = 8

/** Protocol §5: ε is a tenth of the usual best gain. */
export const EPSILON_DIVISOR = 10

/** In nano-nats, of the constitution. */
export type EpsilonRange = { readonly epsilonMin: number; readonly epsilonMax: number }

/**
 * Appends the best certified gain of a cycle, newest last. An empty cycle (null or 0) counts as half of the previous
 * entry: late in training, when nothing passes any more, ε must come down to what is still possible. Clamped to u32.
 */
export function pushHistory(history: readonly number[], value: number | null): readonly number[] {
  assertHistory(history)
  assert(value === null || (Number.isSafeInteger(value) && value >= 0), 'a certified gain is not negative')
  const entry = value === null || value === 0 ? Math.floor((history.at(-1) ?? 0) / 2) : value
  return [...history, Math.min(entry, SCORE_MAX)].slice(-HISTORY_CYCLES_MAX)
}

export function epsilonOf(history: readonly number[], range: EpsilonRange): number {
  assertHistory(history)
  const { epsilonMin, epsilonMax } = range
  assert(isNano(epsilonMin) && isNano(epsilonMax), 'the bounds of epsilon are losses')
  assert(epsilonMin <= epsilonMax, 'epsilonMin is not above epsilonMax')
  if (history.length === 0) return epsilonMin
  const usual = Math.floor(lowerMedian(history) / EPSILON_DIVISOR)
  return Math.min(Math.max(usual, epsilonMin), epsilonMax)
}

/** The merged gain that earns a group its whole share. `referenceMin` keeps a cold one from paying all for little. */
export function referenceGain(history: readonly number[], referenceMin: number): number {
  assertHistory(history)
  assert(isNano(referenceMin), 'referenceMin is a loss')
  return history.length === 0 ? referenceMin : Math.max(referenceMin, lowerMedian(history))
}

const isNano = (value: number) => Number.isInteger(value) && value >= 0 && value <= LOSS_NANO_MAX
const isScore = (value: number) => Number.isInteger(value) && value >= 0 && value <= SCORE_MAX

function assertHistory(history: readonly number[]): void {
  assert(history.length <= HISTORY_CYCLES_MAX, 'a history is bounded')
  assert(history.every(isScore), 'a history holds u32')
}
