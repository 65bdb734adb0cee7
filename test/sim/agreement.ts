/**
 * The law of protocol §6 against random stake tables: up to a third of the stake lies about what it holds, serves its
 * bodies to some, withholds them, invents submissions or names extreme scores, while honest validators crash or are cut
 * off. The real `tally` and `certify` decide.
 *
 * Three things must hold whatever happens: no certified number leaves the range of the honest reports that count, no
 * report counts that no honest validator holds, and a cycle with two thirds of honest stake on time is certified.
 * `SWITCHES` are the same law with one rule changed: each must break one of the three, or the test sees nothing.
 */
import { type Certificate, certify, type Tally, tally } from '../../src/protocol/agreement.ts'
import { bitmapOf, EMPTY_BITMAP, placesOf } from '../../src/protocol/commitment.ts'
import { LOSS_NANO_MAX, SCORE_MAX } from '../../src/protocol/limits.ts'
import { weightedLowerMedian } from '../../src/protocol/median.ts'
import { REASONS } from '../../src/protocol/reason.ts'
import type { Report, ReportRow } from '../../src/protocol/report.ts'
import { isMajority, isQuorum, type Snapshot } from '../../src/protocol/snapshot.ts'
import { cidOfText, createRandom, hexOf, type Random, snapshotWith } from '../protocol/world.ts'

/** Everything that happened in one cycle until B. Lists are in the order of the snapshot. */
export type Table = {
  readonly snapshot: Snapshot
  readonly byzantine: readonly boolean[]
  /** Honest, wrote its hash by A, holds every body of its like and wrote its bitmap by B. */
  readonly onTime: readonly boolean[]
  /** What each hash at A stands for; `null` where there is none. */
  readonly reports: readonly (Report | null)[]
  /** By report: who holds the body at B and is there to serve it. */
  readonly holders: readonly (readonly boolean[])[]
  readonly hashes: ReadonlyMap<string, string>
  readonly bitmaps: ReadonlyMap<string, string>
}

export type Rules = {
  readonly tally: (table: Table) => Tally
  readonly certify: (table: Table, counted: Tally) => Pick<Certificate, 'rows' | 'worse' | 'amendment'>
}

const CYCLE = 7
const MINERS_MAX = 5
const HOTKEYS = Array.from({ length: 48 }, (_, i) => hexOf(i + 1))
const MINERS = Array.from({ length: MINERS_MAX }, (_, i) => hexOf(i, 0xcc))
const GHOSTS = Array.from({ length: 3 }, (_, i) => hexOf(i, 0xdd))
const MANIFESTS = MINERS.map((_, i) => cidOfText(`manifest ${i}`))
const FORGED = [...MINERS, ...GHOSTS].map((_, i) => cidOfText(`forged ${i}`))
const NETWORK = cidOfText('network')
const BASE = cidOfText('base')
const SALT = '5a'.repeat(32)
const EVIL_AMENDMENT = cidOfText('an amendment that only liars support')

const chance = (random: Random, share: number): boolean => random.unit() < share
const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)] as T

/** Equal, ordinary, and as unequal as u64 allows. */
function drawStakes(random: Random): readonly bigint[] {
  const count = chance(random, 0.05) ? 1 + random.below(HOTKEYS.length) : 1 + random.below(9)
  const kind = random.below(3)
  return Array.from({ length: count }, () => {
    if (kind === 0) return 1_000n
    if (kind === 1) return BigInt(1 + random.below(100))
    return (1n << BigInt(random.below(58))) + BigInt(random.below(1_000))
  })
}

/** Liars are drawn until one more would reach the bound: less than a third, or, to see it break, a third exactly. */
function drawLiars(random: Random, { validators, stakeTotal }: Snapshot, third: boolean): readonly boolean[] {
  const liars = validators.map(() => false)
  const order = validators.map((_, place) => place)
  let stake = 0n
  while (order.length > 0) {
    const [place] = order.splice(random.below(order.length), 1)
    const more = stake + (validators[place as number]?.stake ?? 0n)
    const isWithin = third ? 3n * more <= stakeTotal : 3n * more < stakeTotal
    if (!isWithin || chance(random, 0.15)) continue
    liars[place as number] = true
    stake = more
  }
  return liars
}

