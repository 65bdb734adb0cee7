import { describe, expect, test } from 'vitest'
import { shareWithParents } from '../../../../../src/chain/dev/pallet/subtensor/child-dividend.ts'
import { addStake } from '../../../../../src/chain/dev/pallet/subtensor/stake.ts'
import { inheritedStake, stakeWeight } from '../../../../../src/chain/dev/pallet/subtensor/stake-weight.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { ROOT } from '../../../../../src/chain/dev/pallet/subtensor/subnet.ts'
import { createFakeChain, type FakeChain, key, OWNER, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const TEMPO = 20
const COOLDOWN = 50n
const ALL = 2n ** 64n - 1n
const HALF = 2n ** 63n
const [A, B, C, D] = [key(1), key(2), key(3), key(4)]
const COLD = key(0x1001)
const ALPHA = 100n * 10n ** 9n

type Kin = readonly (readonly [bigint, string])[]

/** A and B have 100 alpha each, C and D nothing; each has a coldkey of its own. */
const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 2, { tempo: TEMPO })], rich: [COLD] })
  chain.context.set(s.PendingChildKeyCooldown, [], COOLDOWN)
  chain.pass(1)
  chain.told()
  return chain
}
const setChildren = (chain: FakeChain, children: Kin, args: object = {}, who = COLD) =>
  chain.call(who, P, 'set_children', { hotkey: A, netuid: 1, children, ...args })
const kin = (chain: FakeChain, hotkey: string) => ({
  children: chain.get(s.ChildKeys, hotkey, 1),
  parents: chain.get(s.ParentKeys, hotkey, 1),
})
/** As on a subnet that has not started: at once. */
const adopt = (chain: FakeChain, children: Kin, parent = A, who = COLD) => {
  chain.put(s.SubtokenEnabled, false)
  expect(setChildren(chain, children, { hotkey: parent }, who)).toBe('ok')
  chain.put(s.SubtokenEnabled, true)
}

