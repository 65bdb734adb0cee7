import { describe, expect, test } from 'vitest'
import { adminUtils } from '../../../../src/chain/dev/pallet/admin-utils.ts'
import * as s from '../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { createFakeChain, type FakeChain, key, OWNER, subnetOf } from '../fake-context.ts'

const A = 'AdminUtils'
const S = 'SubtensorModule'
const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(1, 1, { tempo: 400 })] })
  chain.pass(1)
  return chain
}
const set = (chain: FakeChain, name: string, args: object, who = 'root') =>
  chain.call(who, A, `sudo_set_${name}`, { netuid: 1, ...args })

describe('every parameter of a subnet', () => {
  const one = adminUtils.calls.filter(({ args }) => /^netuid: u16, \w+: (u8|u16|u64|i16|bool)$/.test(args))
  const VALUES: { readonly [name: string]: number | bigint } = {
    sudo_set_min_burn: 600_000n,
    sudo_set_max_burn: 10n ** 10n,
    sudo_set_commit_reveal_weights_interval: 5n,
    sudo_set_max_allowed_uids: 200,
    sudo_set_min_allowed_uids: 2,
    sudo_set_activity_cutoff: 400,
    sudo_set_max_allowed_validators: 10,
  }

  test.each(one.map(({ name, args }) => [name, args]))('%s can be set by the root and by no stranger', (name, args) => {
    const chain = create()
    const [, field = '', type = ''] = /(\w+): (\w+)$/.exec(args) ?? []
    const value = VALUES[name] ?? (type === 'bool' ? true : type === 'u64' ? 3n : 1)
    expect(chain.call('root', A, name, { netuid: 1, [field]: value })).toBe('ok')
    expect(chain.call(key(99), A, name, { netuid: 1, [field]: value })).toBe('DispatchError.BadOrigin')
  })

  test('there are as many as there are, each with an index of its own', () => {
    expect(one.length).toBeGreaterThan(30)
    expect(new Set(adminUtils.calls.map(({ index }) => index)).size).toBe(adminUtils.calls.length)
  })
})

describe('owners', () => {
  const immunity = { immunity_period: 7 }

  test('set what is theirs, every other epoch', () => {
    const chain = create()
    expect(set(chain, 'immunity_period', immunity, OWNER.coldkey)).toBe('ok')
    expect(chain.get(s.ImmunityPeriod, 1)).toBe(7)
    expect(set(chain, 'immunity_period', immunity, OWNER.coldkey)).toBe(`${S}.TxRateLimitExceeded`)
    expect(set(chain, 'rho', { rho: 11 }, OWNER.coldkey)).toBe('ok')
    chain.pass(800)
    expect(set(chain, 'immunity_period', immunity, OWNER.coldkey)).toBe('ok')
  })

  test('do not set what is not', () => {
    const chain = create()
    expect(set(chain, 'kappa', { kappa: 1 }, OWNER.coldkey)).toBe('DispatchError.BadOrigin')
  })

  test('wait in the last blocks before an epoch, as the root does', () => {
    const chain = create()
    chain.pass(390)
    expect(set(chain, 'immunity_period', immunity, OWNER.coldkey)).toBe(`${S}.AdminActionProhibitedDuringWeightsWindow`)
    expect(set(chain, 'immunity_period', immunity)).toBe(`${S}.AdminActionProhibitedDuringWeightsWindow`)
    expect(set(chain, 'kappa', { kappa: 9 })).toBe('ok')
  })

  test('have a tempo within bounds, which begins a new epoch', () => {
    const chain = create()
    const tempo = (value: number, who = OWNER.coldkey) => chain.call(who, S, 'set_tempo', { netuid: 1, tempo: value })
    expect(tempo(359)).toBe(`${S}.TempoOutOfBounds`)
    expect(tempo(500, key(9))).toBe('DispatchError.BadOrigin')
    chain.pass(20)
    expect(tempo(500)).toBe('ok')
    expect(chain.get(s.LastEpochBlock, 1)).toBe(21n)
    expect(tempo(600)).toBe(`${S}.TxRateLimitExceeded`)
    expect(set(chain, 'tempo', { tempo: 12 })).toBe('ok')
  })
})

test.each([
  ['min_burn', { min_burn: 10n ** 9n }, `${A}.ValueNotInBounds`],
  ['max_burn', { max_burn: 10n ** 8n }, `${A}.ValueNotInBounds`],
  ['max_allowed_uids', { max_allowed_uids: 63 }, `${A}.MaxAllowedUidsLessThanMinAllowedUids`],
  ['max_allowed_uids', { max_allowed_uids: 257 }, `${A}.MaxAllowedUidsGreaterThanDefaultMaxAllowedUids`],
  ['max_allowed_validators', { max_allowed_validators: 300 }, `${A}.MaxValidatorsLargerThanMaxUIds`],
  ['commit_reveal_weights_interval', { interval: 0n }, `${S}.RevealPeriodTooSmall`],
  ['commit_reveal_weights_interval', { interval: 101n }, `${S}.RevealPeriodTooLarge`],
  ['alpha_values', { alpha_low: 2000, alpha_high: 3000 }, `${S}.LiquidAlphaDisabled`],
  ['burn_half_life', { burn_half_life: 0 }, `${A}.InvalidValue`],
  ['burn_increase_mult', { burn_increase_mult: { bits: 1n } }, `${A}.InvalidValue`],
  ['mechanism_count', { mechanism_count: 2 }, `${S}.TooManyUIDsPerMechanism`],
  ['mechanism_count', { mechanism_count: 3 }, `${S}.InvalidValue`],
  ['mechanism_emission_split', { maybe_split: [1] }, `${S}.InvalidValue`],
  ['activity_cutoff', { activity_cutoff: 3 }, `${S}.ActivityCutoffTooLow`],
  ['min_difficulty', { netuid: 9, min_difficulty: 3n }, `${A}.SubnetDoesNotExist`],
])('%s out of bounds: %o is %s', (name, args, error) => {
  expect(set(create(), name, args)).toBe(error)
})

test('an owner reset its hotkey once a week', () => {
  const chain = create()
  const args = { netuid: 1, hotkey: key(2) }
  expect(chain.call(OWNER.coldkey, A, 'sudo_set_sn_owner_hotkey', args)).toBe('ok')
  expect(chain.get(s.SubnetOwnerHotkey, 1)).toBe(key(2))
  expect(chain.call('root', A, 'sudo_set_subnet_owner_hotkey', args)).toBe(`${S}.TxRateLimitExceeded`)
})

test('parameters of the chain are the root alone', () => {
  const chain = create()
  expect(chain.call('root', A, 'sudo_set_stake_threshold', { min_stake: 5n })).toBe('ok')
  expect(chain.get(s.StakeThreshold)).toBe(5n)
  expect(chain.call(OWNER.coldkey, A, 'sudo_set_stake_threshold', { min_stake: 5n })).toBe('DispatchError.BadOrigin')
  expect(chain.call('root', A, 'sudo_set_max_epochs_per_block', { max_epochs_per_block: 0 })).toBe(
    `${A}.ValueNotInBounds`,
  )
})