const drawRow = (random: Random, hotkey: string, manifest: string, score: number, marginal: number): ReportRow => {
  const reason = marginal > 0 ? null : pick(random, REASONS)
  return { hotkey, group: 'code', manifest, salt: SALT, score, marginal, reason }
}

const reportOf = (rows: readonly ReportRow[], after: number, amendment: string | null): Report => ({
  network: NETWORK,
  cycle: CYCLE,
  base: BASE,
  rows,
  losses: [{ group: 'code', before: LOSS_NANO_MAX / 2, after }],
  shards: EMPTY_BITMAP,
  seals: [],
  amendment,
})

/** What honest validators measure: near the truth, refused by some, not fetched by others. */
function honestReport(random: Random, truths: readonly number[], fetched: number): Report {
  const rows = truths.flatMap((truth, i) => {
    if (!chance(random, fetched)) return []
    const isAccepted = truth > 0 && chance(random, 0.9)
    const score = isAccepted ? truth + random.below(1_000) : 0
    const marginal = chance(random, 0.8) ? Math.floor(score / 2) : 0
    return [drawRow(random, MINERS[i] as string, MANIFESTS[i] as string, score, marginal)]
  })
  return reportOf(rows, LOSS_NANO_MAX / 2 + random.below(1_000) - 500, null)
}

const LIES = ['push', 'crush', 'forge', 'omit', 'ghosts'] as const

function liarReport(random: Random, truths: readonly number[], lie: (typeof LIES)[number]): Report {
  const known = truths.map((_, i) => i)
  const rows: readonly ReportRow[] = {
    push: () => known.map((i) => drawRow(random, MINERS[i] as string, MANIFESTS[i] as string, SCORE_MAX, SCORE_MAX)),
    crush: () => known.map((i) => drawRow(random, MINERS[i] as string, MANIFESTS[i] as string, 0, 0)),
    forge: () => known.map((i) => drawRow(random, MINERS[i] as string, FORGED[i] as string, SCORE_MAX, SCORE_MAX)),
    omit: () => [],
    ghosts: () => GHOSTS.map((ghost, i) => drawRow(random, ghost, FORGED[i] as string, SCORE_MAX, SCORE_MAX)),
  }[lie]()
  return reportOf(rows, chance(random, 0.5) ? LOSS_NANO_MAX : 0, EVIL_AMENDMENT)
}

/** Honest: in step, gone before A, gone between A and B, or cut off from some of the others. Liars are all there. */
type Fate = 'in step' | 'gone before A' | 'gone before B' | 'cut off' | 'liar'

function drawFates(random: Random, liars: readonly boolean[]): readonly Fate[] {
  const faults = pick(random, [0, 0, 0.1, 0.3])
  return liars.map((liar) => {
    if (liar) return 'liar'
    return chance(random, faults) ? pick(random, ['gone before A', 'gone before B', 'cut off'] as const) : 'in step'
  })
}

/** Who holds the body of `author` at B. Liars pass bodies among themselves and serve whom they like. */
function drawHolders(random: Random, fates: readonly Fate[], author: number): readonly boolean[] {
  const reach = fates[author] === 'in step' ? 1 : pick(random, [0, 0.3, 0.7, 1])
  return fates.map((fate, place) => {
    if (fate === 'gone before A' || fate === 'gone before B') return false
    if (place === author || fate === 'liar') return true
    return chance(random, fate === 'cut off' ? 0.5 : reach)
  })
}

function drawBitmap(random: Random, place: number, table: Pick<Table, 'byzantine' | 'holders'>): string | null {
  const { byzantine, holders } = table
  const places = holders.map((_, author) => author)
  if (byzantine[place] !== true) return bitmapOf(places.filter((author) => holders[author]?.[place] === true))
  const lie = random.below(5)
  if (lie === 0) return null
  if (lie === 1) return bitmapOf(Array.from({ length: 128 }, (_, bit) => bit))
  if (lie === 2) return bitmapOf(places.filter(() => chance(random, 0.5)))
  // Most of the time the worst they can do: only for one another.
  return bitmapOf(places.filter((author) => byzantine[author]))
}

