/**
 * A validator's evaluation of one cycle: from what was revealed to the rows of its report (protocol §5).
 *
 * Every submission ends with a row or with a reason; a submission that fails costs nobody else its turn, and when time
 * runs out the tail of the lottery's order has its reason like everybody. All rules are in protocol/, all numbers come
 * from the Evaluator; here is the order in which they are asked.
 */
import { NodeError } from '../errors.ts'
import { fetchPart, fetchSubmission } from '../library/document.ts'
import type { Cancel, ModelRef, PeerAddress } from '../ports.ts'
import type { Constitution, Network } from '../protocol/constitution.ts'
import type { Submission, TensorEntry } from '../protocol/manifest.ts'
import type { Reason } from '../protocol/reason.ts'
import type { Report, ReportRow } from '../protocol/report.ts'
import type { Reveal } from '../protocol/reveal.ts'
import { seatsOf } from '../protocol/seat.ts'
import { type Group, groupsOf, isRouterCycle, ROUTER, trackOfGroup } from '../protocol/track.ts'
import { TRACK_RULES } from '../protocol/track-rule.ts'
import { hexBytes } from '../util/bytes.ts'
import { compareText } from '../util/compare.ts'
import type { Base } from './base.ts'
import type { Written } from './fact.ts'
import { type Bench, createBench, marginalGains, type Score, scoreAlone } from './measurement.ts'
import type { DomainSamples } from './sampling.ts'
import { type Engine, STAGES, type Stage } from './turn.ts'

/** What is known before anything is fetched or measured. */
export type RevealedCycle = {
  readonly network: Network
  readonly constitution: Constitution
  readonly cycle: number
  readonly base: Base
  readonly commitments: ReadonlyMap<string, Written>
  readonly reveals: ReadonlyMap<string, Reveal>
  /** Hash of the last block of the reveal window: draws the seats and the order. */
  readonly lotteryHash: string
  readonly addressOf: (hotkey: string) => readonly PeerAddress[]
}

export type EvaluationInput = RevealedCycle & {
  readonly submissions: Submissions
  readonly samples: ReadonlyMap<string, DomainSamples>
  /** Rewards of the window, for the seats of those who have earned. */
  readonly rewards: ReadonlyMap<string, number>
}

/** A submission on its way through the evaluation. */
type Candidate = {
  readonly hotkey: string
  readonly reveal: Reveal
  readonly written: Written
  readonly submission: Submission
}
type Refused = { readonly hotkey: string; readonly group: string | null; readonly reason: Reason }
export type Submissions = { readonly candidates: readonly Candidate[]; readonly unreported: readonly Refused[] }

export type Evaluation = {
  readonly rows: readonly ReportRow[]
  readonly losses: Report['losses']
  /** Whose sealed shards everything was measured on; nobody's, where the pool was used. */
  readonly owners: ReadonlySet<string>
  /** Committed, but without a row: nothing was revealed, or no group can be told. */
  readonly unreported: readonly Refused[]
  /** Why the base could not be measured, for each group of which that is so. */
  readonly failures: readonly unknown[]
}

/** A group that can be measured, and who has a seat in it, in the order of the lottery. */
type Field = {
  readonly group: Group
  readonly bench: Bench
  readonly part: ReadonlyMap<string, TensorEntry> | undefined
  readonly candidates: readonly Candidate[]
  readonly seated: readonly Candidate[]
}
type Seat = { readonly field: Field; readonly candidate: Candidate; readonly rank: number }

/** The base first: without it nothing can be told. Then tensors, which wait for peers; then one score after another. */
export async function evaluateCycle(engine: Engine, input: EvaluationInput, opts: Cancel): Promise<Evaluation> {
  const { candidates, unreported } = input.submissions
  const { fields, failures } = await openFields(engine, input, opts)
  const seats = fields
    .flatMap((field) => field.seated.map((candidate, rank): Seat => ({ field, candidate, rank })))
    .toSorted((a, b) => a.rank - b.rank)
  const scores = await scoreAll(engine, seats, await inspectAll(engine, input, seats, opts), opts)
  const rows: ReportRow[] = []
  for (const field of fields) rows.push(...(await rowsOf(engine, field, scores, opts)))
  const judged = new Set(rows.map(({ hotkey }) => hotkey))
  const left = candidates.filter(({ hotkey }) => !judged.has(hotkey))
  const losses = fields.map(({ group, bench }) => ({ group: group.name, ...bench.progress }))
  return {
    rows: rows.toSorted((a, b) => compareText(a.hotkey, b.hotkey)),
    losses: losses.toSorted((a, b) => compareText(a.group, b.group)),
    owners: new Set([...input.samples.values()].flatMap(({ shards }) => shards.flatMap(({ owner }) => owner ?? []))),
    unreported: [...unreported, ...left.map(unmeasured)],
    failures,
  }
}

