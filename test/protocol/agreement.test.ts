import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  adoptedRoot,
  attestations,
  type Certificate,
  certify,
  repeatedRoot,
  reportHashes,
  type Slots,
  tally,
} from '../../src/protocol/agreement.ts'
import { bitmapOf, EMPTY_BITMAP, NO_HASH, type SlotRecord } from '../../src/protocol/commitment.ts'
import { ROWS_MAX, SCORE_MAX } from '../../src/protocol/limits.ts'
import type { Reason } from '../../src/protocol/reason.ts'
import { encodeReport, type Report, type ReportRow } from '../../src/protocol/report.ts'
import { isMajority, isQuorum, type Snapshot } from '../../src/protocol/snapshot.ts'
import {
  certifyBy,
  drawTable,
  LAW,
  lowerMedianOf,
  reportsOf,
  SWITCHES,
  simulateAgreement,
  tallyBy,
} from '../sim/agreement.ts'
import { CYCLE, cidOfText, createRandom, hexOf, reportWith, rowOf, snapshotWith } from './world.ts'

const nameOf = (place: number): string => hexOf(place + 1)
const ROOT = cidOfText('root')
const MINER = hexOf(1, 0xcc)
const OTHER = hexOf(2, 0xcc)

const slotOf = (kind: 'report' | 'attest' | 'root', cycle = CYCLE, root = ROOT, bitmap = EMPTY_BITMAP): SlotRecord =>
  kind === 'root'
    ? { kind, cycle, base: ROOT, root, bitmap }
    : kind === 'report'
      ? { kind, cycle, hash: NO_HASH, root }
      : { kind, cycle, hash: NO_HASH, root, bitmap }

describe('what counts at A and B', () => {
  const snapshot = snapshotWith([1n, 1n, 1n])
  const slots: Slots = new Map([
    [nameOf(0), slotOf('report')],
    [nameOf(1), slotOf('report', CYCLE - 1)],
    [nameOf(2), slotOf('attest')],
    [nameOf(7), slotOf('report')],
  ])

  test('hashes of this cycle, of validators in the snapshot', () => {
    expect([...reportHashes(snapshot, slots).keys()]).toEqual([nameOf(0)])
  })

  test('bitmaps of this cycle, of validators in the snapshot', () => {
    expect([...attestations(snapshot, slots).keys()]).toEqual([nameOf(2)])
    expect(attestations(snapshot, new Map([[nameOf(0), slotOf('attest', CYCLE + 1)]])).size).toBe(0)
  })
})

type Attests = readonly (readonly number[] | null)[]
const tallies: [why: string, stakes: bigint[], hashes: number[], attests: Attests, counted: number[], ok: boolean][] = [
  ['nobody took part', [1n, 1n], [], [null, null], [], false],
  ['one validator alone', [1n], [0], [[0]], [0], true],
  [
    'all hold all',
    [1n, 1n, 1n],
    [0, 1, 2],
    [
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ],
    [0, 1, 2],
    true,
  ],
  ['three equal ones, one crashed', [1n, 1n, 1n], [0, 1], [[0, 1], [0, 1], null], [0, 1], true],
  ['one crashed after its hash', [1n, 1n, 1n], [0, 1, 2], [[0, 1], [0, 1], null], [0, 1], true],
  ['one crashed after its body', [1n, 1n, 1n], [0, 1, 2], [[0, 1, 2], [0, 1, 2], null], [0, 1, 2], true],
  ['exactly half holds it', [1n, 1n], [0], [[0], []], [], false],
  ['a unit more than half holds it', [2n, 1n], [0, 1], [[0, 1], []], [0, 1], true],
  ['exactly two thirds are counted', [2n, 1n], [0], [[0], [0]], [0], true],
  ['a unit less than two thirds is counted', [1_999n, 1_001n], [0], [[0], [0]], [0], false],
  [
    'held by all, without a hash at A',
    [1n, 1n],
    [0],
    [
      [0, 1],
      [0, 1],
    ],
    [0],
    false,
  ],
  ['a bit beyond the snapshot names nobody', [1n], [0], [[0, 1, 127]], [0], true],
  [
    'a liar attests itself alone',
    [3n, 3n, 3n, 1n],
    [0, 1, 2, 3],
    [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3]],
    [0, 1, 2],
    true,
  ],
]
test.each(tallies)('tally: %s', (_, stakes, hashed, attests, places, ok) => {
  const snapshot = snapshotWith(stakes)
  const hashes = new Map(hashed.map((place) => [nameOf(place), NO_HASH]))
  const bitmaps = new Map(
    attests.flatMap((held, place) => (held === null ? [] : [[nameOf(place), bitmapOf(held)] as const])),
  )
  const result = tally(snapshot, hashes, bitmaps)
  expect(result.counted).toEqual(places.map(nameOf))
  expect(result.stake).toBe(places.reduce((sum, place) => sum + (stakes[place] ?? 0n), 0n))
  expect(result.certified).toBe(ok)
})

