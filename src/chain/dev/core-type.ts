/**
 * The types that every Substrate runtime shares, with the paths under which clients know them.
 *
 * Source: the metadata of subtensor at spec version 424. Clients recognise some types by their path alone.
 */
import type { TypeTable } from './define.ts'

const units = (...names: readonly string[]) => `enum {${names.map((name, i) => `${i} ${name}`).join(', ')}}`

export const CORE_TYPES: TypeTable = {
  AccountId32: { path: 'sp_core::crypto::AccountId32', type: '[u8;32]' },
  H256: { path: 'primitive_types::H256', type: '[u8;32]' },
  MultiAddress: {
    path: 'sp_runtime::multiaddress::MultiAddress',
    type: 'enum {0 Id(AccountId32), 1 Index(Compact<()>), 2 Raw(Vec<u8>), 3 Address32([u8;32]), 4 Address20([u8;20])}',
  },
  MultiSignature: {
    path: 'sp_runtime::MultiSignature',
    type: 'enum {0 Ed25519([u8;64]), 1 Sr25519([u8;64]), 2 Ecdsa([u8;65])}',
  },

  AccountData: {
    path: 'pallet_balances::types::AccountData',
    type: '{free: u64, reserved: u64, frozen: u64, flags: ExtraFlags}',
  },
  ExtraFlags: { path: 'pallet_balances::types::ExtraFlags', type: 'u128' },
  AccountInfo: {
    path: 'frame_system::AccountInfo',
    type: '{nonce: u32, consumers: u32, providers: u32, sufficients: u32, data: AccountData}',
  },

  // Locks and the like are asked for with every balance. Nothing here holds any.
  BalanceLock: { path: 'pallet_balances::types::BalanceLock', type: '{id: [u8;8], amount: u64, reasons: Reasons}' },
  Reasons: { path: 'pallet_balances::types::Reasons', type: units('Fee', 'Misc', 'All') },
  ReserveData: { path: 'pallet_balances::types::ReserveData', type: '{id: [u8;8], amount: u64}' },
  HoldAmount: { path: 'frame_support::traits::tokens::misc::IdAmount', type: '{id: RuntimeHoldReason, amount: u64}' },
  FreezeAmount: {
    path: 'frame_support::traits::tokens::misc::IdAmount',
    type: '{id: RuntimeFreezeReason, amount: u64}',
  },
  RuntimeHoldReason: { path: 'node_subtensor_runtime::RuntimeHoldReason', type: 'enum {}' },
  RuntimeFreezeReason: { path: 'node_subtensor_runtime::RuntimeFreezeReason', type: 'enum {}' },

  Weight: { path: 'sp_weights::weight_v2::Weight', type: '{ref_time: Compact<u64>, proof_size: Compact<u64>}' },
  RuntimeDbWeight: { path: 'sp_weights::RuntimeDbWeight', type: '{read: u64, write: u64}' },
  DispatchClass: { path: 'frame_support::dispatch::DispatchClass', type: units('Normal', 'Operational', 'Mandatory') },
  Pays: { path: 'frame_support::dispatch::Pays', type: units('Yes', 'No') },
  DispatchEventInfo: {
    path: 'frame_system::DispatchEventInfo',
    type: '{weight: Weight, class: DispatchClass, pays_fee: Pays}',
  },
  BlockLength: { path: 'frame_system::limits::BlockLength', type: '{max: PerClassLength}' },
  PerClassLength: {
    path: 'frame_support::dispatch::PerDispatchClass',
    type: '{normal: u32, operational: u32, mandatory: u32}',
  },

  ModuleError: { path: 'sp_runtime::ModuleError', type: '{index: u8, error: [u8;4]}' },
  TokenError: {
    path: 'sp_runtime::TokenError',
    type: units(
      'FundsUnavailable',
      'OnlyProvider',
      'BelowMinimum',
      'CannotCreate',
      'UnknownAsset',
      'Frozen',
      'Unsupported',
      'CannotCreateHold',
      'NotExpendable',
      'Blocked',
    ),
  },
  ArithmeticError: { path: 'sp_arithmetic::ArithmeticError', type: units('Underflow', 'Overflow', 'DivisionByZero') },
  TransactionalError: { path: 'sp_runtime::TransactionalError', type: units('LimitReached', 'NoLayer') },
  TrieError: {
    path: 'sp_runtime::proving_trie::TrieError',
    type: units(
      'InvalidStateRoot',
      'IncompleteDatabase',
      'ValueAtIncompleteKey',
      'DecoderError',
      'InvalidHash',
      'DuplicateKey',
      'ExtraneousNode',
      'ExtraneousValue',
      'ExtraneousHashReference',
      'InvalidChildReference',
      'ValueMismatch',
      'IncompleteProof',
      'RootMismatch',
      'DecodeError',
    ),
  },
  DispatchError: {
    path: 'sp_runtime::DispatchError',
    type: `enum {0 Other, 1 CannotLookup, 2 BadOrigin, 3 Module(ModuleError), 4 ConsumerRemaining, 5 NoProviders,
      6 TooManyConsumers, 7 Token(TokenError), 8 Arithmetic(ArithmeticError), 9 Transactional(TransactionalError),
      10 Exhausted, 11 Corruption, 12 Unavailable, 13 RootNotAllowed, 14 Trie(TrieError)}`,
  },

  Phase: { path: 'frame_system::Phase', type: 'enum {0 ApplyExtrinsic(u32), 1 Finalization, 2 Initialization}' },
  EventRecord: { path: 'frame_system::EventRecord', type: '{phase: Phase, event: RuntimeEvent, topics: Vec<H256>}' },
  LastRuntimeUpgradeInfo: {
    path: 'frame_system::LastRuntimeUpgradeInfo',
    type: '{spec_version: Compact<u32>, spec_name: str}',
  },
  RuntimeVersion: {
    path: 'sp_version::RuntimeVersion',
    type: `{spec_name: str, impl_name: str, authoring_version: u32, spec_version: u32, impl_version: u32,
      apis: Vec<([u8;8],u32)>, transaction_version: u32, system_version: u8}`,
  },

  Digest: { path: 'sp_runtime::generic::digest::Digest', type: '{logs: Vec<DigestItem>}' },
  DigestItem: {
    path: 'sp_runtime::generic::digest::DigestItem',
    type: `enum {6 PreRuntime([u8;4],Vec<u8>), 4 Consensus([u8;4],Vec<u8>), 5 Seal([u8;4],Vec<u8>), 0 Other(Vec<u8>),
      8 RuntimeEnvironmentUpdated}`,
  },
  Header: {
    path: 'sp_runtime::generic::header::Header',
    type: '{parent_hash: H256, number: Compact<u32>, state_root: H256, extrinsics_root: H256, digest: Digest}',
  },

  Era: { path: 'sp_runtime::generic::era::Era', type: units('Immortal', ...mortals()) },
  CheckMortality: { path: 'frame_system::extensions::check_mortality::CheckMortality', type: 'Era' },
  CheckNonce: { path: 'frame_system::extensions::check_nonce::CheckNonce', type: 'Compact<u32>' },
  ChargeTransactionPayment: {
    path: 'node_subtensor_runtime::transaction_payment_wrapper::ChargeTransactionPaymentWrapper',
    type: 'Compact<u64>',
  },
  CheckMetadataHash: { path: 'frame_metadata_hash_extension::CheckMetadataHash', type: '{mode: Mode}' },
  Mode: { path: 'frame_metadata_hash_extension::Mode', type: units('Disabled', 'Enabled') },

  AuraPublic: { path: 'sp_consensus_aura::sr25519::app_sr25519::Public', type: '[u8;32]' },
  OpaqueMetadata: { path: 'sp_core::OpaqueMetadata', type: 'Vec<u8>' },

  RuntimeDispatchInfo: {
    path: 'pallet_transaction_payment::types::RuntimeDispatchInfo',
    type: '{weight: Weight, class: DispatchClass, partial_fee: u64}',
  },
  InclusionFee: {
    path: 'pallet_transaction_payment::types::InclusionFee',
    type: '{base_fee: u64, len_fee: u64, adjusted_weight_fee: u64}',
  },
  FeeDetails: {
    path: 'pallet_transaction_payment::types::FeeDetails',
    type: '{inclusion_fee: Option<InclusionFee>, tip: u64}',
  },
}

/** An era is two bytes; metadata describes it as 255 variants of one further byte each. */
function mortals(): readonly string[] {
  return Array.from({ length: 255 }, (_, i) => `Mortal${i + 1}(u8)`)
}
