/**
 * What a validator does in a cycle, step by step, up to its attestation. When each step happens is in validator.ts; what
 * follows from a settled cycle is in settling.ts.
 */
import { NodeError } from '../errors.ts'
import type { Happening } from '../event.ts'
import type { Cancel, ValidatorPorts } from '../ports.ts'
import { reportHashes } from '../protocol/agreement.ts'
import { BEACON_BLOCKS } from '../protocol/clock.ts'
import { encode } from '../protocol/codec.ts'
import { bitmapOf, commitmentHash, encodeRecord, NO_HASH, type SlotRecord, saltInput } from '../protocol/commitment.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import { encodeReport, type Report, reportCid } from '../protocol/report.ts'
import { shardShape } from '../protocol/shard.ts'
import type { Track } from '../protocol/track.ts'
import { toHex, utf8 } from '../util/bytes.ts'
import { compareText } from '../util/compare.ts'
import {
  type CycleFacts,
  type CycleStep,
  commitmentLost,
  createSteps,
  deadlinesIn,
  lastCall,
  type Self,
  tellFailure,
} from './cycle.ts'
import {
  type Evaluation,
  type EvaluationInput,
  evaluateCycle,
  type RevealedCycle,
  readSubmissions,
} from './evaluation.ts'
import { readCommitments, readSlots, type Written } from './fact.ts'
import { drawSamples } from './sampling.ts'
import { createSettling, type Outcome, recentRewards, type SettlingStep } from './settling.ts'
import { createTurns, type Engine, STAGES } from './turn.ts'
import { known } from './work.ts'

/** A report of ours, on disk before its hash went to the chain. */
export type Made = { readonly report: Report; readonly cid: string; readonly salt: string; readonly hash: string }

/** What the steps of a cycle leave for one another. */
export type ValidatorFacts = CycleFacts & {
  readonly commitments?: ReadonlyMap<string, Written>
  readonly evaluation?: Evaluation
  readonly made?: Made
  readonly bitmap?: string
  readonly outcome?: Outcome
  /** The root that we computed. */
  readonly computed?: string
}

type ReportStep = 'match' | 'unseal' | 'evaluate' | 'report' | 'exchange' | 'attest'
export type ValidatorStep = CycleStep | ReportStep | SettlingStep
export type ValidatorWork = (facts: ValidatorFacts, opts: Cancel) => Promise<Partial<ValidatorFacts>>

