/** The named types of `SubtensorModule`, of its runtime APIs and of the other pallets of a subnet's life. */
import type { TypeTable } from '../../define.ts'

const HYPERPARAMETERS = [
  'Unknown',
  'ServingRateLimit',
  'MaxDifficulty',
  'AdjustmentAlpha',
  'MaxWeightLimit',
  'ImmunityPeriod',
  'MinAllowedWeights',
  'Kappa',
  'Rho',
  'ActivityCutoff',
  'PowRegistrationAllowed',
  'MinBurn',
  'MaxBurn',
  'BondsMovingAverage',
  'BondsPenalty',
  'CommitRevealEnabled',
  'LiquidAlphaEnabled',
  'AlphaValues',
  'WeightCommitInterval',
  'TransferEnabled',
  'AlphaSigmoidSteepness',
  'Yuma3Enabled',
  'BondsResetEnabled',
  'ImmuneNeuronLimit',
  'RecycleOrBurn',
  'MaxAllowedUids',
  'BurnHalfLife',
  'BurnIncreaseMult',
  'SubnetEmissionEnabled',
  'MinChildkeyTake',
  'ActivityCutoffFactorMilli',
  'TriggerEpoch',
] as const
/** What the owner of a subnet may change only every other epoch or so, each on its own count. */
export type Hyperparameter = (typeof HYPERPARAMETERS)[number]

const bytes = (...names: readonly string[]) => `{${names.map((name) => `${name}: Vec<u8>`).join(', ')}}`

export const SUBTENSOR_TYPES: TypeTable = {
  AxonInfo: {
    path: 'pallet_subtensor::pallet::AxonInfo',
    type: `{block: u64, version: u32, ip: u128, port: u16, ip_type: u8, protocol: u8, placeholder1: u8,
      placeholder2: u8}`,
  },
  PrometheusInfo: {
    path: 'pallet_subtensor::pallet::PrometheusInfo',
    type: '{block: u64, version: u32, ip: u128, port: u16, ip_type: u8}',
  },
  NeuronCertificate: {
    path: 'pallet_subtensor::pallet::NeuronCertificate',
    type: '{public_key: BoundedVec<u8,64>, algorithm: u8}',
  },
  SubnetIdentityV3: {
    path: 'pallet_subtensor::pallet::SubnetIdentityV3',
    type: bytes(
      'subnet_name',
      'github_repo',
      'subnet_contact',
      'subnet_url',
      'discord',
      'description',
      'logo_url',
      'additional',
    ),
  },
  ChainIdentityV2: {
    path: 'pallet_subtensor::pallet::ChainIdentityV2',
    type: bytes('name', 'url', 'github_repo', 'image', 'discord', 'description', 'additional'),
  },
  RecycleOrBurnEnum: { path: 'pallet_subtensor::pallet::RecycleOrBurnEnum', type: 'enum {0 Burn, 1 Recycle}' },
  SafeFloat: { path: 'share_pool::SafeFloat', type: '{mantissa: u128, exponent: i64}' },
  U64F64: { path: 'substrate_fixed::FixedU128', type: '{bits: u128}' },
  U96F32: { path: 'substrate_fixed::FixedU128', type: '{bits: u128}' },
  I96F32: { path: 'substrate_fixed::FixedI128', type: '{bits: i128}' },
  I32F32: { path: 'substrate_fixed::FixedI64', type: '{bits: i64}' },
  RateLimitKey: {
    path: 'pallet_subtensor::RateLimitKey',
    type: `enum {0 SetSNOwnerHotkey(u16), 1 OwnerHyperparamUpdate(u16,Hyperparameter), 2 NetworkLastRegistered,
      3 LastTxBlock(AccountId32), 4 LastTxBlockChildKeyTake(AccountId32), 5 LastTxBlockDelegateTake(AccountId32),
      6 AddStakeBurn(u16)}`,
  },
  Hyperparameter: {
    path: 'pallet_subtensor::utils::rate_limiting::Hyperparameter',
    type: `enum {${HYPERPARAMETERS.map((name, index) => `${index} ${name}`).join(', ')}}`,
  },
}