/** Nothing was there to measure its group on. */
const unmeasured = ({ hotkey, submission: { group } }: Candidate): Refused => ({
  hotkey,
  group,
  reason: 'EVALUATION_FAILED',
})

/** Matched → fetched → well-formed. All manifests are fetched at once: who does not serve its own keeps nobody waiting. */
export async function readSubmissions(
  { blobs, turns }: Pick<Engine, 'blobs' | 'turns'>,
  stage: Stage,
  input: RevealedCycle,
  opts: Cancel,
): Promise<Submissions> {
  const candidates: Candidate[] = []
  const unreported: Refused[] = []
  const revealed: Omit<Candidate, 'submission'>[] = []
  for (const [hotkey, written] of input.commitments) {
    const reveal = input.reveals.get(hotkey)
    if (reveal === undefined) unreported.push({ hotkey, group: null, reason: 'REVEAL_MISSING' })
    else revealed.push({ hotkey, reveal, written })
  }
  const inOrder = byLottery(input, revealed, revealed.length, new Map())
  const fetched = await turns.takeAll(stage, opts, inOrder, ({ hotkey, reveal }, limited) =>
    fetchSubmission(blobs, reveal.manifest, { from: input.addressOf(hotkey), ...limited }),
  )
  for (const [i, result] of fetched.entries()) {
    const one = inOrder[i] as Omit<Candidate, 'submission'>
    const refuse = (reason: Reason): void => void unreported.push({ hotkey: one.hotkey, group: null, reason })
    if (result.status === 'rejected') refuse(whyNotFetched(result.reason))
    else if (result.value === null) refuse('MANIFEST_MALFORMED')
    else if (!isOpenGroup(input, result.value.group)) refuse('GROUP_UNKNOWN')
    else candidates.push({ ...one, submission: result.value })
  }
  return { candidates, unreported }
}

const isOpenGroup = ({ constitution, cycle }: RevealedCycle, group: string): boolean =>
  group === ROUTER ? isRouterCycle(constitution, cycle) : groupsOf(constitution).some(({ name }) => name === group)

/** Who has one of the seats, in the order of evaluation. */
function byLottery<C extends { readonly hotkey: string }>(
  { lotteryHash }: RevealedCycle,
  candidates: readonly C[],
  seats: number,
  rewards: ReadonlyMap<string, number>,
): readonly C[] {
  const revealed = candidates.map(({ hotkey }) => ({ hotkey, reward: rewards.get(hotkey) ?? 0 }))
  const found = new Map(candidates.map((candidate) => [candidate.hotkey, candidate]))
  return seatsOf({ seats, revealed, lotteryHash: hexBytes(lotteryHash) }).map((hotkey) => found.get(hotkey) as C)
}

/** What is measured on the base, group by group. A group on which that fails costs no other group anything. */
async function openFields(
  { evaluator, blobs, turns }: Engine,
  input: EvaluationInput,
  opts: Cancel,
): Promise<{ readonly fields: readonly Field[]; readonly failures: readonly unknown[] }> {
  const { base, constitution, submissions, rewards } = input
  const fields: Field[] = []
  const failures: unknown[] = []
  for (const group of groupsOf(constitution)) {
    const samples = input.samples.get(group.domain)
    if (samples === undefined) continue
    const track = trackOfGroup(constitution, group.name)
    try {
      fields.push(
        await turns.take(turns.stage(STAGES.all), opts, async (limited) => {
          const part = (await fetchPart(blobs, base.model, group.name, { from: [], ...limited })) ?? undefined
          const bench = await createBench(evaluator, base, track, samples, limited)
          const candidates = submissions.candidates.filter(({ submission }) => submission.group === group.name)
          const seated = byLottery(input, candidates, group.seats, rewards)
          return { group, bench, part, candidates, seated }
        }),
      )
    } catch (error) {
      if (opts.signal.aborted) throw error
      failures.push(error)
    }
  }
  return { fields, failures }
}

