/** The pallet `SubtensorModule`: the tables of its files put together, and what it does at the start of every block. */
import type { Context, Pallet } from '../../define.ts'
import { AXON_CALLS } from './axon.ts'
import { COMMIT_REVEAL_CALLS } from './commit-reveal.ts'
import { runCoinbase } from './emission.ts'
import { ERRORS, PALLET } from './error.ts'
import { EVENTS } from './event.ts'
import { NETWORK_CALLS } from './network.ts'
import { OWNER_CALLS } from './owner.ts'
import { lowerPrices, REGISTRATION_CALLS } from './registration.ts'
import { STAKING_CALLS } from './staking.ts'
import * as storage from './storage.ts'
import { revealTimelocked, TIMELOCK_CALLS } from './timelock.ts'
import { WEIGHT_CALLS } from './weight.ts'

const INDEX = 7

/** In the runtime's order: a commit that is revealed now counts in this block's epoch. */
function step(context: Context): void {
  lowerPrices(context)
  revealTimelocked(context)
  runCoinbase(context)
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
  ],
  events: EVENTS,
  errors: ERRORS,
  constants: [
    { name: 'InitialTempo', type: 'u16', value: 360 },
    { name: 'MinTempo', type: 'u16', value: 360 },
    { name: 'MaxTempo', type: 'u16', value: 50_400 },
    { name: 'InitialWeightsVersionKey', type: 'u64', value: 0n },
    { name: 'InitialMinAllowedWeights', type: 'u16', value: 1024 },
    { name: 'InitialMaxAllowedUids', type: 'u16', value: 256 },
    { name: 'InitialImmunityPeriod', type: 'u16', value: 4096 },
    { name: 'InitialServingRateLimit', type: 'u64', value: 50n },
    { name: 'InitialMinStake', type: 'u64', value: 2_000_000n },
    { name: 'InitialBurn', type: 'u64', value: 100_000_000n },
    { name: 'InitialStartCallDelay', type: 'u64', value: 0n },
    { name: 'InitialMaxEpochsPerBlock', type: 'u8', value: 2 },
  ],
  onInitialize: step,
}