export type Draw = { readonly seed: number; readonly third?: boolean }

export function drawTable({ seed, third = false }: Draw): Table {
  const random = createRandom(seed)
  const snapshot = snapshotWith(drawStakes(random), CYCLE)
  const byzantine = drawLiars(random, snapshot, third)
  const fates = drawFates(random, byzantine)
  const truths = Array.from({ length: 1 + random.below(MINERS_MAX) }, () =>
    chance(random, 0.2) ? 0 : 1 + random.below(50_000_000),
  )
  const fetched = pick(random, [1, 0.8, 0.4])
  const coalition = pick(random, LIES)
  const reports = fates.map((fate): Report | null => {
    if (fate === 'gone before A') return null
    if (fate !== 'liar') return honestReport(random, truths, fetched)
    return chance(random, 0.1) ? null : liarReport(random, truths, chance(random, 0.8) ? coalition : pick(random, LIES))
  })
  const holders = fates.map((_, author) =>
    reports[author] === null ? fates.map(() => false) : drawHolders(random, fates, author),
  )
  const { validators } = snapshot
  const hashes = validators.flatMap(({ hotkey }, i) => (reports[i] === null ? [] : [[hotkey, hotkey] as const]))
  const bitmaps = validators.flatMap(({ hotkey }, place) => {
    const isGone = fates[place] === 'gone before A' || fates[place] === 'gone before B'
    const bitmap = isGone ? null : drawBitmap(random, place, { byzantine, holders })
    return bitmap === null ? [] : [[hotkey, bitmap] as const]
  })
  const onTime = fates.map((fate) => fate === 'in step')
  return { snapshot, byzantine, onTime, reports, holders, hashes: new Map(hashes), bitmaps: new Map(bitmaps) }
}

export const reportsOf = ({ snapshot, reports }: Table): ReadonlyMap<string, Report> =>
  new Map(
    snapshot.validators.flatMap(({ hotkey }, i) => {
      const report = reports[i]
      return report == null ? [] : [[hotkey, report] as const]
    }),
  )

export const LAW: Rules = {
  tally: ({ snapshot, hashes, bitmaps }) => tally(snapshot, hashes, bitmaps),
  certify: (table, counted) => certify(table.snapshot, counted, reportsOf(table)),
}

type Share = (stake: bigint, total: bigint) => boolean

/** The tally again, with other thresholds; with the real ones it is an oracle for the real one. */
export const tallyBy =
  (isCounted: Share, isCertified: Share) =>
  ({ snapshot, hashes, bitmaps }: Table): Tally => {
    const { validators, stakeTotal, cycle } = snapshot
    const stakeOf = (hotkeys: readonly string[]): bigint =>
      validators.reduce((sum, { hotkey, stake }) => (hotkeys.includes(hotkey) ? sum + stake : sum), 0n)
    const counted = validators.flatMap(({ hotkey }, place) => {
      const attesters = [...bitmaps].filter(([, bitmap]) => placesOf(bitmap).includes(place)).map(([by]) => by)
      return hashes.has(hotkey) && isCounted(stakeOf(attesters), stakeTotal) ? [hotkey] : []
    })
    const stake = stakeOf(counted)
    return { cycle, counted, stake, certified: isCertified(stake, stakeTotal) }
  }

type Vote = { readonly value: number | null; readonly weight: bigint }

