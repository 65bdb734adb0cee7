import { describe, expect, test } from 'vitest'
import { createHoldings, createPlan, type Holdings, type PickRules, type Plan } from '../../../src/p2p/pull/plan.ts'
import { cidOf, MIB } from './stage.ts'

const LEAVES = 40
const bounds = { bytesMin: MIB, bytesMax: MIB }
const leaves = Array.from({ length: LEAVES }, (_, i) => ({
  cid: cidOf(Uint8Array.of(i, 7)),
  bounds,
  place: null,
  isRoot: false,
}))
const rules: PickRules = { again: () => false, spared: false }

function planOf(self = 'me'): Plan {
  const plan = createPlan(self)
  plan.add(leaves)
  return plan
}
function holder(plan: Plan, peerId: string, has: (leaf: number) => boolean = () => true): Holdings {
  const holdings = createHoldings(peerId)
  for (const block of plan.blocks) plan.claim(holdings, block, has(block.index))
  holdings.isPartial = plan.blocks.some(({ index }) => !has(index))
  return holdings
}
const takeAll = (plan: Plan, holdings: Holdings, by: PickRules = rules): readonly number[] => {
  const order: number[] = []
  for (let picked = plan.pick(holdings, by); picked !== null; picked = plan.pick(holdings, by)) {
    order.push(picked.piece.blocks[0]?.index ?? -1)
    for (const block of picked.blocks) plan.arrived(block)
  }
  return order
}

describe('pieces', () => {
  test('are four leaves of a mebibyte, and asked for once', () => {
    const plan = planOf()
    const seed = holder(plan, 'seed')
    const picked = plan.pick(seed, rules)
    expect(picked?.blocks).toHaveLength(4)
    picked?.piece.askers.set('seed', () => undefined)
    expect(plan.pick(seed, rules)?.piece).not.toBe(picked?.piece)
    expect(takeAll(plan, seed)).toHaveLength(LEAVES / 4 - 1)
    expect(plan.isDone()).toBe(false)
  })

  test('of a peer that has a part are that part', () => {
    const plan = planOf()
    const other = holder(plan, 'other', (leaf) => leaf === 5)
    expect(plan.pick(other, rules)?.blocks.map(({ index }) => index)).toEqual([5])
    expect(takeAll(plan, other)).toEqual([4])
  })

  test('that few have come first', () => {
    const plan = planOf()
    const seed = holder(plan, 'seed')
    holder(plan, 'other', (leaf) => leaf >= 8)
    expect(new Set(takeAll(plan, seed).slice(0, 2))).toEqual(new Set([0, 4]))
  })

  test('of who is gone are as rare as before', () => {
    const plan = planOf()
    holder(plan, 'seed')
    const gone = holder(plan, 'gone')
    plan.forget(gone)
    expect(plan.blocks.every(({ holders }) => holders === 1)).toBe(true)
  })

  test('that are here are given up by who else was asked for them', () => {
    const plan = planOf()
    const picked = plan.pick(holder(plan, 'seed'), rules)
    let givenUp = 0
    picked?.piece.askers.set('other', () => {
      givenUp += 1
    })
    for (const block of picked?.blocks ?? []) plan.arrived(block)
    expect(givenUp).toBe(1)
  })
})

describe('peers that fetch the same', () => {
  const names = ['one', 'two', 'three']
  test('share the pieces among them, and none is left out', () => {
    const shares = names.map((self) => {
      const plan = planOf(self)
      const seed = holder(plan, 'seed')
      plan.share(names.filter((name) => name !== self).map((name) => holder(plan, name, () => false)))
      return takeAll(plan, seed, { ...rules, spared: true })
    })
    expect(shares.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: LEAVES / 4 }, (_, i) => 4 * i))
  })

  test('help one another from the far end', () => {
    const orders = names.slice(0, 2).map((self, i) => {
      const plan = planOf(self)
      const seed = holder(plan, 'seed')
      plan.share([holder(plan, names[1 - i] ?? '', () => false)])
      return takeAll(plan, seed)
    })
    expect(orders[0]).toEqual(orders[1]?.toReversed())
  })

  test('are not waited for when they are not spared any more', () => {
    const plan = planOf('one')
    const seed = holder(plan, 'seed')
    plan.share([holder(plan, 'two', (leaf) => leaf < 20)])
    expect(takeAll(plan, seed, { ...rules, spared: true }).length).toBeLessThan(LEAVES / 4)
    takeAll(plan, seed)
    expect(plan.isDone()).toBe(true)
  })
})

describe('what to ask about', () => {
  test('is what was never said first, then what was lacking, and nothing when all is known', () => {
    const plan = planOf()
    const other = createHoldings('other')
    expect(plan.unknown(other, 8).map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    for (const block of plan.blocks) plan.claim(other, block, block.index % 2 === 0)
    expect(plan.unknown(other, 100).every(({ index }) => index % 2 === 1)).toBe(true)
    for (const block of plan.blocks) plan.claim(other, block, true)
    expect(plan.unknown(other, 100)).toEqual([])
  })

  test('goes round when it is too much for one question', () => {
    const plan = planOf()
    const other = holder(plan, 'other', () => false)
    const asked = [plan.unknown(other, 30), plan.unknown(other, 30)].flat().map(({ index }) => index)
    expect(new Set(asked).size).toBe(LEAVES)
  })

  test('leaves out what was promised and not kept', () => {
    const plan = planOf()
    const liar = holder(plan, 'liar')
    for (const block of plan.blocks) plan.claim(liar, block, false)
    expect(plan.unknown(liar, 100)).toEqual([])
    expect(plan.pick(liar, rules)).toBeNull()
  })
})
