import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { freeBalance } from '../../../../../src/chain/dev/pallet/balances.ts'
import {
  addDividend,
  addStake,
  readShares,
  stakeOf,
  takeStake,
  writeShares,
} from '../../../../../src/chain/dev/pallet/subtensor/stake.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { amountToPrice } from '../../../../../src/chain/dev/pallet/subtensor/swap.ts'
import { createFakeChain, type FakeChain, key, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const RICH = key(0xbeef)
const HOT = key(1)
const TAO = 10n ** 9n

const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(1, 2)], rich: [RICH] })
  chain.pass(1)
  return chain
}
const add = (chain: FakeChain, args: object = {}, who = RICH, name = 'add_stake') =>
  chain.call(who, P, name, { hotkey: HOT, netuid: 1, amount_staked: 10n * TAO, ...args })
const remove = (chain: FakeChain, args: object = {}, name = 'remove_stake') =>
  chain.call(RICH, P, name, { hotkey: HOT, netuid: 1, amount_unstaked: 2n * TAO, ...args })

test('TAO becomes alpha at the price of the market, less fee and slippage', () => {
  const chain = create()
  expect(add(chain)).toBe('ok')
  const alpha = stakeOf(chain.context, HOT, RICH, 1)
  expect(freeBalance(chain.context, RICH)).toBe(10n ** 15n - 10n * TAO)
  expect(Number(alpha) / 1e9).toBeCloseTo((1000 * 9.99496) / 1009.99496, 3)
  expect(chain.get(s.StakingHotkeys, RICH)).toContain(HOT)
  expect(chain.told().at(-1)).toBe('StakeAdded')
})

test('there and back again costs the fee twice and nothing else', () => {
  const chain = create()
  add(chain)
  expect(remove(chain, { amount_unstaked: 2n ** 63n })).toBe('ok')
  const lost = 10n ** 15n - freeBalance(chain.context, RICH)
  expect(Number(lost) / 1e9).toBeCloseTo(10 * 2 * (33 / 65_535), 3)
  expect(stakeOf(chain.context, HOT, RICH, 1)).toBe(0n)
  expect(chain.get(s.AlphaV2, HOT, RICH, 1)).toEqual({ mantissa: 0n, exponent: 0n })
})

test('on the root one is worth one, and counts at its weight everywhere', () => {
  const chain = create()
  expect(add(chain, { netuid: 0 })).toBe('ok')
  expect(stakeOf(chain.context, HOT, RICH, 0)).toBe(10n * TAO)
})

test.each<[string, (chain: FakeChain) => string]>([
  ['SubnetNotExists', (chain) => add(chain, { netuid: 9 })],
  [
    'SubtokenDisabled',
    (chain) => {
      chain.put(s.SubtokenEnabled, false)
      return add(chain)
    },
  ],
  ['AmountTooLow', (chain) => add(chain, { amount_staked: 2_000_000n })],
  ['NotEnoughBalanceToStake', (chain) => add(chain, { hotkey: key(404) }, key(405))],
  ['HotKeyAccountNotExists', (chain) => add(chain, { hotkey: key(404) })],
  [
    'SlippageTooHigh',
    (chain) => add(chain, { limit_price: TAO + 1000n, allow_partial: false }, RICH, 'add_stake_limit'),
  ],
  ['AmountTooLow', (chain) => remove(chain)],
  [
    'AmountTooLow',
    (chain) => {
      add(chain)
      return remove(chain, { amount_unstaked: 1000n })
    },
  ],
  ['HotKeyAccountNotExists', (chain) => chain.call(RICH, P, 'unstake_all', { hotkey: key(404) })],
  [
    'SameNetuid',
    (chain) =>
      chain.call(RICH, P, 'swap_stake', { hotkey: HOT, origin_netuid: 1, destination_netuid: 1, alpha_amount: 1n }),
  ],
])('%s is refused', (error, act) => {
  const chain = create()
  expect(act(chain)).toBe(`${P}.${error}`)
})

test('a limit buys as much as the price allows', () => {
  const chain = create()
  const limit = { amount_staked: 500n * TAO, limit_price: (TAO * 11n) / 10n, allow_partial: true }
  expect(add(chain, limit, RICH, 'add_stake_limit')).toBe('ok')
  const price = Number(chain.get(s.SubnetTAO, 1)) / Number(chain.get(s.SubnetAlphaIn, 1))
  expect(price).toBeCloseTo(1.1, 6)
  expect(amountToPrice(chain.context, 1, 'tao', (TAO * 11n) / 10n)).toBeLessThan(10_000n)
})