export const createValidating = (
  self: Self,
  ports: ValidatorPorts,
): { readonly [S in ValidatorStep]: ValidatorWork } => ({
  ...createSteps(self, ports),

  match: async ({ input: { cycle }, opening }, opts) => {
    const block = deadlinesIn(self, cycle).commit
    const { snapshot } = known(opening)
    const commitments = await readCommitments(ports.chain, self.network, snapshot, block, opts)
    self.inbox.learn({ commitments, block })
    return { commitments }
  },

  /** The reveal window is final: what we sealed for this cycle is opened to everybody. */
  unseal: async ({ input: { cycle, seals } }, opts) => {
    self.inbox.learn({ open: true, block: deadlinesIn(self, cycle).reveal })
    for (const [domain, shard] of seals.get(ports.keys.hotkey) ?? []) {
      await ports.blobs.release(shard)
      await self.voice.say('shard', cycle, { domain, shard }, opts)
    }
    return {}
  },

  evaluate: async (facts, opts) => {
    const evaluation = await evaluate(self, ports, facts, opts)
    for (const error of evaluation.failures) tellFailure(ports, facts.input.cycle, 'evaluate', error)
    for (const happening of judgements(facts.input.cycle, ports.keys.hotkey, evaluation)) ports.observe(happening)
    return { evaluation }
  },

  report: async (facts, { signal }) => {
    const { cycle } = facts.input
    const made = await makeReport(self, ports, facts, { signal })
    const root = known(facts.opening).base.cid
    const record = encodeRecord(self.network, { kind: 'report', cycle, hash: made.hash, root })
    await ports.chain.writeSlot(record, { lastBlock: deadlinesIn(self, cycle).report, signal })
    return { made }
  },

  /** A is final: everybody's hashes are known and ours, if it is among them, may be opened. */
  exchange: async ({ input: { cycle }, opening, made }, opts) => {
    const block = deadlinesIn(self, cycle).report
    const hashes = reportHashes(known(opening).snapshot, await readSlots(ports.chain, self.network, block, opts))
    self.inbox.learn({ hashes, block })
    if (made === undefined) return {}
    if (hashes.get(ports.keys.hotkey) !== made.hash) throw commitmentLost('the hash of the report', cycle, block)
    await ports.blobs.release(made.cid)
    const message = { salt: made.salt, report: encodeReport(made.report) }
    await self.voice.say('report', cycle, message, opts)
    return {}
  },

  /** "I hold the body that matches": what we do not hold now, somebody else may. */
  attest: async ({ input: { cycle }, opening, made }, { signal }) => {
    const { snapshot, base } = known(opening)
    const { placeOf } = snapshot
    const bitmap = bitmapOf([...self.inbox.reports.keys()].flatMap((hotkey) => placeOf.get(hotkey) ?? []))
    const slot: SlotRecord = { kind: 'attest', cycle, hash: made?.hash ?? NO_HASH, root: base.cid, bitmap }
    self.voice.sayRecord(slot, { signal })
    await ports.chain.writeSlot(encodeRecord(self.network, slot), {
      lastBlock: deadlinesIn(self, cycle).attest,
      signal,
    })
    return { bitmap }
  },

  ...createSettling(self, ports),
})

/** The blocks before the last call in which shards are sealed and the report is stored, however long its rows took. */
const REPORT_BLOCKS = 1

async function evaluate(self: Self, ports: ValidatorPorts, facts: ValidatorFacts, opts: Cancel): Promise<Evaluation> {
  const { best, input } = facts
  const lastBlock = lastCall(deadlinesIn(self, input.cycle).report) - REPORT_BLOCKS
  const turns = createTurns({ best, lastBlock }, ports.chain)
  try {
    const { evaluator, blobs } = ports
    const engine = { evaluator, blobs, turns }
    const { evaluation, failures } = await gather(self, ports, engine, facts, opts)
    const evaluated = await evaluateCycle(engine, evaluation, opts)
    return { ...evaluated, failures: [...failures, ...evaluated.failures] }
  } finally {
    turns.end()
  }
}

/** All that comes from peers, at once and under one deadline. What does not come is missing, and the rest is judged. */
async function gather(
  self: Self,
  ports: ValidatorPorts,
  engine: Engine,
  { input: { cycle }, opening, commitments }: ValidatorFacts,
  opts: Cancel,
): Promise<{ readonly evaluation: EvaluationInput; readonly failures: readonly unknown[] }> {
  const { network, constitution, inbox } = self
  const { reveals, openings, addressOf } = inbox
  const { snapshot, base } = known(opening)
  const { reveal } = deadlinesIn(self, cycle)
  const lotteryHash = await ports.chain.hashOf(reveal, opts)
  const beacon = await ports.chain.hashOf(reveal + BEACON_BLOCKS, opts)
  const revealed: RevealedCycle = {
    network,
    constitution,
    cycle,
    base,
    commitments: known(commitments),
    reveals,
    lotteryHash,
    addressOf,
  }
  const { turns } = engine
  const stage = turns.stage(STAGES.documents)
  const draw = (track: Track) => {
    const input = { network, constitution, track, snapshot, cycle, beacon, openings, addressOf }
    return drawSamples(engine, stage, input, opts)
  }
  const read = (_: null, limited: Cancel) => recentRewards(self, ports, base.root, cycle, limited)
  const [submissions, drawn, [window]] = await Promise.all([
    readSubmissions(engine, stage, revealed, opts),
    Promise.all(constitution.tracks.map(draw)),
    turns.takeAll(stage, opts, [null], read),
  ])
  const samples = new Map(drawn.flatMap((domains) => [...domains]))
  // Without them the lottery gives all seats: ours alone, and the median decides.
  const rewards = window?.status === 'fulfilled' ? window.value.rewards : new Map<string, number>()
  const failures = window?.status === 'rejected' ? [window.reason] : []
  if (samples.size === 0) failures.push(dataMissing(cycle))
  return { evaluation: { ...revealed, submissions, samples, rewards }, failures }
}

