/** Weights as a validator sets them: the checks of the runtime in the runtime's order, then one row of the matrix. */
import { ONE, ratio, U16_MAX } from '../../../yuma/fixed.ts'
import type { CallSpec, Context, Fields } from '../../define.ts'
import { attemptAll } from './batch.ts'
import { must, PALLET } from './error.ts'
import { equalLengths, type Guard, signed } from './guard.ts'
import { hasStakeForWeights } from './stake-weight.ts'
import * as s from './storage.ts'
import {
  hasUid,
  isOver,
  isRegistered,
  mustHaveMechanism,
  netuidOf,
  now,
  ownerUid,
  ROOT,
  storageIndex,
  type View,
  withEntry,
} from './subnet.ts'

export type WeightArgs = {
  readonly netuid: number
  readonly mechanism: number
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly versionKey: bigint
}

/** Which mechanism a call speaks of: those without `mecid` speak of the first. */
export const mechanismOf = (args: Fields): number => (args['mecid'] as number | undefined) ?? 0
export const indexOf = (args: Fields): number => storageIndex(args['netuid'] as number, mechanismOf(args))

export const enoughStake: Guard = (context, who, args) =>
  must(hasStakeForWeights(context, args['netuid'] as number, who), 'NotEnoughStakeToSetWeights')

/** Whoever is not registered passes here: the call itself finds that out. */
export const inTime =
  (error: 'SettingWeightsTooFast' | 'CommittingWeightsTooFast'): Guard =>
  (context, who, args) => {
    const netuid = args['netuid'] as number
    if (error === 'SettingWeightsTooFast' && context.get(s.CommitRevealWeightsEnabled, netuid)) return
    const uid = context.get(s.Uids, netuid, who)
    if (uid !== null) must(passesRateLimit(context, netuid, mechanismOf(args), uid), error)
  }

export function passesRateLimit(view: View, netuid: number, mechanism: number, uid: number): boolean {
  if (mechanism >= view.get(s.MechanismCountCurrent, netuid) || !hasUid(view, netuid, uid)) return false
  const last = view.get(s.LastUpdate, storageIndex(netuid, mechanism))[uid] ?? 0n
  return isOver(view, last, view.get(s.WeightsSetRateLimit, netuid))
}

/** A mechanism that came after its neurons has no list yet. */
export function setLastUpdate(context: Context, index: number, uid: number): void {
  const known = context.get(s.LastUpdate, index)
  const count = Math.max(known.length, context.get(s.SubnetworkN, netuidOf(index)))
  const all = Array.from({ length: count }, (_, i) => known[i] ?? 0n)
  context.set(s.LastUpdate, [index], withEntry(all, uid, now(context)))
}

/** Without the check that commit-reveal is off: a reveal ends here too. */
export function setWeights(context: Context, hotkey: string, args: WeightArgs): void {
  const { netuid, mechanism, uids, values } = args
  must(netuid !== ROOT, 'CanNotSetRootNetworkWeights')
  must(uids.length === values.length, 'WeightVecNotEqualSize')
  mustHaveMechanism(context, netuid, mechanism)
  const count = context.get(s.SubnetworkN, netuid)
  must(uids.length <= count, 'UidsLengthExceedUidsInSubNet')
  must(isRegistered(context, netuid, hotkey), 'HotKeyNotRegisteredInSubNet')
  must(hasStakeForWeights(context, netuid, hotkey), 'NotEnoughStakeToSetWeights')
  const versionKey = context.get(s.WeightsVersionKey, netuid)
  must(versionKey === 0n || args.versionKey >= versionKey, 'IncorrectWeightVersionKey')
  const uid = context.get(s.Uids, netuid, hotkey) as number
  const isRevealed = context.get(s.CommitRevealWeightsEnabled, netuid)
  must(isRevealed || passesRateLimit(context, netuid, mechanism, uid), 'SettingWeightsTooFast')

  const isSelf = values.length === 1 && uids[0] === uid
  const isPermitted =
    isSelf || ownerUid(context, netuid) === uid || context.get(s.ValidatorPermit, netuid)[uid] === true
  must(isPermitted, 'NeuronNoValidatorPermit')
  must(new Set(uids).size === uids.length, 'DuplicateUids')
  must(
    uids.every((each) => hasUid(context, netuid, each)),
    'UidVecContainInvalidOne',
  )
  const atLeast = Math.min(count, context.get(s.MinAllowedWeights, netuid))
  must(isSelf || values.length >= atLeast, 'WeightVecLengthIsLow')
  const upscaled = maxUpscale(values)
  must(isSelf || isMaxLimited(upscaled, context.get(s.MaxWeightsLimit, netuid)), 'MaxWeightExceeded')

  const index = storageIndex(netuid, mechanism)
  context.set(
    s.Weights,
    [index, uid],
    uids.map((each, i) => [each, upscaled[i] as number]),
  )
  if (!isRevealed) setLastUpdate(context, index, uid)
  context.emit(PALLET, 'WeightsSet', { index, uid })
}

