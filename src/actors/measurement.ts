/**
 * Measures submissions against the base on one domain's samples (protocol §5): scores alone, marginals in the merge, and
 * how the base itself has fared. Losses come from the Evaluator, decisions from protocol/.
 */
import type { Cancel, Evaluator, ModelRef, Overlay, Samples } from '../ports.ts'
import { type ShardStat, shardStat } from '../protocol/loss.ts'
import type { TensorEntry } from '../protocol/manifest.ts'
import {
  type Accepted,
  marginalOrder,
  marginalsOf,
  nextTrial,
  settleTrial,
  startMarginal,
} from '../protocol/marginal.ts'
import { weightedLowerMedian } from '../protocol/median.ts'
import type { Reason } from '../protocol/reason.ts'
import { judgeGain, mayRejectEarly } from '../protocol/score.ts'
import type { Track } from '../protocol/track.ts'
import type { Base } from './base.ts'
import { type DomainSamples, split } from './sampling.ts'
import { type Engine, orNull, type Stage } from './turn.ts'

type Judge = Pick<Evaluator, 'losses'>
type Progress = { readonly before: number; readonly after: number }

/** The base's losses on the samples of a domain: everything is paired with these. */
export type Bench = {
  readonly base: Base
  readonly track: Track
  readonly samples: DomainSamples
  readonly own: readonly number[]
  readonly elsewhere: readonly number[] | null
  /** Median losses of the root before the base and of the base: a worse group goes back (protocol §7). */
  readonly progress: Progress
}

/** All that is measured on the base, before any submission has its turn. */
export async function createBench(
  evaluator: Judge,
  base: Base,
  track: Track,
  samples: DomainSamples,
  opts: Cancel,
): Promise<Bench> {
  const own = await bareLosses(evaluator, modelOf(base), samples.own, opts)
  const elsewhere =
    samples.elsewhere === null ? null : await bareLosses(evaluator, modelOf(base), samples.elsewhere, opts)
  const old = await bareLosses(evaluator, modelOf(base.before), samples.own, opts)
  const progress = { before: medianLoss(samples, old), after: medianLoss(samples, own) }
  return { base, track, samples, own, elsewhere, progress }
}

const medianLoss = (samples: DomainSamples, losses: readonly number[]): number =>
  medianOver(samples, split(losses, samples.shards.length).map(meanOf))

const modelOf = ({ root }: { readonly root: Base['root'] }): ModelRef => ({ manifest: root.model, from: [] })

const takeAll = (
  evaluator: Judge,
  model: ModelRef,
  overlay: Overlay,
  samples: Samples,
  opts: Cancel,
): Promise<readonly number[]> => evaluator.losses({ model, overlay, samples, checkpoints: [], goOn: () => true }, opts)

/** All losses of a model as it is. */
export const bareLosses = (
  evaluator: Judge,
  model: ModelRef,
  samples: Samples,
  opts: Cancel,
): Promise<readonly number[]> => takeAll(evaluator, model, { kind: 'none' }, samples, opts)

export type Score = { readonly score: number; readonly reason: Reason | null }

/** The score of a submission alone. It may be refused early, but never accepted on less than all samples. */
export async function scoreAlone(
  evaluator: Judge,
  bench: Bench,
  group: string,
  tensors: readonly TensorEntry[],
  opts: Cancel,
): Promise<Score> {
  const { base, samples, track } = bench
  const { checkpoints, harmMax, epsilonMin } = track.scoring
  const shards = samples.shards.length
  const overlay: Overlay = { kind: 'values', tensors }
  const goOn = (losses: readonly number[]): boolean =>
    losses.length < 2 * shards || !mayRejectEarly(statsOf(bench, losses), losses.length, checkpoints)
  const own = await evaluator.losses({ model: modelOf(base), overlay, samples: samples.own, checkpoints, goOn }, opts)
  if (own.length < bench.own.length) return { score: 0, reason: 'LOSS_NOT_LOWER' }

  const harm =
    samples.elsewhere === null || bench.elsewhere === null
      ? null
      : gains(bench.elsewhere, await takeAll(evaluator, modelOf(base), overlay, samples.elsewhere, opts), shards)
  const epsilon = base.root.groups.find((state) => state.group === group)?.epsilon ?? epsilonMin
  const judged = statsOf(bench, own).map((shard, i) => ({ ...shard, elsewhere: harm?.[i] ?? null }))
  const { gain, reason } = judgeGain(judged, { epsilon, harmMax })
  return { score: gain, reason }
}

/** Per shard the paired statistics of a list of losses, which may be a beginning. */
function statsOf(
  { own, samples, track }: Bench,
  losses: readonly number[],
): readonly { stake: bigint; own: ShardStat }[] {
  const { shards } = samples
  const bases = split(own.slice(0, losses.length), shards.length)
  const candidates = split(losses, shards.length)
  const { zMilli } = track.scoring
  return shards.map(({ stake }, i) => ({ stake, own: shardStat(bases[i] ?? [], candidates[i] ?? [], zMilli) }))
}

export type Marginals = {
  readonly gains: ReadonlyMap<string, number>
  /** Whose merge could not be measured, or not in time. */
  readonly failed: ReadonlySet<string>
}

/** What each accepted submission adds to the merge of those before it. One that cannot be measured is left out. */
export async function marginalGains(
  { evaluator, turns }: Pick<Engine, 'evaluator' | 'turns'>,
  stage: Stage,
  bench: Bench,
  accepted: readonly Accepted[],
  tensorsOf: ReadonlyMap<string, readonly TensorEntry[]>,
  opts: Cancel,
): Promise<Marginals> {
  const { base, samples, track } = bench
  const { roundingNano, marginalFloorMilli } = track.scoring
  const failed = new Set<string>()
  let state = startMarginal(marginalOrder(accepted, roundingNano), marginalFloorMilli)
  for (let trial = nextTrial(state); trial !== null; trial = nextTrial(state)) {
    const members = trial.members.map(({ hotkey, score }) => ({ tensors: tensorsOf.get(hotkey) ?? [], weight: score }))
    const overlay: Overlay = { kind: 'merge', etaPpm: track.merge.etaPpm, members }
    const measure = (limited: Cancel) => takeAll(evaluator, modelOf(base), overlay, samples.own, limited)
    const losses = await turns.take(stage, opts, measure).catch(orNull(opts))
    if (losses === null) failed.add(trial.candidate.hotkey)
    state = settleTrial(
      state,
      losses === null ? null : medianOver(samples, gains(bench.own, losses, samples.shards.length)),
    )
  }
  return { gains: marginalsOf(state), failed }
}

const medianOver = ({ shards }: DomainSamples, values: readonly number[]): number =>
  weightedLowerMedian(values.map((value, i) => ({ value, weight: shards[i]?.stake ?? 0n })))

const meanOf = (losses: readonly number[]): number =>
  Math.floor(losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, losses.length))

/** Per shard the mean by which losses fell. */
const gains = (base: readonly number[], candidate: readonly number[], shards: number): readonly number[] => {
  const differences = base.map((loss, i) => loss - (candidate[i] ?? loss))
  return split(differences, shards).map(meanOf)
}
