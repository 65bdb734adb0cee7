/**
 * Agreement: from what stands on chain at A, B and D to one outcome (protocol §6). Nobody proposes.
 *
 * Counted are the reports that more than half of the stake says it holds; certified is a cycle whose counted reports hold
 * two thirds. Both are functions of finalised states, so two peers cannot differ while the chain's finality holds. With
 * less than a third of the stake lying, liars are less than half of every median, and every counted body has an honest
 * holder. Integers only.
 */
import { assert } from '../util/assert.ts'
import { compareNumber, compareText } from '../util/compare.ts'
import { placesOf, type SlotRecord } from './commitment.ts'
import { ROWS_MAX } from './limits.ts'
import { createMedian, type Median } from './median.ts'
import type { Reason } from './reason.ts'
import type { Report, ReportRow } from './report.ts'
import { isMajority, isQuorum, type Snapshot } from './snapshot.ts'

export type Slots = ReadonlyMap<string, SlotRecord>

/** The hashes of this cycle's reports in the state at A, of validators in the snapshot. */
export function reportHashes(snapshot: Snapshot, slots: Slots): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>()
  for (const { hotkey } of snapshot.validators) {
    const slot = slots.get(hotkey)
    if (slot?.kind === 'report' && slot.cycle === snapshot.cycle) hashes.set(hotkey, slot.hash)
  }
  return hashes
}

/** The bitmaps of this cycle in the state at B. */
export function attestations(snapshot: Snapshot, slots: Slots): ReadonlyMap<string, string> {
  const bitmaps = new Map<string, string>()
  for (const { hotkey } of snapshot.validators) {
    const slot = slots.get(hotkey)
    if (slot?.kind === 'attest' && slot.cycle === snapshot.cycle) bitmaps.set(hotkey, slot.bitmap)
  }
  return bitmaps
}

export type Tally = {
  readonly cycle: number
  /** Hotkeys whose reports count, in the order of the snapshot. */
  readonly counted: readonly string[]
  readonly stake: bigint
  readonly certified: boolean
}

export function tally(
  snapshot: Snapshot,
  hashes: ReadonlyMap<string, string>,
  bitmaps: ReadonlyMap<string, string>,
): Tally {
  const { validators, stakeTotal, cycle } = snapshot
  const attested = validators.map(() => 0n)
  for (const { hotkey, stake } of validators) {
    for (const place of placesOf(bitmaps.get(hotkey) ?? '')) {
      // A bit beyond the snapshot names nobody.
      if (place < attested.length) attested[place] = (attested[place] ?? 0n) + stake
    }
  }
  const counted = validators.filter(
    ({ hotkey }, place) => hashes.has(hotkey) && isMajority(attested[place] ?? 0n, stakeTotal),
  )
  const stake = counted.reduce((sum, validator) => sum + validator.stake, 0n)
  return { cycle, counted: counted.map(({ hotkey }) => hotkey), stake, certified: isQuorum(stake, stakeTotal) }
}

export type CertifiedRow = ReportRow

export type Certificate = {
  readonly cycle: number
  readonly counted: readonly string[]
  /** One per hotkey that counted reports name, in the order of hotkey bytes; at most `ROWS_MAX`. */
  readonly rows: readonly CertifiedRow[]
  /** Per group: how much worse the base is than the root before it. */
  readonly worse: ReadonlyMap<string, number>
  /** An amendment that two thirds of the stake support. */
  readonly amendment: string | null
}

type Body = { readonly report: Report; readonly stake: bigint }

/** The certified content of a cycle: stake-weighted lower medians over the counted reports, an absent entry being 0. */
export function certify(snapshot: Snapshot, counted: Tally, reports: ReadonlyMap<string, Report>): Certificate {
  assert(counted.certified && counted.cycle === snapshot.cycle, 'only a certified cycle has a certificate')
  const bodies = counted.counted.map((hotkey): Body => {
    const report = reports.get(hotkey)
    const stake = snapshot.validators[snapshot.placeOf.get(hotkey) ?? -1]?.stake
    assert(report !== undefined && stake !== undefined, 'every counted body was fetched before')
    return { report, stake }
  })
  const median = createMedian(bodies.map(({ stake }) => stake))
  return {
    cycle: snapshot.cycle,
    counted: counted.counted,
    rows: certifyRows(bodies, median),
    worse: certifyLosses(bodies, median),
    amendment: quorumOf(
      bodies.map(({ report, stake }) => [report.amendment, stake]),
      snapshot.stakeTotal,
    ),
  }
}

/** One hotkey's submission as some reports describe it. Reports that name another manifest describe another claim. */
type Claim = {
  readonly entry: ReportRow
  /** By place among the bodies. */
  readonly votes: { readonly place: number; readonly entry: ReportRow }[]
}
/** A claim with the stake that names it. */
type Backed = { readonly claim: Claim; readonly stake: bigint }

