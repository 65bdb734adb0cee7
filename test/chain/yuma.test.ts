import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type YumaInput, type YumaMode, type YumaRow, yumaEpoch } from '../../src/chain/yuma.ts'

const MODES: YumaMode[] = ['yuma2', 'yuma3', 'liquid']

type Changes = Partial<YumaInput> & { readonly stake: readonly number[] }

/** Everybody is active, permitted and older than all weights; who sets none has an empty row. */
function epochOf(changes: Changes): YumaInput {
  const size = changes.stake.length
  const fill = <T>(value: T, list: readonly T[] = []): T[] => Array.from({ length: size }, (_, i) => list[i] ?? value)
  return {
    active: fill(true),
    permits: fill(true),
    lastUpdate: fill(10),
    registeredAt: fill(1),
    kappa: 32_767,
    bondsMovingAverage: 900_000,
    bondsPenalty: 65_535,
    mode: 'yuma2',
    ...changes,
    weights: fill<YumaRow>([], changes.weights),
    bonds: fill<YumaRow>([], changes.bonds),
  }
}

describe('two validators with three quarters and one quarter of the stake, two miners', () => {
  const stake = [3, 1, 0, 0]
  const apart: YumaRow[] = [[[2, 9]], [[3, 9]]]
  const together: YumaRow[] = [[[2, 9]], [[2, 9]]]

  test('who disagrees with the majority is clipped to nothing', () => {
    expect(yumaEpoch(epochOf({ stake, weights: apart }))).toEqual({
      consensus: [0, 0, 65_535, 0],
      incentive: [0, 0, 65_535, 0],
      dividends: [65_535, 0, 0, 0],
      validatorTrust: [65_535, 0, 0, 0],
      bonds: [[[2, 65_535]], [], [], []],
    })
  })

  test('Yuma 2: a tenth of 3/4 and nine tenths of all that was there are 0.975', () => {
    const { dividends, bonds } = yumaEpoch(epochOf({ stake, weights: together, bonds: [[[2, 65_535]]] }))
    expect(dividends).toEqual([63_896, 1_638, 0, 0])
    expect(bonds).toEqual([[[2, 65_535]], [[2, 1_680]], [], []])
  })

  test('Yuma 3: both hold a tenth of a bond, and earn by stake', () => {
    const { dividends, bonds } = yumaEpoch(epochOf({ stake, weights: together, mode: 'yuma3' }))
    expect(dividends).toEqual([49_151, 16_383, 0, 0])
    expect(bonds).toEqual([[[2, 6_553]], [[2, 6_553]], [], []])
  })

  test('Yuma 3: a bond without weight decays by a tenth', () => {
    const bonds: YumaRow[] = [[[3, 65_535]]]
    const after = yumaEpoch(epochOf({ stake, weights: together, bonds, mode: 'yuma3' }))
    expect(after.bonds[0]).toEqual([
      [2, 6_553],
      [3, 58_981],
    ])
  })

  test('liquid: a weight at consensus moves its bond by 0.7 and 0.2 of the sigmoid at -5', () => {
    const { bonds } = yumaEpoch(epochOf({ stake, weights: together, mode: 'liquid' }))
    expect(bonds).toEqual([[[2, 45_962]], [[2, 45_962]], [], []])
  })

  const zero: YumaRow[] = [
    [
      [2, 9],
      [3, 0],
    ],
    [[2, 9]],
  ]
  test.each<[what: string, weights: YumaRow[], by: number, left: number | undefined]>([
    ['a stored zero decays the bond by 0.7 and 0.2 of the sigmoid at 5', zero, 0, 6_640],
    ['an absent entry drops the bond', together, 0, undefined],
    ['a weight clipped away by a consensus of zero drops the bond', apart, 1, undefined],
  ])('liquid: %s', (_, weights, by, left) => {
    const bonds: YumaRow[] = [[[3, 65_535]], [[3, 65_535]]]
    const after = yumaEpoch(epochOf({ stake, weights, bonds, mode: 'liquid' }))
    expect(new Map(after.bonds[by]).get(3)).toBe(left)
  })

  test('liquid: with no consensus on anybody the fixed alpha decays what is absent', () => {
    const bonds: YumaRow[] = [[[3, 65_535]]]
    expect(yumaEpoch(epochOf({ stake, bonds, mode: 'liquid' })).bonds[0]).toEqual([[3, 58_981]])
  })

  test('liquid: without penalty a clipped weight keeps its bond', () => {
    const { bonds } = yumaEpoch(epochOf({ stake, weights: apart, bondsPenalty: 0, mode: 'liquid' }))
    expect(bonds[1]?.map(([uid]) => uid)).toEqual([3])
  })
})