test('stakes beyond 2^53 decide by their last unit', () => {
  const whale = 2n ** 63n
  const certified = (own: bigint, silent: bigint) =>
    tally(snapshotWith([own, silent]), new Map([[nameOf(0), NO_HASH]]), new Map([[nameOf(0), bitmapOf([0])]])).certified
  expect(certified(2n * whale - 2n, whale - 1n)).toBe(true)
  expect(certified(2n * whale - 3n, whale - 1n)).toBe(false)
})

function certificateOf(
  stakes: readonly bigint[],
  reports: readonly Report[],
  snapshot = snapshotWith(stakes),
): Certificate {
  const counted = reports.map((_, place) => nameOf(place))
  const stake = snapshot.stakeTotal
  return certify(
    snapshot,
    { cycle: CYCLE, counted, stake, certified: true },
    new Map(reports.map((report, place) => [nameOf(place), report])),
  )
}
const scores = (...list: (number | null)[]): Report[] =>
  list.map((score) => {
    if (score === null) return reportWith([])
    return reportWith([rowOf(MINER, { score, marginal: score, reason: score > 0 ? null : 'LOSS_NOT_LOWER' })])
  })

test.each<[why: string, stakes: bigint[], reports: Report[], score: number]>([
  ['all agree', [1n, 1n, 1n], scores(5, 5, 5), 5],
  ['the middle one of three', [1n, 1n, 1n], scores(9, 2, 5), 5],
  ['of an even number the lower middle', [1n, 1n, 1n, 1n], scores(9, 2, 5, 7), 5],
  ['stake is what counts, not heads', [1n, 1n, 3n], scores(9, 8, 2), 2],
  ['absent is 0', [1n, 1n, 1n], scores(9, null, null), 0],
  ['absent for exactly half is 0', [1n, 1n], scores(9, null), 0],
  ['absent for less than half does not matter', [1n, 1n, 1n], scores(9, 8, null), 8],
  ['a liar at the top', [1n, 1n, 1n], scores(SCORE_MAX, 5, 6), 6],
  ['a liar at the bottom', [1n, 1n, 1n], scores(0, 5, 6), 5],
])('score: %s', (_, stakes, reports, score) => {
  const [row, ...others] = certificateOf(stakes, reports).rows
  expect(others).toEqual([])
  expect(row).toMatchObject({ hotkey: MINER, score, marginal: score })
  expect(row?.reason === null).toBe(score > 0)
})

