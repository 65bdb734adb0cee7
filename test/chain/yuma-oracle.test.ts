/** The epoch once more, slow and literal: sparse rows of BigInt counts of 2^-32, every step as the runtime has it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type YumaEpoch, type YumaInput, type YumaMode, type YumaRow, yumaEpoch } from '../../src/chain/yuma.ts'

type Row = Map<number, bigint>

const ONE = 1n << 32n
const U16_MAX = 65_535n
const mul = (a: bigint, b: bigint) => (a * b) >> 32n
const div = (a: bigint, b: bigint) => (b === 0n ? 0n : (a << 32n) / b)
const sum = (values: Iterable<bigint>) => [...values].reduce((total, value) => total + value, 0n)
const max = (values: Iterable<bigint>) => [...values].reduce((top, value) => (value > top ? value : top), 0n)
const clamp = (value: bigint, low: bigint, high: bigint) => (value > high ? high : value < low ? low : value)
const normalise = (values: bigint[]) => {
  const total = sum(values)
  return total === 0n ? values : values.map((value) => div(value, total))
}
const toU16 = (value: bigint) => Number(clamp(mul(value, U16_MAX << 32n) >> 32n, 0n, U16_MAX))
const proportion = (value: number) => div(BigInt(value) << 32n, U16_MAX << 32n)

const mapRows = (rows: Row[], cell: (value: bigint, i: number, j: number) => bigint): Row[] =>
  rows.map((row, i) => new Map([...row].map(([j, value]) => [j, cell(value, i, j)])))
const filterRows = (rows: Row[], keeps: (value: bigint, i: number, j: number) => boolean): Row[] =>
  rows.map((row, i) => new Map([...row].filter(([j, value]) => keeps(value, i, j))))
const column = (rows: Row[], j: number) => rows.map((row) => row.get(j) ?? 0n)
const divideColumns = (rows: Row[], by: (values: bigint[]) => bigint) => {
  const divisors = rows.map((_, j) => by(column(rows, j)))
  return mapRows(rows, (value, _, j) => (divisors[j] === 0n ? value : div(value, divisors[j] as bigint)))
}
const columnNormalise = (rows: Row[]) => divideColumns(rows, sum)
const dense = (size: number, cell: (i: number, j: number) => bigint): Row[] => {
  const uids = Array.from({ length: size }, (_, uid) => uid)
  return filterRows(
    uids.map((i) => new Map(uids.map((j) => [j, cell(i, j)]))),
    (value) => value > 0n,
  )
}

function median(stakes: bigint[], values: bigint[], majority: bigint): bigint {
  const minority = sum(stakes) - majority
  const ascending = [...new Set(values)].toSorted((a, b) => (a < b ? -1 : 1))
  const upTo = (value: bigint) => sum(stakes.filter((_, k) => (values[k] as bigint) <= value))
  return ascending.find((value) => minority < upTo(value)) ?? ascending.at(-1) ?? 0n
}

function exponential(x: bigint): bigint {
  const safe = clamp(x, -20n << 32n, 20n << 32n)
  if (safe === 0n) return ONE
  if (safe === ONE) return 22_802_600n << 9n
  const operand = safe < 0n ? -safe : safe
  let total = operand + ONE
  let term = operand
  for (let i = 2n; i < 32n; i++) {
    term = mul(term, operand) / i
    total += term
  }
  return safe < 0n ? div(ONE, total) : total
}

/** The uid's value in a row walked by one cursor that only ever moves on past smaller uids. */
function lookUp(row: Row, size: number): bigint[] {
  const entries = [...row]
  let cursor = 0
  return Array.from({ length: size }, (_, j) => {
    while (cursor < entries.length && (entries[cursor]?.[0] as number) < j) cursor++
    const entry = entries[cursor]
    return entry?.[0] === j ? entry[1] : 0n
  })
}

function liquidBonds(input: YumaInput, weights: Row[], old: Row[], consensus: bigint[]): Row[] {
  const low = proportion(input.alphaLow as number)
  const high = proportion(input.alphaHigh as number)
  const steepness = (BigInt(input.alphaSteepness as number) * ONE) / -100n
  const alphaOf = (weight: bigint, bond: bigint, agreed: bigint) => {
    const buy = clamp(weight - agreed, 0n, ONE)
    const sell = clamp(bond - weight, 0n, ONE)
    const sigmoid = div(ONE, ONE + exponential(mul(steepness, (weight >= bond ? buy : sell) - ONE / 2n)))
    return clamp(low + mul(sigmoid, high - low), low, high)
  }
  const seenWeights = weights.map((row) => lookUp(row, weights.length))
  const seenBonds = old.map((row) => lookUp(row, weights.length))
  const next = mapRows(weights, (weight, i, j) => {
    const alpha = alphaOf(seenWeights[i]?.[j] as bigint, seenBonds[i]?.[j] as bigint, consensus[j] as bigint)
    return clamp(mul(ONE - alpha, old[i]?.get(j) ?? 0n) + mul(alpha, weight), 0n, ONE)
  })
  return filterRows(next, (value) => value > 0n)
}

