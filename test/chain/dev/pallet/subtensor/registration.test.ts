import { describe, expect, test } from 'vitest'
import { freeBalance } from '../../../../../src/chain/dev/pallet/balances.ts'
import {
  decayFactor,
  immortalHotkeys,
  neuronToPrune,
} from '../../../../../src/chain/dev/pallet/subtensor/registration.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { subnetAccount } from '../../../../../src/chain/dev/pallet/subtensor/subnet.ts'
import { createFakeChain, type FakeChain, key, OWNER, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const RICH = key(0xbeef)
const FRESH = key(0xf00d)

const create = (more = {}) => {
  const chain = createFakeChain({ subnets: [subnetOf(1, 2, more)], rich: [RICH] })
  chain.pass(1)
  return chain
}
const register = (chain: FakeChain, args: object = {}, who = RICH, name = 'burned_register') =>
  chain.call(who, P, name, { netuid: 1, hotkey: FRESH, ...args })

test('a registration costs the burn and takes the next uid', () => {
  const chain = create()
  const cost = chain.get(s.Burn, 1)
  expect(register(chain)).toBe('ok')
  expect(freeBalance(chain.context, RICH)).toBe(10n ** 15n - cost)
  expect(chain.get(s.Uids, 1, FRESH)).toBe(4)
  expect(chain.get(s.Keys, 1, 4)).toBe(FRESH)
  expect(chain.get(s.Owner, FRESH)).toBe(RICH)
  expect(chain.get(s.LastUpdate, 1)[4]).toBe(1n)
  expect(chain.get(s.BlockAtRegistration, 1, 4)).toBe(1n)
  expect(chain.get(s.ValidatorPermit, 1)[4]).toBe(false)
  expect(chain.get(s.SubnetworkN, 1)).toBe(5)
  expect(chain.told().at(-1)).toBe('NeuronRegistered')
})

test('the old way and the one with a limit lead to the same', () => {
  const chain = create()
  const work = { block_number: 0n, nonce: 0n, work: new Uint8Array(), coldkey: RICH }
  expect(register(chain, work, RICH, 'register')).toBe('ok')
  const limit = { hotkey: key(77), limit_price: chain.get(s.Burn, 1) - 1n }
  expect(register(chain, limit, RICH, 'register_limit')).toBe(`${P}.RegistrationPriceLimitExceeded`)
  expect(register(chain, { ...limit, limit_price: chain.get(s.Burn, 1) }, RICH, 'register_limit')).toBe('ok')
})

test.each<[string, (chain: FakeChain) => string]>([
  ['RegistrationNotPermittedOnRootSubnet', (chain) => register(chain, { netuid: 0 })],
  ['SubnetNotExists', (chain) => register(chain, { netuid: 9 })],
  [
    'SubNetRegistrationDisabled',
    (chain) => {
      chain.put(s.NetworkRegistrationAllowed, false)
      return register(chain, { hotkey: key(1) })
    },
  ],
  ['HotKeyAlreadyRegisteredInSubNet', (chain) => register(chain, { hotkey: key(1) }, key(404))],
  ['NotEnoughBalanceToStake', (chain) => register(chain, {}, key(404))],
  [
    'NonAssociatedColdKey',
    (chain) => {
      chain.context.set(s.Owner, [FRESH], key(405))
      return register(chain)
    },
  ],
  [
    'NoNeuronIdAvailable',
    (chain) => {
      chain.put(s.MaxAllowedUids, 0)
      return register(chain)
    },
  ],
])('%s is refused', (error, act) => {
  const chain = create()
  expect(act(chain)).toBe(`${P}.${error}`)
  expect(chain.get(s.SubnetworkN, 1)).toBe(4)
})

describe('the price', () => {
  test('rises by 1.26 with every registration and halves in a half-life', () => {
    const chain = create({ burn: 10n ** 9n })
    const before = chain.get(s.Burn, 1)
    register(chain)
    const risen = chain.get(s.Burn, 1)
    expect(Number(risen) / Number(before)).toBeCloseTo(1.26, 6)
    chain.pass(360)
    expect(Number(chain.get(s.Burn, 1)) / Number(risen)).toBeCloseTo(0.5, 4)
  })

  test('stays within its bounds', () => {
    const chain = create({ burn: 600_000n })
    chain.pass(400)
    expect(chain.get(s.Burn, 1)).toBe(500_000n)
    chain.put(s.Burn, 99n * 10n ** 9n)
    register(chain)
    expect(chain.get(s.Burn, 1)).toBe(100n * 10n ** 9n)
  })

  test('falls by a factor whose power is a half', () => {
    for (const halfLife of [1, 2, 360, 7200])
      expect((Number(decayFactor(halfLife)) / 2 ** 32) ** halfLife).toBeCloseTo(0.5, 4)
  })
})

describe('a full subnet', () => {
  const full = (more = {}) => create({ uidsMax: 4, immunityPeriod: 0, ...more })
  const emission = (chain: FakeChain, ...values: bigint[]) => chain.put(s.Emission, values)

  test('replaces whoever earned least, and forgets it wholly', () => {
    const chain = full()
    chain.put(s.MinNonImmuneUids, 0)
    chain.pass(5)
    emission(chain, 0n, 5n, 2n, 9n)
    chain.context.set(
      s.Weights,
      [1, 1],
      [
        [2, 7],
        [3, 8],
      ],
    )
    chain.context.set(s.Weights, [1, 2], [[3, 8]])
    chain.context.set(s.Bonds, [1, 2], [[3, 8]])
    expect(register(chain)).toBe('ok')
    expect(chain.get(s.Keys, 1, 2)).toBe(FRESH)
    expect(chain.get(s.Uids, 1, key(2))).toBeNull()
    expect(chain.get(s.IsNetworkMember, key(2), 1)).toBe(false)
    expect(chain.get(s.Weights, 1, 1)).toEqual([
      [2, 0],
      [3, 8],
    ])
    expect(chain.get(s.Weights, 1, 2)).toEqual([])
    expect(chain.get(s.Bonds, 1, 2)).toEqual([])
    expect(chain.get(s.Emission, 1)).toEqual([0n, 5n, 0n, 9n])
    expect(chain.get(s.LastUpdate, 1)[2]).toBe(6n)
    expect(chain.get(s.SubnetworkN, 1)).toBe(4)
  })

  test('among equals the oldest goes, then the lowest uid; the owner never', () => {
    const chain = full()
    chain.put(s.MinNonImmuneUids, 0)
    emission(chain, 0n, 1n, 1n, 1n)
    expect(neuronToPrune(chain.context, 1)).toBe(1)
    chain.context.set(s.BlockAtRegistration, [1, 1], 1n)
    expect(neuronToPrune(chain.context, 1)).toBe(2)
    expect(immortalHotkeys(chain.context, 1)).toEqual([OWNER.hotkey])
  })

  test('spares the immune, unless too few others would be left', () => {
    const chain = full({ immunityPeriod: 100 })
    emission(chain, 0n, 3n, 1n, 2n)
    for (const uid of [1, 3]) chain.context.set(s.BlockAtRegistration, [1, uid], -200n)
    chain.put(s.MinNonImmuneUids, 1)
    expect(neuronToPrune(chain.context, 1)).toBe(3)
    chain.put(s.MinNonImmuneUids, 2)
    expect(neuronToPrune(chain.context, 1)).toBe(2)
  })

  test('with nobody to go has no place', () => {
    const chain = full()
    expect(neuronToPrune(chain.context, 1)).toBeNull()
    expect(register(chain)).toBe(`${P}.NoNeuronIdAvailable`)
  })
})

test("a subnet's money lies on the account that every client knows", () => {
  expect(subnetAccount(1)).toBe(`6d6f646c7375627465${'6e73720100'}${'00'.repeat(18)}`)
})

describe('a new network', () => {
  const NEW = key(0xabc)
  const found = (chain: FakeChain, who = RICH) => chain.call(who, P, 'register_network', { hotkey: NEW })

  test('costs the lock, has its owner as its first neuron and starts when it is told to', () => {
    const chain = create()
    expect(found(chain)).toBe('ok')
    expect(chain.get(s.SubnetOwner, 2)).toBe(RICH)
    expect(chain.get(s.Keys, 2, 0)).toBe(NEW)
    expect(chain.get(s.SubnetTAO, 2)).toBe(10n ** 12n)
    expect(chain.get(s.CommitRevealWeightsEnabled, 2)).toBe(true)
    expect(chain.call(key(5), P, 'start_call', { netuid: 2 })).toBe('DispatchError.BadOrigin')
    expect(chain.call(RICH, P, 'start_call', { netuid: 9 })).toBe(`${P}.SubnetNotExists`)
    expect(chain.call(RICH, P, 'start_call', { netuid: 2 })).toBe('ok')
    expect(chain.call(RICH, P, 'start_call', { netuid: 2 })).toBe(`${P}.FirstEmissionBlockNumberAlreadySet`)
  })

  test('is limited in time and dearer after another', () => {
    const chain = create()
    found(chain)
    expect(found(chain)).toBe(`${P}.NetworkTxRateLimitExceeded`)
    expect(chain.pool(RICH, P, 'register_network', { hotkey: NEW })).toBe(6)
    chain.context.set(s.NetworkRateLimit, [], 0n)
    expect(found(chain, key(404))).toBe(`${P}.NonAssociatedColdKey`)
    chain.context.set(s.NetworkMinLockCost, [], 10n ** 16n)
    expect(found(chain)).toBe(`${P}.CannotAffordLockCost`)
  })
})