function certifyRows(bodies: readonly Body[], median: Median): readonly CertifiedRow[] {
  const claims = new Map<string, Claim[]>()
  for (const [place, { report }] of bodies.entries()) {
    for (const entry of report.rows) claimOf(claims, entry).votes.push({ place, entry })
  }
  const backed = [...claims.values()].map((all) => mostBacked(all, bodies))
  // One liar may invent a full report of hotkeys, and a root has a bound: what most of the stake names comes first.
  const kept = backed.length <= ROWS_MAX ? backed : backed.sort(byBacking).slice(0, ROWS_MAX)
  const rows = kept.map(({ claim }) => certifyClaim(claim, bodies, median))
  return rows.sort((a, b) => compareText(a.hotkey, b.hotkey))
}

function claimOf(claims: Map<string, Claim[]>, entry: ReportRow): Claim {
  const all = claims.get(entry.hotkey) ?? []
  if (all.length === 0) claims.set(entry.hotkey, all)
  const same = all.find(
    ({ entry: e }) => e.manifest === entry.manifest && e.group === entry.group && e.salt === entry.salt,
  )
  if (same !== undefined) return same
  const claim = { entry, votes: [] }
  all.push(claim)
  return claim
}

const byBacking = (a: Backed, b: Backed): number =>
  compareNumber(b.stake, a.stake) || compareText(a.claim.entry.hotkey, b.claim.entry.hotkey)

/** At most one claim of a hotkey can have a positive median, and it is this: two would need half of the stake each. */
function mostBacked(all: readonly Claim[], bodies: readonly Body[]): Backed {
  const [first, ...others] = all.map((claim) => ({ claim, stake: stakeOf(claim, bodies) }))
  assert(first !== undefined, 'a hotkey is here because a report names it')
  let best = first
  for (const other of others) {
    // Among equals the lower manifest; then the first, and bodies stand in the order of the snapshot.
    const isLower = other.claim.entry.manifest < best.claim.entry.manifest
    if (other.stake > best.stake || (other.stake === best.stake && isLower)) best = other
  }
  return best
}

const stakeOf = ({ votes }: Claim, bodies: readonly Body[]): bigint =>
  votes.reduce((sum, { place }) => sum + (bodies[place] as Body).stake, 0n)

function certifyClaim({ entry, votes }: Claim, bodies: readonly Body[], median: Median): CertifiedRow {
  const scores = new Float64Array(bodies.length)
  const marginals = new Float64Array(bodies.length)
  for (const { place, entry: vote } of votes) {
    scores[place] = vote.score
    marginals[place] = vote.marginal
  }
  const score = median(scores)
  const marginal = median(marginals)
  assert(marginal === 0 || score > 0, 'in every report a marginal comes with a score')
  return { ...entry, score, marginal, reason: marginal > 0 ? null : plurality(votes, bodies) }
}

/** The reason that most of the stake gives; where those who hold it accepted it, too few could fetch it. */
function plurality(votes: Claim['votes'], bodies: readonly Body[]): Reason {
  const stakes = new Map<Reason, bigint>()
  for (const { place, entry } of votes) {
    const { stake } = bodies[place] as Body
    if (entry.reason !== null) stakes.set(entry.reason, (stakes.get(entry.reason) ?? 0n) + stake)
  }
  let [best, most]: [Reason, bigint] = ['FETCH_FAILED', 0n]
  for (const [reason, stake] of stakes) {
    if (stake > most || (stake === most && reason < best)) [best, most] = [reason, stake]
  }
  return best
}

function certifyLosses(bodies: readonly Body[], median: Median): ReadonlyMap<string, number> {
  const differences = new Map<string, Float64Array>()
  for (const [i, { report }] of bodies.entries()) {
    for (const { group, before, after } of report.losses) {
      const all = differences.get(group) ?? new Float64Array(bodies.length)
      differences.set(group, all)
      all[i] = after - before
    }
  }
  return new Map([...differences].map(([group, all]) => [group, median(all)]))
}

/** The root that two thirds of the stake put on chain by D, or `null`: then the previous one stays. */
export function adoptedRoot(snapshot: Snapshot, slots: Slots): string | null {
  return rootOf(snapshot, slots, (slot) => (slot.kind === 'root' ? slot.root : null))
}

/**
 * The root that was in force in a cycle, as two thirds of its stake repeat it in their records of that cycle: what stands
 * when none was adopted. A proposal is never counted.
 */
export function repeatedRoot(snapshot: Snapshot, slots: Slots): string | null {
  return rootOf(snapshot, slots, (slot) =>
    slot.kind === 'submission' ? null : slot.kind === 'root' ? slot.base : slot.root,
  )
}

function rootOf(snapshot: Snapshot, slots: Slots, named: (slot: SlotRecord) => string | null): string | null {
  const votes = snapshot.validators.map(({ hotkey, stake }): Vote => {
    const slot = slots.get(hotkey)
    return [slot?.cycle === snapshot.cycle ? named(slot) : null, stake]
  })
  return quorumOf(votes, snapshot.stakeTotal)
}

type Vote = readonly [named: string | null, stake: bigint]

/** What two thirds of the stake name. */
function quorumOf(votes: readonly Vote[], stakeTotal: bigint): string | null {
  const support = new Map<string, bigint>()
  for (const [named, stake] of votes) if (named !== null) support.set(named, (support.get(named) ?? 0n) + stake)
  for (const [named, stake] of support) if (isQuorum(stake, stakeTotal)) return named
  return null
}
