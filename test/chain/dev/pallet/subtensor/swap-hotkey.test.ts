import { describe, expect, test } from 'vitest'
import { freeBalance, TotalIssuance } from '../../../../../src/chain/dev/pallet/balances.ts'
import { addStake, stakeOf } from '../../../../../src/chain/dev/pallet/subtensor/stake.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { ROOT, subnetAccount } from '../../../../../src/chain/dev/pallet/subtensor/subnet.ts'
import { createFakeChain, type FakeChain, key, OWNER, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const COLD = key(0x1001)
const OLD = key(1)
const NEW = key(0xf00d)
const FRIEND = key(0xbeef)
const DAY = 7_200

const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 1, { tempo: 10_000 })], rich: [COLD, FRIEND, OWNER.coldkey] })
  chain.pass(1)
  chain.told()
  return chain
}
const swap = (chain: FakeChain, args: object = {}, who = COLD, name = 'swap_hotkey') =>
  chain.call(who, P, name, { hotkey: OLD, new_hotkey: NEW, netuid: null, ...args })
/** As a first swap on one subnet needs. */
const wait = (chain: FakeChain) => {
  chain.pass(DAY)
  chain.told()
}

describe('everywhere', () => {
  test('the new hotkey has the seat, with all that belongs to it', () => {
    const chain = create()
    const axon = { version: 1, ip: 16_909_060n, port: 80, ip_type: 4, protocol: 4, placeholder1: 0, placeholder2: 0 }
    expect(chain.call(OLD, P, 'serve_axon', { netuid: 1, ...axon })).toBe('ok')
    chain.context.set(s.WeightCommits, [1, OLD], [['ab'.repeat(32), 0n, 1n, 0n]])
    expect(swap(chain)).toBe('ok')
    expect([chain.get(s.Uids, 1, OLD), chain.get(s.Uids, 1, NEW), chain.get(s.Keys, 1, 1)]).toEqual([null, 1, NEW])
    expect([chain.get(s.Axons, 1, OLD), chain.get(s.Axons, 1, NEW)?.port]).toEqual([null, 80])
    expect([chain.get(s.WeightCommits, 1, OLD), chain.get(s.WeightCommits, 1, NEW)?.length]).toEqual([null, 1])
    expect([OLD, NEW].map((hotkey) => chain.get(s.IsNetworkMember, hotkey, 1))).toEqual([false, true])
    expect([...chain.context.entries(s.Owner, OLD)]).toEqual([])
    expect([chain.get(s.Owner, NEW), chain.get(s.OwnedHotkeys, COLD)]).toEqual([COLD, [NEW]])
    expect(chain.events.at(-1)).toEqual({
      pallet: P,
      name: 'HotkeySwapped',
      fields: { coldkey: COLD, old_hotkey: OLD, new_hotkey: NEW },
    })
  })

  test('all stake moves, also that of others, and keeps its worth', () => {
    const chain = create()
    addStake(chain.context, OLD, FRIEND, 1, 7_000n)
    addStake(chain.context, OLD, FRIEND, ROOT, 900n)
    const own = stakeOf(chain.context, OLD, COLD, 1)
    expect(swap(chain)).toBe('ok')
    expect(stakeOf(chain.context, NEW, COLD, 1)).toBe(own)
    expect([1, ROOT].map((netuid) => stakeOf(chain.context, NEW, FRIEND, netuid))).toEqual([7_000n, 900n])
    expect([1, ROOT].map((netuid) => chain.get(s.TotalHotkeyAlpha, OLD, netuid))).toEqual([0n, 0n])
    expect([COLD, FRIEND].map((coldkey) => chain.get(s.StakingHotkeys, coldkey))).toEqual([[NEW], [NEW]])
  })

  test('costs a tenth of a TAO, which is gone', () => {
    const chain = create()
    const issued = () => [chain.get(TotalIssuance), chain.get(s.TotalIssuance)]
    const before = issued()
    swap(chain)
    expect(freeBalance(chain.context, COLD)).toBe(10n ** 15n - 100_000_000n)
    expect(issued()).toEqual(before.map((all) => all - 100_000_000n))
  })

  test('a take that was set is the new hotkey’s, a default is not written down', () => {
    const chain = create()
    chain.context.set(s.Delegates, [OLD], 77)
    swap(chain)
    expect([chain.get(s.Delegates, OLD), chain.get(s.Delegates, NEW)]).toEqual([11_796, 77])
    const plain = create()
    swap(plain)
    expect([...plain.context.entries(s.Delegates)]).toEqual([])
  })

  test('a subnet’s owner may change its hotkey', () => {
    const chain = create()
    expect(swap(chain, { hotkey: OWNER.hotkey }, OWNER.coldkey)).toBe('ok')
    expect(chain.get(s.SubnetOwnerHotkey, 1)).toBe(NEW)
    expect(chain.told()).toContain('SubnetOwnerHotkeySet')
  })

  test('stake stays where it is when that is wanted', () => {
    const chain = create()
    const own = stakeOf(chain.context, OLD, COLD, 1)
    expect(swap(chain, { keep_stake: true }, COLD, 'swap_hotkey_v2')).toBe('ok')
    expect([OLD, NEW].map((hotkey) => stakeOf(chain.context, hotkey, COLD, 1))).toEqual([own, 0n])
    expect(chain.get(s.Uids, 1, NEW)).toBe(1)
  })

  test('and back only after a day and the limit of transactions', () => {
    const chain = create()
    swap(chain)
    const back = () => swap(chain, { hotkey: NEW, new_hotkey: OLD })
    chain.pass(1_000)
    expect(back()).toBe(`${P}.HotKeySetTxRateLimitExceeded`)
    chain.pass(1)
    expect(back()).toBe(`${P}.HotKeySwapOnSubnetIntervalNotPassed`)
    chain.pass(DAY - 1_001)
    expect(back()).toBe(`${P}.HotKeySwapOnSubnetIntervalNotPassed`)
    chain.pass(1)
    expect(back()).toBe('ok')
  })
})