describe('children', () => {
  test('are announced, and theirs at the first epoch after the wait', () => {
    const chain = create()
    expect(setChildren(chain, [[HALF, C]])).toBe('ok')
    const fields = { hotkey: A, netuid: 1, block: 51n, children: [[HALF, C]] }
    expect(chain.events.at(-1)).toEqual({ pallet: P, name: 'SetChildrenScheduled', fields })
    expect(chain.get(s.PendingChildKeys, 1, A)).toEqual([[[HALF, C]], 51n])
    chain.pass(58)
    expect(kin(chain, A).children).toEqual([])
    expect(chain.told()).not.toContain('SetChildren')
    chain.pass(1)
    expect(chain.context.block).toBe(60)
    expect(kin(chain, A)).toEqual({ children: [[HALF, C]], parents: [] })
    expect(kin(chain, C)).toEqual({ children: [], parents: [[HALF, A]] })
    expect([...chain.context.entries(s.PendingChildKeys)]).toEqual([])
    expect(chain.told()).toContain('SetChildren')
  })

  test('are there at once on a subnet that has not started', () => {
    const chain = create()
    adopt(chain, [[HALF, C]])
    expect(chain.told()).toEqual(['SetChildren'])
    expect(kin(chain, C).parents).toEqual([[HALF, A]])
  })

  test('replace those before, on both sides', () => {
    const chain = create()
    adopt(chain, [[HALF, D], [1n, C]]) // biome-ignore format: a list
    expect(kin(chain, A).children.map(([, child]) => child)).toEqual([C, D])
    chain.pass(150)
    adopt(chain, [[7n, D]])
    expect([kin(chain, C), kin(chain, D)]).toEqual([
      { children: [], parents: [] },
      { children: [], parents: [[7n, A]] },
    ])
    chain.pass(150)
    adopt(chain, [])
    expect([...chain.context.entries(s.ChildKeys), ...chain.context.entries(s.ParentKeys)]).toEqual([])
  })

  test('that became parents in the meantime are not taken, and nothing is said', () => {
    const chain = create()
    setChildren(chain, [[1n, C]])
    adopt(chain, [[1n, A]], C, key(0x1003))
    chain.told()
    chain.pass(60)
    expect(kin(chain, A)).toEqual({ children: [], parents: [[1n, C]] })
    expect(chain.told()).not.toContain('SetChildren')
  })

  test('are not announced any more when the stake for them is taken away', () => {
    const chain = create()
    chain.context.set(s.StakeThreshold, [], ALPHA)
    chain.pass(1)
    setChildren(chain, [[1n, C]])
    expect(chain.call(COLD, P, 'remove_stake', { hotkey: A, netuid: 1, amount_unstaked: ALPHA / 2n })).toBe('ok')
    expect([...chain.context.entries(s.PendingChildKeys)]).toEqual([])
  })

  const many = Array.from({ length: 6 }, (_, i) => [1n, key(100 + i)] as const)
  const refused: [what: string, children: Kin, error: string, args?: object, who?: string][] = [
    ['on the root', [], 'RegistrationNotPermittedOnRootSubnet', { netuid: ROOT }],
    ['on a subnet that is not there', [], 'SubnetNotExists', { netuid: 9 }],
    ['of a hotkey of somebody else', [], 'NonAssociatedColdKey', {}, key(0x1002)],
    ['twice the same', [[1n, C], [1n, C]], 'DuplicateChild'], // biome-ignore format: a list
    ['oneself', [[1n, A]], 'InvalidChild'],
    ['more than five', many, 'TooManyChildren'],
    ['for more than there is', [[ALL, C], [1n, D]], 'ProportionOverflow'], // biome-ignore format: a list
  ]
  test.each(refused)('are refused: %s', (_, children, error, args = {}, who = COLD) => {
    expect(setChildren(create(), children, args, who)).toBe(`${P}.${error}`)
  })

  test('are refused: one’s parents', () => {
    const chain = create()
    adopt(chain, [[1n, A]], C, key(0x1003))
    expect(setChildren(chain, [[1n, C]])).toBe(`${P}.ChildParentInconsistency`)
  })

  test('are refused without stake, but not to take them back, and not to the owner', () => {
    const chain = create()
    chain.context.set(s.StakeThreshold, [], ALPHA * 2n)
    expect(setChildren(chain, [[1n, C]])).toBe(`${P}.NotEnoughStakeToSetChildkeys`)
    expect(setChildren(chain, [])).toBe('ok')
    expect(setChildren(chain, [[1n, C]], { hotkey: OWNER.hotkey }, OWNER.coldkey)).toBe('ok')
  })

  test('change every 150 blocks', () => {
    const chain = create()
    setChildren(chain, [])
    chain.pass(149)
    expect(setChildren(chain, [])).toBe(`${P}.TxRateLimitExceeded`)
    chain.pass(1)
    expect(setChildren(chain, [])).toBe('ok')
  })
})

describe('stake', () => {
  test('counts for whom it was lent to', () => {
    const chain = create()
    addStake(chain.context, A, COLD, ROOT, 1_000n)
    adopt(chain, [[HALF, C], [HALF / 2n, D]]) // biome-ignore format: a list
    const counts = (held: number) => [A, B, C, D].map((hotkey) => inheritedStake(chain.context, 1, hotkey, held))
    // A part is rounded down to 2^-32 before it is taken.
    expect(counts(1).map((alpha) => Math.round(Number(alpha) / 1e8))).toEqual([250, 1000, 500, 250])
    expect(counts(ROOT)).toEqual([250n, 0n, 500n, 250n])
    expect(stakeWeight(chain.context, 1, C)).toBe((counts(1)[2] as bigint) + 26n) // 500 × 0.0527
  })

  test('that is lent lets the child set weights', () => {
    const chain = create()
    chain.context.set(s.StakeThreshold, [], ALPHA / 2n)
    const set = () => chain.pool(C, P, 'set_weights', { netuid: 1, dests: [3], weights: [1], version_key: 0n })
    expect(set()).toBe(1)
    chain.pass(10)
    adopt(chain, [[ALL, C]])
    expect(set()).toBeNull()
  })
})

