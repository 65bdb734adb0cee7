import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LOSS_NANO_MAX, SCORE_MAX } from '../../src/protocol/limits.ts'
import {
  type Accepted,
  type MarginalState,
  marginalOrder,
  marginalsOf,
  nextTrial,
  type Scored,
  settleTrial,
  startMarginal,
} from '../../src/protocol/marginal.ts'
import { cycleRewards, REWARD_POT } from '../../src/protocol/reward.ts'

const FLOOR_MILLI = 20
const accepted = (hotkey: string, score: number, block = 0, index = 0): Accepted => ({ hotkey, score, block, index })
const namesOf = (members: readonly Scored[] | undefined) => members?.map(({ hotkey }) => hotkey).join('')

/** Settles every trial with what `gainOf` measures. */
function settleAll(order: readonly Scored[], gainOf: (members: readonly Scored[]) => number | null): MarginalState {
  let state = startMarginal(order, FLOOR_MILLI)
  for (let trial = nextTrial(state); trial !== null; trial = nextTrial(state)) {
    state = settleTrial(state, gainOf(trial.members))
  }
  return state
}

test.each<[why: string, list: Accepted[], order: string]>([
  ['the better score first', [accepted('a', 100), accepted('b', 200)], 'ba'],
  ['scores that round alike: the earlier block', [accepted('a', 109, 5), accepted('b', 100, 4)], 'ba'],
  ['in one block: the earlier extrinsic', [accepted('a', 100, 4, 7), accepted('b', 109, 4, 3)], 'ba'],
  ['else the lower hotkey', [accepted('b', 109, 4, 3), accepted('a', 100, 4, 3)], 'ab'],
  ['a better rounded score beats an earlier block', [accepted('a', 109, 1), accepted('b', 110, 9)], 'ba'],
])('order: %s', (_, list, order) => {
  expect(namesOf(marginalOrder(list, 10))).toBe(order)
  expect(namesOf(marginalOrder(list.toReversed(), 10))).toBe(order)
})

test('each trial merges all kept so far and the candidate', () => {
  let state = startMarginal([accepted('a', 100), accepted('b', 90), accepted('c', 80), accepted('d', 70)], FLOOR_MILLI)
  expect(nextTrial(state)?.members).toEqual([{ hotkey: 'a', score: 100 }])
  state = settleTrial(state, 100)
  expect(namesOf(nextTrial(state)?.members)).toBe('ab')
  state = settleTrial(state, 101) // adds 1, the floor is 2
  expect(namesOf(nextTrial(state)?.members)).toBe('ac')
  state = settleTrial(state, 102) // adds 2
  expect(namesOf(nextTrial(state)?.members)).toBe('acd')
  state = settleTrial(state, null)
  expect(nextTrial(state)).toBeNull()
  expect([...marginalsOf(state)]).toEqual([
    ['a', 100],
    ['b', 0],
    ['c', 2],
    ['d', 0],
  ])
  expect(namesOf(state.kept)).toBe('ac')
})

test('the first candidate follows the same rule', () => {
  const state = settleTrial(startMarginal([accepted('a', 1_000), accepted('b', 900)], FLOOR_MILLI), 19)
  expect([...marginalsOf(state)]).toEqual([
    ['a', 0],
    ['b', 0],
  ])
  expect(namesOf(nextTrial(state)?.members)).toBe('b')
})

test('a candidate that makes the merge worse is left out and costs nobody anything', () => {
  const gains: Record<string, number> = { a: 500, ab: -LOSS_NANO_MAX, ac: 600 }
  const state = settleAll([accepted('a', 500), accepted('b', 400), accepted('c', 300)], (members) => {
    return gains[namesOf(members) ?? ''] ?? 0
  })
  expect([...marginalsOf(state).values()]).toEqual([500, 0, 100])
})

test('a floor of zero still keeps nobody who adds nothing', () => {
  const state = settleTrial(startMarginal([accepted('a', 5)], 0), 0)
  expect(namesOf(state.kept)).toBe('')
})

test('a marginal is a u32, but the gain so far is not cut', () => {
  const gains = [LOSS_NANO_MAX - 10 ** 9, LOSS_NANO_MAX]
  const state = settleAll([accepted('a', SCORE_MAX), accepted('b', SCORE_MAX)], ({ length }) => gains[length - 1] ?? 0)
  expect([...marginalsOf(state).values()]).toEqual([SCORE_MAX, 10 ** 9])
})

