/** The pallet `SubtensorModule`: the tables of its files put together, and what it does at the start of every block. */
import type { Context, Pallet } from '../../define.ts'
import { AXON_CALLS } from './axon.ts'
import { applyPendingChildren, CHILDREN_CALLS } from './children.ts'
import { COMMIT_REVEAL_CALLS } from './commit-reveal.ts'
import { DISSOLVE_CALLS } from './dissolve.ts'
import { runCoinbase } from './emission.ts'
import { ERRORS, PALLET } from './error.ts'
import { EVENTS } from './event.ts'
import { NETWORK_CALLS } from './network.ts'
import { OWNER_CALLS } from './owner.ts'
import { lowerPrices, REGISTRATION_CALLS } from './registration.ts'
import { ROOT_CALLS } from './root.ts'
import { STAKE_MIN, STAKING_CALLS } from './staking.ts'
import * as storage from './storage.ts'
import { TEMPO_MAX, TEMPO_MIN } from './subnet.ts'
import { KEY_SWAP_COST, SUBNET_SWAP_COST, SUBNET_SWAP_LIMIT, SWAP_HOTKEY_CALLS } from './swap-hotkey.ts'
import { revealTimelocked, TIMELOCK_CALLS } from './timelock.ts'
import { WEIGHT_CALLS } from './weight.ts'

const INDEX = 7

/** In the runtime's order: a commit that is revealed now counts in this block's epoch. */
function step(context: Context): void {
  lowerPrices(context)
  revealTimelocked(context)
  runCoinbase(context)
  applyPendingChildren(context)
}

export const subtensor: Pallet = {
  index: INDEX,
  name: PALLET,
  storage: Object.values(storage) as unknown as Pallet['storage'],
  calls: [
    ...WEIGHT_CALLS,
    ...COMMIT_REVEAL_CALLS,
    ...TIMELOCK_CALLS,
    ...STAKING_CALLS,
    ...AXON_CALLS,
    ...REGISTRATION_CALLS,
    ...NETWORK_CALLS,
    ...OWNER_CALLS,
    ...ROOT_CALLS,
    ...CHILDREN_CALLS,
    ...SWAP_HOTKEY_CALLS,
    ...DISSOLVE_CALLS,
  ],
  events: EVENTS,
  errors: ERRORS,
  constants: [
    { name: 'InitialTempo', type: 'u16', value: storage.Tempo.fallback },
    { name: 'MinTempo', type: 'u16', value: TEMPO_MIN },
    { name: 'MaxTempo', type: 'u16', value: TEMPO_MAX },
    { name: 'InitialWeightsVersionKey', type: 'u64', value: storage.WeightsVersionKey.fallback },
    { name: 'InitialMinAllowedWeights', type: 'u16', value: storage.MinAllowedWeights.fallback },
    { name: 'InitialMaxAllowedUids', type: 'u16', value: storage.MaxAllowedUids.fallback },
    { name: 'InitialImmunityPeriod', type: 'u16', value: storage.ImmunityPeriod.fallback },
    { name: 'InitialServingRateLimit', type: 'u64', value: storage.ServingRateLimit.fallback },
    { name: 'InitialMinStake', type: 'u64', value: STAKE_MIN },
    { name: 'InitialBurn', type: 'u64', value: storage.Burn.fallback },
    { name: 'InitialStartCallDelay', type: 'u64', value: storage.StartCallDelay.fallback },
    { name: 'KeySwapCost', type: 'u64', value: KEY_SWAP_COST },
    { name: 'KeySwapOnSubnetCost', type: 'u64', value: SUBNET_SWAP_COST },
    { name: 'HotkeySwapOnSubnetInterval', type: 'u64', value: SUBNET_SWAP_LIMIT },
    { name: 'InitialMaxEpochsPerBlock', type: 'u8', value: storage.MaxEpochsPerBlock.fallback },
  ],
  onInitialize: step,
}