function oracle(input: YumaInput): YumaEpoch {
  const { stake, registeredAt, lastUpdate, ownerUid, mode } = input
  const size = stake.length
  const totalStake = sum(stake.map(BigInt))
  const shares = stake.map((value) => (totalStake === 0n ? 0n : ((BigInt(value) << 64n) / totalStake) >> 32n))
  const permits = input.permits.map((permit, uid) => permit || uid === ownerUid)
  const active = normalise(shares.map((share, uid) => (input.active[uid] && permits[uid] ? share : 0n)))
  const registered = (uid: number) => registeredAt[uid] as number

  const toRows = (rows: readonly YumaRow[]): Row[] =>
    rows.map((row) => new Map(row.map(([uid, value]) => [uid, BigInt(value) << 32n])))
  let weights = toRows(input.weights).map((row, i) => (permits[i] ? row : new Map()) as Row)
  weights = filterRows(weights, (_, i, j) => i !== j || i === ownerUid)
  weights = filterRows(weights, (_, i, j) => (lastUpdate[i] as number) > registered(j))
  weights = filterRows(weights, (_, i, j) => (input.earliestCommit?.[i] ?? Number.POSITIVE_INFINITY) >= registered(j))
  const rowTotals = weights.map((row) => sum(row.values()))
  weights = mapRows(weights, (value, i) => div(value, rowTotals[i] as bigint))

  const voters = stake.map((_, uid) => uid).filter((uid) => (active[uid] as bigint) > 0n)
  const voices = normalise(voters.map((uid) => active[uid] as bigint))
  const consensus = stake.map((_, j) =>
    median(
      voices,
      voters.map((uid) => weights[uid]?.get(j) ?? 0n),
      proportion(input.kappa),
    ),
  )
  const limit = (j: number) => consensus[j] as bigint
  let clipped = filterRows(weights, (value, _, j) => value <= limit(j) || limit(j) > 0n)
  clipped = mapRows(clipped, (value, _, j) => (value < limit(j) ? value : limit(j)))
  const ranks = stake.map((_, j) => sum(clipped.map((row, i) => mul(row.get(j) ?? 0n, active[i] as bigint))))
  const incentive = normalise(ranks)

  const penalty = proportion(input.bondsPenalty)
  const at = (rows: Row[], i: number, j: number) => rows[i]?.get(j) ?? 0n
  const mixed = () => dense(size, (i, j) => at(weights, i, j) + mul(penalty, at(clipped, i, j) - at(weights, i, j)))
  const followed = penalty === 0n ? weights : penalty === ONE ? clipped : mixed()

  const keepsBond = (j: number) => input.lastStepBlock === undefined || input.lastStepBlock + 1 > registered(j)
  const stored = filterRows(toRows(input.bonds), (_, __, j) => keepsBond(j))
  const alpha = ONE - (((BigInt(input.bondsMovingAverage) << 64n) / 1_000_000n) >> 32n)
  const follow = (next: Row[], old: Row[]) =>
    dense(size, (i, j) => mul(alpha, at(next, i, j)) + mul(ONE - alpha, at(old, i, j)))
  const rowProducts = (rows: Row[]) =>
    rows.map((row) => sum([...row].map(([j, value]) => mul(value, incentive[j] as bigint))))

  let bonds: Row[]
  let dividends: bigint[]
  if (mode === 'yuma2') {
    const bought = columnNormalise(mapRows(followed, (value, i) => mul(value, active[i] as bigint)))
    bonds = columnNormalise(follow(bought, columnNormalise(stored)))
    dividends = normalise(rowProducts(bonds))
    bonds = divideColumns(bonds, max)
  } else {
    const old = mapRows(stored, (value) => div(value, U16_MAX << 32n))
    const isLiquid = mode === 'liquid' && consensus.some((value) => value !== 0n)
    bonds = isLiquid ? liquidBonds(input, followed, old, consensus) : follow(followed, old)
    dividends = normalise(rowProducts(columnNormalise(bonds)).map((value, i) => mul(value, active[i] as bigint)))
  }
  const holds = (uid: number) => uid === ownerUid || (permits[uid] === true && (shares[uid] as bigint) > 0n)
  return {
    consensus: consensus.map(toU16),
    incentive: incentive.map(toU16),
    dividends: dividends.map(toU16),
    validatorTrust: clipped.map((row) => toU16(sum(row.values()))),
    bonds: bonds.map((row, uid) => (holds(uid) ? [...row].map(([j, value]) => [j, toU16(value)] as const) : [])),
  }
}

