import { expect, test } from 'vitest'
import { addStake } from '../../../../../src/chain/dev/pallet/subtensor/stake.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { ROOT, subnetAccount } from '../../../../../src/chain/dev/pallet/subtensor/subnet.ts'
import { createFakeChain, type FakeChain, key, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const RICH = key(0xbeef)

const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 1)], rich: [RICH] })
  chain.pass(1)
  chain.told()
  return chain
}
const register = (chain: FakeChain, hotkey = key(1)) => chain.call(RICH, P, 'root_register', { hotkey })
const stakeOnRoot = (chain: FakeChain, hotkey: string, tao: bigint) => addStake(chain.context, hotkey, RICH, ROOT, tao)

test('a seat on the root costs nothing and is told', () => {
  const chain = create()
  expect(register(chain)).toBe('ok')
  expect(chain.get(s.Uids, ROOT, key(1))).toBe(0)
  expect(chain.get(s.Keys, ROOT, 0)).toBe(key(1))
  expect(chain.get(s.SubnetworkN, ROOT)).toBe(1)
  expect(chain.events.at(-1)).toMatchObject({
    name: 'NeuronRegistered',
    fields: { netuid: ROOT, uid: 0, hotkey: key(1) },
  })
  expect([...chain.context.entries(s.Delegates, key(1))]).toEqual([[[key(1)], 11_796]])
})

test('a hotkey that nobody knew becomes the caller’s, another one stays its owner’s', () => {
  const chain = create()
  register(chain, key(0xf00d))
  chain.pass(1)
  expect(register(chain, key(1))).toBe('ok')
  expect(chain.get(s.Owner, key(0xf00d))).toBe(RICH)
  expect(chain.get(s.Owner, key(1))).toBe(key(0x1001))
})

test('nobody sits twice, and the account of a subnet not at all', () => {
  const chain = create()
  register(chain)
  chain.pass(1)
  expect(register(chain)).toBe(`${P}.HotKeyAlreadyRegisteredInSubNet`)
  expect(register(chain, subnetAccount(1))).toBe(`${P}.CannotUseSystemAccount`)
})

test('one a block, three before the root’s first interval is over, and one in every block after that', () => {
  const chain = create()
  expect(register(chain, key(0xf001))).toBe('ok')
  expect(register(chain, key(0xf002))).toBe(`${P}.TooManyRegistrationsThisBlock`)
  for (const each of [0xf002, 0xf003]) {
    chain.pass(1)
    expect(register(chain, key(each))).toBe('ok')
  }
  chain.pass(1)
  expect(register(chain, key(0xf004))).toBe(`${P}.TooManyRegistrationsThisInterval`)
  chain.pass(96)
  expect(chain.context.block).toBe(100)
  for (const each of [0xf004, 0xf005, 0xf006, 0xf007]) {
    expect(register(chain, key(each))).toBe('ok')
    chain.pass(1)
  }
})

test('when all seats are taken, whoever has least stake goes, for somebody who has more', () => {
  const chain = create()
  chain.context.set(s.MaxAllowedUids, [ROOT], 2)
  stakeOnRoot(chain, key(1), 500n)
  stakeOnRoot(chain, key(2), 300n)
  for (const each of [1, 2]) {
    register(chain, key(each))
    chain.pass(1)
  }
  stakeOnRoot(chain, key(3), 300n)
  expect(register(chain, key(3))).toBe(`${P}.StakeTooLowForRoot`)
  stakeOnRoot(chain, key(3), 1n)
  expect(register(chain, key(3))).toBe('ok')
  expect([0, 1].map((uid) => chain.get(s.Keys, ROOT, uid))).toEqual([key(1), key(3)])
  expect(chain.get(s.Uids, ROOT, key(2))).toBeNull()
  expect(chain.get(s.IsNetworkMember, key(2), ROOT)).toBe(false)
})