/** The certificate again, with another way to make one number of the votes; `null` is a report without the claim. */
export const certifyBy =
  (combine: (votes: readonly Vote[]) => number): Rules['certify'] =>
  (table, { counted }) => {
    const bodies = table.snapshot.validators.flatMap(({ hotkey, stake }, place) => {
      const report = table.reports[place]
      return counted.includes(hotkey) && report != null ? [{ report, stake }] : []
    })
    const named = (row: ReportRow): bigint =>
      bodies.reduce((sum, { report, stake }) => (entryOf(report, row) === undefined ? sum : sum + stake), 0n)
    const claims = new Map<string, ReportRow>()
    for (const row of bodies.flatMap(({ report }) => report.rows)) {
      const held = claims.get(row.hotkey)
      const [mine, theirs] = [named(row), held === undefined ? -1n : named(held)]
      const isBetter = mine > theirs || (mine === theirs && row.manifest < (held?.manifest ?? ''))
      if (isBetter) claims.set(row.hotkey, row)
    }
    const rows = [...claims.values()].map((claim) => {
      const over = (field: 'score' | 'marginal'): number =>
        combine(bodies.map(({ report, stake }) => ({ value: entryOf(report, claim)?.[field] ?? null, weight: stake })))
      return { ...claim, score: over('score'), marginal: over('marginal') }
    })
    const losses = bodies.map(({ report: { losses }, stake: weight }) => {
      const value = losses[0] === undefined ? null : losses[0].after - losses[0].before
      return { value, weight }
    })
    return { rows, worse: new Map([['code', combine(losses)]]), amendment: null }
  }

const entryOf = (report: Report, claim: ReportRow): ReportRow | undefined =>
  report.rows.find(({ hotkey, manifest }) => hotkey === claim.hotkey && manifest === claim.manifest)

export const lowerMedianOf = (votes: readonly Vote[]): number =>
  weightedLowerMedian(votes.map(({ value, weight }) => ({ value: value ?? 0, weight })))

const present = (votes: readonly Vote[]): readonly Vote[] => votes.filter(({ value }) => value !== null)
const meanOf = (votes: readonly Vote[]): number => {
  const total = votes.reduce((sum, { weight }) => sum + weight, 0n)
  return Number(votes.reduce((sum, { value, weight }) => sum + BigInt(value ?? 0) * weight, 0n) / total)
}

/** A proposer lists the reports that it likes, its friends' if there are any, and the voters' stake certifies. */
function proposed(table: Table): Tally {
  const honest = LAW.tally(table)
  const friends = table.snapshot.validators.flatMap(({ hotkey }, place) => (table.byzantine[place] ? [hotkey] : []))
  const liked = honest.counted.filter((hotkey) => friends.includes(hotkey))
  const voters = table.snapshot.validators.filter(({ hotkey }) => table.bitmaps.has(hotkey))
  const stake = voters.reduce((sum, validator) => sum + validator.stake, 0n)
  const certified = isQuorum(stake, table.snapshot.stakeTotal) && honest.counted.length > 0
  return { ...honest, counted: liked.length > 0 ? liked : honest.counted, certified }
}

/** One rule of §6 changed in each, and what it must break. */
export const SWITCHES: Readonly<Record<string, { readonly breaks: Broken; readonly rules: Rules }>> = {
  'any attestation counts': {
    breaks: 'HOLDER',
    rules: { ...LAW, tally: tallyBy((stake) => stake > 0n, isQuorum) },
  },
  'a quarter of attestations counts': {
    breaks: 'HOLDER',
    rules: { ...LAW, tally: tallyBy((stake, total) => 4n * stake >= total, isQuorum) },
  },
  'a third of reports certifies': {
    breaks: 'RANGE',
    rules: { ...LAW, tally: tallyBy(isMajority, (stake, total) => 3n * stake >= total) },
  },
  'a proposer chooses and voters certify': { breaks: 'RANGE', rules: { ...LAW, tally: proposed } },
  'more than two thirds are needed': {
    breaks: 'LIVENESS',
    rules: { ...LAW, tally: tallyBy(isMajority, (stake, total) => 3n * stake > 2n * total) },
  },
  'absent entries are left out': {
    breaks: 'RANGE',
    rules: { ...LAW, certify: certifyBy((votes) => (present(votes).length > 0 ? lowerMedianOf(present(votes)) : 0)) },
  },
  'a mean instead of a median': { breaks: 'RANGE', rules: { ...LAW, certify: certifyBy(meanOf) } },
}

export type Broken = 'RANGE' | 'HOLDER' | 'LIVENESS' | 'AMENDMENT'
export type Violation = { readonly broken: Broken; readonly what: string }