test('misuse is our own mistake', () => {
  const open = startMarginal([accepted('a', 5)], FLOOR_MILLI)
  expect(() => settleTrial(settleTrial(open, 5), 5)).toThrow('open trial')
  expect(() => settleTrial(open, 0.5)).toThrow('range of losses')
  expect(() => settleTrial(open, LOSS_NANO_MAX + 1)).toThrow('range of losses')
  expect(() => startMarginal([accepted('a', 5), accepted('a', 4)], FLOOR_MILLI)).toThrow('one submission')
  expect(() => startMarginal([accepted('a', 0)], FLOOR_MILLI)).toThrow('u32')
  expect(() => startMarginal([], 1_001)).toThrow('floor')
  expect(() => marginalOrder([], 0)).toThrow('rounded')
})

const list = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 99 }), fc.integer({ min: 1, max: SCORE_MAX }), fc.nat({ max: 3 }), fc.nat()), {
    maxLength: 20,
    selector: ([name]) => name,
  })
  .map((rows) => rows.map(([name, score, block, index]) => accepted(`${name}`.padStart(2, '0'), score, block, index)))
const gain = fc.option(fc.integer({ min: -LOSS_NANO_MAX, max: LOSS_NANO_MAX }))

test('there is one trial per submission, and the marginals of those kept add up to the gain of the merge', () => {
  fc.assert(
    fc.property(list, fc.array(fc.nat({ max: SCORE_MAX }), { minLength: 20, maxLength: 20 }), (rows, gains) => {
      let trials = 0
      const state = settleAll(marginalOrder(rows, 1_000), () => gains[trials++] ?? 0)
      const marginals = [...marginalsOf(state).values()]
      expect(trials).toBe(rows.length)
      expect(marginals.reduce((sum, marginal) => sum + marginal, 0)).toBe(state.gain)
      expect(marginals.filter((marginal) => marginal > 0).length).toBe(state.kept.length)
    }),
  )
})

test('whatever is measured, marginals are u32 and never below the floor unless zero', () => {
  fc.assert(
    fc.property(list, fc.array(gain, { minLength: 20, maxLength: 20 }), (rows, gains) => {
      let trials = 0
      const state = settleAll(marginalOrder(rows, 1_000), () => gains[trials++] ?? null)
      const best = Math.max(0, ...rows.map(({ score }) => score))
      for (const marginal of marginalsOf(state).values()) {
        expect(marginal === 0 || marginal * 1_000 >= FLOOR_MILLI * best).toBe(true)
        expect(Number.isInteger(marginal) && marginal <= SCORE_MAX).toBe(true)
      }
    }),
  )
})

test('the order does not depend on the order of arrival', () => {
  fc.assert(
    fc.property(list, fc.integer({ min: 1, max: 10 ** 9 }), (rows, roundingNano) => {
      expect(marginalOrder(rows.toReversed(), roundingNano)).toEqual(marginalOrder(rows, roundingNano))
    }),
  )
})

