/**
 * A subnet in one answer: its parameters, its market and its neurons, field by field.
 *
 * One table in subtensor's order. `Metagraph` has all of its fields, `SelectiveMetagraph` those that were asked for by
 * their place in it.
 */

import { compareNumber } from '../../../util/compare.ts'
import { CORE_TYPES } from '../core-type.ts'
import type { TypeTable } from '../define.ts'
import { COMMITMENTS_TYPES, CommitmentOf } from '../pallet/commitments.ts'
import { inheritedStake, stakeWeight } from '../pallet/subtensor/stake-weight.ts'
import * as s from '../pallet/subtensor/storage.ts'
import {
  activityCutoff,
  exists,
  hotkeysOf,
  netuids,
  now,
  ROOT,
  storageIndex,
  type View,
} from '../pallet/subtensor/subnet.ts'
import { createCodecs } from '../scale.ts'
import { NO_AXON } from './neuron-info.ts'

type Read = (view: View, netuid: number) => unknown
export type Row = readonly [name: string, type: string, read: Read]

type Item = typeof s.Tempo
/** Items differ in what they hold; the codec of the field's type checks that it fits. */
const of =
  (item: unknown): Read =>
  (view, netuid) =>
    view.get(item as Item, netuid)
const all =
  (value: (view: View, hotkey: string, netuid: number, uid: number) => unknown): Read =>
  (view, netuid) =>
    hotkeysOf(view, netuid).map((hotkey, uid) => value(view, hotkey, netuid, uid))
const nothing: Read = () => []
const zero: Read = () => 0n

const U16 = 'Compact<u16>'
const U64 = 'Compact<u64>'
const TEXT = 'Vec<Compact<u8>>'
const U16S = `Vec<${U16}>`
const U64S = `Vec<${U64}>`
const PER_HOTKEY = `Vec<(AccountId32,${U64})>`

export const subnetName: Read = (view, netuid) => {
  const name = view.get(s.SubnetIdentitiesV3, netuid)?.['subnet_name']
  return Array.from(name ?? Buffer.from(netuid === ROOT ? 'root' : 'unknown'))
}
export const pendingAlpha: Read = (view, netuid) =>
  view.get(s.PendingServerEmission, netuid) + view.get(s.PendingValidatorEmission, netuid)
export const sinceLastStep: Read = (view, netuid) => now(view) - view.get(s.LastMechansimStepBlock, netuid)
const symbol: Read = (view, netuid) => Array.from(view.get(s.TokenSymbol, netuid))