/** Well-formed against the base, sound in their bytes: per seat `null`, or why not. All wait for their peers at once. */
async function inspectAll(
  { evaluator, turns }: Engine,
  input: EvaluationInput,
  seats: readonly Seat[],
  opts: Cancel,
): Promise<readonly (Reason | null)[]> {
  const { base } = input
  const model: ModelRef = { manifest: base.root.model, from: [] }
  const results = await turns.takeAll(turns.stage(STAGES.tensors), opts, seats, async (seat, limited) => {
    const { hotkey, submission } = seat.candidate
    const { normRatioMilli } = seat.field.bench.track.merge
    const task = { model, tensors: submission.tensors, from: input.addressOf(hotkey), normRatioMilli }
    return judgeTensors(input, seat) ?? (await evaluator.inspect(task, limited))
  })
  return results.map((result) => (result.status === 'fulfilled' ? result.value : whyNotFetched(result.reason)))
}

function judgeTensors(input: EvaluationInput, { field, candidate: { hotkey, submission } }: Seat): Reason | null {
  const { network, constitution, cycle, base } = input
  const { group, part, bench } = field
  return TRACK_RULES[bench.track.kind].judge(
    {
      network: network.constitution,
      cycle,
      hotkey,
      base: base.cid,
      bytesMax: constitution.limits.submissionBytes,
      routerOpen: isRouterCycle(constitution, cycle),
      tensorsOf: (name) => (name === group.name ? part : undefined),
    },
    submission,
  )
}

/** What the world refuses, or gives too late, could not be fetched; whatever else goes wrong is the engine's. */
const whyNotFetched = (error: unknown): Reason => (error instanceof NodeError ? 'FETCH_FAILED' : 'EVALUATION_FAILED')

/** One after another, in their order. A submission that cannot be evaluated costs itself its turn, and nobody else. */
async function scoreAll(
  { evaluator, turns }: Engine,
  seats: readonly Seat[],
  flaws: readonly (Reason | null)[],
  opts: Cancel,
): Promise<ReadonlyMap<string, Score>> {
  const scores = new Map<string, Score>()
  const stage = turns.stage(STAGES.scores)
  for (const [i, { field, candidate }] of seats.entries()) {
    const { hotkey, submission } = candidate
    const flaw = flaws[i] ?? null
    const score = (limited: Cancel): Promise<Score> =>
      scoreAlone(evaluator, field.bench, field.group.name, submission.tensors, limited)
    const failed = (error: unknown): Score => {
      if (opts.signal.aborted) throw error
      return { score: 0, reason: 'EVALUATION_FAILED' }
    }
    const scored = flaw === null ? await turns.take(stage, opts, score).catch(failed) : { score: 0, reason: flaw }
    scores.set(hotkey, scored)
  }
  return scores
}

async function rowsOf(
  engine: Engine,
  { group, bench, candidates }: Field,
  scores: ReadonlyMap<string, Score>,
  opts: Cancel,
): Promise<readonly ReportRow[]> {
  const accepted = candidates.flatMap(({ hotkey, written: { block, index } }) => {
    const score = scores.get(hotkey)?.score ?? 0
    return score > 0 ? [{ hotkey, score, block, index }] : []
  })
  const tensorsOf = new Map(candidates.map(({ hotkey, submission }) => [hotkey, submission.tensors]))
  const stage = engine.turns.stage(STAGES.all)
  const { gains, failed } = await marginalGains(engine, stage, bench, accepted, tensorsOf, opts)
  return candidates.map(({ hotkey, reveal: { manifest, salt } }) => {
    const { score, reason: refusal } = scores.get(hotkey) ?? { score: 0, reason: 'SEAT_NONE' }
    const marginal = gains.get(hotkey) ?? 0
    const left = failed.has(hotkey) ? 'EVALUATION_FAILED' : 'ADDS_NOTHING'
    return {
      hotkey,
      group: group.name,
      manifest,
      salt,
      score,
      marginal,
      reason: marginal > 0 ? null : (refusal ?? left),
    }
  })
}
