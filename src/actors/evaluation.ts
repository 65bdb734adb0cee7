/**
 * A validator's evaluation of one cycle: from what was revealed to the rows of its report (design §5).
 *
 * Every submission ends with a row or with a reason; a submission that fails costs nobody else its turn. All rules are in
 * protocol/, all numbers come from the Evaluator; here is the order in which they are asked.
 */
import { NodeError } from '../errors.ts'
import type { Cancel, ModelRef, PeerAddress } from '../ports.ts'
import type { Constitution, Network } from '../protocol/constitution.ts'
import type { Submission } from '../protocol/manifest.ts'
import type { Reason } from '../protocol/reason.ts'
import type { Report, ReportRow } from '../protocol/report.ts'
import type { Reveal } from '../protocol/reveal.ts'
import { seatsOf } from '../protocol/seat.ts'
import { type Group, groupsOf, isRouterCycle, ROUTER, type Track, trackOfGroup } from '../protocol/track.ts'
import { TRACK_RULES } from '../protocol/track-rule.ts'
import { hexBytes } from '../util/bytes.ts'
import type { Base } from './base.ts'
import type { Written } from './fact.ts'
import { fetchPart, fetchSubmission } from './library.ts'
import { type Bench, createBench, marginalGains, progressOf, type Score, scoreAlone } from './measurement.ts'
import type { DomainSamples } from './sampling.ts'
import type { Engine } from './turn.ts'

export type EvaluationInput = {
  readonly network: Network
  readonly constitution: Constitution
  readonly cycle: number
  readonly base: Base
  readonly commitments: ReadonlyMap<string, Written>
  readonly reveals: ReadonlyMap<string, Reveal>
  readonly samples: ReadonlyMap<string, DomainSamples>
  /** Hash of the last block of the reveal window: draws the seats and the order. */
  readonly lotteryHash: string
  /** Rewards of the window, for the seats of those who have earned. */
  readonly rewards: ReadonlyMap<string, number>
  readonly addressOf: (hotkey: string) => readonly PeerAddress[]
}

/** A submission on its way through the evaluation. */
type Candidate = {
  readonly hotkey: string
  readonly reveal: Reveal
  readonly written: Written
  readonly submission: Submission
}
type Refused = { readonly hotkey: string; readonly group: string | null; readonly reason: Reason }

export type Evaluation = {
  readonly rows: readonly ReportRow[]
  readonly losses: Report['losses']
  /** Whose sealed shards everything was measured on; nobody's, where the pool was used. */
  readonly owners: ReadonlySet<string>
  /** Committed, but without a row: nothing was revealed, or no group can be told. */
  readonly unreported: readonly Refused[]
}

export async function evaluateCycle(ports: Engine, input: EvaluationInput, opts: Cancel): Promise<Evaluation> {
  const rows: ReportRow[] = []
  const losses: Report['losses'][number][] = []
  const { candidates, unreported } = await readSubmissions(ports, input, opts)
  for (const group of groupsOf(input.constitution)) {
    const samples = input.samples.get(group.domain)
    const track = trackOfGroup(input.constitution, group.name)
    if (samples === undefined || track === undefined) continue
    const bench = await createBench(ports.evaluator, input.base, track, samples, opts)
    const own = candidates.filter(({ submission }) => submission.group === group.name)
    rows.push(...(await evaluateGroup(ports, input, bench, group, own, opts)))
    losses.push({ group: group.name, ...(await progressOf(bench, opts)) })
  }
  const judged = new Set(rows.map(({ hotkey }) => hotkey))
  const left = candidates.filter(({ hotkey }) => !judged.has(hotkey))
  return {
    rows: rows.toSorted((a, b) => (a.hotkey < b.hotkey ? -1 : 1)),
    losses: losses.toSorted((a, b) => (a.group < b.group ? -1 : 1)),
    owners: new Set([...input.samples.values()].flatMap(({ shards }) => shards.flatMap(({ owner }) => owner ?? []))),
    unreported: [...unreported, ...left.map(unmeasured)],
  }
}

/** Nothing was there to measure its group on. */
const unmeasured = ({ hotkey, submission: { group } }: Candidate): Refused => ({
  hotkey,
  group,
  reason: 'EVALUATION_FAILED',
})

