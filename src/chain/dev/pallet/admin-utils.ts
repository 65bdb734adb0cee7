/**
 * The parameters of subnets and of the chain: who may set each, within which bounds, and what it does.
 *
 * Tables, because the calls differ in nothing else. An owner is limited in how often and when it sets one, see owner.ts.
 */
import {
  type CallSpec,
  type Context,
  type Fields,
  need,
  type Origin,
  type Pallet,
  type StorageItem,
} from '../define.ts'
import { must, PALLET } from './subtensor/error.ts'
import { MECHANISMS_MAX, setEmissionSplit, setMechanismCount, UIDS_MAX } from './subtensor/mechanism.ts'
import {
  applyTempo,
  type Change,
  mustBeInTime,
  mustBeOutsideFreeze,
  record,
  requireOwnerOrRoot,
  setOwnerHotkey,
} from './subtensor/owner.ts'
import * as s from './subtensor/storage.ts'
import { exists, ROOT, type View } from './subtensor/subnet.ts'
import { requireRoot } from './system.ts'

const P = 'AdminUtils'

const MIN_BURN_BELOW = 10n ** 9n
const MAX_BURN_ABOVE = 10n ** 8n
const BONDS_AVERAGE_MAX = 975_000n
const BURN_HALF_LIFE_MAX = 36_100
const REVEAL_EPOCHS_MAX = 100n
const OWNER_NEURONS_MAX = 10
/** A fortieth of 65535. */
const ALPHA_MIN = 1638

type Value = number | bigint | boolean
type Check = (view: View, netuid: number, value: never, isOwner: boolean) => void

type Traits = {
  /** What an owner's changes are counted as. Without it only the root may. */
  readonly owner?: Change
  /** `always`: also in the last blocks before an epoch. */
  readonly open?: 'always'
  /** `any`: the runtime does not look whether there is such a subnet. */
  readonly subnet?: 'any'
  readonly check?: Check
  readonly write?: (context: Context, netuid: number, value: never) => void
  /** Of this pallet, with the argument under its name. */
  readonly tells?: string
}
/** `sudo_set_NAME(netuid, NAME: TYPE)`, or `ARGUMENT: TYPE` in place of the type. Writes the item and tells the event. */
type Row = readonly [index: number, name: string, type: string, item: unknown, event: string | null, traits?: Traits]

