/**
 * The storage of `SubtensorModule` that miners, validators and subnet owners live on, with the names, hashers, types and
 * defaults of subtensor (spec 424). Nothing but items is exported: the pallet declares all of this module's exports.
 *
 * Amounts are bigint, in rao (TAO or alpha). Blocks and epochs are u64 on chain, so bigint too. A list under a `netuid`
 * is by uid. `index` is a storage index: one per mechanism, see mechanism.ts.
 */
import { item, optional } from '../../define.ts'

const P = 'SubtensorModule'
const ZERO = '0'.repeat(64)

/** Parts of the parent's stake, out of the greatest u64. */
type Kin = readonly (readonly [proportion: bigint, hotkey: string])[]
type Row = readonly (readonly [uid: number, value: number])[]
type AxonInfo = {
  readonly block: bigint
  readonly version: number
  readonly ip: bigint
  readonly port: number
  readonly ip_type: number
  readonly protocol: number
  readonly placeholder1: number
  readonly placeholder2: number
}
type PrometheusInfo = Omit<AxonInfo, 'protocol' | 'placeholder1' | 'placeholder2'>
type Certificate = { readonly public_key: Uint8Array; readonly algorithm: number }
type Bits = { readonly bits: bigint }
type SafeFloat = { readonly mantissa: bigint; readonly exponent: bigint }
type Unit = { readonly type: string; readonly value: null }
type WeightCommit = readonly [hash: string, epoch: bigint, block: bigint, unused: bigint]
type TimelockedCommit = readonly [who: string, block: bigint, commit: Uint8Array, round: bigint]
type RateLimitKey = { readonly type: string; readonly value: unknown }
type SubnetIdentity = { readonly [field: string]: Uint8Array }

const plain = <V>(name: string, type: string, fallback: V) => item<[], V>(P, name, '', type, fallback)
const byNet = <V>(name: string, type: string, fallback: V) =>
  item<[netuid: number], V>(P, name, 'Identity u16', type, fallback)
const byNetBlake = <V>(name: string, type: string, fallback: V) =>
  item<[netuid: number], V>(P, name, 'Blake2_128Concat u16', type, fallback)
const byNetTwox = <V>(name: string, type: string, fallback: V) =>
  item<[netuid: number], V>(P, name, 'Twox64Concat u16', type, fallback)
const byUid = <V>(name: string, type: string, fallback: V) =>
  item<[index: number, uid: number], V>(P, name, 'Identity u16, Identity u16', type, fallback)
const byAccount = <V>(name: string, type: string, fallback: V) =>
  item<[account: string], V>(P, name, 'Blake2_128Concat AccountId32', type, fallback)
const byHotkeyNet = <V>(name: string, type: string, fallback: V) =>
  item<[hotkey: string, netuid: number], V>(P, name, 'Blake2_128Concat AccountId32, Identity u16', type, fallback)

const NET_HOTKEY = 'Identity u16, Blake2_128Concat AccountId32'
const TWOX = 'Twox64Concat u16, Twox64Concat '