const u16 = fc.oneof(fc.constantFrom(0, 1, 65_535), fc.nat({ max: 20 }), fc.nat({ max: 65_535 }))
const mostly = fc.nat({ max: 7 }).map((roll) => roll > 0)
const stakeOf = fc.oneof(fc.constantFrom(0, 1, 3), fc.nat({ max: 1_000 }), fc.nat({ max: 2 ** 53 - 1 }))

function epochsOf(size: number, steepness: fc.Arbitrary<number>): fc.Arbitrary<YumaInput[]> {
  const list = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: size, maxLength: size })
  const entries = fc.uniqueArray(fc.tuple(fc.nat({ max: size - 1 }), u16), { selector: ([uid]) => uid })
  const row = fc
    .tuple(entries, fc.boolean())
    .map(([some, isSorted]) => (isSorted ? some.toSorted(([a], [b]) => a - b) : some))
  const state = fc.record({
    stake: list(stakeOf),
    weights: list(row),
    active: list(mostly),
    permits: list(mostly),
    lastUpdate: list(fc.integer({ min: 3, max: 9 })),
    registeredAt: list(fc.nat({ max: 4 })),
    lastStepBlock: fc.option(fc.integer({ min: 2, max: 9 }), { nil: undefined }),
    earliestCommit: fc.option(list(fc.option(fc.integer({ min: 2, max: 9 }))), { nil: undefined }),
  })
  const parameters = fc
    .record({
      ownerUid: fc.option(fc.nat({ max: size - 1 })),
      kappa: fc.oneof(fc.constantFrom(32_767, 0, 65_535, 39_321), fc.nat({ max: 65_535 })),
      bondsMovingAverage: fc.oneof(fc.constant(900_000), fc.nat({ max: 1_000_000 })),
      bondsPenalty: fc.oneof(fc.constantFrom(65_535, 0), fc.nat({ max: 65_535 })),
      alphas: fc.oneof(fc.constant([45_875, 58_982]), fc.tuple(u16, u16)),
      alphaSteepness: steepness,
    })
    .map(({ alphas, ...rest }) => ({ ...rest, alphaLow: Math.min(...alphas), alphaHigh: Math.max(...alphas) }))
  return fc
    .tuple(fc.array(state, { minLength: 5, maxLength: 8 }), parameters, list(row))
    .map(([states, shared, bonds]) => states.map((each) => ({ ...each, ...shared, bonds, mode: 'yuma2' })))
}

const modes: YumaMode[] = ['yuma2', 'yuma3', 'liquid']
const runsOf = (steepness: fc.Arbitrary<number>) =>
  fc.integer({ min: 3, max: 12 }).chain((size) => epochsOf(size, steepness))

describe.each(modes)('%s', (mode) => {
  test('chained epochs are those of the oracle, to the last unit and in the same order', () => {
    const usual = fc.oneof(fc.constant(1_000), fc.integer({ min: -2_400, max: 2_400 }))
    fc.assert(
      fc.property(runsOf(usual), (epochs) => {
        let bonds = epochs[0]?.bonds ?? []
        for (const epoch of epochs) {
          const input: YumaInput = { ...epoch, bonds, mode }
          const computed = yumaEpoch(input)
          expect(computed).toEqual(oracle(input))
          bonds = computed.bonds
        }
      }),
      { numRuns: 50 },
    )
  })
})

test('a steepness that no subnet has costs liquid alpha one unit at most', () => {
  fc.assert(
    fc.property(runsOf(fc.integer({ min: -32_768, max: 32_767 })), (epochs) => {
      for (const epoch of epochs) {
        const input: YumaInput = { ...epoch, mode: 'liquid' }
        const [computed, expected] = [yumaEpoch(input), oracle(input)]
        const flat = ({ bonds, ...lists }: YumaEpoch) => [...Object.values(lists), ...bonds].flat(2) as number[]
        const wanted = flat(expected)
        const worst = Math.max(...flat(computed).map((value, k) => Math.abs(value - (wanted[k] ?? Number.NaN))))
        expect(worst).toBeLessThanOrEqual(1)
      }
    }),
    { numRuns: 20 },
  )
})
