import { expect, test } from 'vitest'
import { APIS } from '../../../../src/chain/dev/api/index.ts'
import { createDevRuntime } from '../../../../src/chain/dev/index.ts'
import * as s from '../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { SUBTENSOR_PARTS } from '../../../../src/chain/dev/parts.ts'
import { createFakeChain, subnetOf } from '../fake-context.ts'

const { codecs } = createDevRuntime(12_000, SUBTENSOR_PARTS)
const chain = createFakeChain({ subnets: [subnetOf(1, 1)] })
/** As a client reads it: through the bytes. */
const ask = (method: string, netuid = 1) => {
  const api = APIS.find((each) => each.method === method) ?? expect.fail(`no ${method}`)
  return codecs.decode(api.output, codecs.encode(api.output, api.answer(chain.context, { netuid })))
}
type Entry = { readonly name: Uint8Array; readonly value: { readonly type: string; readonly value: unknown } }
const entries = () => (ask('get_subnet_hyperparams_v3') as Entry[]).map(({ name, value }) => [String(Buffer.from(name)), value] as const) // biome-ignore format: one thing

// The names of `get_subnet_hyperparams_v3` in rpc_info/subnet_info.rs at spec 425, in its order.
const NAMES = `kappa immunity_period min_allowed_weights max_weights_limit tempo weights_version weights_rate_limit
  activity_cutoff activity_cutoff_factor registration_allowed target_regs_per_interval min_burn max_burn burn_half_life
  burn_increase_mult bonds_moving_avg max_regs_per_block serving_rate_limit max_validators commit_reveal_period
  commit_reveal_weights_enabled alpha_high alpha_low liquid_alpha_enabled alpha_sigmoid_steepness yuma_version
  subnet_is_active transfers_enabled bonds_reset_enabled user_liquidity_enabled owner_cut_enabled
  owner_cut_auto_lock_enabled min_childkey_take`

test('the list has every parameter in the order of subtensor', () => {
  expect(entries().map(([name]) => name)).toEqual(NAMES.split(/\s+/))
})

test('each value says what it is', () => {
  chain.put(s.MinChildkeyTakePerSubnet, 700)
  const values = Object.fromEntries(entries())
  expect(values).toMatchObject({
    kappa: { type: 'U16', value: 32_767 },
    weights_rate_limit: { type: 'U64', value: 5n },
    activity_cutoff_factor: { type: 'U32', value: 13_889 },
    min_burn: { type: 'TaoBalance', value: 500_000n },
    burn_increase_mult: { type: 'U64F64', value: { bits: chain.get(s.BurnIncreaseMult, 1).bits } },
    alpha_sigmoid_steepness: { type: 'I32F32', value: { bits: 1000n << 32n } },
    yuma_version: { type: 'U16', value: 3 },
    registration_allowed: { type: 'Bool', value: true },
    min_childkey_take: { type: 'U16', value: 700 },
  })
})

test('the structs have the same values', () => {
  const struct = ask('get_subnet_hyperparams_v2') as { readonly [name: string]: unknown }
  const both = entries().filter(([name]) => Object.hasOwn(struct, name))
  expect(both).toHaveLength(27)
  for (const [name, { value }] of both) expect([name, struct[name]]).toEqual([name, value])
  expect(struct).toMatchObject(ask('get_subnet_hyperparams') as object)
})

test.each(['', '_v2', '_v3'])('a subnet that is not there has none%s', (version) => {
  expect(ask(`get_subnet_hyperparams${version}`, 9)).toBeNull()
})