// biome-ignore format: a table
const OF_A_SUBNET: readonly Row[] = [
  [3, 'serving_rate_limit', 'u64', s.ServingRateLimit, 'ServingRateLimitSet', { owner: 'ServingRateLimit', subnet: 'any' }],
  [4, 'min_difficulty', 'u64', s.MinDifficulty, 'MinDifficultySet'],
  [5, 'max_difficulty', 'u64', s.MaxDifficulty, 'MaxDifficultySet', { owner: 'MaxDifficulty' }],
  [6, 'weights_version_key', 'u64', s.WeightsVersionKey, 'WeightsVersionKeySet', { owner: 'SetWeightsVersionKey' }],
  [7, 'weights_set_rate_limit', 'u64', s.WeightsSetRateLimit, 'WeightsSetRateLimitSet', { open: 'always' }],
  [8, 'adjustment_interval', 'u16', s.AdjustmentInterval, 'AdjustmentIntervalSet', { open: 'always' }],
  [9, 'adjustment_alpha', 'u64', s.AdjustmentAlpha, 'AdjustmentAlphaSet', { owner: 'AdjustmentAlpha' }],
  [13, 'immunity_period', 'u16', s.ImmunityPeriod, 'ImmunityPeriodSet', { owner: 'ImmunityPeriod' }],
  [14, 'min_allowed_weights', 'u16', s.MinAllowedWeights, 'MinAllowedWeightSet', { owner: 'MinAllowedWeights' }],
  [15, 'max_allowed_uids', 'u16', s.MaxAllowedUids, 'MaxAllowedUidsSet', { owner: 'MaxAllowedUids', check: checkMaxUids }],
  [16, 'kappa', 'u16', s.Kappa, 'KappaSet', { open: 'always' }],
  [17, 'rho', 'u16', s.Rho, 'RhoSet', { owner: 'Rho' }],
  [18, 'activity_cutoff', 'u16', s.ActivityCutoff, 'ActivityCutoffSet', { owner: 'ActivityCutoff', check: checkCutoff }],
  [19, 'network_registration_allowed', 'registration_allowed: bool', s.NetworkRegistrationAllowed, 'RegistrationAllowed', { open: 'always', subnet: 'any' }],
  [21, 'target_registrations_per_interval', 'u16', s.TargetRegistrationsPerInterval, 'RegistrationPerIntervalSet'],
  [22, 'min_burn', 'u64', s.MinBurn, 'MinBurnSet', { owner: 'MinBurn', check: checkMinBurn }],
  [23, 'max_burn', 'u64', s.MaxBurn, 'MaxBurnSet', { owner: 'MaxBurn', check: checkMaxBurn }],
  [24, 'difficulty', 'u64', s.Difficulty, 'DifficultySet'],
  [25, 'max_allowed_validators', 'u16', s.MaxAllowedValidators, 'MaxAllowedValidatorsSet', { check: checkValidators }],
  [26, 'bonds_moving_average', 'u64', s.BondsMovingAverage, 'BondsMovingAverageSet', { owner: 'BondsMovingAverage', check: checkAverage }],
  [60, 'bonds_penalty', 'u16', s.BondsPenalty, 'BondsPenaltySet', { owner: 'BondsPenalty' }],
  [27, 'max_registrations_per_block', 'u16', s.MaxRegistrationsPerBlock, 'MaxRegistrationsPerBlockSet'],
  [30, 'tempo', 'u16', s.Tempo, null, { write: applyTempo }],
  [39, 'rao_recycled', 'u64', s.RAORecycledForRegistration, 'RAORecycledForRegistrationSet', { open: 'always' }],
  [49, 'commit_reveal_weights_enabled', 'enabled: bool', s.CommitRevealWeightsEnabled, 'CommitRevealEnabled', { owner: 'CommitRevealEnabled' }],
  [50, 'liquid_alpha_enabled', 'enabled: bool', s.LiquidAlphaOn, null, { owner: 'LiquidAlphaEnabled', subnet: 'any' }],
  [57, 'commit_reveal_weights_interval', 'interval: u64', s.RevealPeriodEpochs, 'CommitRevealPeriodsSet', { owner: 'WeightCommitInterval', check: checkRevealPeriod }],
  [61, 'toggle_transfer', 'toggle: bool', s.TransferToggle, 'TransferToggle', { owner: 'TransferEnabled', subnet: 'any' }],
  [80, 'recycle_or_burn', 'RecycleOrBurnEnum', s.RecycleOrBurn, null, { owner: 'RecycleOrBurn', subnet: 'any' }],
  [65, 'ema_price_halving_period', 'ema_halving: u64', s.EMAPriceHalvingBlocks, null, { open: 'always', subnet: 'any' }],
  [68, 'alpha_sigmoid_steepness', 'steepness: i16', s.AlphaSigmoidSteepness, 'AlphaSigmoidSteepnessSet', { owner: 'AlphaSigmoidSteepness', check: checkSteepness }],
  [69, 'yuma3_enabled', 'enabled: bool', s.Yuma3On, null, { owner: 'Yuma3Enabled', subnet: 'any', tells: 'Yuma3EnableToggled' }],
  [70, 'bonds_reset_enabled', 'enabled: bool', s.BondsResetOn, 'BondsResetOnSet', { owner: 'BondsResetEnabled', subnet: 'any', tells: 'BondsResetToggled' }],
  [66, 'subtoken_enabled', 'bool', s.SubtokenEnabled, null, { subnet: 'any' }],
  [72, 'owner_immune_neuron_limit', 'immune_neurons: u16', s.ImmuneOwnerUidsLimit, null, { owner: 'ImmuneNeuronLimit', subnet: 'any', check: checkOwnerNeurons }],
  [76, 'mechanism_count', 'u8', s.MechanismCountCurrent, null, { owner: 'MechanismCountUpdate', subnet: 'any', write: setMechanismCount }],
  [77, 'mechanism_emission_split', 'maybe_split: Option<Vec<u16>>', s.MechanismEmissionSplit, null, { owner: 'MechanismEmission', subnet: 'any', write: setEmissionSplit }],
  [79, 'min_allowed_uids', 'u16', s.MinAllowedUids, 'MinAllowedUidsSet', { check: checkMinUids }],
  [84, 'min_non_immune_uids', 'min: u16', s.MinNonImmuneUids, 'MinNonImmuneUidsSet', { open: 'always', subnet: 'any' }],
  [89, 'burn_half_life', 'u16', s.BurnHalfLife, null, { owner: 'BurnHalfLife', check: checkHalfLife, tells: 'BurnHalfLifeSet' }],
  [90, 'burn_increase_mult', 'U64F64', s.BurnIncreaseMult, null, { owner: 'BurnIncreaseMult', check: checkIncrease, tells: 'BurnIncreaseMultSet' }],
  [93, 'min_childkey_take_per_subnet', 'take: u16', s.MinChildkeyTakePerSubnet, 'MinChildKeyTakePerSubnetSet', { owner: 'MinChildkeyTake', check: checkChildTake }],
  [94, 'subnet_emission_enabled', 'enabled: bool', s.SubnetEmissionEnabled, null, { open: 'always', check: checkNotRoot, tells: 'SubnetEmissionEnabledSet' }],
]