test('stake moves between hotkeys, coldkeys and subnets', () => {
  const chain = createFakeChain({ subnets: [subnetOf(1, 1), subnetOf(1, 1)], rich: [RICH] })
  chain.pass(1)
  add(chain)
  const places = { origin_netuid: 1, destination_netuid: 1, alpha_amount: TAO }
  const to = { origin_hotkey: HOT, destination_hotkey: key(2) }
  expect(chain.call(RICH, P, 'move_stake', { ...to, ...places })).toBe('ok')
  expect(stakeOf(chain.context, key(2), RICH, 1)).toBe(TAO)
  const gift = { hotkey: HOT, destination_coldkey: key(0x55), ...places }
  expect(chain.call(RICH, P, 'transfer_stake', gift)).toBe('ok')
  expect(stakeOf(chain.context, HOT, key(0x55), 1)).toBe(TAO)
  expect(chain.call(RICH, P, 'swap_stake', { hotkey: HOT, ...places, destination_netuid: 2 })).toBe('ok')
  expect(Number(stakeOf(chain.context, HOT, RICH, 2)) / 1e9).toBeCloseTo(1, 1)
  chain.put(s.TransferToggle, false)
  expect(chain.call(RICH, P, 'transfer_stake', gift)).toBe(`${P}.TransferDisallowed`)
})

describe('takes', () => {
  const take = (chain: FakeChain, direction: string, value: number, who = key(0x1001), hotkey = HOT) =>
    chain.call(who, P, `${direction}_take`, { hotkey, take: value })

  test('fall at once and rise within bounds and limits', () => {
    const chain = create()
    expect(take(chain, 'decrease', 5000)).toBe('ok')
    expect(take(chain, 'decrease', 5000)).toBe(`${P}.DelegateTakeTooLow`)
    expect(take(chain, 'increase', 20_000)).toBe(`${P}.DelegateTakeTooHigh`)
    expect(take(chain, 'increase', 6000)).toBe('ok')
    expect(take(chain, 'increase', 7000)).toBe(`${P}.DelegateTxRateLimitExceeded`)
    expect(take(chain, 'increase', 7000, RICH)).toBe(`${P}.NonAssociatedColdKey`)
    expect(take(chain, 'increase', 7000, RICH, key(404))).toBe(`${P}.HotKeyAccountNotExists`)
  })
})

describe('shares', () => {
  test('nobody gains or loses by what others do, beyond rounding', () => {
    const amount = fc.bigInt({ min: 1n, max: 10n ** 15n })
    const step = fc.tuple(fc.constantFrom('add', 'take', 'dividend'), fc.integer({ min: 1, max: 3 }), amount)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { context } = create()
        const own: bigint[] = [0n, 0n, 0n, 0n]
        addStake(context, key(9), key(1), 1, 10n ** 12n)
        own[1] = 10n ** 12n
        for (const [kind, who, value] of steps) {
          if (kind === 'dividend') continue
          const has = stakeOf(context, key(9), key(who), 1)
          if (kind === 'add') addStake(context, key(9), key(who), 1, value)
          else takeStake(context, key(9), key(who), 1, value < has ? value : has)
          own[who] = kind === 'add' ? has + value : has - (value < has ? value : has)
          for (const each of [1, 2, 3]) {
            const gap = stakeOf(context, key(9), key(each), 1) - (own[each] as bigint)
            expect(gap <= 2n && gap >= -2n).toBe(true)
            own[each] = stakeOf(context, key(9), key(each), 1)
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  test('dividends are in proportion', () => {
    const { context } = create()
    addStake(context, key(9), key(1), 1, 3n * TAO)
    addStake(context, key(9), key(2), 1, TAO)
    addDividend(context, key(9), 1, 4n * TAO)
    expect(stakeOf(context, key(9), key(1), 1)).toBe(6n * TAO)
    expect(stakeOf(context, key(9), key(2), 1)).toBe(2n * TAO)
  })

  test.each([0n, 1n, 10n ** 18n, 123_456_789n * 10n ** 21n])(
    '%i is written as a decimal float and read back',
    (shares) => {
      const { mantissa, exponent } = writeShares(shares)
      expect(readShares({ mantissa, exponent })).toBe(shares)
      if (shares > 0n) expect(mantissa > 10n ** 20n && mantissa <= 10n ** 21n).toBe(true)
    },
  )
})