describe('what does not count', () => {
  const stake = [3, 2, 0, 0]
  const weights: YumaRow[] = [[[2, 1]], [[3, 1]]]
  const incentiveOf = (changes: Partial<YumaInput>) => yumaEpoch(epochOf({ stake, weights, ...changes })).incentive
  const [toSecond, toThird, nobody] = [
    [0, 0, 65_535, 0],
    [0, 0, 0, 65_535],
    [0, 0, 0, 0],
  ]

  test.each<[what: string, changes: Partial<YumaInput>, incentive: number[] | undefined]>([
    ['nothing of this', {}, toSecond],
    ['the stake of the inactive', { active: [false, true, true, true] }, toThird],
    ['the stake of those without permit', { permits: [false, true, true, true] }, toThird],
    ['weights older than their target', { registeredAt: [1, 1, 11, 1] }, nobody],
    ['weights as old as their target', { registeredAt: [1, 1, 10, 1] }, nobody],
    ['weights committed before their target came', { earliestCommit: [0, null, null, null] }, nobody],
    ['(but those committed in the same block do)', { earliestCommit: [1, null, null, null] }, toSecond],
    ['a weight on oneself', { weights: [[[0, 1]], [[3, 1]]] }, nobody],
    ['(but the owner’s does)', { weights: [[[0, 1]], [[3, 1]]], ownerUid: 0 }, [65_535, 0, 0, 0]],
    ['(and the owner needs no permit)', { permits: [false, true, true, true], ownerUid: 0 }, toSecond],
    ['what less than kappa supports', { kappa: 39_322 }, nobody],
    ['(but what exactly kappa supports does)', { kappa: 39_321 }, toSecond],
    ['(whichever of the two comes first)', { kappa: 39_321, stake: [2, 3, 0, 0] }, toThird],
    ['weights without stake', { stake: [0, 0, 0, 0] }, nobody],
  ])('%s', (_, changes, incentive) => expect(incentiveOf(changes)).toEqual(incentive))

  test('a bond with who registered after the last epoch belonged to a predecessor', () => {
    const bonds: YumaRow[] = [[[2, 65_535]], [[2, 65_535]]]
    const input = epochOf({ stake, weights: [], bonds, mode: 'yuma3', registeredAt: [1, 1, 6, 1] })
    expect(yumaEpoch(input).bonds[0]).toEqual([[2, 58_981]])
    expect(yumaEpoch({ ...input, lastStepBlock: 6 }).bonds[0]).toEqual([[2, 58_981]])
    expect(yumaEpoch({ ...input, lastStepBlock: 5 }).bonds[0]).toEqual([])
  })

  test('bonds are stored for those with permit and stake, and for the owner', () => {
    const bonds: YumaRow[] = Array(4).fill([[1, 65_535]])
    const permits = [true, false, true, false]
    const input = epochOf({ stake: [1, 1, 0, 0], bonds, permits, mode: 'yuma3', ownerUid: 3 })
    expect(yumaEpoch(input).bonds.map((row) => row.length)).toEqual([1, 0, 0, 1])
  })
})

test('a bond too small for a u16 is stored as a zero', () => {
  const weights: YumaRow[] = [
    [
      [1, 65_535],
      [2, 1],
    ],
  ]
  expect(yumaEpoch(epochOf({ stake: [1, 0, 0], weights, mode: 'yuma3' })).bonds[0]).toEqual([
    [1, 6_553],
    [2, 0],
  ])
})

test('liquid bonds stand in the order of the weights, and behind a greater uid alpha takes them for zero', () => {
  const changes = { stake: [1, 0, 0], mode: 'liquid' } as const
  const sorted: YumaRow = [
    [1, 65_535],
    [2, 65_535],
  ]
  const run = (row: YumaRow, bondsPenalty = 65_535) =>
    yumaEpoch(epochOf({ ...changes, weights: [row], bonds: [sorted], bondsPenalty })).bonds[0]
  const [first, second] = run(sorted) ?? []
  expect(first?.[1]).toBe(second?.[1])
  const reversed = run(sorted.toReversed())
  expect(reversed?.map(([uid]) => uid)).toEqual([2, 1])
  expect(reversed?.[0]).toEqual(second)
  expect(reversed?.[1]).not.toEqual(first)
  expect(run(sorted.toReversed(), 65_534)).toEqual(run(sorted, 65_534))
})