describe('an operator with eight keys, in a quadratic toy with honest deltas of cosine 0.85', () => {
  const DIMENSIONS = 400
  const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1)
  const KEYS = 8
  const HONEST = 10
  /** The norm of what each miner adds on its own to the common direction: a cosine of 1 / (1 + 0.42²) = 0.85. */
  const OWN = 0.42
  /** The optimum, in common directions: below one, so that deltas overshoot and half of one gains 1.05 of a whole. */
  const OPTIMUM = 0.855
  type Delta = readonly number[]

  const prng = (seed: number) => () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const dot = (a: Delta, b: Delta) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0)
  const scaled = (a: Delta, factor: number) => a.map((x) => x * factor)
  const unit = (a: Delta) => scaled(a, 1 / Math.sqrt(dot(a, a)))
  const added = (a: Delta, b: Delta) => a.map((x, i) => x + (b[i] ?? 0))

  function createToy(seed: number) {
    const random = prng(seed)
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const direction = () => unit(Array.from({ length: DIMENSIONS }, normal))
    const raw = Array.from({ length: DIMENSIONS }, () => Math.exp(normal() / 2))
    const curvature = scaled(raw, DIMENSIONS / raw.reduce((sum, x) => sum + x, 0))
    const target = direction()
    const bend = (delta: Delta) => delta.map((x, i) => x * (curvature[i] ?? 0))
    const slopeOf = (delta: Delta) => OPTIMUM * dot(target, bend(delta))
    const bendOf = (delta: Delta) => dot(delta, bend(delta))
    const raws = Array.from({ length: HONEST }, () => added(target, scaled(direction(), OWN)))
    return {
      raw: raws,
      /** Every miner has searched the best scale of its delta. */
      tuned: raws.map((delta) => scaled(delta, slopeOf(delta) / bendOf(delta))),
      noisy: (base: Delta) => added(base, scaled(direction(), 0.1 * Math.sqrt(dot(base, base)))),
      gainOf: (delta: Delta) => Math.floor((slopeOf(delta) - bendOf(delta) / 2) * 1e9),
    }
  }
  type Toy = ReturnType<typeof createToy>
  type Copies = (toy: Toy, base: Delta) => readonly Delta[]

  const noisyCopies: Copies = (toy, base) => [base, ...Array.from({ length: KEYS - 1 }, () => toy.noisy(base))]
  const scaledCopies: Copies = (_, base) => Array.from({ length: KEYS }, (_, i) => scaled(base, 1 - i / (2 * KEYS)))
  const modes: [mode: string, copies: Copies][] = [
    ['noisy', noisyCopies],
    ['scaled', scaledCopies],
  ]

  /** The share of the pot for the first `count` deltas. */
  function payOf(toy: Toy, deltas: readonly Delta[], count: number, isMarginal: boolean): number {
    const name = (i: number) => `${i}`.padStart(64, '0')
    const scored = deltas.map((delta, i) => accepted(name(i), toy.gainOf(delta), 0, i)).filter(({ score }) => score > 0)
    const mergedGain = (members: readonly Scored[]) => {
      const scoreTotal = members.reduce((sum, { score }) => sum + score, 0)
      const parts = members.map(({ hotkey, score }) => scaled(deltas[Number(hotkey)] ?? [], score / scoreTotal))
      return toy.gainOf(parts.reduce(added))
    }
    const marginals = marginalsOf(settleAll(marginalOrder(scored, 1_000_000), mergedGain))
    const { rewards } = cycleRewards({
      tracks: [{ name: 'track', sharePpm: 1_000_000 }],
      groups: [{ name: 'group', track: 'track', value: 1 }],
      rows: scored.map(({ hotkey, score }) => {
        return { hotkey, group: 'group', marginal: isMarginal ? (marginals.get(hotkey) ?? 0) : score }
      }),
      references: new Map([['group', 0]]),
    })
    return deltas.slice(0, count).reduce((sum, _, i) => sum + (rewards.get(name(i)) ?? 0), 0) / REWARD_POT
  }

  /** The operator's reward with all keys over that with one, over all seeds. */
  function advantageOf(copies: Copies, isMarginal: boolean): number {
    let one = 0
    let many = 0
    for (const seed of SEEDS) {
      const toy = createToy(seed)
      const [base = [], ...others] = toy.tuned
      one += payOf(toy, toy.tuned, 1, isMarginal)
      many += payOf(toy, [...copies(toy, base), ...others], KEYS, isMarginal)
    }
    return many / one
  }

  test('the toy has the cosine and the overshoot that were measured', () => {
    const toys = SEEDS.map(createToy)
    const mean = (of: (toy: Toy) => number) => toys.reduce((sum, toy) => sum + of(toy), 0) / toys.length
    expect(mean(({ raw: [a = [], b = []] }) => dot(unit(a), unit(b)))).toBeCloseTo(0.85, 2)
    expect(mean(({ raw: [a = []], gainOf }) => gainOf(scaled(a, 0.5)) / gainOf(a))).toBeCloseTo(1.05, 1)
  })

  test.each(modes)('%s copies earn what one key earns', (_, copies) => {
    expect(advantageOf(copies, true)).toBeLessThanOrEqual(1.05)
  })

  test.each(modes)('%s copies would multiply a reward in proportion to scores', (_, copies) => {
    expect(advantageOf(copies, false)).toBeGreaterThan(3)
  })

  test('where everybody overshoots, eight scales earn no more than the best of them under one key', () => {
    let best = 0
    let many = 0
    for (const seed of SEEDS) {
      const toy = createToy(seed)
      const [base = [], ...others] = toy.raw
      const copies = scaledCopies(toy, base)
      best += Math.max(...copies.map((copy) => payOf(toy, [copy, ...others], 1, true)))
      many += payOf(toy, [...copies, ...others], KEYS, true)
    }
    expect(many / best).toBeLessThanOrEqual(1.05)
  })

  test('honest work is paid', () => {
    const toy = createToy(1)
    expect(payOf(toy, toy.tuned, HONEST, true)).toBeCloseTo(1, 6)
  })
})