// Networks
export const TotalNetworks = plain('TotalNetworks', 'u16', 0)
export const NetworksAdded = byNet('NetworksAdded', 'bool', false)
export const SubnetLimit = plain('SubnetLimit', 'u16', 128)
export const NetworkRateLimit = plain('NetworkRateLimit', 'u64', 7200n)
export const NetworkRegisteredAt = byNet('NetworkRegisteredAt', 'u64', 0n)
export const NetworkRegistrationStartBlock = plain('NetworkRegistrationStartBlock', 'u64', 0n)
export const NetworkImmunityPeriod = plain('NetworkImmunityPeriod', 'u64', 1_296_000n)
export const NetworkMinLockCost = plain('NetworkMinLockCost', 'u64', 10n ** 12n)
export const NetworkLastLockCost = plain('NetworkLastLockCost', 'u64', 10n ** 12n)
export const NetworkLockReductionInterval = plain('NetworkLockReductionInterval', 'u64', 100_800n)
/** Of subnets that came after it, also the market counts as a holder when they end. */
export const TaoInRefundDeploymentBlock = plain('TaoInRefundDeploymentBlock', 'u64', 0n)
export const RegisteredSubnetCounter = byNet('RegisteredSubnetCounter', 'u64', 0n)
export const SubnetOwner = byNet('SubnetOwner', 'AccountId32', ZERO)
export const SubnetOwnerHotkey = byNet('SubnetOwnerHotkey', 'AccountId32', ZERO)
export const SubnetMechanism = byNet('SubnetMechanism', 'u16', 0)
export const SubnetLocked = byNet('SubnetLocked', 'u64', 0n)
export const SubnetIdentitiesV3 = optional<[netuid: number], SubnetIdentity>(P, 'SubnetIdentitiesV3', 'Blake2_128Concat u16', 'SubnetIdentityV3') // biome-ignore format: a table
export const TokenSymbol = byNet('TokenSymbol', 'Vec<u8>', Uint8Array.of(0xf0, 0x9d, 0x9c, 0x8f))
export const FirstEmissionBlockNumber = optional<[netuid: number], bigint>(P, 'FirstEmissionBlockNumber', 'Identity u16', 'u64') // biome-ignore format: a table
export const SubtokenEnabled = byNet('SubtokenEnabled', 'bool', false)
export const StartCallDelay = plain('StartCallDelay', 'u64', 0n)
export const TransferToggle = byNet('TransferToggle', 'bool', true)

// Keys
export const Owner = byAccount('Owner', 'AccountId32', ZERO)
export const OwnedHotkeys = byAccount<readonly string[]>('OwnedHotkeys', 'Vec<AccountId32>', [])
export const StakingHotkeys = byAccount<readonly string[]>('StakingHotkeys', 'Vec<AccountId32>', [])
export const Delegates = byAccount('Delegates', 'u16', 11_796)
export const MaxDelegateTake = plain('MaxDelegateTake', 'u16', 11_796)
export const MinDelegateTake = plain('MinDelegateTake', 'u16', 0)
export const IsNetworkMember = byHotkeyNet('IsNetworkMember', 'bool', false)
export const Uids = optional<[netuid: number, hotkey: string], number>(P, 'Uids', NET_HOTKEY, 'u16')
export const Keys = byUid('Keys', 'AccountId32', ZERO)
export const BlockAtRegistration = byUid('BlockAtRegistration', 'u64', 0n)
export const Axons = optional<[netuid: number, hotkey: string], AxonInfo>(P, 'Axons', NET_HOTKEY, 'AxonInfo')
export const Prometheus = optional<[netuid: number, hotkey: string], PrometheusInfo>(P, 'Prometheus', NET_HOTKEY, 'PrometheusInfo') // biome-ignore format: a table
export const NeuronCertificates = optional<[netuid: number, hotkey: string], Certificate>(P, 'NeuronCertificates', NET_HOTKEY, 'NeuronCertificate') // biome-ignore format: a table

// Parents and children
export const ChildKeys = byHotkeyNet<Kin>('ChildKeys', 'Vec<(u64,AccountId32)>', [])
export const ParentKeys = byHotkeyNet<Kin>('ParentKeys', 'Vec<(u64,AccountId32)>', [])
export const PendingChildKeys = item<[netuid: number, hotkey: string], readonly [children: Kin, block: bigint]>(P, 'PendingChildKeys', NET_HOTKEY, '(Vec<(u64,AccountId32)>,u64)', [[], 0n]) // biome-ignore format: a table
export const PendingChildKeyCooldown = plain('PendingChildKeyCooldown', 'u64', 7200n)
export const ChildkeyTake = byHotkeyNet('ChildkeyTake', 'u16', 0)
export const MinChildkeyTake = plain('MinChildkeyTake', 'u16', 0)
export const MinChildkeyTakePerSubnet = byNet('MinChildkeyTakePerSubnet', 'u16', 0)
export const MaxChildkeyTake = plain('MaxChildkeyTake', 'u16', 11_796)
export const CKBurn = plain('CKBurn', 'u64', 0n)
export const AutoParentDelegationEnabled = byAccount('AutoParentDelegationEnabled', 'bool', true)

