/**
 * The parameters of a subnet, in the three forms of subtensor: two structs, of which the second is longer, and a list of
 * names and values that can grow without a fourth.
 */
import type { TypeTable } from '../define.ts'
import { minChildTake } from '../pallet/subtensor/child-dividend.ts'
import * as s from '../pallet/subtensor/storage.ts'
import type { View } from '../pallet/subtensor/subnet.ts'
import { fieldsOf, type Row, rowsNamed, structOf } from './metagraph.ts'

export const HYPERPARAMS: readonly Row[] = rowsNamed(
  'rho',
  'kappa',
  'immunity_period',
  'min_allowed_weights',
  'max_weights_limit',
  'tempo',
  'min_difficulty',
  'max_difficulty',
  'weights_version',
  'weights_rate_limit',
  'adjustment_interval',
  'activity_cutoff',
  'registration_allowed',
  'target_regs_per_interval',
  'min_burn',
  'max_burn',
  'bonds_moving_avg',
  'max_regs_per_block',
  'serving_rate_limit',
  'max_validators',
  'adjustment_alpha',
  'difficulty',
  'commit_reveal_period',
  'commit_reveal_weights_enabled',
  'alpha_high',
  'alpha_low',
  'liquid_alpha_enabled',
)

// biome-ignore format: a table
export const HYPERPARAMS_V2: readonly Row[] = [
  ...HYPERPARAMS,
  ['alpha_sigmoid_steepness', 'I32F32', (view, netuid) => ({ bits: BigInt(view.get(s.AlphaSigmoidSteepness, netuid)) << 32n })],
  ['yuma_version', 'Compact<u16>', (view, netuid) => (view.get(s.Yuma3On, netuid) ? 3 : 2)],
  ['subnet_is_active', 'bool', (view, netuid) => view.get(s.SubtokenEnabled, netuid)],
  ['transfers_enabled', 'bool', (view, netuid) => view.get(s.TransferToggle, netuid)],
  ['bonds_reset_enabled', 'bool', (view, netuid) => view.get(s.BondsResetOn, netuid)],
  ['user_liquidity_enabled', 'bool', () => false],
]

/** Of no use since registrations have one price only, and left out of the list. */
const OLD = ['rho', 'min_difficulty', 'max_difficulty', 'adjustment_interval', 'adjustment_alpha', 'difficulty']

// biome-ignore format: a table
const NEW: readonly (readonly [after: string, ...row: Row])[] = [
  ['activity_cutoff', 'activity_cutoff_factor', 'Compact<u32>', (view, netuid) => view.get(s.ActivityCutoffFactorMilli, netuid)],
  ['max_burn', 'burn_half_life', 'Compact<u16>', (view, netuid) => view.get(s.BurnHalfLife, netuid)],
  ['burn_half_life', 'burn_increase_mult', 'U64F64', (view, netuid) => view.get(s.BurnIncreaseMult, netuid)],
  ['user_liquidity_enabled', 'owner_cut_enabled', 'bool', (view, netuid) => view.get(s.OwnerCutEnabled, netuid)],
  ['owner_cut_enabled', 'owner_cut_auto_lock_enabled', 'bool', () => false],
  ['owner_cut_auto_lock_enabled', 'min_childkey_take', 'Compact<u16>', minChildTake],
]

const HYPERPARAMS_V3: readonly Row[] = NEW.reduce<readonly Row[]>(
  (rows, [after, ...row]) => rows.flatMap((each) => (each[0] === after ? [each, row] : [each])),
  HYPERPARAMS_V2.filter(([name]) => !OLD.includes(name)),
)

const VARIANTS: { readonly [type: string]: string } = {
  bool: 'Bool',
  'Compact<u16>': 'U16',
  'Compact<u32>': 'U32',
  'Compact<u64>': 'U64',
  I32F32: 'I32F32',
  U64F64: 'U64F64',
}
const IN_TAO = ['min_burn', 'max_burn']

export function hyperparamEntries(view: View, netuid: number): unknown {
  const values = fieldsOf(HYPERPARAMS_V3, view, netuid)
  return HYPERPARAMS_V3.map(([name, type]) => ({
    name: Buffer.from(name),
    value: { type: IN_TAO.includes(name) ? 'TaoBalance' : VARIANTS[type], value: values[name] },
  }))
}

const PATH = 'pallet_subtensor::rpc_info::subnet_info'

export const HYPERPARAM_TYPES: TypeTable = {
  SubnetHyperparams: { path: `${PATH}::SubnetHyperparams`, type: structOf(HYPERPARAMS) },
  SubnetHyperparamsV2: { path: `${PATH}::SubnetHyperparamsV2`, type: structOf(HYPERPARAMS_V2) },
  HyperparamEntry: { path: `${PATH}::HyperparamEntry`, type: '{name: Vec<u8>, value: HyperparamValue}' },
  HyperparamValue: {
    path: `${PATH}::HyperparamValue`,
    type: `enum {0 Bool(bool), 1 U16(Compact<u16>), 2 U32(Compact<u32>), 3 U64(Compact<u64>), 4 U128(Compact<u128>),
      5 TaoBalance(Compact<u64>), 6 I32F32(I32F32), 7 U64F64(U64F64)}`,
  },
}