describe('dividends', () => {
  const share = (chain: FakeChain, hotkey: string, dividend = 1_000_000n) =>
    shareWithParents(chain.context, 1, { hotkey, dividend })

  test('are one’s own without parents', () => {
    expect(share(create(), A)).toEqual([{ hotkey: A, dividend: 1_000_000n }])
  })

  test('go to the parents by the stake that they lent', () => {
    const chain = create()
    adopt(chain, [[ALL, B]])
    const [parent, child] = share(chain, B)
    expect([parent, child]).toEqual([
      { hotkey: A, dividend: 500_000n },
      { hotkey: B, dividend: 500_000n },
    ])
  })

  test('leave the child its take', () => {
    const chain = create()
    adopt(chain, [[ALL, C]])
    chain.context.set(s.ChildkeyTake, [C, 1], 6_554)
    const [parent, child] = share(chain, C)
    expect(Number(parent?.dividend)).toBeCloseTo(900_000, -2)
    expect(Number(child?.dividend)).toBeCloseTo(100_000, -2)
  })

  test('leave it nothing when both are the same person’s', () => {
    const chain = create()
    adopt(chain, [[ALL, C]])
    chain.context.set(s.ChildkeyTake, [C, 1], 6_554)
    chain.context.set(s.Owner, [C], COLD)
    expect(share(chain, C)).toEqual([
      { hotkey: A, dividend: 1_000_000n },
      { hotkey: C, dividend: 0n },
    ])
  })

  test('are recycled in part, where the chain wants that', () => {
    const chain = create()
    adopt(chain, [[ALL, C]])
    expect(chain.call('root', 'AdminUtils', 'sudo_set_ck_burn', { burn: HALF })).toBe('ok')
    const before = chain.get(s.SubnetAlphaOut, 1)
    const [parent] = share(chain, C)
    expect(Number(parent?.dividend)).toBeCloseTo(500_000, -1)
    expect(Number(before - chain.get(s.SubnetAlphaOut, 1))).toBeCloseTo(500_000, -1)
  })

  test('reach the parent at the epoch', () => {
    const chain = create()
    adopt(chain, [[ALL, C]])
    for (const hotkey of [B, C])
      chain.context.set(s.Weights, [1, chain.get(s.Uids, 1, hotkey) as number], [[4, 65_535]])
    chain.context.set(s.ValidatorPermit, [1], [true, true, true, true, false])
    const before = chain.get(s.TotalHotkeyAlpha, A, 1)
    chain.pass(2 * TEMPO)
    expect(chain.get(s.TotalHotkeyAlpha, A, 1)).toBeGreaterThan(before)
    expect(chain.get(s.AlphaDividendsPerSubnet, 1, A)).toBeGreaterThan(0n)
    expect(chain.get(s.AlphaDividendsPerSubnet, 1, C)).toBe(0n)
  })
})

describe('a child’s take', () => {
  const setTake = (chain: FakeChain, take: number, who = COLD) =>
    chain.call(who, P, 'set_childkey_take', { hotkey: A, netuid: 1, take })

  test('is bounded', () => {
    const chain = create()
    expect(setTake(chain, 11_797)).toBe(`${P}.InvalidChildkeyTake`)
    const least = { netuid: 1, take: 500 }
    expect(chain.call('root', 'AdminUtils', 'sudo_set_min_childkey_take_per_subnet', least)).toBe('ok')
    expect(setTake(chain, 499)).toBe(`${P}.InvalidChildkeyTake`)
    expect(setTake(chain, 500, B)).toBe(`${P}.NonAssociatedColdKey`)
    expect(setTake(chain, 500)).toBe('ok')
    expect(chain.get(s.ChildkeyTake, A, 1)).toBe(500)
    expect(chain.told()).toEqual(['MinChildKeyTakePerSubnetSet', 'ChildKeyTakeSet'])
  })

  test('rises every thirty days and falls at once', () => {
    const chain = create()
    chain.context.set(s.TxChildkeyTakeRateLimit, [], 10n)
    expect([setTake(chain, 900), setTake(chain, 901), setTake(chain, 800)]).toEqual([
      'ok',
      `${P}.TxChildkeyTakeRateLimitExceeded`,
      'ok',
    ])
    chain.pass(10)
    expect(setTake(chain, 901)).toBe('ok')
  })
})

