/** How many mechanisms a subnet has, each with weights and incentive of its own, and how its emission is split. */
import type { Context } from '../../define.ts'
import { must } from './error.ts'
import * as s from './storage.ts'
import { exists, storageIndex } from './subnet.ts'

const MECHANISMS_MAX = 16
/** Neurons of a subnet times its mechanisms. */
export const UIDS_MAX = 256
const U16_MAX = 65_535

export function setMechanismCount(context: Context, netuid: number, count: number): void {
  must(exists(context, netuid), 'MechanismDoesNotExist')
  must(count > 0 && count <= Math.min(MECHANISMS_MAX, context.get(s.MaxMechanismCount)), 'InvalidValue')
  must(context.get(s.MaxAllowedUids, netuid) * count <= UIDS_MAX, 'TooManyUIDsPerMechanism')
  const before = context.get(s.MechanismCountCurrent, netuid)
  if (before === count) return
  for (let mechanism = count; mechanism < before; mechanism++) forget(context, storageIndex(netuid, mechanism))
  context.set(s.MechanismCountCurrent, [netuid], count)
  context.remove(s.MechanismEmissionSplit, [netuid])
}

function forget(context: Context, index: number): void {
  context.remove(s.Incentive, [index])
  context.remove(s.LastUpdate, [index])
  for (const [keys] of [...context.entries(s.Weights, index)]) context.remove(s.Weights, keys)
  for (const [keys] of [...context.entries(s.Bonds, index)]) context.remove(s.Bonds, keys)
  for (const [keys] of [...context.entries(s.WeightCommits, index)]) context.remove(s.WeightCommits, keys)
  for (const [keys] of [...context.entries(s.TimelockedWeightCommits, index)])
    context.remove(s.TimelockedWeightCommits, keys)
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
