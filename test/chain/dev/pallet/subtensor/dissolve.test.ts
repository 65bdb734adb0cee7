import { describe, expect, test } from 'vitest'
import { freeBalance } from '../../../../../src/chain/dev/pallet/balances.ts'
import { type CommitmentOf, commitments } from '../../../../../src/chain/dev/pallet/commitments.ts'
import { addStake } from '../../../../../src/chain/dev/pallet/subtensor/stake.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { ROOT, subnetAccount } from '../../../../../src/chain/dev/pallet/subtensor/subnet.ts'
import { createFakeChain, type FakeChain, key, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const RICH = key(0xbeef)
const TAO = 10n ** 9n
const [FIRST, SECOND] = [key(0x1001), key(0x1002)]

const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 1), subnetOf(1, 1)], rich: [RICH] })
  chain.pass(1)
  chain.told()
  return chain
}
const dissolve = (chain: FakeChain, netuid = 1, who = 'root', name = 'root_dissolve_network') =>
  chain.call(who, P, name, { netuid })
/** All that is kept under a netuid, of any pallet's items. */
const left = (chain: FakeChain, netuid: number) =>
  [...Object.values(s), ...commitments.storage].flatMap((item) => {
    const place = item.keys.findIndex(({ type }) => type === 'u16')
    if (place === -1) return []
    const entries = chain.context.entries(item as unknown as typeof CommitmentOf)
    return [...entries].some(([keys]) => (keys as readonly unknown[])[place] === netuid) ? [item.name] : []
  })

describe('the TAO of a subnet that ends', () => {
  test('goes to the holders of its alpha', () => {
    const chain = create()
    expect(chain.call(RICH, P, 'add_stake', { hotkey: key(1), netuid: 1, amount_staked: 500n * TAO })).toBe('ok')
    const before = freeBalance(chain.context, RICH)
    const pot = chain.get(s.SubnetTAO, 1)
    const alpha = { first: 100n * TAO, rich: chain.get(s.TotalHotkeyAlpha, key(1), 1) - 100n * TAO }
    const total = 2n * alpha.first + alpha.rich
    expect(dissolve(chain)).toBe('ok')
    const close = (tao: bigint, wanted: bigint) => expect(Math.abs(Number(tao - wanted))).toBeLessThan(10)
    close(freeBalance(chain.context, FIRST), (pot * alpha.first) / total)
    close(freeBalance(chain.context, SECOND), (pot * alpha.first) / total)
    close(freeBalance(chain.context, RICH) - before, (pot * alpha.rich) / total)
    expect(freeBalance(chain.context, subnetAccount(1))).toBeLessThanOrEqual(500n)
  })

  test('is given out to the last rao', () => {
    const chain = create()
    const holders = [0xa1, 0xa2, 0xa3].map(key)
    for (const each of [key(1), key(2)]) chain.context.remove(s.AlphaV2, [each, each === key(1) ? FIRST : SECOND, 1])
    for (const holder of holders) addStake(chain.context, key(3), holder, 1, 1_000n)
    chain.put(s.SubnetTAO, 3_002n)
    dissolve(chain)
    expect(holders.map((holder) => freeBalance(chain.context, holder)).sort()).toEqual([1_000n, 1_001n, 1_001n])
  })

  test('is recycled where it would be too little for an account', () => {
    const chain = create()
    const issued = chain.get(s.TotalIssuance)
    chain.put(s.SubnetTAO, 900n)
    expect(dissolve(chain)).toBe('ok')
    expect([FIRST, SECOND].map((coldkey) => freeBalance(chain.context, coldkey))).toEqual([0n, 0n])
    expect(chain.get(s.TotalIssuance)).toBe(issued - 1000n * TAO + 500n)
  })

  test('is in part the market’s, unless the subnet is from the first block', () => {
    const chain = create()
    chain.put(s.NetworkRegisteredAt, 1n)
    dissolve(chain)
    expect(freeBalance(chain.context, FIRST)).toBe((1000n * TAO * 100n) / 1200n + 1n) // it lost most by rounding
  })
})

describe('what is left of it', () => {
  test('is what subtensor leaves, and the other subnet whole', () => {
    const chain = create()
    chain.call(key(1), 'Commitments', 'set_commitment', { netuid: 1, info: { fields: [] } })
    chain.call(RICH, P, 'burned_register', { netuid: 1, hotkey: key(0xf00d) })
    chain.context.set(s.ChildKeys, [key(1), 1], [[1n, key(2)]])
    const other = left(chain, 2)
    expect(dissolve(chain)).toBe('ok')
    expect(left(chain, 1)).toEqual(['RegisteredSubnetCounter', 'SubnetEmissionEnabled'])
    expect(left(chain, 2)).toEqual(other)
    expect(chain.get(s.TotalNetworks)).toBe(2)
    expect(chain.told()).toContain('NetworkRemoved')
  })

  test('is a number for the next one', () => {
    const chain = create()
    dissolve(chain)
    expect(chain.call(RICH, P, 'register_network', { hotkey: key(0xf00d) })).toBe('ok')
    expect([chain.get(s.SubnetOwner, 1), chain.get(s.RegisteredSubnetCounter, 1)]).toEqual([RICH, 2n])
    chain.pass(30)
  })
})

test('only the root ends subnets, and only those that are there', () => {
  const chain = create()
  expect(dissolve(chain, 1, RICH)).toBe('DispatchError.BadOrigin')
  expect([dissolve(chain, 9), dissolve(chain, ROOT)]).toEqual([`${P}.SubnetNotExists`, `${P}.SubnetNotExists`])
  expect(chain.call('root', P, 'dissolve_network', { coldkey: RICH, netuid: 2 })).toBe('ok')
})