// biome-ignore format: a table
const ROWS: readonly Row[] = [
  ['netuid', U16, (_view, netuid) => netuid],
  ['name', TEXT, subnetName],
  ['symbol', TEXT, symbol],
  ['identity', 'Option<SubnetIdentityV3>', of(s.SubnetIdentitiesV3)],
  ['network_registered_at', U64, of(s.NetworkRegisteredAt)],
  ['owner_hotkey', 'AccountId32', of(s.SubnetOwnerHotkey)],
  ['owner_coldkey', 'AccountId32', of(s.SubnetOwner)],
  ['block', U64, (view) => now(view)],
  ['tempo', U16, of(s.Tempo)],
  ['last_step', U64, of(s.LastMechansimStepBlock)],
  ['blocks_since_last_step', U64, sinceLastStep],
  ['subnet_emission', U64, zero],
  ['alpha_in', U64, of(s.SubnetAlphaIn)],
  ['alpha_out', U64, of(s.SubnetAlphaOut)],
  ['tao_in', U64, of(s.SubnetTAO)],
  ['alpha_out_emission', U64, of(s.SubnetAlphaOutEmission)],
  ['alpha_in_emission', U64, of(s.SubnetAlphaInEmission)],
  ['tao_in_emission', U64, of(s.SubnetTaoInEmission)],
  ['pending_alpha_emission', U64, pendingAlpha],
  ['pending_root_emission', U64, zero],
  ['subnet_volume', 'Compact<u128>', of(s.SubnetVolume)],
  ['moving_price', 'I96F32', of(s.SubnetMovingPrice)],
  ['rho', U16, of(s.Rho)],
  ['kappa', U16, of(s.Kappa)],
  ['min_allowed_weights', U16, of(s.MinAllowedWeights)],
  ['max_weights_limit', U16, of(s.MaxWeightsLimit)],
  ['weights_version', U64, of(s.WeightsVersionKey)],
  ['weights_rate_limit', U64, of(s.WeightsSetRateLimit)],
  ['activity_cutoff', U64, activityCutoff],
  ['max_validators', U16, of(s.MaxAllowedValidators)],
  ['num_uids', U16, of(s.SubnetworkN)],
  ['max_uids', U16, of(s.MaxAllowedUids)],
  ['burn', U64, of(s.Burn)],
  ['difficulty', U64, of(s.Difficulty)],
  ['registration_allowed', 'bool', of(s.NetworkRegistrationAllowed)],
  ['pow_registration_allowed', 'bool', of(s.NetworkPowRegistrationAllowed)],
  ['immunity_period', U16, of(s.ImmunityPeriod)],
  ['min_difficulty', U64, of(s.MinDifficulty)],
  ['max_difficulty', U64, of(s.MaxDifficulty)],
  ['min_burn', U64, of(s.MinBurn)],
  ['max_burn', U64, of(s.MaxBurn)],
  ['adjustment_alpha', U64, of(s.AdjustmentAlpha)],
  ['adjustment_interval', U16, of(s.AdjustmentInterval)],
  ['target_regs_per_interval', U16, of(s.TargetRegistrationsPerInterval)],
  ['max_regs_per_block', U16, of(s.MaxRegistrationsPerBlock)],
  ['serving_rate_limit', U64, of(s.ServingRateLimit)],
  ['commit_reveal_weights_enabled', 'bool', of(s.CommitRevealWeightsEnabled)],
  ['commit_reveal_period', U64, of(s.RevealPeriodEpochs)],
  ['liquid_alpha_enabled', 'bool', of(s.LiquidAlphaOn)],
  ['alpha_high', U16, (view, netuid) => view.get(s.AlphaValues, netuid)[1]],
  ['alpha_low', U16, (view, netuid) => view.get(s.AlphaValues, netuid)[0]],
  ['bonds_moving_avg', U64, of(s.BondsMovingAverage)],
  ['hotkeys', 'Vec<AccountId32>', hotkeysOf],
  ['coldkeys', 'Vec<AccountId32>', all((view, hotkey) => view.get(s.Owner, hotkey))],
  ['identities', 'Vec<Option<ChainIdentityV2>>', all(() => null)],
  ['axons', 'Vec<AxonInfo>', all((view, hotkey, netuid) => view.get(s.Axons, netuid, hotkey) ?? NO_AXON)],
  ['active', 'Vec<bool>', of(s.Active)],
  ['validator_permit', 'Vec<bool>', of(s.ValidatorPermit)],
  ['pruning_score', U16S, nothing],
  ['last_update', U64S, of(s.LastUpdate)],
  ['emission', U64S, of(s.Emission)],
  ['dividends', U16S, of(s.Dividends)],
  ['incentives', U16S, of(s.Incentive)],
  ['consensus', U16S, of(s.Consensus)],
  ['trust', U16S, nothing],
  ['rank', U16S, nothing],
  ['block_at_registration', U64S, all((view, _hotkey, netuid, uid) => view.get(s.BlockAtRegistration, netuid, uid))],
  ['alpha_stake', U64S, all((view, hotkey, netuid) => inheritedStake(view, netuid, hotkey, netuid))],
  ['tao_stake', U64S, all((view, hotkey, netuid) => inheritedStake(view, netuid, hotkey, ROOT))],
  ['total_stake', U64S, all((view, hotkey, netuid) => stakeWeight(view, netuid, hotkey))],
  ['tao_dividends_per_hotkey', PER_HOTKEY, all((_view, hotkey) => [hotkey, 0n])],
  ['alpha_dividends_per_hotkey', PER_HOTKEY, all((view, hotkey, netuid) => [hotkey, view.get(s.AlphaDividendsPerSubnet, netuid, hotkey)])],
]