// Neurons, by uid
export const SubnetworkN = byNet('SubnetworkN', 'u16', 0)
export const Active = byNet<readonly boolean[]>('Active', 'Vec<bool>', [])
export const Consensus = byNet<readonly number[]>('Consensus', 'Vec<u16>', [])
export const Incentive = byNet<readonly number[]>('Incentive', 'Vec<u16>', [])
export const Dividends = byNet<readonly number[]>('Dividends', 'Vec<u16>', [])
export const Emission = byNet<readonly bigint[]>('Emission', 'Vec<u64>', [])
export const LastUpdate = byNet<readonly bigint[]>('LastUpdate', 'Vec<u64>', [])
export const ValidatorTrust = byNet<readonly number[]>('ValidatorTrust', 'Vec<u16>', [])
export const ValidatorPermit = byNet<readonly boolean[]>('ValidatorPermit', 'Vec<bool>', [])
export const StakeWeight = byNet<readonly number[]>('StakeWeight', 'Vec<u16>', [])
export const Weights = byUid<Row>('Weights', 'Vec<(u16,u16)>', [])
export const Bonds = byUid<Row>('Bonds', 'Vec<(u16,u16)>', [])

// Epochs
export const Tempo = byNet('Tempo', 'u16', 360)
export const LastEpochBlock = byNet('LastEpochBlock', 'u64', 0n)
export const PendingEpochAt = byNet('PendingEpochAt', 'u64', 0n)
export const SubnetEpochIndex = byNet('SubnetEpochIndex', 'u64', 0n)
export const BlocksSinceLastStep = byNet('BlocksSinceLastStep', 'u64', 0n)
/** Spelt as on chain. */
export const LastMechansimStepBlock = byNet('LastMechansimStepBlock', 'u64', 0n)
export const MaxEpochsPerBlock = plain('MaxEpochsPerBlock', 'u8', 2)
export const AdminFreezeWindow = plain('AdminFreezeWindow', 'u16', 10)
export const OwnerHyperparamRateLimit = plain('OwnerHyperparamRateLimit', 'u16', 2)
export const Rho = byNet('Rho', 'u16', 10)
export const Kappa = byNet('Kappa', 'u16', 32_767)
export const BondsMovingAverage = byNet('BondsMovingAverage', 'u64', 900_000n)
export const BondsPenalty = byNet('BondsPenalty', 'u16', 65_535)
export const BondsResetOn = byNet('BondsResetOn', 'bool', false)
export const Yuma3On = byNetBlake('Yuma3On', 'bool', false)
export const LiquidAlphaOn = byNetBlake('LiquidAlphaOn', 'bool', false)
export const AlphaValues = byNet<readonly [low: number, high: number]>('AlphaValues', '(u16,u16)', [45_875, 58_982])
export const AlphaSigmoidSteepness = byNet('AlphaSigmoidSteepness', 'i16', 1000)
export const ActivityCutoff = byNet('ActivityCutoff', 'u16', 5000)
export const MinActivityCutoff = plain('MinActivityCutoff', 'u16', 360)
export const ActivityCutoffFactorMilli = byNet('ActivityCutoffFactorMilli', 'u32', 13_889)
export const MaxAllowedValidators = byNet('MaxAllowedValidators', 'u16', 128)
export const StakeThreshold = plain('StakeThreshold', 'u64', 0n)
export const TaoWeight = plain('TaoWeight', 'u64', 971_718_665_099_567_868n)
export const MaxMechanismCount = plain('MaxMechanismCount', 'u8', 2)
export const MechanismCountCurrent = byNetTwox('MechanismCountCurrent', 'u8', 1)
export const MechanismEmissionSplit = optional<[netuid: number], readonly number[]>(P, 'MechanismEmissionSplit', 'Twox64Concat u16', 'Vec<u16>') // biome-ignore format: a table