/** Only the root's. `sudo_set_NAME(ARGUMENT: TYPE)`. */
type ChainRow = readonly [
  index: number,
  name: string,
  type: string,
  item: unknown,
  event: string | null,
  check?: (value: number) => void,
]

// biome-ignore format: a table
const OF_THE_CHAIN: readonly ChainRow[] = [
  [1, 'default_take', 'u16', s.MaxDelegateTake, 'MaxDelegateTakeSet'],
  [2, 'tx_rate_limit', 'u64', s.TxRateLimit, 'TxRateLimitSet'],
  [28, 'subnet_owner_cut', 'u16', s.SubnetOwnerCut, 'SubnetOwnerCutSet'],
  [29, 'network_rate_limit', 'rate_limit: u64', s.NetworkRateLimit, 'NetworkRateLimitSet'],
  [35, 'network_immunity_period', 'immunity_period: u64', s.NetworkImmunityPeriod, 'NetworkImmunityPeriodSet'],
  [36, 'network_min_lock_cost', 'lock_cost: u64', s.NetworkMinLockCost, 'NetworkMinLockCostSet'],
  [37, 'subnet_limit', 'max_subnets: u16', s.SubnetLimit, 'SubnetLimitSet'],
  [38, 'lock_reduction_interval', 'interval: u64', s.NetworkLockReductionInterval, 'NetworkLockCostReductionIntervalSet'],
  [42, 'stake_threshold', 'min_stake: u64', s.StakeThreshold, 'StakeThresholdSet'],
  [45, 'tx_delegate_take_rate_limit', 'tx_rate_limit: u64', s.TxDelegateTakeRateLimit, 'TxDelegateTakeRateLimitSet'],
  [46, 'min_delegate_take', 'take: u16', s.MinDelegateTake, 'MinDelegateTakeSet'],
  [71, 'commit_reveal_version', 'version: u16', s.CommitRevealWeightsVersion, 'CommitRevealVersionSet'],
  [73, 'ck_burn', 'burn: u64', s.CKBurn, null],
  [74, 'admin_freeze_window', 'window: u16', s.AdminFreezeWindow, 'AdminFreezeWindowSet'],
  [75, 'owner_hparam_rate_limit', 'epochs: u16', s.OwnerHyperparamRateLimit, 'OwnerHyperparamRateLimitSet'],
  [85, 'start_call_delay', 'delay: u64', s.StartCallDelay, 'StartCallDelaySet'],
  [88, 'max_mechanism_count', 'u8', s.MaxMechanismCount, null, checkMechanisms],
  [96, 'max_epochs_per_block', 'u8', s.MaxEpochsPerBlock, 'MaxEpochsPerBlockSet', checkEpochs],
]

const hold = (holds: boolean, error: string): void => need(holds, P, error)

function checkMaxUids(view: View, netuid: number, value: number): void {
  hold(value >= view.get(s.MinAllowedUids, netuid), 'MaxAllowedUidsLessThanMinAllowedUids')
  hold(value >= view.get(s.SubnetworkN, netuid), 'MaxAllowedUIdsLessThanCurrentUIds')
  hold(value <= UIDS_MAX, 'MaxAllowedUidsGreaterThanDefaultMaxAllowedUids')
  must(value * view.get(s.MechanismCountCurrent, netuid) <= UIDS_MAX, 'TooManyUIDsPerMechanism')
}

