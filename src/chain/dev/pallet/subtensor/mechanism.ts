/** How many mechanisms a subnet has, each with weights and incentive of its own, and how its emission is split. */
import { U16_MAX } from '../../../yuma/fixed.ts'
import type { Context } from '../../define.ts'
import { must } from './error.ts'
import * as s from './storage.ts'
import { exists, removeUnder, storageIndex } from './subnet.ts'

export const MECHANISMS_MAX = 16
/** Neurons of a subnet times its mechanisms. */
export const UIDS_MAX = 256

export function setMechanismCount(context: Context, netuid: number, count: number): void {
  must(exists(context, netuid), 'MechanismDoesNotExist')
  must(count > 0 && count <= Math.min(MECHANISMS_MAX, context.get(s.MaxMechanismCount)), 'InvalidValue')
  must(context.get(s.MaxAllowedUids, netuid) * count <= UIDS_MAX, 'TooManyUIDsPerMechanism')
  const before = context.get(s.MechanismCountCurrent, netuid)
  if (before === count) return
  for (let mechanism = count; mechanism < before; mechanism++) forgetMechanism(context, storageIndex(netuid, mechanism))
  context.set(s.MechanismCountCurrent, [netuid], count)
  context.remove(s.MechanismEmissionSplit, [netuid])
}

/** What a mechanism keeps under its storage index. */
export function forgetMechanism(context: Context, index: number): void {
  context.remove(s.Incentive, [index])
  context.remove(s.LastUpdate, [index])
  removeUnder(context, s.Weights, index)
  removeUnder(context, s.Bonds, index)
  removeUnder(context, s.WeightCommits, index)
  removeUnder(context, s.TimelockedWeightCommits, index)
}

/** `null` splits evenly. */
export function setEmissionSplit(context: Context, netuid: number, split: readonly number[] | null): void {
  must(exists(context, netuid), 'MechanismDoesNotExist')
  if (split === null) {
    context.remove(s.MechanismEmissionSplit, [netuid])
    return
  }
  must(split.length > 0 && split.length <= context.get(s.MechanismCountCurrent, netuid), 'InvalidValue')
  must(split.reduce((sum, part) => sum + part, 0) === U16_MAX, 'InvalidValue')
  context.set(s.MechanismEmissionSplit, [netuid], split)
}