// Weights
export const MinAllowedWeights = byNet('MinAllowedWeights', 'u16', 1024)
export const MaxWeightsLimit = byNet('MaxWeightsLimit', 'u16', 65_535)
export const WeightsVersionKey = byNet('WeightsVersionKey', 'u64', 0n)
export const WeightsVersionKeyRateLimit = plain('WeightsVersionKeyRateLimit', 'u64', 5n)
export const WeightsSetRateLimit = byNet('WeightsSetRateLimit', 'u64', 100n)
export const CommitRevealWeightsEnabled = byNet('CommitRevealWeightsEnabled', 'bool', true)
export const CommitRevealWeightsVersion = plain('CommitRevealWeightsVersion', 'u16', 4)
export const RevealPeriodEpochs = byNetTwox('RevealPeriodEpochs', 'u64', 1n)
export const WeightCommits = optional<[index: number, hotkey: string], readonly WeightCommit[]>(P, 'WeightCommits', `${TWOX}AccountId32`, 'Vec<(H256,u64,u64,u64)>') // biome-ignore format: a table
export const TimelockedWeightCommits = item<[index: number, epoch: bigint], readonly TimelockedCommit[]>(P, 'TimelockedWeightCommits', `${TWOX}u64`, `Vec<(AccountId32,u64,BoundedVec<u8,5000>,u64)>`, []) // biome-ignore format: a table

// Registration
export const NetworkRegistrationAllowed = byNet('NetworkRegistrationAllowed', 'bool', true)
export const NetworkPowRegistrationAllowed = byNet('NetworkPowRegistrationAllowed', 'bool', true)
export const MinAllowedUids = byNet('MinAllowedUids', 'u16', 64)
export const MaxAllowedUids = byNet('MaxAllowedUids', 'u16', 256)
export const MinNonImmuneUids = byNet('MinNonImmuneUids', 'u16', 10)
export const ImmuneOwnerUidsLimit = byNet('ImmuneOwnerUidsLimit', 'u16', 1)
export const ImmunityPeriod = byNet('ImmunityPeriod', 'u16', 4096)
export const Burn = byNet('Burn', 'u64', 100_000_000n)
export const MinBurn = byNet('MinBurn', 'u64', 500_000n)
export const MaxBurn = byNet('MaxBurn', 'u64', 100_000_000_000n)
export const BurnHalfLife = byNet('BurnHalfLife', 'u16', 360)
export const BurnIncreaseMult = byNet<Bits>('BurnIncreaseMult', 'U64F64', { bits: 0x1428f5c28f5c29000n })
export const RegistrationsThisBlock = byNet('RegistrationsThisBlock', 'u16', 0)
export const RegistrationsThisInterval = byNet('RegistrationsThisInterval', 'u16', 0)
export const MaxRegistrationsPerBlock = byNet('MaxRegistrationsPerBlock', 'u16', 1)
export const TargetRegistrationsPerInterval = byNet('TargetRegistrationsPerInterval', 'u16', 2)
export const AdjustmentInterval = byNet('AdjustmentInterval', 'u16', 100)
export const AdjustmentAlpha = byNet('AdjustmentAlpha', 'u64', 0n)
export const Difficulty = byNet('Difficulty', 'u64', 10_000_000n)
export const MinDifficulty = byNet('MinDifficulty', 'u64', 10_000_000n)
export const MaxDifficulty = byNet('MaxDifficulty', 'u64', 0x3fffffffffffffffn)
export const ServingRateLimit = byNet('ServingRateLimit', 'u64', 50n)
export const ScalingLawPower = byNet('ScalingLawPower', 'u16', 50)
export const RAORecycledForRegistration = byNet('RAORecycledForRegistration', 'u64', 0n)

