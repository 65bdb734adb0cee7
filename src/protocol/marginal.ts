/**
 * The marginal reward: what a submission adds to those before it (protocol §5, security notes).
 *
 * A score alone pays every near-copy in full. So the accepted submissions of a group are merged greedily, one by one,
 * and each earns only the further loss reduction of the merge. The evaluator measures; this reducer says what to
 * measure next and what follows. It asks for exactly one trial per submission, then it is done.
 */
import { assert } from '../util/assert.ts'
import { compareNumber, compareText } from '../util/compare.ts'
import { LOSS_NANO_MAX, SCORE_MAX } from './limits.ts'

/** `block` and `index` are where the chain holds the commitment: its block and the extrinsic's place in it. */
export type Accepted = {
  readonly hotkey: string
  readonly score: number
  readonly block: number
  readonly index: number
}

/** One part of a merge, weighted in proportion to its score. */
export type Scored = { readonly hotkey: string; readonly score: number }

export type Trial = {
  /** What to merge and measure: all that were kept so far, in that order, and the candidate last. */
  readonly members: readonly Scored[]
  readonly candidate: Scored
}

export type MarginalState = {
  readonly order: readonly Scored[]
  /** Of the best score, in thousandths: a smaller marginal is left out. */
  readonly floorMilli: number
  readonly scoreBest: number
  readonly kept: readonly Scored[]
  /** The gain of merging `kept`. */
  readonly gain: number
  /** The marginals of the first candidates in `order`; its length is how many trials are settled. */
  readonly settled: readonly number[]
}

/**
 * Best first. Scores are rounded to what can be told apart, so that a copy which is better by luck alone stays behind
 * the original, which was committed first.
 */
export function marginalOrder<T extends Accepted>(accepted: readonly T[], roundingNano: number): readonly T[] {
  assert(Number.isSafeInteger(roundingNano) && roundingNano >= 1, 'scores are rounded to a positive integer')
  const rank = (score: number) => Math.floor(score / roundingNano)
  return accepted.toSorted(
    (a, b) =>
      rank(b.score) - rank(a.score) ||
      compareNumber(a.block, b.block) ||
      compareNumber(a.index, b.index) ||
      compareText(a.hotkey, b.hotkey),
  )
}

/** `order` is that of `marginalOrder`; `floorMilli` is the constitution's, 20 for the 2 % of protocol §5. */
export function startMarginal(order: readonly Scored[], floorMilli: number): MarginalState {
  assert(Number.isInteger(floorMilli) && floorMilli >= 0 && floorMilli <= 1_000, 'the floor is at most the best score')
  assert(new Set(order.map((member) => member.hotkey)).size === order.length, 'a hotkey has one submission')
  for (const { score } of order) assert(Number.isInteger(score) && score >= 1 && score <= SCORE_MAX, 'a score is a u32')
  const scoreBest = order.reduce((best, { score }) => Math.max(best, score), 0)
  const members = order.map(({ hotkey, score }) => ({ hotkey, score }))
  return { order: members, floorMilli, scoreBest, kept: [], gain: 0, settled: [] }
}

/** The next merge to measure; null when all are settled. */
export function nextTrial(state: MarginalState): Trial | null {
  const candidate = state.order[state.settled.length]
  return candidate === undefined ? null : { members: [...state.kept, candidate], candidate }
}

/**
 * Takes the measured gain of `nextTrial(state)`, in nano-nats against the base; null when it could not be measured,
 * which costs the candidate its place and nobody else anything. Below the floor the candidate is left out of the merge.
 */
export function settleTrial(state: MarginalState, gainOfTrial: number | null): MarginalState {
  const trial = nextTrial(state)
  assert(trial !== null, 'only an open trial can be settled')
  if (gainOfTrial === null) return { ...state, settled: [...state.settled, 0] }
  assert(
    Number.isInteger(gainOfTrial) && Math.abs(gainOfTrial) <= LOSS_NANO_MAX,
    'a gain is within the range of losses',
  )
  const marginal = gainOfTrial - state.gain // at most 2e11, so that a thousand times it is exact
  const isKept = marginal > 0 && marginal * 1_000 >= state.floorMilli * state.scoreBest
  if (!isKept) return { ...state, settled: [...state.settled, 0] }
  return {
    ...state,
    kept: trial.members,
    gain: gainOfTrial,
    settled: [...state.settled, Math.min(marginal, SCORE_MAX)],
  }
}

/** For every submission of the order; 0 for what was left out, and for what time did not suffice to try. */
export function marginalsOf(state: MarginalState): ReadonlyMap<string, number> {
  return new Map(state.order.map(({ hotkey }, i) => [hotkey, state.settled[i] ?? 0]))
}
