import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CycleRewards } from '../../src/protocol/reward.ts'
import {
  rewardWindow,
  toWeights,
  type UidWeight,
  WEIGHT_U16_MAX,
  type WeightOptions,
  WINDOW_CYCLES_MAX,
} from '../../src/protocol/weight.ts'

const UIDS: Record<string, number> = { a: 5, b: 2, c: 9 }
const rewardsOf = (burned: number, rewards: Record<string, number> = {}): CycleRewards => ({
  rewards: new Map(Object.entries(rewards)),
  burned,
})
const options = (window: CycleRewards, change: Partial<WeightOptions> = {}): WeightOptions => ({
  window,
  uidOf: (hotkey) => UIDS[hotkey],
  burnUid: 0,
  entriesMin: 1,
  uidCount: 10,
  ...change,
})

test('a window is the plain sum of its cycles, and one without a certificate adds nothing', () => {
  const window = rewardWindow([rewardsOf(7, { b: 1, a: 2 }), null, rewardsOf(1, { a: 3 }), null])
  expect([...window.rewards]).toEqual([
    ['a', 5],
    ['b', 1],
  ])
  expect(window.burned).toBe(8)
  expect(rewardWindow([])).toEqual({ rewards: new Map(), burned: 0 })
})

test('a window is bounded', () => {
  expect(() => rewardWindow(new Array(WINDOW_CYCLES_MAX + 1).fill(null))).toThrow('bounded')
})

const cases: [why: string, options: WeightOptions, weights: UidWeight[]][] = [
  [
    'the greatest is 65535, the others follow by floor',
    options(rewardsOf(0, { a: 300, b: 200, c: 1 })),
    [
      [2, 43_690],
      [5, 65_535],
      [9, 218],
    ],
  ],
  [
    'what nobody earned goes to the burn uid',
    options(rewardsOf(100, { a: 50 })),
    [
      [0, 65_535],
      [5, 32_767],
    ],
  ],
  [
    'who has left is burned',
    options(rewardsOf(10, { a: 90, gone: 80 })),
    [
      [0, 65_535],
      [5, 65_535],
    ],
  ],
  ['nothing at all goes to the burn uid', options(rewardsOf(0)), [[0, 65_535]]],
  ['the burn uid may earn as well', options(rewardsOf(1, { a: 1 }), { burnUid: 5 }), [[5, 65_535]]],
  ['too little to show is dropped', options(rewardsOf(0, { a: 70_000, b: 1 })), [[5, 65_535]]],
  [
    'the lowest other uids fill up to the minimum',
    options(rewardsOf(0, { a: 9 }), { entriesMin: 4 }),
    [
      [0, 0],
      [1, 0],
      [2, 0],
      [5, 65_535],
    ],
  ],
  [
    'a chain with fewer uids than its minimum gets them all',
    options(rewardsOf(1), { entriesMin: 8, uidCount: 2 }),
    [
      [0, 65_535],
      [1, 0],
    ],
  ],
  [
    'large windows stay exact',
    options(rewardsOf(0, { a: Number.MAX_SAFE_INTEGER, b: 2 ** 52 })),
    [
      [2, 32_767],
      [5, 65_535],
    ],
  ],
]
test.each(cases)('%s', (_, given, weights) => expect(toWeights(given)).toEqual(weights))

test('uids that are not registered are our own mistake', () => {
  expect(() => toWeights(options(rewardsOf(1), { burnUid: 10 }))).toThrow('burn uid')
  expect(() => toWeights(options(rewardsOf(1, { c: 1 }), { uidCount: 9 }))).toThrow('below the count')
  expect(() => toWeights(options(rewardsOf(1), { uidCount: 65_537 }))).toThrow('u16')
})

const UID_COUNT = 40
const anyWindow = fc
  .tuple(
    fc.uniqueArray(fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 10 ** 12 })), {
      selector: ([uid]) => uid,
      maxLength: 30,
    }),
    fc.nat({ max: 10 ** 12 }),
  )
  .map(([rows, burned]) => ({ rewards: new Map(rows.map(([uid, reward]) => [`${uid}`, reward])), burned }))
const uidOf = (hotkey: string) => (Number(hotkey) < UID_COUNT ? Number(hotkey) : undefined)
const weigh = (window: CycleRewards, entriesMin = 0) =>
  toWeights({ window, uidOf, burnUid: 3, entriesMin, uidCount: UID_COUNT })

test('the greatest weight is 65535, uids ascend, and there are as many as the chain wants', () => {
  fc.assert(
    fc.property(anyWindow, fc.nat({ max: 60 }), (window, entriesMin) => {
      const weights = weigh(window, entriesMin)
      expect(Math.max(...weights.map(([, weight]) => weight))).toBe(WEIGHT_U16_MAX)
      expect(weights.every(([uid], i) => uid > (weights[i - 1]?.[0] ?? -1) && uid < UID_COUNT)).toBe(true)
      expect(weights.length).toBeGreaterThanOrEqual(Math.min(entriesMin, UID_COUNT))
    }),
  )
})

test('weights are proportional to rewards within one unit, and without reward there is none', () => {
  fc.assert(
    fc.property(anyWindow, (window) => {
      const sums = new Map([[3, BigInt(window.burned)]])
      for (const [hotkey, reward] of window.rewards) {
        const uid = uidOf(hotkey) ?? 3
        sums.set(uid, (sums.get(uid) ?? 0n) + BigInt(reward))
      }
      const most = [...sums.values()].reduce((max, sum) => (sum > max ? sum : max))
      if (most === 0n) return
      const weights = new Map(weigh(window))
      for (let uid = 0; uid < UID_COUNT; uid++) {
        const scaled = (sums.get(uid) ?? 0n) * BigInt(WEIGHT_U16_MAX)
        const weight = BigInt(weights.get(uid) ?? 0)
        expect(weight * most <= scaled && scaled < (weight + 1n) * most).toBe(true)
      }
    }),
  )
})

test('the order of the rewards does not matter', () => {
  fc.assert(
    fc.property(anyWindow, (window) => {
      const reversed = new Map([...window.rewards].toReversed())
      expect(weigh({ ...window, rewards: reversed })).toEqual(weigh(window))
    }),
  )
})

test('the order of the cycles does not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.option(anyWindow), { maxLength: 8 }), (cycles) => {
      expect(rewardWindow(cycles.toReversed())).toEqual(rewardWindow(cycles))
    }),
  )
})
