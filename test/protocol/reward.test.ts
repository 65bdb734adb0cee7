import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SCORE_MAX } from '../../src/protocol/limits.ts'
import { type CycleInput, cycleRewards, REWARD_POT, type RewardRow } from '../../src/protocol/reward.ts'

const input = (rows: RewardRow[], change: Partial<CycleInput> = {}): CycleInput => ({
  tracks: [{ name: 'experts', sharePpm: 1_000_000 }],
  groups: [
    { name: 'code', track: 'experts', value: 3 },
    { name: 'law', track: 'experts', value: 1 },
  ],
  rows,
  references: new Map([
    ['code', 100],
    ['law', 100],
  ]),
  ...change,
})
const row = (hotkey: string, group: string, marginal: number): RewardRow => ({ hotkey, group, marginal })

const cases: [why: string, input: CycleInput, rewards: [string, number][]][] = [
  ['nobody earned, all is burned', input([]), []],
  ['a full group pays its part by value', input([row('a', 'code', 100)]), [['a', 750_000_000]]],
  ['more than the reference pays no more', input([row('a', 'code', 900)]), [['a', 750_000_000]]],
  ['half of the reference pays half', input([row('a', 'code', 50)]), [['a', 375_000_000]]],
  [
    'marginals split the part',
    input([row('b', 'code', 30), row('a', 'code', 90)]),
    [
      ['a', 562_500_000],
      ['b', 187_500_000],
    ],
  ],
  [
    'a third rounds down',
    input([row('a', 'law', 50), row('b', 'law', 50), row('c', 'law', 50)]),
    [
      ['a', 83_333_333],
      ['b', 83_333_333],
      ['c', 83_333_333],
    ],
  ],
  ['two groups add up for one hotkey', input([row('a', 'code', 100), row('a', 'law', 100)]), [['a', REWARD_POT]]],
  ['a marginal of zero earns nothing', input([row('a', 'code', 0)]), []],
  ['the router is nobody’s group', input([row('a', 'router', 100)]), []],
  [
    'a reference of zero pays all for any gain',
    input([row('a', 'law', 1)], {
      references: new Map([
        ['code', 0],
        ['law', 0],
      ]),
    }),
    [['a', 250_000_000]],
  ],
  [
    'a track pays its share only',
    input([row('a', 'code', 100)], { tracks: [{ name: 'experts', sharePpm: 400_000 }] }),
    [['a', 300_000_000]],
  ],
  [
    'a group without value pays nothing',
    input([row('a', 'code', 100)], {
      groups: [
        { name: 'code', track: 'experts', value: 0 },
        { name: 'law', track: 'experts', value: 9 },
      ],
    }),
    [],
  ],
]
test.each(cases)('%s', (_, given, rewards) => {
  const result = cycleRewards(given)
  expect([...result.rewards]).toEqual(rewards)
  expect(result.burned).toBe(REWARD_POT - rewards.reduce((sum, [, reward]) => sum + reward, 0))
})

test('values of one track are not divided by those of another', () => {
  const { rewards } = cycleRewards(
    input([row('a', 'code', 100), row('b', 'whole', 100)], {
      tracks: [
        { name: 'experts', sharePpm: 600_000 },
        { name: 'models', sharePpm: 400_000 },
      ],
      groups: [
        { name: 'code', track: 'experts', value: 1 },
        { name: 'whole', track: 'models', value: 1_000 },
      ],
      references: new Map([
        ['code', 100],
        ['whole', 100],
      ]),
    }),
  )
  expect([...rewards.values()]).toEqual([600_000_000, 400_000_000])
})

test.each<[why: string, input: CycleInput]>([
  ['a group of no track', input([], { tracks: [] })],
  ['a track without value', input([], { groups: [{ name: 'code', track: 'experts', value: 0 }] })],
  ['shares above the whole', input([], { tracks: [{ name: 'experts', sharePpm: 1_000_001 }] })],
  ['a group without a reference', input([row('a', 'code', 1)], { references: new Map() })],
  ['a negative marginal', input([row('a', 'code', -1)])],
  ['a group named twice', input([], { groups: [1, 2].map((value) => ({ name: 'code', track: 'experts', value })) })],
])('%s is our own mistake', (_, given) => expect(() => cycleRewards(given)).toThrow('broken invariant'))

const rows = fc.array(
  fc
    .tuple(
      fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      fc.constantFrom('code', 'law'),
      fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: SCORE_MAX })),
    )
    .map(([hotkey, group, marginal]) => row(hotkey, group, marginal)),
  { maxLength: 30 },
)
const anyInput = fc
  .tuple(rows, fc.nat({ max: 1_000_000 }), fc.nat({ max: 1_000_000_000 }), fc.nat({ max: SCORE_MAX }))
  .map(([rows, sharePpm, value, reference]) =>
    input(rows, {
      tracks: [{ name: 'experts', sharePpm }],
      groups: [
        { name: 'code', track: 'experts', value },
        { name: 'law', track: 'experts', value: 1 },
      ],
      references: new Map([
        ['code', reference],
        ['law', 5],
      ]),
    }),
  )
const totalOf = (rewards: ReadonlyMap<string, number>) => [...rewards.values()].reduce((sum, x) => sum + x, 0)

test('rewards and burn add up to the pot, to the last unit', () => {
  fc.assert(
    fc.property(anyInput, (given) => {
      const { rewards, burned } = cycleRewards(given)
      expect(totalOf(rewards) + burned).toBe(REWARD_POT)
      expect([...rewards.values()].every((reward) => Number.isInteger(reward) && reward > 0) && burned >= 0).toBe(true)
    }),
  )
})

test('the order of the rows does not matter', () => {
  fc.assert(
    fc.property(anyInput, (given) => {
      const reversed = cycleRewards({ ...given, rows: given.rows.toReversed() })
      expect([...reversed.rewards]).toEqual([...cycleRewards(given).rewards])
    }),
  )
})

test('splitting one marginal over several keys never earns more', () => {
  const parts = fc.array(fc.nat({ max: 1_000_000 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(anyInput, parts, (given, marginals) => {
      const keys = marginals.map((marginal, i) => row(`x${i}`, 'code', marginal))
      const joined = row(
        'x',
        'code',
        marginals.reduce((sum, marginal) => sum + marginal, 0),
      )
      const one = cycleRewards({ ...given, rows: [...given.rows, joined] }).rewards.get('x') ?? 0
      const { rewards } = cycleRewards({ ...given, rows: [...given.rows, ...keys] })
      expect(keys.reduce((sum, { hotkey }) => sum + (rewards.get(hotkey) ?? 0), 0)).toBeLessThanOrEqual(one)
    }),
  )
})

test('what happens in one group never changes what another pays', () => {
  fc.assert(
    fc.property(anyInput, rows, (given, crowd) => {
      const law = given.rows.filter(({ group }) => group === 'law')
      const code = crowd.map(({ hotkey, marginal }) => row(`crowd-${hotkey}`, 'code', marginal))
      const alone = cycleRewards({ ...given, rows: law }).rewards
      const crowded = cycleRewards({ ...given, rows: [...law, ...code] }).rewards
      for (const [hotkey, reward] of alone) expect(crowded.get(hotkey)).toBe(reward)
    }),
  )
})