describe('a swap of hotkeys', () => {
  const swap = (chain: FakeChain, hotkey: string, who: string) =>
    chain.call(who, P, 'swap_hotkey', { hotkey, new_hotkey: key(9), netuid: null })

  test('takes children, parents and announcements along', () => {
    const chain = create()
    adopt(chain, [[HALF, C]])
    adopt(chain, [[5n, A]], B, key(0x1002))
    chain.pass(150)
    setChildren(chain, [[6n, D]])
    expect(swap(chain, A, COLD)).toBe('ok')
    expect(kin(chain, key(9))).toEqual({ children: [[HALF, C]], parents: [[5n, B]] })
    expect([kin(chain, C).parents, kin(chain, B).children]).toEqual([[[HALF, key(9)]], [[5n, key(9)]]])
    expect(kin(chain, A)).toEqual({ children: [], parents: [] })
    expect(chain.get(s.PendingChildKeys, 1, key(9))[0]).toEqual([[6n, D]])
  })

  test('also of somebody else’s announced child', () => {
    const chain = createFakeChain({ subnets: [subnetOf(2, 2)], rich: [key(0x1003)] })
    chain.pass(1)
    setChildren(chain, [[1n, C], [2n, D]]) // biome-ignore format: a list
    expect(swap(chain, C, key(0x1003))).toBe('ok')
    expect(chain.get(s.PendingChildKeys, 1, A)[0]).toEqual([[2n, D], [1n, key(9)]]) // biome-ignore format: a list
  })

  test('not to one’s own child', () => {
    const chain = create()
    adopt(chain, [[HALF, key(9)]])
    expect(swap(chain, A, COLD)).toBe(`${P}.InvalidChild`)
  })
})

describe('a new subnet', () => {
  const found = (chain: FakeChain) => {
    expect(chain.call(COLD, P, 'register_network', { hotkey: key(0xf00d) })).toBe('ok')
    return chain.get(s.ParentKeys, key(0xf00d), 2)
  }
  const seated = () => {
    const chain = create()
    chain.call(COLD, P, 'root_register', { hotkey: A })
    chain.told()
    return chain
  }

  test('lends its owner the stake of the root', () => {
    const chain = seated()
    expect(found(chain)).toEqual([[ALL, A]])
    expect(chain.told()).toEqual(['SubnetOwnerHotkeySet', 'SetChildren', 'NetworkAdded'])
  })

  test('not of who does not want that', () => {
    const chain = seated()
    const refuse = (hotkey: string, who = COLD) =>
      chain.call(who, P, 'set_auto_parent_delegation_enabled', { hotkey, enabled: false })
    expect(refuse(A, B)).toBe(`${P}.NonAssociatedColdKey`)
    expect(refuse(B, key(0x1002))).toBe(`${P}.HotKeyNotRegisteredInSubNet`)
    expect(refuse(A)).toBe('ok')
    expect(found(chain)).toEqual([])
  })
})

test('the root shortens the wait', () => {
  const chain = create()
  expect(chain.call(COLD, P, 'set_pending_childkey_cooldown', { cooldown: 0n })).toBe('DispatchError.BadOrigin')
  expect(chain.call('root', P, 'set_pending_childkey_cooldown', { cooldown: 0n })).toBe('ok')
  setChildren(chain, [[1n, C]])
  chain.pass(TEMPO)
  expect(kin(chain, C).parents).toEqual([[1n, A]])
})