function checkMinUids(view: View, netuid: number, value: number): void {
  hold(value < view.get(s.MaxAllowedUids, netuid), 'MinAllowedUidsGreaterThanMaxAllowedUids')
  hold(value < view.get(s.SubnetworkN, netuid), 'MinAllowedUidsGreaterThanCurrentUids')
}

function checkCutoff(view: View, _netuid: number, value: number): void {
  must(value >= view.get(s.MinActivityCutoff), 'ActivityCutoffTooLow')
}

function checkMinBurn(view: View, netuid: number, value: bigint): void {
  hold(value < MIN_BURN_BELOW && value < view.get(s.MaxBurn, netuid), 'ValueNotInBounds')
}

function checkMaxBurn(view: View, netuid: number, value: bigint): void {
  hold(value > MAX_BURN_ABOVE && value > view.get(s.MinBurn, netuid), 'ValueNotInBounds')
}

function checkValidators(view: View, netuid: number, value: number): void {
  hold(value <= view.get(s.MaxAllowedUids, netuid), 'MaxValidatorsLargerThanMaxUIds')
}

function checkAverage(_view: View, _netuid: number, value: bigint, isOwner: boolean): void {
  hold(!isOwner || value <= BONDS_AVERAGE_MAX, 'BondsMovingAverageMaxReached')
}

function checkRevealPeriod(_view: View, _netuid: number, value: bigint): void {
  must(value <= REVEAL_EPOCHS_MAX, 'RevealPeriodTooLarge')
  must(value >= 1n, 'RevealPeriodTooSmall')
}

function checkSteepness(_view: View, _netuid: number, value: number, isOwner: boolean): void {
  hold(!isOwner || value >= 0, 'NegativeSigmoidSteepness')
}

function checkOwnerNeurons(_view: View, _netuid: number, value: number): void {
  must(value >= 1 && value <= OWNER_NEURONS_MAX, 'InvalidValue')
}

function checkChildTake(view: View, _netuid: number, value: number): void {
  hold(value >= view.get(s.MinChildkeyTake) && value <= view.get(s.MaxChildkeyTake), 'InvalidValue')
}

function checkNotRoot(_view: View, netuid: number): void {
  hold(netuid !== ROOT, 'NotPermittedOnRootSubnet')
}

function checkHalfLife(view: View, netuid: number, value: number): void {
  checkNotRoot(view, netuid)
  hold(value > 0 && value <= BURN_HALF_LIFE_MAX, 'InvalidValue')
}

/** A factor of 1 to 3. */
function checkIncrease(view: View, netuid: number, { bits }: { readonly bits: bigint }): void {
  checkNotRoot(view, netuid)
  hold(bits >= 1n << 64n && bits <= 3n << 64n, 'InvalidValue')
}

function checkEpochs(value: number): void {
  hold(value >= 1, 'ValueNotInBounds')
}

function checkMechanisms(value: number): void {
  must(value >= 1 && value <= MECHANISMS_MAX, 'InvalidValue')
}

/** `'x: u64'` of a row, where the argument has the name of the parameter unless it says otherwise. */
const argumentOf = (name: string, type: string) => (type.includes(': ') ? type : `${name}: ${type}`)

function subnetCall([index, name, type, item, event, traits = {}]: Row): CallSpec {
  const argument = argumentOf(name, type)
  const [field = ''] = argument.split(':')
  const target = item as StorageItem<[netuid: number], Value>
  const run = (context: Context, origin: Origin, args: Fields): void => {
    const netuid = args['netuid'] as number
    const value = args[field] as Value
    const who = guard(context, origin, netuid, traits)
    traits.check?.(context, netuid, value as never, who !== null)
    if (traits.write === undefined) context.set(target, [netuid], value)
    else traits.write(context, netuid, value as never)
    if (event !== null) context.emit(PALLET, event, { netuid, value })
    if (traits.tells !== undefined) context.emit(P, traits.tells, { netuid, [field]: value })
    if (who !== null && traits.owner !== undefined) record(context, who, netuid, traits.owner)
  }
  return { index, name: `sudo_set_${name}`, args: `netuid: u16, ${argument}`, paysFee: true, run }
}

