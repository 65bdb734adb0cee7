/**
 * What everything else asks about a subnet: does it exist, who is in it, when is its next epoch.
 *
 * A subnet may have several mechanisms. Weights, bonds, incentive, last updates and commits are kept per mechanism under
 * its storage index, which for the first one is the netuid itself.
 */
import type { Context, StorageItem } from '../../define.ts'
import { must } from './error.ts'
import { U64_MAX } from './fixed-point.ts'
import * as s from './storage.ts'

/** What can be read, also outside of a block. */
export type View = Pick<Context, 'block' | 'get' | 'entries'>

export const ROOT = 0
export const NO_ACCOUNT = s.Owner.fallback
const SUBNETS_MAX = 4096
/** The shortest tempo that an owner may set. */
export const TEMPO_MIN = 360
/** An epoch comes at the latest after so many blocks without one; also the longest tempo that an owner may set. */
export const TEMPO_MAX = 50_400

export const now = (view: View): bigint => BigInt(view.block)
/** Have so many blocks passed since `last`? Zero is a thing that never happened. */
export const isOver = (view: View, last: bigint, blocks: bigint): boolean => last === 0n || now(view) - last >= blocks

/** The same where the last of these blocks is still too early, and a limit of zero is none. */
export const isBeyond = (view: View, last: bigint, blocks: bigint): boolean =>
  blocks === 0n || last === 0n || now(view) - last > blocks

export const exists = (view: View, netuid: number): boolean => view.get(s.NetworksAdded, netuid)

export const netuids = (view: View): readonly number[] =>
  [...view.entries(s.NetworksAdded)]
    .filter(([, added]) => added)
    .map(([[netuid]]) => netuid)
    .sort((a, b) => a - b)

const SUBNET_ACCOUNT = 'modlsubtensr'

/** Where a subnet's TAO lies: `PalletId(*b"subtensr")` as a sub-account. */
export function subnetAccount(netuid: number): string {
  const bytes = Buffer.alloc(32)
  bytes.write(SUBNET_ACCOUNT)
  bytes.writeUInt16LE(netuid, SUBNET_ACCOUNT.length)
  return bytes.toString('hex')
}

/** Is it the account of a subnet's money, which is nobody's key? */
export const isSubnetAccount = (account: string): boolean =>
  account === subnetAccount(Buffer.from(account, 'hex').readUInt16LE(SUBNET_ACCOUNT.length))

export const storageIndex = (netuid: number, mechanism: number): number => mechanism * SUBNETS_MAX + netuid

export const netuidOf = (index: number): number => index % SUBNETS_MAX

/** The storage indices of all mechanisms of a subnet. */
export const indices = (view: View, netuid: number): readonly number[] =>
  Array.from({ length: view.get(s.MechanismCountCurrent, netuid) }, (_, mechanism) => storageIndex(netuid, mechanism))

export function mustHaveMechanism(view: View, netuid: number, mechanism: number): void {
  must(exists(view, netuid), 'MechanismDoesNotExist')
  must(view.get(s.MechanismCountCurrent, netuid) > mechanism, 'MechanismDoesNotExist')
}

export const isRegistered = (view: View, netuid: number, hotkey: string): boolean =>
  view.get(s.Uids, netuid, hotkey) !== null

export const hasUid = (view: View, netuid: number, uid: number): boolean => view.get(s.Keys, netuid, uid) !== NO_ACCOUNT

export const hotkeysOf = (view: View, netuid: number): readonly string[] =>
  Array.from({ length: view.get(s.SubnetworkN, netuid) }, (_, uid) => view.get(s.Keys, netuid, uid))

export const ownerUid = (view: View, netuid: number): number | null =>
  view.get(s.Uids, netuid, view.get(s.SubnetOwnerHotkey, netuid))

export const isImmune = (view: View, netuid: number, uid: number): boolean =>
  now(view) - view.get(s.BlockAtRegistration, netuid, uid) < BigInt(view.get(s.ImmunityPeriod, netuid))

/** All entries whose first keys are these. */
export function removeUnder<K extends readonly unknown[], V>(
  context: Context,
  item: StorageItem<K, V>,
  ...prefix: unknown[]
): void {
  for (const [keys] of [...context.entries(item, ...prefix)]) context.remove(item, keys)
}

/** A list by uid with one entry changed. A mechanism that came later has no list yet: it is filled up with zeros. */
export function withEntry<T extends number | bigint | boolean>(
  list: readonly T[],
  uid: number,
  value: T,
): readonly T[] {
  const zero = { number: 0, bigint: 0n, boolean: false }[typeof value as 'number']
  const copy = Array.from({ length: Math.max(list.length, uid) }, (_, i) => list[i] ?? (zero as T))
  copy[uid] = value
  return copy
}

export function activityCutoff(view: View, netuid: number): bigint {
  const blocks = (view.get(s.ActivityCutoffFactorMilli, netuid) * view.get(s.Tempo, netuid)) / 1000
  return BigInt(Math.max(1, Math.floor(blocks)))
}

export function isEpochDue(view: View, netuid: number): boolean {
  const tempo = view.get(s.Tempo, netuid)
  if (tempo === 0) return false
  const pending = view.get(s.PendingEpochAt, netuid)
  if (pending > 0n && now(view) >= pending) return true
  if (view.get(s.BlocksSinceLastStep, netuid) > BigInt(TEMPO_MAX)) return true
  return now(view) - view.get(s.LastEpochBlock, netuid) >= BigInt(tempo)
}

/** While an epoch is due and has not run, for example because it was put off, the next one has begun already. */
export const currentEpoch = (view: View, netuid: number): bigint =>
  view.get(s.SubnetEpochIndex, netuid) + (isEpochDue(view, netuid) ? 1n : 0n)

export function nextEpochBlock(view: View, netuid: number): bigint | null {
  const tempo = view.get(s.Tempo, netuid)
  if (tempo === 0) return null
  const regular = view.get(s.LastEpochBlock, netuid) + BigInt(tempo)
  const pending = view.get(s.PendingEpochAt, netuid)
  return pending > 0n && pending < regular ? pending : regular
}

export function blocksToRegularEpoch(view: View, netuid: number): bigint {
  const tempo = view.get(s.Tempo, netuid)
  if (tempo === 0) return U64_MAX
  const left = view.get(s.LastEpochBlock, netuid) + BigInt(tempo) - now(view)
  return left > 0n ? left : 0n
}

/** Must weights that were committed in `epoch` be revealed now? */
export const isRevealEpoch = (view: View, netuid: number, epoch: bigint): boolean =>
  currentEpoch(view, netuid) === epoch + view.get(s.RevealPeriodEpochs, netuid)

export const isExpired = (view: View, netuid: number, epoch: bigint): boolean =>
  currentEpoch(view, netuid) > epoch + view.get(s.RevealPeriodEpochs, netuid)
