/**
 * What a hotkey says about itself on a subnet: up to three fields, of which the last write counts.
 *
 * Saying costs nothing but space: so many bytes per hotkey and epoch, and every call costs at least 100 of them.
 */

import { compareText } from '../../../util/compare.ts'
import { type Context, type Fields, item, need, type Origin, optional, type Pallet, type TypeTable } from '../define.ts'
import type { EnumValue } from '../scale.ts'
import { Pulses } from './drand.ts'
import { resetBonds } from './subtensor/bond-reset.ts'
import { SubnetEpochIndex } from './subtensor/storage.ts'
import { isRegistered, now, removeUnder } from './subtensor/subnet.ts'
import { openSealed } from './subtensor/timelock-open.ts'
import { requireRoot, signer } from './system.ts'

const P = 'Commitments'
const FIELDS_MAX = 3
const CALL_BYTES_MIN = 100n
const REVEALS_KEPT = 10

type Info = { readonly fields: readonly EnumValue[] }
type Registration = { readonly deposit: bigint; readonly block: number; readonly info: Info }
type Usage = { readonly last_epoch: bigint; readonly used_space: bigint }
type Sealed = { readonly encrypted: Uint8Array; readonly reveal_round: bigint }
type Place = readonly [netuid: number, who: string]

const KEYS = 'Identity u16, Twox64Concat AccountId32'
export const CommitmentOf = optional<[number, string], Registration>(P, 'CommitmentOf', KEYS, 'Registration')
export const LastCommitment = optional<[number, string], number>(P, 'LastCommitment', KEYS, 'u32')
export const LastBondsReset = optional<[number, string], number>(P, 'LastBondsReset', KEYS, 'u32')
export const UsedSpaceOf = optional<[number, string], Usage>(P, 'UsedSpaceOf', KEYS, 'UsageTracker')
export const MaxSpace = item<[], number>(P, 'MaxSpace', '', 'u32', 3100)
export const RevealedCommitments = optional<[number, string], readonly (readonly [Uint8Array, bigint])[]>(P, 'RevealedCommitments', KEYS, 'Vec<(Vec<u8>,u64)>') // biome-ignore format: a table
const TimelockedIndex = item<[], readonly Place[]>(P, 'TimelockedIndex', '', 'BTreeSet<(u16,AccountId32)>', [])

const RAW_BYTES_MAX = 128
const raws = Array.from({ length: RAW_BYTES_MAX + 1 }, (_, bytes) => `${bytes + 1} Raw${bytes}([u8;${bytes}])`)

export const COMMITMENTS_TYPES: TypeTable = {
  Data: {
    path: 'pallet_commitments::types::Data',
    type: `enum {0 None, ${raws.join(', ')}, 130 BlakeTwo256([u8;32]), 131 Sha256([u8;32]), 132 Keccak256([u8;32]),
      133 ShaThree256([u8;32]), 134 TimelockEncrypted{encrypted: BoundedVec<u8,1024>, reveal_round: u64},
      135 ResetBondsFlag, 136 BigRaw(BoundedVec<u8,512>)}`,
  },
  // A longer list is the call's error, not one of decoding, though the bound is in the runtime's type.
  CommitmentInfo: { path: 'pallet_commitments::types::CommitmentInfo', type: '{fields: Vec<Data>}' },
  Registration: {
    path: 'pallet_commitments::types::Registration',
    type: '{deposit: u64, block: u32, info: CommitmentInfo}',
  },
  UsageTracker: { path: 'pallet_commitments::types::UsageTracker', type: '{last_epoch: u64, used_space: u64}' },
}

/** Bytes that a field takes of the epoch's space. */
function sizeOf({ type, value }: EnumValue): bigint {
  if (type === 'TimelockEncrypted') return BigInt((value as Sealed).encrypted.length)
  return value instanceof Uint8Array ? BigInt(value.length) : 0n
}

function setCommitment(context: Context, origin: Origin, args: Fields): void {
  const who = signer(origin)
  const netuid = args['netuid'] as number
  const info = args['info'] as Info
  need(isRegistered(context, netuid, who), P, 'AccountNotAllowedCommit')
  need(info.fields.length <= FIELDS_MAX, P, 'TooManyFieldsInCommitmentInfo')
  spendSpace(context, netuid, who, info)
  if (info.fields.some(({ type }) => type === 'ResetBondsFlag')) {
    context.set(LastBondsReset, [netuid, who], context.block)
    resetBonds(context, netuid, who)
  }
  context.set(CommitmentOf, [netuid, who], { deposit: 0n, block: context.block, info })
  context.set(LastCommitment, [netuid, who], context.block)
  const sealed = info.fields.find(({ type }) => type === 'TimelockEncrypted')
  setWaiting(context, [netuid, who], sealed !== undefined)
  if (sealed === undefined) context.emit(P, 'Commitment', { netuid, who })
  else context.emit(P, 'TimelockCommitment', { netuid, who, reveal_round: (sealed.value as Sealed).reveal_round })
}