test('stakes beyond 2^53 in sum, fractions and units make no difference', () => {
  const weights: YumaRow[] = [[[2, 5]], [[3, 7]]]
  const of = (stake: number[]) => yumaEpoch(epochOf({ stake, weights }))
  const expected = of([3, 1, 0, 0])
  expect(of([0.75, 0.25, 0, 0])).toEqual(expected)
  expect(of([6 * 2 ** 60, 2 * 2 ** 60, 0, 0])).toEqual(expected)
  expect(of([0.3, 0.1, 0, 0]).consensus).toEqual(expected.consensus)
})

test('no neurons have an empty epoch', () => {
  expect(yumaEpoch(epochOf({ stake: [] }))).toEqual({
    consensus: [],
    incentive: [],
    dividends: [],
    validatorTrust: [],
    bonds: [],
  })
})

const sortedRow = (size: number) =>
  fc
    .uniqueArray(fc.tuple(fc.nat({ max: size - 1 }), fc.nat({ max: 65_535 })), { selector: ([uid]) => uid })
    .map((row): YumaRow => row.toSorted(([a], [b]) => a - b))
const someEpoch = fc.tuple(fc.integer({ min: 2, max: 9 }), fc.constantFrom(...MODES)).chain(([size, mode]) => {
  const list = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: size, maxLength: size })
  return fc
    .record({
      stake: list(fc.nat({ max: 100 })),
      weights: list(sortedRow(size)),
      bonds: list(sortedRow(size)),
      active: list(fc.boolean()),
      permits: list(fc.boolean()),
      registeredAt: list(fc.constantFrom(1, 1, 1, 10)),
      ownerUid: fc.option(fc.nat({ max: size - 1 })),
    })
    .map((changes) => epochOf({ ...changes, mode }))
})

test('incentive and dividends each sum to 65535, less one a neuron at most, or are zero', () => {
  fc.assert(
    fc.property(someEpoch, (input) => {
      const { incentive, dividends } = yumaEpoch(input)
      for (const shares of [incentive, dividends]) {
        const sum = shares.reduce((total, share) => total + share, 0)
        if (sum > 0) expect(Math.abs(65_535 - sum)).toBeLessThanOrEqual(shares.length)
      }
    }),
  )
})

test('other uids, the same epoch', () => {
  const shuffled = someEpoch.chain((input) =>
    fc.tuple(fc.constant(input), fc.shuffledSubarray([...input.stake.keys()], { minLength: input.stake.length })),
  )
  fc.assert(
    fc.property(shuffled, ([input, uids]) => {
      const move = <T>(list: readonly T[]): T[] => uids.map((uid) => list[uid] as T)
      const moveRows = (rows: readonly YumaRow[]): YumaRow[] =>
        move(rows).map((row) => {
          const renamed = row.map(([uid, value]): [number, number] => [uids.indexOf(uid), value])
          return renamed.toSorted(([a], [b]) => a - b)
        })
      const moved: YumaInput = {
        ...input,
        stake: move(input.stake),
        weights: moveRows(input.weights),
        bonds: moveRows(input.bonds),
        active: move(input.active),
        permits: move(input.permits),
        lastUpdate: move(input.lastUpdate),
        registeredAt: move(input.registeredAt),
        ownerUid: typeof input.ownerUid === 'number' ? uids.indexOf(input.ownerUid) : null,
      }
      const { bonds, ...lists } = yumaEpoch(input)
      const after = yumaEpoch(moved)
      for (const [name, values] of Object.entries(lists)) {
        expect(after[name as keyof typeof lists]).toEqual(move(values))
      }
      expect(after.bonds).toEqual(moveRows(bonds))
    }),
  )
})

test('a cabal with less than kappa of the stake gains nothing by a miner of its own', () => {
  const stakes = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(stakes, stakes, fc.constantFrom(...MODES), (honest, cabal, mode) => {
      const scale = honest.reduce((sum, stake) => sum + stake, 0)
      const limit = cabal.reduce((sum, stake) => sum + stake, 0)
      const size = honest.length + cabal.length + 2
      const stake = [...honest.map((each) => each * limit * 1.01), ...cabal.map((each) => each * scale), 0, 0]
      const weights = stake.map((_, i): YumaRow => [[i < honest.length ? size - 2 : size - 1, 65_535]])
      const { consensus, incentive, dividends } = yumaEpoch(epochOf({ stake, weights, mode }))
      expect([consensus[size - 1], incentive[size - 1]]).toEqual([0, 0])
      expect(dividends.slice(honest.length)).toEqual(Array(cabal.length + 2).fill(0))
    }),
  )
})