const refusing = (reason: Reason, score = 0): Report => reportWith([rowOf(MINER, { score, marginal: 0, reason })])
const accepting = reportWith([rowOf(MINER)])
test.each<[why: string, stakes: bigint[], reports: Report[], reason: Reason | null]>([
  ['what all say', [1n, 1n], [refusing('BASE_STALE'), refusing('BASE_STALE')], 'BASE_STALE'],
  [
    'what most of the stake says',
    [1n, 1n, 3n],
    [refusing('SEAT_NONE'), refusing('SEAT_NONE'), refusing('BASE_STALE')],
    'BASE_STALE',
  ],
  ['of equals the first word', [1n, 1n], [refusing('TENSOR_SHAPE'), refusing('BASE_STALE')], 'BASE_STALE'],
  ['none when it counts', [1n, 1n, 1n], [accepting, accepting, refusing('BASE_STALE')], null],
  ['refused by half: their reason', [1n, 1n], [accepting, refusing('GAIN_BELOW_EPSILON')], 'GAIN_BELOW_EPSILON'],
  [
    'accepted by the few that could fetch it',
    [1n, 1n, 1n],
    [accepting, reportWith([]), reportWith([])],
    'FETCH_FAILED',
  ],
  ['a score, but it adds nothing', [1n], [refusing('ADDS_NOTHING', 9)], 'ADDS_NOTHING'],
])('reason: %s', (_, stakes, reports, reason) => {
  expect(certificateOf(stakes, reports).rows.map((row) => row.reason)).toEqual([reason])
})

test('a certified submission keeps what the reports say of it', () => {
  const row = rowOf(MINER, { group: 'law' })
  expect(certificateOf([1n, 1n], [reportWith([row]), reportWith([row])]).rows).toEqual([row])
})

describe('two claims about one hotkey', () => {
  const good = rowOf(MINER)
  const forged = { ...good, manifest: cidOfText('forged'), score: SCORE_MAX, marginal: SCORE_MAX }
  const cases: [why: string, stakes: bigint[], rows: ReportRow[], certified: Partial<ReportRow>][] = [
    ['the one that most of the stake names', [2n, 1n], [good, forged], good],
    ['another group is another claim', [2n, 1n], [good, { ...good, group: 'law', score: 9_000_000 }], good],
    ['another salt is another claim', [2n, 1n], [good, { ...good, salt: '00'.repeat(32) }], good],
    [
      'neither has half of the stake',
      [1n, 1n, 1n],
      [good, forged, { ...good, group: 'law' }],
      { score: 0, marginal: 0 },
    ],
  ]
  test.each(cases)('%s', (_, stakes, rows, certified) => {
    const result = certificateOf(
      stakes,
      rows.map((row) => reportWith([row])),
    )
    expect(result.rows).toHaveLength(1)
    expect(result.rows[0]).toMatchObject(certified)
  })

  test('of equals the lower manifest, whoever says it', () => {
    const lower = [good, forged].map(({ manifest }) => manifest).sort()[0]
    const reports = [good, forged].map((row) => reportWith([row]))
    expect(certificateOf([1n, 1n], reports).rows[0]?.manifest).toBe(lower)
    expect(certificateOf([1n, 1n], reports.toReversed()).rows[0]?.manifest).toBe(lower)
  })
})

describe('a liar that fills its report with invented hotkeys', () => {
  const ghosts = reportWith(
    Array.from({ length: ROWS_MAX }, (_, i) => rowOf(hexOf(i, 0x00), { score: 9, marginal: 9 })),
  )
  const honest = reportWith([rowOf(MINER), rowOf(OTHER)])

  test('pushes nobody out, and the certificate keeps its bound', () => {
    const { rows } = certificateOf([1n, 1n, 1n], [ghosts, honest, honest])
    expect(rows).toHaveLength(ROWS_MAX)
    expect(rows.filter(({ marginal }) => marginal > 0).map(({ hotkey }) => hotkey)).toEqual([MINER, OTHER])
    expect(rows.map(({ hotkey }) => hotkey)).toEqual(rows.map(({ hotkey }) => hotkey).toSorted())
  })

  test('nor do forty of them', () => {
    const many = Array.from({ length: 40 }, (_, liar) =>
      reportWith(
        Array.from({ length: ROWS_MAX }, (_, i) => rowOf(hexOf(1_000 * liar + i, 0xaa), { score: 9, marginal: 9 })),
      ),
    )
    const reports = [...many, ...Array.from({ length: 88 }, () => honest)]
    const { rows } = certificateOf(
      reports.map(() => 1n),
      reports,
    )
    expect(rows).toHaveLength(ROWS_MAX)
    expect(rows.filter(({ marginal }) => marginal > 0).map(({ hotkey }) => hotkey)).toEqual([MINER, OTHER])
  })
})

