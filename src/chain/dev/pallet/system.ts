/** Accounts, block numbers and hashes, events: what every other pallet stands on. */

import { toHex } from '../../../util/bytes.ts'
import { type Context, type EventSpec, item, type Origin, optional, type Pallet } from '../define.ts'
import { refuse } from '../dispatch-error.ts'
import type { EnumValue } from '../scale.ts'
import { blake2 } from '../storage-key.ts'

export type AccountInfo = {
  readonly nonce: number
  readonly consumers: number
  readonly providers: number
  readonly sufficients: number
  readonly data: AccountData
}
export type AccountData = {
  readonly free: bigint
  readonly reserved: bigint
  readonly frozen: bigint
  readonly flags: bigint
}

export type EventRecord = {
  readonly phase: EnumValue
  readonly event: RuntimeEvent
  readonly topics: readonly string[]
}
export type RuntimeEvent = {
  readonly pallet: string
  readonly name: string
  readonly fields: { readonly [name: string]: unknown }
}

/** Blocks whose hashes the state keeps: a mortal transaction cannot be older. */
const BLOCK_HASH_COUNT = 2400

/** Set in every account since balances have the new logic for freezes. */
const IS_NEW_LOGIC = 1n << 127n
const ACCOUNT_NONE: AccountInfo = {
  nonce: 0,
  consumers: 0,
  providers: 0,
  sufficients: 0,
  data: { free: 0n, reserved: 0n, frozen: 0n, flags: IS_NEW_LOGIC },
}
export const HASH_NONE = '0'.repeat(64)

const P = 'System'
export const Account = item<[account: string], AccountInfo>(
  P,
  'Account',
  'Blake2_128Concat AccountId32',
  'AccountInfo',
  ACCOUNT_NONE,
)
export const BlockHash = item<[block: number], string>(P, 'BlockHash', 'Twox64Concat u32', 'H256', HASH_NONE)
export const BlockNumber = item<[], number>(P, 'Number', '', 'u32', 0)
export const ParentHash = item<[], string>(P, 'ParentHash', '', 'H256', HASH_NONE)
export const Digest = item<[], { readonly logs: readonly EnumValue[] }>(P, 'Digest', '', 'Digest', { logs: [] })
export const Events = item<[], readonly EventRecord[]>(P, 'Events', '', 'Vec<EventRecord>', [])
export const EventCount = item<[], number>(P, 'EventCount', '', 'u32', 0)
export const LastRuntimeUpgrade = optional<[], { readonly spec_version: number; readonly spec_name: string }>(
  P,
  'LastRuntimeUpgrade',
  '',
  'LastRuntimeUpgradeInfo',
)

const EVENTS: readonly EventSpec[] = [
  { index: 0, name: 'ExtrinsicSuccess', fields: 'dispatch_info: DispatchEventInfo' },
  { index: 1, name: 'ExtrinsicFailed', fields: 'dispatch_error: DispatchError, dispatch_info: DispatchEventInfo' },
  { index: 2, name: 'CodeUpdated', fields: '' },
  { index: 3, name: 'NewAccount', fields: 'account: AccountId32' },
  { index: 4, name: 'KilledAccount', fields: 'account: AccountId32' },
  { index: 5, name: 'Remarked', fields: 'sender: AccountId32, hash: H256' },
]

export const system: Pallet = {
  index: 0,
  name: P,
  storage: [Account, BlockHash, BlockNumber, ParentHash, Digest, Events, EventCount, LastRuntimeUpgrade],
  calls: [
    { index: 0, name: 'remark', args: 'remark: Vec<u8>', paysFee: true, run: () => {} },
    { index: 7, name: 'remark_with_event', args: 'remark: Vec<u8>', paysFee: true, run: remarkWithEvent },
  ],
  events: EVENTS,
  errors: [
    'InvalidSpecName',
    'SpecVersionNeedsToIncrease',
    'FailedToExtractRuntimeVersion',
    'NonDefaultComposite',
    'NonZeroRefCount',
    'CallFiltered',
    'MultiBlockMigrationsOngoing',
    'NothingAuthorized',
    'Unauthorized',
  ].map((name, index) => ({ index, name })),
  constants: [
    {
      name: 'BlockLength',
      type: 'BlockLength',
      value: { max: { normal: 7864320, operational: 10485760, mandatory: 10485760 } },
    },
    { name: 'BlockHashCount', type: 'u32', value: BLOCK_HASH_COUNT },
    { name: 'DbWeight', type: 'RuntimeDbWeight', value: { read: 25_000_000n, write: 100_000_000n } },
    { name: 'SS58Prefix', type: 'u16', value: 42 },
  ],
  onInitialize: rememberParent,
}

export type RuntimeVersion = {
  readonly spec_name: string
  readonly impl_name: string
  readonly authoring_version: number
  readonly spec_version: number
  readonly impl_version: number
  readonly apis: readonly (readonly [id: Uint8Array, version: number])[]
  readonly transaction_version: number
  readonly system_version: number
}

export const SPEC_NAME = 'node-subtensor'
export const TRANSACTION_VERSION = 1

export const runtimeVersion = (specVersion: number, apis: RuntimeVersion['apis']): RuntimeVersion => ({
  spec_name: SPEC_NAME,
  impl_name: SPEC_NAME,
  authoring_version: 1,
  spec_version: specVersion,
  impl_version: 1,
  apis,
  transaction_version: TRANSACTION_VERSION,
  system_version: 1,
})

/** The executor has set `ParentHash` by now. */
function rememberParent(context: Context): void {
  if (context.block === 0) return
  context.set(BlockHash, [context.block - 1], context.get(ParentHash))
  context.remove(BlockHash, [context.block - 1 - BLOCK_HASH_COUNT])
}

function remarkWithEvent(context: Context, origin: Origin, { remark }: { readonly [name: string]: unknown }): void {
  const sender = signer(origin)
  context.emit(P, 'Remarked', { sender, hash: toHex(blake2(remark as Uint8Array)) })
}

/** The account that signed; `BadOrigin` for the chain's own root. */
export function signer(origin: Origin): string {
  if (origin.kind !== 'signed') throw refuse('BadOrigin')
  return origin.account
}

export function requireRoot(origin: Origin): void {
  if (origin.kind !== 'root') throw refuse('BadOrigin')
}
