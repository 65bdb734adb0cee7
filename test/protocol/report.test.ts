import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encode } from '../../src/protocol/codec.ts'
import { bitmapOf, EMPTY_BITMAP } from '../../src/protocol/commitment.ts'
import { REPORT_BYTES_MAX, ROWS_MAX, SCORE_MAX } from '../../src/protocol/limits.ts'
import { REASONS } from '../../src/protocol/reason.ts'
import {
  checkReport,
  decodeReport,
  encodeReport,
  judgeReport,
  type Report,
  type ReportMessage,
  type ReportTerms,
  type ReportView,
  reportCid,
  reportShape,
} from '../../src/protocol/report.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { ROUTER } from '../../src/protocol/track.ts'
import type { Verdict } from '../../src/protocol/verdict.ts'
import {
  CYCLE,
  cidOfText,
  hashOf,
  hexOf,
  keyOf,
  minerKey,
  ROUTER_CYCLE,
  refused,
  report,
  reportMessage,
  reportWith,
  rowOf,
  SALT,
  snapshot,
  terms,
  validatorKey,
  view,
} from './world.ts'

const SEAL = cidOfText('seal')
const miner = minerKey(0).hotkey
const validator = validatorKey(0).hotkey
const routerTerms: ReportTerms = { ...terms, snapshot: { ...snapshot, cycle: ROUTER_CYCLE } }
const routing = { group: ROUTER, score: 9, marginal: 9 }
const inRouterCycle = (row: Report['rows'][number]): Report => reportWith([row], { cycle: ROUTER_CYCLE })

const contents: [why: string, report: Report, field: string | null][] = [
  ['a good one', report, null],
  ['nothing was submitted', reportWith([]), null],
  ['the largest numbers', reportWith([rowOf(miner, { score: SCORE_MAX, marginal: SCORE_MAX })]), null],
  ['accepted alone, adds nothing', reportWith([rowOf(miner, { marginal: 0, reason: 'ADDS_NOTHING' })]), null],
  ['shards of the whole snapshot', reportWith([], { shards: bitmapOf([0, 1, 2, 3]) }), null],
  ['an amendment', reportWith([], { amendment: cidOfText('amendment') }), null],
  ['another network', { ...report, network: cidOfText('elsewhere') }, 'network'],
  ['another cycle', { ...report, cycle: CYCLE + 1 }, 'cycle'],
  ['another base', { ...report, base: cidOfText('older') }, 'base'],
  ['an unknown group', reportWith([rowOf(miner, { group: 'poetry' })]), 'rows[0].group'],
  ['routing rows outside a router cycle', reportWith([rowOf(validator, routing)]), 'rows[0].group'],
  ['a validator among the experts', reportWith([rowOf(validator)]), 'rows[0].hotkey'],
  [
    'a marginal without a score',
    reportWith([rowOf(miner, { score: 0, marginal: 1, reason: null })]),
    'rows[0].marginal',
  ],
  ['a reason although it counts', reportWith([rowOf(miner, { reason: 'FETCH_FAILED' })]), 'rows[0].reason'],
  ['no reason although it does not', reportWith([rowOf(miner, { marginal: 0 })]), 'rows[0].reason'],
  [
    'losses of an unknown group',
    reportWith([], { losses: [{ group: 'hub', before: 1, after: 1 }] }),
    'losses[0].group',
  ],
  ['a shard of nobody', reportWith([], { shards: bitmapOf([0, 4]) }), 'shards'],
  ['a seal for an unknown domain', reportWith([], { seals: [{ domain: 'art', shard: SEAL }] }), 'seals[0].domain'],
]
test.each(contents)('a report: %s', (_, given, field) => {
  const read = decodeReport(terms, encodeReport(given))
  if (field === null) expect(read).toEqual(given)
  else expect((read as Flaw).field).toBe(field)
})

test.each<[why: string, report: Report, field: string | null]>([
  ["a validator's routing rows", inRouterCycle(rowOf(validator, routing)), null],
  ['refused routing rows', inRouterCycle(rowOf(validator, { group: ROUTER, ...refused })), null],
  ['experts beside them', inRouterCycle(rowOf(miner)), null],
  ["a miner's routing rows", inRouterCycle(rowOf(miner, routing)), 'rows[0].hotkey'],
  [
    'a marginal that is not the score',
    inRouterCycle(rowOf(validator, { ...routing, marginal: 8 })),
    'rows[0].marginal',
  ],
])('in a router cycle: %s', (_, given, field) => {
  expect(checkReport(routerTerms, given)?.field ?? null).toBe(field)
})

const malformed: [why: string, change: object, field: string][] = [
  ['rows in falling order', { rows: report.rows.toReversed() }, 'rows[1]'],
  ['a hotkey twice', { rows: [rowOf(miner), rowOf(miner)] }, 'rows[1]'],
  [
    'more rows than a subnet can have',
    { rows: Array.from({ length: ROWS_MAX + 1 }, (_, i) => rowOf(hexOf(i))) },
    'rows',
  ],
  ['a score above u32', { rows: [rowOf(miner, { score: SCORE_MAX + 1 })] }, 'rows[0].score'],
  ['a negative marginal', { rows: [rowOf(miner, { marginal: -1 })] }, 'rows[0].marginal'],
  ['a score that is a fraction', { rows: [rowOf(miner, { score: 0.5 })] }, 'rows[0].score'],
  ['a loss below zero', { losses: [{ group: 'code', before: -1, after: 0 }] }, 'losses[0].before'],
  ['a group twice', { losses: [report.losses[0], report.losses[0]] }, 'losses[1]'],
  ['seals in falling order', { seals: report.seals.toReversed() }, 'seals[1]'],
]
test.each(malformed)('malformed: %s', (_, change, field) => {
  const read = decodeReport(terms, encode(reportShape, { ...report, ...change } as Report))
  expect((read as Flaw).field).toBe(field)
})