/** Matched → fetched → well-formed. */
async function readSubmissions(
  { blobs }: Engine,
  input: EvaluationInput,
  opts: Cancel,
): Promise<{ readonly candidates: readonly Candidate[]; readonly unreported: readonly Refused[] }> {
  const candidates: Candidate[] = []
  const unreported: Refused[] = []
  for (const [hotkey, written] of input.commitments) {
    const reveal = input.reveals.get(hotkey)
    if (reveal === undefined) {
      unreported.push({ hotkey, group: null, reason: 'REVEAL_MISSING' })
      continue
    }
    const from = input.addressOf(hotkey)
    const submission = await fetchSubmission(blobs, reveal.manifest, { from, ...opts }).catch(orFetchFailed(opts))
    if (typeof submission === 'string') unreported.push({ hotkey, group: null, reason: submission })
    else if (submission === null) unreported.push({ hotkey, group: null, reason: 'MANIFEST_MALFORMED' })
    else if (!isOpenGroup(input, submission.group)) unreported.push({ hotkey, group: null, reason: 'GROUP_UNKNOWN' })
    else candidates.push({ hotkey, reveal, written, submission })
  }
  return { candidates, unreported }
}

const isOpenGroup = ({ constitution, cycle }: EvaluationInput, group: string): boolean =>
  group === ROUTER ? isRouterCycle(constitution, cycle) : groupsOf(constitution).some(({ name }) => name === group)

async function evaluateGroup(
  ports: Engine,
  input: EvaluationInput,
  bench: Bench,
  group: Group,
  candidates: readonly Candidate[],
  opts: Cancel,
): Promise<readonly ReportRow[]> {
  const seated = seatsOf({
    seats: group.seats,
    revealed: candidates.map(({ hotkey }) => ({ hotkey, reward: input.rewards.get(hotkey) ?? 0 })),
    lotteryHash: hexBytes(input.lotteryHash),
  })
  const scores = new Map<string, Score>()
  for (const hotkey of seated) {
    const candidate = candidates.find((c) => c.hotkey === hotkey)
    if (candidate !== undefined) scores.set(hotkey, await scoreCandidate(ports, input, bench, candidate, group, opts))
  }
  const accepted = candidates.flatMap(({ hotkey, written: { block, index } }) => {
    const score = scores.get(hotkey)?.score ?? 0
    return score > 0 ? [{ hotkey, score, block, index }] : []
  })
  const tensorsOf = new Map(candidates.map(({ hotkey, submission }) => [hotkey, submission.tensors]))
  const marginals = await marginalGains(bench, accepted, tensorsOf, opts)
  return candidates.map(({ hotkey, reveal: { manifest, salt } }) => {
    const { score, reason: refusal } = scores.get(hotkey) ?? { score: 0, reason: 'SEAT_NONE' }
    const marginal = marginals.get(hotkey) ?? 0
    const reason = marginal > 0 ? null : (refusal ?? 'ADDS_NOTHING')
    return { hotkey, group: group.name, manifest, salt, score, marginal, reason }
  })
}

/** A submission that cannot be evaluated costs itself its turn, and nobody else. */
async function scoreCandidate(
  ports: Engine,
  input: EvaluationInput,
  bench: Bench,
  candidate: Candidate,
  group: Group,
  opts: Cancel,
): Promise<Score> {
  try {
    const flaw = await inspect(ports, input, bench.track, candidate, group, opts)
    return flaw === null
      ? await scoreAlone(bench, group.name, candidate.submission.tensors, opts)
      : { score: 0, reason: flaw }
  } catch (error) {
    if (opts.signal.aborted) throw error
    return { score: 0, reason: 'EVALUATION_FAILED' }
  }
}

/** Well-formed against the base, sound in its bytes. */
async function inspect(
  { evaluator, blobs }: Engine,
  input: EvaluationInput,
  track: Track,
  { hotkey, submission }: Candidate,
  group: Group,
  opts: Cancel,
): Promise<Reason | null> {
  const { network, constitution, cycle, base } = input
  const part = await fetchPart(blobs, base.model, group.name, { from: [], ...opts })
  const code = TRACK_RULES[track.kind].judge(
    {
      network: network.constitution,
      cycle,
      hotkey,
      base: base.cid,
      bytesMax: constitution.limits.submissionBytes,
      routerOpen: isRouterCycle(constitution, cycle),
      tensorsOf: (name) => (name === group.name && part !== null ? part : undefined),
    },
    submission,
  )
  if (code !== null) return code
  const { tensors } = submission
  const from = input.addressOf(hotkey)
  const model: ModelRef = { manifest: base.root.model, from: [] }
  const { normRatioMilli } = track.merge
  return evaluator.inspect({ model, tensors, from, normRatioMilli }, opts).catch(orFetchFailed(opts))
}

/** What the world refuses could not be fetched; whatever else goes wrong costs the submission its turn as well. */
const orFetchFailed =
  ({ signal }: Cancel) =>
  (error: unknown): 'FETCH_FAILED' | 'EVALUATION_FAILED' => {
    if (signal.aborted) throw error
    return error instanceof NodeError ? 'FETCH_FAILED' : 'EVALUATION_FAILED'
  }