describe('on one subnet', () => {
  test('the old hotkey remains its owner’s, and what it has elsewhere', () => {
    const chain = create()
    wait(chain)
    addStake(chain.context, OLD, COLD, ROOT, 5n)
    expect(swap(chain, { netuid: 1 })).toBe('ok')
    expect(freeBalance(chain.context, COLD)).toBe(10n ** 15n - 1_000_000n)
    expect([OLD, NEW].map((hotkey) => chain.get(s.Owner, hotkey))).toEqual([COLD, COLD])
    expect(chain.get(s.OwnedHotkeys, COLD)).toEqual([OLD, NEW])
    expect([chain.get(s.Keys, 1, 1), chain.get(s.TotalHotkeyAlpha, OLD, ROOT)]).toEqual([NEW, 5n])
    expect(chain.events.at(-1)).toMatchObject({ name: 'HotkeySwappedOnSubnet', fields: { netuid: 1, old_hotkey: OLD } })
  })

  test('waits a day from block 0, also for the first time', () => {
    const chain = create()
    chain.pass(DAY - 1)
    expect(swap(chain, { netuid: 1 })).toBe(`${P}.HotKeySwapOnSubnetIntervalNotPassed`)
    chain.pass(1)
    expect(swap(chain, { netuid: 1 })).toBe('ok')
  })
})

describe('is refused', () => {
  const cases: [what: string, args: object, error: string, who?: string][] = [
    ['for a hotkey of somebody else', {}, 'NonAssociatedColdKey', FRIEND],
    ['for a hotkey that nobody knows', { hotkey: key(0xdead) }, 'NonAssociatedColdKey'],
    ['to a hotkey of somebody else', { new_hotkey: key(3) }, 'NonAssociatedColdKey'],
    ['to the same hotkey', { new_hotkey: OLD }, 'NewHotKeyIsSameWithOld'],
    ['to the account of a subnet', { new_hotkey: subnetAccount(1) }, 'CannotUseSystemAccount'],
  ]
  test.each(cases)('%s', (_, args, error, who = COLD) => {
    expect(swap(create(), args, who)).toBe(`${P}.${error}`)
  })

  test('to a hotkey that has a seat already', () => {
    const chain = create()
    expect(chain.call(COLD, P, 'burned_register', { netuid: 1, hotkey: NEW })).toBe('ok')
    expect(swap(chain)).toBe(`${P}.HotKeyAlreadyRegisteredInSubNet`)
    expect(swap(chain, { netuid: 1 })).toBe(`${P}.HotKeyAlreadyRegisteredInSubNet`)
  })

  test('to a hotkey with TAO on the root, if the root is concerned', () => {
    const chain = create()
    addStake(chain.context, NEW, FRIEND, ROOT, 1n)
    expect(swap(chain)).toBe(`${P}.NewHotKeyNotCleanForRootSwap`)
    wait(chain)
    expect(swap(chain, { netuid: 1 })).toBe('ok')
  })

  test('to who cannot pay, and leaves everything as it was', () => {
    const chain = createFakeChain({ subnets: [subnetOf(2, 1)] })
    chain.pass(1)
    expect(swap(chain)).toBe(`${P}.NotEnoughBalanceToPaySwapHotKey`)
    expect([chain.get(s.Keys, 1, 1), chain.get(s.Owner, OLD)]).toEqual([OLD, COLD])
  })
})