test('losses: the median of the differences, and no difference where a report has none', () => {
  const lost = (before: number, after: number) => reportWith([], { losses: [{ group: 'code', before, after }] })
  const silent = reportWith([], { losses: [] })
  expect(certificateOf([1n, 1n, 1n], [lost(5, 9), lost(5, 4), lost(5, 7)]).worse.get('code')).toBe(2)
  expect(certificateOf([1n, 1n, 1n], [lost(0, 9), silent, silent]).worse.get('code')).toBe(0)
  expect(certificateOf([1n], [silent]).worse.size).toBe(0)
})

const AMENDMENT = cidOfText('amendment')
test.each<[why: string, stakes: bigint[], support: (string | null)[], adopted: string | null]>([
  ['nobody wants one', [1n], [null], null],
  ['two thirds of the stake', [1n, 1n, 1n], [AMENDMENT, AMENDMENT, null], AMENDMENT],
  ['a unit less', [1_000n, 999n, 1_000n], [AMENDMENT, AMENDMENT, null], null],
  ['split between two', [1n, 1n, 1n, 1n], [AMENDMENT, AMENDMENT, cidOfText('other'), cidOfText('other')], null],
])('amendment: %s', (_, stakes, support, adopted) => {
  const reports = support.map((amendment) => reportWith([], { amendment }))
  expect(certificateOf(stakes, reports).amendment).toBe(adopted)
})

test('an amendment needs two thirds of the snapshot, not of the reports that count', () => {
  const reports = [AMENDMENT, AMENDMENT, null].map((amendment) => reportWith([], { amendment }))
  const snapshot = snapshotWith([2n, 2n, 1n, 2n])
  expect(certificateOf([], reports, snapshot).amendment).toBeNull()
})

test('certifying what is not certified, or without a body, is our own mistake', () => {
  const snapshot = snapshotWith([1n])
  const counted = { cycle: CYCLE, counted: [nameOf(0)], stake: 1n, certified: true }
  const bodies = new Map([[nameOf(0), reportWith([])]])
  expect(() => certify(snapshot, { ...counted, certified: false }, bodies)).toThrow('broken invariant')
  expect(() => certify(snapshot, { ...counted, cycle: CYCLE - 1 }, bodies)).toThrow('broken invariant')
  expect(() => certify(snapshot, counted, new Map())).toThrow('broken invariant')
})

const NEW = cidOfText('new root')
const rootCases: [
  why: string,
  stakes: bigint[],
  slots: (SlotRecord | null)[],
  adopted: boolean,
  repeated: string | null,
][] = [
  ['two thirds wrote it', [1n, 1n, 1n], [slotOf('root', CYCLE, NEW), slotOf('root', CYCLE, NEW), null], true, ROOT],
  [
    'a unit less wrote it',
    [999n, 1_000n, 1_000n],
    [slotOf('root', CYCLE, NEW), slotOf('root', CYCLE, NEW), null],
    false,
    null,
  ],
  ['the rest still attests', [2n, 1n], [slotOf('root', CYCLE, NEW), slotOf('attest')], true, ROOT],
  [
    'repeated in slots of any kind',
    [1n, 1n, 1n],
    [slotOf('report', CYCLE, NEW), slotOf('attest', CYCLE, NEW), null],
    false,
    NEW,
  ],
  ['written in the cycle before', [1n], [slotOf('root', CYCLE - 1, NEW)], false, null],
  ['split', [1n, 1n], [slotOf('root', CYCLE, NEW), slotOf('root', CYCLE, ROOT)], false, ROOT],
  ['by nobody', [1n], [null], false, null],
]
test.each(rootCases)('a root: %s', (_, stakes, slots, adopted, repeated) => {
  const snapshot: Snapshot = snapshotWith(stakes)
  const written = new Map(slots.flatMap((slot, place) => (slot === null ? [] : [[nameOf(place), slot] as const])))
  written.set(nameOf(40), slotOf('root', CYCLE, cidOfText('of a stranger')))
  expect(adoptedRoot(snapshot, written)).toBe(adopted ? NEW : null)
  expect(repeatedRoot(snapshot, written)).toBe(repeated)
})