/** The report is made nevertheless: without its seals the next cycle would have nothing to judge on either. */
const dataMissing = (cycle: number): NodeError =>
  new NodeError('DATA_MISSING', {
    what: `nothing to judge the submissions of cycle ${cycle} on`,
    why: 'no validator opened a sealed shard, and there is no public pool that can be fetched',
  })

/** The body with the shards sealed for the next cycle, and the hash that commits to it. */
async function makeReport(self: Self, ports: ValidatorPorts, facts: ValidatorFacts, opts: Cancel): Promise<Made> {
  const { cycle } = facts.input
  const { rows, losses, owners } = known(facts.evaluation)
  const { snapshot, base } = known(facts.opening)
  const report: Report = {
    network: self.network.constitution,
    cycle,
    base: base.cid,
    rows,
    losses,
    shards: bitmapOf([...owners].flatMap((owner) => snapshot.placeOf.get(owner) ?? [])),
    seals: await sealShards(self, ports, cycle + 1, opts),
    amendment: null,
  }
  await ports.blobs.put(encodeReport(report), { codec: 'dag-cbor', withheld: true, ...opts })
  const cid = reportCid(report)
  const salt = toHex(ports.keys.mac(saltInput(self.network, cycle, 'report')))
  const opening = { cycle, kind: 'report', hotkey: ports.keys.hotkey, content: cid, salt } as const
  return { report, cid, salt, hash: commitmentHash(self.network, opening) }
}

/** One unused shard per domain, withheld until the reveal window of its cycle is final. */
async function sealShards(
  { network, constitution }: Self,
  { data, blobs, keys }: ValidatorPorts,
  cycle: number,
  { signal }: Cancel,
): Promise<Report['seals']> {
  const seals: Report['seals'][number][] = []
  for (const track of constitution.tracks) {
    for (const { name: domain } of track.domains) {
      const sequences = await data.draw({ domain, cycle, count: track.scoring.samples }, { signal })
      if (sequences.length === 0) continue
      const salt = toHex(keys.mac(utf8(`wheelwright/shard/v1\n${network.constitution}/${cycle}/${domain}`)))
      const shard = encode(shardShape, { network: network.constitution, cycle, domain, salt, sequences })
      seals.push({ domain, shard: await blobs.put(shard, { codec: 'dag-cbor', withheld: true, signal }) })
    }
  }
  return seals.toSorted((a, b) => compareText(a.domain, b.domain))
}

/** What was found, in the words of events. */
function judgements(cycle: number, hotkey: string, { rows, unreported }: Evaluation): readonly Happening[] {
  const head = { type: 'submission.judged', cycle, validator: toSs58(hotkey) } as const
  return [
    ...rows.map((entry) => ({
      ...head,
      hotkey: toSs58(entry.hotkey),
      group: entry.group,
      accepted: entry.reason === null,
      reason: entry.reason,
      gain: entry.score,
      marginal: entry.marginal,
    })),
    ...unreported.map((refused) => ({
      ...head,
      hotkey: toSs58(refused.hotkey),
      group: refused.group,
      accepted: false,
      reason: refused.reason,
      gain: 0,
      marginal: 0,
    })),
  ]
}

export const sealsOf = (reports: ReadonlyMap<string, Report>): ReadonlyMap<string, ReadonlyMap<string, string>> =>
  new Map(
    [...reports].map(([hotkey, { seals }]) => [hotkey, new Map(seals.map(({ domain, shard }) => [domain, shard]))]),
  )