/** Only on demand. */
const MORE: readonly Row[] = [
  ['validators', U16S, validatorsOf],
  ['commitments', `Vec<(AccountId32,${TEXT})>`, commitmentsOf],
]

const codecs = createCodecs({ ...CORE_TYPES, ...COMMITMENTS_TYPES })

/** Those with a permit and more stake than the threshold, from the least to the most. */
function validatorsOf(view: View, netuid: number): readonly number[] {
  const permits = view.get(s.ValidatorPermit, netuid)
  return hotkeysOf(view, netuid)
    .map((hotkey, uid) => ({ uid, stake: stakeWeight(view, netuid, hotkey) }))
    .filter(({ uid, stake }) => permits[uid] === true && stake > view.get(s.StakeThreshold))
    .sort((a, b) => compareNumber(a.stake, b.stake) || a.uid - b.uid)
    .map(({ uid }) => uid)
}

function commitmentsOf(view: View, netuid: number): unknown {
  return [...view.entries(CommitmentOf, netuid)].map(([[, who], registration]) => [
    who,
    Array.from(codecs.encode('Registration', registration)),
  ])
}

const SELECTIVE = [...ROWS, ...MORE]
const optionOf = ([name, type]: Row) => `${name}: ${name === 'netuid' ? type : `Option<${type}>`}`

export const structOf = (rows: readonly Row[]): string =>
  `{${rows.map(([name, type]) => `${name}: ${type}`).join(', ')}}`

export const METAGRAPH_TYPES: TypeTable = {
  Metagraph: {
    path: 'pallet_subtensor::rpc_info::metagraph::Metagraph',
    type: structOf(ROWS),
  },
  SelectiveMetagraph: {
    path: 'pallet_subtensor::rpc_info::metagraph::SelectiveMetagraph',
    type: `{${SELECTIVE.map(optionOf).join(', ')}}`,
  },
}

export const fieldsOf = (rows: readonly Row[], view: View, netuid: number) =>
  Object.fromEntries(rows.map(([name, , read]) => [name, read(view, netuid)]))

export const metagraph = (view: View, netuid: number): unknown =>
  exists(view, netuid) ? fieldsOf(ROWS, view, netuid) : null

export const allMetagraphs = (view: View): unknown => netuids(view).map((netuid) => metagraph(view, netuid))

/** The same but for what each mechanism has of its own. */
export function mechagraph(view: View, netuid: number, mechanism: number): unknown {
  if (!exists(view, netuid) || mechanism >= view.get(s.MechanismCountCurrent, netuid)) return null
  const index = storageIndex(netuid, mechanism)
  const own = { netuid: index, last_update: view.get(s.LastUpdate, index), incentives: view.get(s.Incentive, index) }
  return { ...fieldsOf(ROWS, view, netuid), ...own }
}

/** Indices that mean nothing are passed over. The netuid is 0 unless it was asked for. */
export function selectiveMetagraph(view: View, netuid: number, wanted: readonly number[]): unknown {
  if (!exists(view, netuid)) return null
  return Object.fromEntries(
    SELECTIVE.map(([name, , read], index) => {
      if (wanted.includes(index)) return [name, read(view, netuid)]
      return [name, name === 'netuid' ? 0 : null]
    }),
  )
}

/** Some fields of the table, in the order of `names`. */
export function rowsNamed(...names: readonly string[]): readonly Row[] {
  return names.flatMap((name) => ROWS.filter((row) => row[0] === name))
}