test('a proposal proves what was in force, never what it proposes', () => {
  const snapshot = snapshotWith([20n, 20n, 20n, 15n, 25n])
  const proposal = slotOf('root', CYCLE, NEW)
  const slots: Slots = new Map([0, 1, 2, 4].map((place) => [nameOf(place), proposal]))
  expect(repeatedRoot(snapshot, slots)).toBe(ROOT)
})

test('no stake at all adopts no root', () => {
  expect(adoptedRoot(snapshotWith([]), new Map())).toBeNull()
  expect(repeatedRoot(snapshotWith([]), new Map([[nameOf(0), slotOf('root')]]))).toBeNull()
})

const shuffled = <T>(list: readonly T[], seed: number): T[] => {
  const random = createRandom(seed)
  return list
    .map((entry) => ({ entry, at: random.unit() }))
    .sort((a, b) => a.at - b.at)
    .map(({ entry }) => entry)
}

test('the order in which anything arrives changes nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0 }), (seed) => {
      const table = drawTable({ seed })
      const { snapshot, hashes, bitmaps } = table
      const mixed = <K, V>(map: ReadonlyMap<K, V>): ReadonlyMap<K, V> => new Map(shuffled([...map], seed))
      const counted = LAW.tally(table)
      expect(tally(snapshot, mixed(hashes), mixed(bitmaps))).toEqual(counted)
      if (!counted.certified) return
      const certificate = certify(snapshot, counted, reportsOf(table))
      expect([...certify(snapshot, counted, mixed(reportsOf(table))).rows]).toEqual([...certificate.rows])
    }),
  )
})

const SEED = Number(process.env['SEED'] ?? 1)
const COUNT = Number(process.env['COUNT'] ?? 5_000)

describe('with less than a third of the stake lying', () => {
  test(`no number leaves the honest range, no body is lost, no prompt cycle is refused (SEED=${SEED})`, () => {
    const { tables, certified, broken } = simulateAgreement({ count: COUNT, seed: SEED })
    expect([...broken], `seed ${[...broken.values()][0]?.seed}`).toEqual([])
    expect(tables).toBe(COUNT)
    expect(certified).toBeGreaterThan(COUNT / 2)
  })

  test('another writing of the law says the same', () => {
    const again = { tally: tallyBy(isMajority, isQuorum), certify: certifyBy(lowerMedianOf) }
    for (let seed = SEED; seed < SEED + 500; seed++) {
      const table = drawTable({ seed })
      const counted = LAW.tally(table)
      expect(again.tally(table), `seed ${seed}`).toEqual(counted)
      if (!counted.certified) continue
      const [law, other] = [LAW.certify(table, counted), again.certify(table, counted)]
      const numbers = (rows: readonly ReportRow[]) =>
        rows.map(({ hotkey, score, marginal }) => [hotkey, score, marginal])
      expect(numbers(law.rows), `seed ${seed}`).toEqual(
        numbers(other.rows.toSorted((a, b) => (a.hotkey < b.hotkey ? -1 : 1))),
      )
      expect(law.worse, `seed ${seed}`).toEqual(other.worse)
    }
  })

  test.each(Object.entries(SWITCHES))('with one rule changed it breaks: %s', (_, { breaks, rules }) => {
    const { broken } = simulateAgreement({ count: 5_000, seed: 1 }, rules, (found) => found.has(breaks))
    expect([...broken.keys()]).toContain(breaks)
  })

  test('with a third exactly the numbers leave the honest range', () => {
    const { broken } = simulateAgreement({ count: 5_000, seed: 1, third: true }, LAW, (found) => found.has('RANGE'))
    expect([...broken.keys()]).toEqual(['RANGE'])
  })

  test('a seed draws the same table again', () => {
    const bytes = (seed: number) => drawTable({ seed }).reports.map((report) => report && encodeReport(report))
    expect(bytes(SEED)).toEqual(bytes(SEED))
  })
})