test('a full report of the longest names fits its bound', () => {
  const long = 'g'.repeat(32)
  const rows = Array.from({ length: ROWS_MAX }, (_, i) =>
    rowOf(hexOf(i), { group: long, score: SCORE_MAX, marginal: 1 }),
  )
  const names = Array.from({ length: 64 }, (_, i) => `${'n'.repeat(30)}${String(i).padStart(2, '0')}`)
  const nano = 100_000_000_000
  const full = reportWith(rows, {
    losses: names.map((group) => ({ group, before: nano, after: nano })),
    seals: names.map((domain) => ({ domain, shard: SEAL })),
    amendment: SEAL,
  })
  expect(encodeReport(full).length).toBeLessThanOrEqual(REPORT_BYTES_MAX)
})

test('every reason comes back from the wire', () => {
  for (const reason of REASONS) {
    const given = reportWith([rowOf(miner, { ...refused, reason })])
    expect(decodeReport(terms, encodeReport(given))).toEqual(given)
  }
})

const author = validatorKey(1)
const said = { cycle: CYCLE, hotkey: author.hotkey }
const mismatch: Verdict = { kind: 'reject', code: 'COMMITMENT_MISMATCH' }
const uncounted: Verdict = { kind: 'ignore', code: 'VALIDATOR_UNCOUNTED' }
const early: Verdict = { kind: 'ignore', code: 'EARLY' }
const otherReport = encodeReport(reportWith([]))
const withHash = (hash: string): ReportView => ({ ...view, hashes: new Map([[author.hotkey, hash]]) })
const invalid = reportWith([rowOf(validator)])

const verdicts: [why: string, ReportView, typeof said, ReportMessage, Verdict][] = [
  ['what was committed', view, said, reportMessage, { kind: 'accept' }],
  [
    'gossiped twice',
    { ...view, reports: new Set([author.hotkey]) },
    said,
    reportMessage,
    { kind: 'ignore', code: 'KNOWN' },
  ],
  ['before A is final', { ...view, hashes: null }, said, reportMessage, early],
  ['before the snapshot is read', { ...view, terms: null, hashes: null }, said, reportMessage, early],
  [
    'of a made-up key, before A is final',
    { ...view, hashes: null },
    { ...said, hotkey: keyOf(99).hotkey },
    reportMessage,
    uncounted,
  ],
  [
    'of who is no validator, before the snapshot is read',
    { ...view, terms: null, hashes: null },
    { ...said, hotkey: miner },
    reportMessage,
    uncounted,
  ],
  ['without a hash at A', { ...view, hashes: new Map() }, said, reportMessage, uncounted],
  ['another salt', view, said, { ...reportMessage, salt: '00'.repeat(32) }, mismatch],
  ['another body', view, said, { ...reportMessage, report: otherReport }, mismatch],
  [
    "another validator's hash copied into this slot",
    withHash(hashOf('report', validatorKey(2), reportCid(report))),
    said,
    reportMessage,
    mismatch,
  ],
  [
    'the hash of an earlier cycle written again',
    withHash(hashOf('report', author, reportCid(report), CYCLE - 1)),
    said,
    reportMessage,
    mismatch,
  ],
  ['a hash of another kind', withHash(hashOf('submission', author, reportCid(report))), said, reportMessage, mismatch],
]
test.each(verdicts)('a body: %s', (_, known, head, body, verdict) =>
  expect(judgeReport(known, head, body)).toEqual(verdict),
)

test('a body that matches its hash and is not well-formed names the field', () => {
  const known = withHash(hashOf('report', author, reportCid(invalid)))
  const verdict = judgeReport(known, said, { salt: SALT, report: encodeReport(invalid) })
  expect(verdict).toEqual({ kind: 'reject', code: 'REPORT_INVALID', detail: 'rows[0].hotkey has another role' })
})

test('reports of any rows come back as they were written', () => {
  const row = fc.record({
    group: fc.constantFrom('code', 'law'),
    score: fc.nat({ max: SCORE_MAX }),
    share: fc.nat({ max: 4 }),
    reason: fc.constantFrom(...REASONS),
  })
  fc.assert(
    fc.property(fc.array(row, { maxLength: 30 }), (list) => {
      const rows = list.map(({ group, score, share, reason }, i) => {
        const marginal = Math.floor((score * share) / 4)
        return rowOf(hexOf(i, 0xcc), { group, score, marginal, reason: marginal > 0 ? null : reason })
      })
      const given = reportWith(rows, { shards: EMPTY_BITMAP })
      const read = decodeReport(terms, encodeReport(given))
      expect(read).not.toBeInstanceOf(Flaw)
      expect(read).toEqual(given)
    }),
  )
})