// Money
export const TotalIssuance = plain('TotalIssuance', 'u64', 0n)
export const TotalStake = plain('TotalStake', 'u64', 0n)
export const BlockEmission = plain('BlockEmission', 'u64', 1_000_000_000n)
export const SubnetTAO = byNet('SubnetTAO', 'u64', 0n)
export const SubnetAlphaIn = byNet('SubnetAlphaIn', 'u64', 0n)
export const SubnetAlphaOut = byNet('SubnetAlphaOut', 'u64', 0n)
export const SubnetVolume = byNet('SubnetVolume', 'u128', 0n)
export const SubnetProtocolAlpha = byNet('SubnetProtocolAlpha', 'u64', 0n)
export const SubnetAlphaOutEmission = byNet('SubnetAlphaOutEmission', 'u64', 0n)
export const SubnetAlphaInEmission = byNet('SubnetAlphaInEmission', 'u64', 0n)
export const SubnetTaoInEmission = byNet('SubnetTaoInEmission', 'u64', 0n)
export const SubnetEmissionEnabled = byNet('SubnetEmissionEnabled', 'bool', true)
export const SubnetMovingPrice = byNet<Bits>('SubnetMovingPrice', 'I96F32', { bits: 0n })
export const SubnetMovingAlpha = plain<Bits>('SubnetMovingAlpha', 'I96F32', { bits: 0x3255n })
export const EMAPriceHalvingBlocks = byNet('EMAPriceHalvingBlocks', 'u64', 201_600n)
export const SubnetOwnerCut = plain('SubnetOwnerCut', 'u16', 11_796)
export const OwnerCutEnabled = byNet('OwnerCutEnabled', 'bool', true)
export const PendingServerEmission = byNet('PendingServerEmission', 'u64', 0n)
export const PendingValidatorEmission = byNet('PendingValidatorEmission', 'u64', 0n)
export const PendingRootAlphaDivs = byNet('PendingRootAlphaDivs', 'u64', 0n)
export const PendingOwnerCut = byNet('PendingOwnerCut', 'u64', 0n)
export const MinerBurned = byNet<Bits>('MinerBurned', 'U96F32', { bits: 0n })
export const RecycleOrBurn = byNet<Unit>('RecycleOrBurn', 'RecycleOrBurnEnum', { type: 'Burn', value: null })
export const AlphaDividendsPerSubnet = item<[netuid: number, hotkey: string], bigint>(P, 'AlphaDividendsPerSubnet', NET_HOTKEY, 'u64', 0n) // biome-ignore format: a table
export const RootAlphaDividendsPerSubnet = item<[netuid: number, hotkey: string], bigint>(P, 'RootAlphaDividendsPerSubnet', NET_HOTKEY, 'u64', 0n) // biome-ignore format: a table
export const TotalHotkeyAlpha = byHotkeyNet('TotalHotkeyAlpha', 'u64', 0n)
export const TotalHotkeyAlphaLastEpoch = byHotkeyNet('TotalHotkeyAlphaLastEpoch', 'u64', 0n)
export const TotalHotkeySharesV2 = byHotkeyNet<SafeFloat>('TotalHotkeySharesV2', 'SafeFloat', { mantissa: 0n, exponent: 0n }) // biome-ignore format: a table
export const AlphaV2 = item<[hotkey: string, coldkey: string, netuid: number], SafeFloat>(P, 'AlphaV2', 'Blake2_128Concat AccountId32, Blake2_128Concat AccountId32, Identity u16', 'SafeFloat', { mantissa: 0n, exponent: 0n }) // biome-ignore format: a table

// Rate limits
export const TxRateLimit = plain('TxRateLimit', 'u64', 1000n)
export const TxDelegateTakeRateLimit = plain('TxDelegateTakeRateLimit', 'u64', 216_000n)
export const TxChildkeyTakeRateLimit = plain('TxChildkeyTakeRateLimit', 'u64', 216_000n)
export const LastHotkeySwapOnNetuid = item<[netuid: number, coldkey: string], bigint>(P, 'LastHotkeySwapOnNetuid', NET_HOTKEY, 'u64', 0n) // biome-ignore format: a table
export const LastRateLimitedBlock = item<[key: RateLimitKey], bigint>(P, 'LastRateLimitedBlock', 'Identity RateLimitKey', 'u64', 0n) // biome-ignore format: a table
export const TransactionKeyLastBlock = item<[account: string, netuid: number, kind: number], bigint>(P, 'TransactionKeyLastBlock', 'Blake2_128Concat AccountId32, Identity u16, Identity u16', 'u64', 0n) // biome-ignore format: a table