export function judgeTable(
  table: Table,
  rules: Rules,
): { readonly certified: boolean; readonly violations: Violation[] } {
  const { snapshot, byzantine, onTime, holders } = table
  const violations: Violation[] = []
  const counted = rules.tally(table)
  for (const hotkey of counted.counted) {
    const held = holders[snapshot.placeOf.get(hotkey) ?? -1] ?? []
    if (!held.some((holds, place) => holds && byzantine[place] !== true)) {
      violations.push({ broken: 'HOLDER', what: `${hotkey} counts, and no honest validator holds its body` })
    }
  }
  const prompt = snapshot.validators.filter((_, place) => onTime[place])
  const promptStake = prompt.reduce((sum, { stake }) => sum + stake, 0n)
  if (3n * promptStake >= 2n * snapshot.stakeTotal) {
    const lost = prompt.find(({ hotkey }) => !counted.counted.includes(hotkey))
    if (!counted.certified) violations.push({ broken: 'LIVENESS', what: 'two thirds were on time: not certified' })
    if (lost !== undefined) violations.push({ broken: 'LIVENESS', what: `${lost.hotkey} was on time: not counted` })
  }
  if (counted.certified && violations.length === 0) violations.push(...judgeNumbers(table, rules, counted))
  return { certified: counted.certified, violations }
}

/** Every certified number must lie within what the honest reports that count say, absent being 0. */
function judgeNumbers(table: Table, rules: Rules, counted: Tally): readonly Violation[] {
  const violations: Violation[] = []
  const { rows, worse, amendment } = rules.certify(table, counted)
  const honest = table.snapshot.validators.flatMap(({ hotkey }, place) => {
    const report = table.reports[place]
    const counts = table.byzantine[place] !== true && counted.counted.includes(hotkey)
    return counts && report != null ? [report] : []
  })
  const check = (what: string, certified: number, values: readonly number[]): void => {
    const [low, high] = [Math.min(...values), Math.max(...values)]
    if (certified >= low && certified <= high) return
    violations.push({ broken: 'RANGE', what: `${what} is ${certified}, honest reports say ${low} to ${high}` })
  }
  // What no row carries is certified at 0: also that must be within the range.
  const claims = [...rows, ...honest.flatMap((report) => report.rows)]
  for (const claim of new Map(claims.map((row) => [`${row.hotkey} ${row.manifest}`, row])).values()) {
    const row = rows.find(({ hotkey, manifest }) => hotkey === claim.hotkey && manifest === claim.manifest)
    for (const field of ['score', 'marginal'] as const) {
      const values = honest.map((report) => entryOf(report, claim)?.[field] ?? 0)
      check(`${field} of ${claim.hotkey.slice(0, 8)}`, row?.[field] ?? 0, values)
    }
  }
  const losses = honest.map((report) => (report.losses[0]?.after ?? 0) - (report.losses[0]?.before ?? 0))
  check('loss', worse.get('code') ?? 0, losses)
  if (amendment !== null) violations.push({ broken: 'AMENDMENT', what: 'less than a third amended the constitution' })
  return violations
}

export type Outcome = {
  readonly tables: number
  readonly certified: number
  /** The seed of the first table that broke each. */
  readonly broken: ReadonlyMap<Broken, { readonly seed: number; readonly what: string }>
}

/** Table i has the seed `seed + i`: a broken one is drawn again with `count` 1. Ends early when all that may break did. */
export function simulateAgreement(
  { count, seed, third = false }: Draw & { readonly count: number },
  rules: Rules = LAW,
  until: (broken: Outcome['broken']) => boolean = () => false,
): Outcome {
  const broken = new Map<Broken, { readonly seed: number; readonly what: string }>()
  let [tables, certified] = [0, 0]
  while (tables < count && !until(broken)) {
    const at = (seed + tables) >>> 0
    const result = judgeTable(drawTable({ seed: at, third }), rules)
    for (const { broken: kind, what } of result.violations) if (!broken.has(kind)) broken.set(kind, { seed: at, what })
    tables += 1
    if (result.certified) certified += 1
  }
  return { tables, certified, broken }
}