/** So that the greatest is 65535. The runtime divides first where a product would not fit its 31 whole bits. */
export function maxUpscale(values: readonly number[]): readonly number[] {
  const greatest = values.reduce((most, value) => Math.max(most, value), 0)
  if (greatest === 0) return values
  if (greatest <= 32_768) return values.map((value) => Math.floor((2 * value * U16_MAX + greatest) / (2 * greatest)))
  const factor = ratio(U16_MAX, greatest)
  return values.map((value) => Math.floor((value * factor + ONE / 2) / ONE))
}

/** Is no weight more than the limit's share of their sum? */
function isMaxLimited(values: readonly number[], limit: number): boolean {
  const sum = values.reduce((total, value) => total + value, 0)
  if (limit === U16_MAX || sum === 0) return true
  return values.every((value) => ratio(value, sum) <= ratio(limit, U16_MAX))
}

function set(context: Context, who: string, args: Fields): void {
  const netuid = args['netuid'] as number
  must(!context.get(s.CommitRevealWeightsEnabled, netuid), 'CommitRevealEnabled')
  setWeights(context, who, {
    netuid,
    mechanism: mechanismOf(args),
    uids: args['dests'] as readonly number[],
    values: args['weights'] as readonly number[],
    versionKey: args['version_key'] as bigint,
  })
}

function setBatch(context: Context, who: string, args: Fields): void {
  const netuids = args['netuids'] as readonly number[]
  const rows = args['weights'] as readonly (readonly (readonly [number, number])[])[]
  const keys = args['version_keys'] as readonly bigint[]
  attemptAll(context, who, netuids, (netuid, i) => {
    must(!context.get(s.CommitRevealWeightsEnabled, netuid), 'CommitRevealEnabled')
    const row = rows[i] as (typeof rows)[number]
    const [uids, values] = [row.map(([uid]) => uid), row.map(([, value]) => value)]
    setWeights(context, who, { netuid, mechanism: 0, uids, values, versionKey: keys[i] as bigint })
  })
}

/** On every subnet of a batch. */
export const enoughStakeEverywhere: Guard = (context, who, args) => {
  for (const netuid of args['netuids'] as readonly number[]) enoughStake(context, who, { netuid })
}

const ARGS = 'dests: Vec<u16>, weights: Vec<u16>, version_key: u64'

export const WEIGHT_CALLS: readonly CallSpec[] = [
  {
    index: 0,
    name: 'set_weights',
    args: `netuid: u16, ${ARGS}`,
    paysFee: false,
    ...signed(set, enoughStake, inTime('SettingWeightsTooFast')),
  },
  {
    index: 119,
    name: 'set_mechanism_weights',
    args: `netuid: u16, mecid: u8, ${ARGS}`,
    paysFee: false,
    ...signed(set, enoughStake, inTime('SettingWeightsTooFast')),
  },
  {
    index: 80,
    name: 'batch_set_weights',
    args: `netuids: Vec<Compact<u16>>, weights: Vec<Vec<(Compact<u16>,Compact<u16>)>>, version_keys: Vec<Compact<u64>>`,
    paysFee: false,
    ...signed(setBatch, equalLengths('netuids', 'weights', 'version_keys'), enoughStakeEverywhere),
  },
]