function spendSpace(context: Context, netuid: number, who: string, info: Info): void {
  const bytes = info.fields.reduce((sum, field) => sum + sizeOf(field), 0n)
  const epoch = context.get(SubnetEpochIndex, netuid)
  const usage = context.get(UsedSpaceOf, netuid, who)
  const before = usage?.last_epoch === epoch ? usage.used_space : 0n
  const used = before + (bytes > CALL_BYTES_MIN ? bytes : CALL_BYTES_MIN)
  need(used <= BigInt(context.get(MaxSpace)), P, 'SpaceLimitExceeded')
  context.set(UsedSpaceOf, [netuid, who], { last_epoch: epoch, used_space: used })
}

/** The index is a set in the order of its encoded entries. */
function setWaiting(context: Context, [netuid, who]: Place, waits: boolean): void {
  const index = context.get(TimelockedIndex)
  const others = index.filter((place) => place[0] !== netuid || place[1] !== who)
  if (!waits && others.length === index.length) return
  const next = waits ? [...others, [netuid, who] as const] : others
  context.set(
    TimelockedIndex,
    [],
    next.toSorted((a, b) => a[0] - b[0] || compareText(a[1], b[1])),
  )
}

/** What was encrypted to a round whose pulse is there by now. What cannot be opened is dropped. */
function revealTimelocked(context: Context): void {
  for (const place of context.get(TimelockedIndex)) {
    const [netuid, who] = place
    const registration = context.get(CommitmentOf, netuid, who)
    const fields = registration?.info.fields ?? []
    const pulseOf = ({ type, value }: EnumValue) =>
      type === 'TimelockEncrypted' ? context.get(Pulses, (value as Sealed).reveal_round) : null
    const left = fields.filter((field) => pulseOf(field) === null)
    if (registration !== null && left.length === fields.length) continue
    const opened = fields.flatMap((field) => {
      const pulse = pulseOf(field)
      const bytes = pulse === null ? null : openSealed((field.value as Sealed).encrypted, pulse.signature)
      return bytes === null || bytes.length === 0 ? [] : [bytes]
    })
    keepRevealed(context, netuid, who, opened)
    if (left.length === 0) context.remove(CommitmentOf, [netuid, who])
    else if (registration !== null)
      context.set(CommitmentOf, [netuid, who], { ...registration, info: { fields: left } })
    setWaiting(
      context,
      place,
      left.some(({ type }) => type === 'TimelockEncrypted'),
    )
  }
}

function keepRevealed(context: Context, netuid: number, who: string, opened: readonly Uint8Array[]): void {
  if (opened.length === 0) return
  const before = context.get(RevealedCommitments, netuid, who) ?? []
  const all = [...before, ...opened.map((bytes) => [bytes, now(context)] as const)]
  context.set(RevealedCommitments, [netuid, who], all.slice(-REVEALS_KEPT))
  for (const _ of opened) context.emit(P, 'CommitmentRevealed', { netuid, who })
}

/** Of a subnet that is no more. */
export function purgeSubnet(context: Context, netuid: number): void {
  removeUnder(context, CommitmentOf, netuid)
  removeUnder(context, LastCommitment, netuid)
  removeUnder(context, LastBondsReset, netuid)
  removeUnder(context, RevealedCommitments, netuid)
  removeUnder(context, UsedSpaceOf, netuid)
  const others = context.get(TimelockedIndex).filter(([place]) => place !== netuid)
  context.set(TimelockedIndex, [], others)
}

function setMaxSpace(context: Context, origin: Origin, args: Fields): void {
  requireRoot(origin)
  context.set(MaxSpace, [], args['new_limit'] as number)
}

export const commitments: Pallet = {
  index: 18,
  name: P,
  storage: [TimelockedIndex, CommitmentOf, LastCommitment, LastBondsReset, RevealedCommitments, UsedSpaceOf, MaxSpace],
  calls: [
    {
      index: 0,
      name: 'set_commitment',
      args: 'netuid: u16, info: CommitmentInfo',
      paysFee: false,
      run: setCommitment,
    },
    { index: 2, name: 'set_max_space', args: 'new_limit: u32', paysFee: true, run: setMaxSpace },
  ],
  events: [
    { index: 0, name: 'Commitment', fields: 'netuid: u16, who: AccountId32' },
    { index: 1, name: 'TimelockCommitment', fields: 'netuid: u16, who: AccountId32, reveal_round: u64' },
    { index: 2, name: 'CommitmentRevealed', fields: 'netuid: u16, who: AccountId32' },
  ],
  errors: [
    'TooManyFieldsInCommitmentInfo',
    'AccountNotAllowedCommit',
    'SpaceLimitExceeded',
    'UnexpectedUnreserveLeftover',
  ].map((name, index) => ({ index, name })),
  constants: [
    { name: 'MaxFields', type: 'u32', value: FIELDS_MAX },
    { name: 'InitialDeposit', type: 'u64', value: 0n },
    { name: 'FieldDeposit', type: 'u64', value: 0n },
  ],
  onInitialize: revealTimelocked,
}