/** The owner's account, or `null` for the root. */
function guard(context: Context, origin: Origin, netuid: number, { owner, open, subnet }: Traits): string | null {
  if (owner === undefined) requireRoot(origin)
  const who = owner === undefined ? null : requireOwnerOrRoot(context, origin, netuid)
  if (who !== null && owner !== undefined) mustBeInTime(context, who, netuid, owner)
  if (open !== 'always') mustBeOutsideFreeze(context, netuid)
  if (subnet !== 'any') hold(exists(context, netuid), 'SubnetDoesNotExist')
  return who
}

function chainCall([index, name, type, item, event, check]: ChainRow): CallSpec {
  const argument = argumentOf(name, type)
  const [field = ''] = argument.split(':')
  const run = (context: Context, origin: Origin, args: Fields): void => {
    requireRoot(origin)
    const value = args[field] as Value
    check?.(value as number)
    context.set(item as StorageItem<[], Value>, [], value)
    if (event !== null) context.emit(PALLET, event, { value })
  }
  return { index, name: `sudo_set_${name}`, args: argument, paysFee: true, run }
}

/** The only parameter of two values. */
function setAlphaValues(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  const [low, high] = [args['alpha_low'] as number, args['alpha_high'] as number]
  const who = guard(context, origin, netuid, { owner: 'AlphaValues', subnet: 'any' })
  must(context.get(s.LiquidAlphaOn, netuid), 'LiquidAlphaDisabled')
  must(high >= ALPHA_MIN, 'AlphaHighTooLow')
  must(low >= ALPHA_MIN && low <= high, 'AlphaLowOutOfRange')
  context.set(s.AlphaValues, [netuid], [low, high])
  if (who !== null) record(context, who, netuid, 'AlphaValues')
}

function setOwnerCutEnabled(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  requireOwnerOrRoot(context, origin, netuid)
  mustBeOutsideFreeze(context, netuid)
  hold(exists(context, netuid), 'SubnetDoesNotExist')
  checkNotRoot(context, netuid)
  context.set(s.OwnerCutEnabled, [netuid], args['enabled'] as boolean)
}

const HOTKEY_ARGS = 'netuid: u16, hotkey: AccountId32'

export const adminUtils: Pallet = {
  index: 19,
  name: P,
  storage: [],
  calls: [
    ...OF_THE_CHAIN.map(chainCall),
    ...OF_A_SUBNET.map(subnetCall),
    {
      index: 51,
      name: 'sudo_set_alpha_values',
      args: 'netuid: u16, alpha_low: u16, alpha_high: u16',
      paysFee: true,
      run: setAlphaValues,
    },
    {
      index: 92,
      name: 'sudo_set_owner_cut_enabled',
      args: 'netuid: u16, enabled: bool',
      paysFee: true,
      run: setOwnerCutEnabled,
    },
    { index: 64, name: 'sudo_set_subnet_owner_hotkey', args: HOTKEY_ARGS, paysFee: true, run: setOwnerHotkey },
    { index: 67, name: 'sudo_set_sn_owner_hotkey', args: HOTKEY_ARGS, paysFee: true, run: setOwnerHotkey },
  ],
  events: [
    { index: 1, name: 'Yuma3EnableToggled', fields: 'netuid: u16, enabled: bool' },
    { index: 2, name: 'BondsResetToggled', fields: 'netuid: u16, enabled: bool' },
    { index: 3, name: 'BurnHalfLifeSet', fields: 'netuid: u16, burn_half_life: u16' },
    { index: 4, name: 'BurnIncreaseMultSet', fields: 'netuid: u16, burn_increase_mult: U64F64' },
    { index: 5, name: 'SubnetEmissionEnabledSet', fields: 'netuid: u16, enabled: bool' },
  ],
  errors: [
    'SubnetDoesNotExist',
    'MaxValidatorsLargerThanMaxUIds',
    'MaxAllowedUIdsLessThanCurrentUIds',
    'BondsMovingAverageMaxReached',
    'NegativeSigmoidSteepness',
    'ValueNotInBounds',
    'MinAllowedUidsGreaterThanCurrentUids',
    'MinAllowedUidsGreaterThanMaxAllowedUids',
    'MaxAllowedUidsLessThanMinAllowedUids',
    'MaxAllowedUidsGreaterThanDefaultMaxAllowedUids',
    'InvalidValue',
    'NotPermittedOnRootSubnet',
    'POWRegistrationDisabled',
    'Deprecated',
  ].map((name, index) => ({ index, name })),
  constants: [],
}
