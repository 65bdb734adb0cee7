/**
 * Reports: what one validator measured in one cycle (protocol §5, §6).
 *
 * Its hash goes on chain before anybody's body is public. Whether a body is well-formed depends on finalised facts alone
 * (the constitution, the snapshot, the base root), so all honest holders attest the same bodies.
 */

import { cidOf, decode, encode } from './codec.ts'
import { commitmentHash, EMPTY_BITMAP, placesOf, SALT_BYTES } from './commitment.ts'
import type { Constitution, Network } from './constitution.ts'
import type { Envelope } from './envelope.ts'
import { hotkeyShape } from './hotkey.ts'
import { BLOCK_MAX, DOMAINS_MAX, GROUPS_MAX, LOSS_NANO_MAX, REPORT_BYTES_MAX, ROWS_MAX, SCORE_MAX } from './limits.ts'
import { nameShape } from './name.ts'
import { REASONS } from './reason.ts'
import { ascending, blob, code, Flaw, id, integer, link, nullable, record, row, type TypeOf } from './schema.ts'
import type { Snapshot } from './snapshot.ts'
import { domainsOf, groupsOf, isRouterCycle, ROUTER } from './track.ts'
import { ACCEPT, ignore, reject, type Verdict } from './verdict.ts'

const nano = integer(0, LOSS_NANO_MAX)

export const rowShape = row({
  hotkey: hotkeyShape,
  group: nameShape,
  manifest: link,
  salt: id(SALT_BYTES),
  /** The loss reduction of the submission alone, in nano-nats; 0 when refused. */
  score: integer(0, SCORE_MAX),
  /** What it adds to the merge of those before it. A router submission's is its score. */
  marginal: integer(0, SCORE_MAX),
  /** Why the marginal is 0; `null` exactly when it is not. */
  reason: nullable(code(REASONS)),
})
export type ReportRow = TypeOf<typeof rowShape>

export const reportShape = record({
  network: link,
  cycle: integer(0, BLOCK_MAX),
  /** The root on which everything here was measured. */
  base: link,
  rows: ascending(rowShape, 0, ROWS_MAX, (entry) => entry.hotkey),
  /** Loss of the root before the base and of the base, per group on its domain: a worse group goes back (protocol §7). */
  losses: ascending(row({ group: nameShape, before: nano, after: nano }), 0, GROUPS_MAX, (entry) => entry.group),
  /** Whose sealed shards were used, as a bitmap over the snapshot; none when the pool was. */
  shards: id(EMPTY_BITMAP.length / 2),
  /** The shards sealed for the next cycle. */
  seals: ascending(row({ domain: nameShape, shard: link }), 0, DOMAINS_MAX, (entry) => entry.domain),
  /** The amendment that this validator supports. */
  amendment: nullable(link),
})
export type Report = TypeOf<typeof reportShape>

export const encodeReport = (report: Report): Uint8Array => encode(reportShape, report)
export const reportCid = (report: Report): string => cidOf(encodeReport(report))

/** What a report is judged against: finalised facts alone. */
export type ReportTerms = {
  readonly network: Network
  readonly constitution: Constitution
  readonly snapshot: Snapshot
  /** The current root. */
  readonly base: string
}

/** The report, or why no honest validator could have written it. */
export function decodeReport(terms: ReportTerms, bytes: Uint8Array): Report | Flaw {
  const report = decode(reportShape, bytes, REPORT_BYTES_MAX)
  return report instanceof Flaw ? report : (checkReport(terms, report) ?? report)
}

export function checkReport({ network, constitution, snapshot, base }: ReportTerms, report: Report): Flaw | null {
  if (report.network !== network.constitution) return new Flaw('network', 'is another network')
  if (report.cycle !== snapshot.cycle) return new Flaw('cycle', `is not ${snapshot.cycle}`)
  if (report.base !== base) return new Flaw('base', 'is not the current root')
  const groups = new Set(groupsOf(constitution).map((group) => group.name))
  const routerOpen = isRouterCycle(constitution, report.cycle)
  for (let i = 0; i < report.rows.length; i++) {
    const problem = checkRow(report.rows[i] as ReportRow, groups, routerOpen, snapshot)
    if (problem !== null) return new Flaw(`rows[${i}].${problem[0]}`, problem[1])
  }
  const stranger = report.losses.findIndex(({ group }) => !groups.has(group))
  if (stranger !== -1) return new Flaw(`losses[${stranger}].group`, 'is unknown')
  if (placesOf(report.shards).some((place) => place >= snapshot.validators.length)) {
    return new Flaw('shards', 'names a validator outside the snapshot')
  }
  const domains = domainsOf(constitution)
  const sealed = report.seals.findIndex(({ domain }) => !domains.includes(domain))
  return sealed === -1 ? null : new Flaw(`seals[${sealed}].domain`, 'is unknown')
}

/** One hotkey has one role: validators submit routing rows, everybody else expert groups. */
function checkRow(
  entry: ReportRow,
  groups: ReadonlySet<string>,
  routerOpen: boolean,
  snapshot: Snapshot,
): readonly [field: string, problem: string] | null {
  const isRouter = entry.group === ROUTER
  if (isRouter ? !routerOpen : !groups.has(entry.group)) return ['group', 'is not open in this cycle']
  if (isRouter !== snapshot.placeOf.has(entry.hotkey)) return ['hotkey', 'has another role']
  if (entry.marginal > 0 && entry.score === 0) return ['marginal', 'cannot come from a score of 0']
  if (isRouter && entry.marginal !== entry.score) return ['marginal', 'of routing rows is their score']
  if ((entry.reason === null) !== entry.marginal > 0) return ['reason', 'is given exactly when the marginal is 0']
  return null
}

/** A body with the salt that opens its commitment. Every holder may pass it on in the author's envelope. */
export const reportMessageShape = record({ salt: id(SALT_BYTES), report: blob(REPORT_BYTES_MAX) })
export type ReportMessage = TypeOf<typeof reportMessageShape>

export type ReportView = {
  readonly terms: ReportTerms | null
  /** Who may be in the snapshot, while `terms` is not known. */
  readonly validators: { has(hotkey: string): boolean }
  /** The hashes of reports in the finalised state at A, or `null` while that is not final. */
  readonly hashes: ReadonlyMap<string, string> | null
  readonly reports: { has(hotkey: string): boolean }
}

export function judgeReport(
  view: ReportView,
  { cycle, hotkey }: Pick<Envelope, 'cycle' | 'hotkey'>,
  { salt, report }: ReportMessage,
): Verdict {
  if (view.reports.has(hotkey)) return ignore('KNOWN')
  // Before EARLY: what waits for its window takes room, and anybody can make a key.
  const voices = view.terms?.snapshot.placeOf ?? view.validators
  if (!voices.has(hotkey)) return ignore('VALIDATOR_UNCOUNTED')
  if (view.hashes === null || view.terms === null) return ignore('EARLY')
  const hash = view.hashes.get(hotkey)
  if (hash === undefined) return ignore('VALIDATOR_UNCOUNTED')
  const opening = { cycle, kind: 'report', hotkey, content: cidOf(report), salt } as const
  if (commitmentHash(view.terms.network, opening) !== hash) return reject('COMMITMENT_MISMATCH')
  const read = decodeReport(view.terms, report)
  return read instanceof Flaw ? reject('REPORT_INVALID', `${read.field} ${read.problem}`) : ACCEPT
}