test('weights above consensus earn what weights at consensus earn', () => {
  const weights = (generosity: number): YumaRow[] => [
    [
      [3, 100],
      [4, 100],
    ],
    [
      [3, 100],
      [4, 100],
    ],
    [
      [3, 100],
      [4, generosity],
    ],
  ]
  const of = (generosity: number) => yumaEpoch(epochOf({ stake: [2, 2, 1, 0, 0], weights: weights(generosity) }))
  expect(of(100).consensus).toEqual([0, 0, 0, 32_767, 32_767])
  expect(of(60_000).consensus).toEqual(of(100).consensus)
  expect(of(60_000).incentive[4]).toBeGreaterThan(of(60_000).incentive[3] as number)
  expect(of(60_000).validatorTrust[2]).toBeLessThan(of(100).validatorTrust[2] as number)
})

test('neither changes its input nor remembers it', () => {
  const freeze = <T>(value: T): T => {
    if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze)
    return value
  }
  fc.assert(
    fc.property(someEpoch, (input) => {
      const before = structuredClone(input)
      const first = yumaEpoch(freeze(input))
      expect(input).toEqual(before)
      expect(yumaEpoch(before)).toEqual(first)
    }),
  )
})

describe('what no subnet can be in is refused by name', () => {
  const stake = [1, 1]
  const rows = (...row: unknown[]) => [row, []] as unknown as YumaRow[]
  test.each<[complaint: string, changes: Record<string, unknown>]>([
    ['stake is not a list', { stake: { length: 2 } }],
    ['stake[1] has the value NaN', { stake: [1, Number.NaN] }],
    ['stake[0] has the value -1', { stake: [-1, 1] }],
    ['stake[0] has the value Infinity', { stake: [Number.POSITIVE_INFINITY, 1] }],
    ['stake has 4097 entries', { stake: Array(4_097).fill(1) }],
    ['weights has 1 entries where stake has 2', { weights: [[]] }],
    ['weights is not a list', { weights: undefined }],
    ['weights[0] is not a list', { weights: [7, []] }],
    ['weights[0] has the value 2, which is not a uid of 0 to 1', { weights: rows([2, 5]) }],
    ['weights[0] has the value -1', { weights: rows([-1, 5]) }],
    ['weights[0] has the value undefined', { weights: rows(null) }],
    ['weights[0] names uid 1 twice', { weights: rows([1, 5], [1, 6]) }],
    ['weights[0], uid 1, has the value 65536', { weights: rows([1, 65_536]) }],
    ['weights[0], uid 1, has the value 0.5', { weights: rows([1, 0.5]) }],
    ['weights[0], uid 1, has the value undefined', { weights: rows([1]) }],
    ['bonds has 3 entries', { bonds: [[], [], []] }],
    ['bonds[0] names uid 0 twice', { bonds: rows([0, 5], [0, 5]) }],
    ['active has 1 entries', { active: [true] }],
    ['permits[1] is 1, not true or false', { permits: [true, 1] }],
    ['lastUpdate[0] has the value -1', { lastUpdate: [-1, 1] }],
    ['lastUpdate[0] has the value null', { lastUpdate: [null, 1] }],
    ['registeredAt has 0 entries', { registeredAt: [] }],
    ['earliestCommit[1] has the value 0.5', { earliestCommit: [null, 0.5] }],
    ['earliestCommit has 3 entries', { earliestCommit: [null, 1, 1] }],
    ['ownerUid has the value 2', { ownerUid: 2 }],
    ['kappa has the value 65536', { kappa: 65_536 }],
    ['kappa has the value 0.5', { kappa: 0.5 }],
    ['bondsMovingAverage has the value 1000001', { bondsMovingAverage: 1_000_001 }],
    ['bondsPenalty has the value undefined', { bondsPenalty: undefined }],
    ['mode is yuma4', { mode: 'yuma4' }],
    ['alphaLow has the value -1', { alphaLow: -1 }],
    ['alphaHigh has the value 9', { alphaLow: 10, alphaHigh: 9 }],
    ['alphaSteepness has the value 32768', { alphaSteepness: 32_768 }],
    ['lastStepBlock has the value -1', { lastStepBlock: -1 }],
  ])('%s', (complaint, changes) => {
    const call = () => yumaEpoch({ ...epochOf({ stake }), ...changes } as unknown as YumaInput)
    expect(call).toThrow(complaint)
    expect(call).toThrow(complaint.includes(' list') || complaint.startsWith('permits') ? TypeError : RangeError)
  })
})
