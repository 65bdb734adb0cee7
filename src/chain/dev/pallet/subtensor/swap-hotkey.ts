/**
 * A coldkey gives what one of its hotkeys is and has to another one: its seats, its stake and its kin, on one subnet or on
 * all. It costs TAO that nobody gets, and is rare: once a day on a subnet.
 */
import type { CallSpec, Context, Fields, StorageItem } from '../../define.ts'
import { burn, EXISTENTIAL_DEPOSIT, freeBalance } from '../balances.ts'
import { must, PALLET } from './error.ts'
import { signed } from './guard.ts'
import { moveKin } from './kin.ts'
import { addStake, stakeOf, takeStake } from './stake.ts'
import * as s from './storage.ts'
import {
  indices,
  isBeyond,
  isRegistered,
  isSubnetAccount,
  NO_ACCOUNT,
  netuids,
  now,
  ROOT,
  type View,
} from './subnet.ts'

export const KEY_SWAP_COST = 100_000_000n
export const SUBNET_SWAP_COST = 1_000_000n
/** A day. */
export const SUBNET_SWAP_LIMIT = 7_200n

type Swap = {
  readonly coldkey: string
  readonly from: string
  readonly to: string
  /** Stake may stay with the old hotkey, which is then nobody's. */
  readonly keepStake: boolean
}
type TxKind = 'LastTxBlock' | 'LastTxBlockDelegateTake' | 'LastTxBlockChildKeyTake'

const TX_KINDS: readonly TxKind[] = ['LastTxBlock', 'LastTxBlockDelegateTake', 'LastTxBlockChildKeyTake']
const txKey = (type: TxKind, account: string) => ({ type, value: account })

const isMember = (view: View, hotkey: string): boolean =>
  [...view.entries(s.IsNetworkMember, hotkey)].some(([, member]) => member)

function swapHotkey(context: Context, coldkey: string, args: Fields): void {
  const [from, to] = [args['hotkey'] as string, args['new_hotkey'] as string]
  const netuid = args['netuid'] as number | null
  const swap = { coldkey, from, to, keepStake: args['keep_stake'] === true }
  must(context.get(s.Owner, from) === coldkey, 'NonAssociatedColdKey')
  must([NO_ACCOUNT, coldkey].includes(context.get(s.Owner, to)), 'NonAssociatedColdKey')
  must(from !== to, 'NewHotKeyIsSameWithOld')
  const last = context.get(s.LastRateLimitedBlock, txKey('LastTxBlock', coldkey))
  must(isBeyond(context, last, context.get(s.TxRateLimit)), 'HotKeySetTxRateLimitExceeded')
  const isSeated = netuid === null ? isMember(context, to) : isRegistered(context, netuid, to)
  must(!isSeated, 'HotKeyAlreadyRegisteredInSubNet')
  const touchesRoot = netuid === null || netuid === ROOT
  must(!touchesRoot || context.get(s.TotalHotkeyAlpha, to, ROOT) === 0n, 'NewHotKeyNotCleanForRootSwap')
  for (const kind of TX_KINDS)
    context.set(s.LastRateLimitedBlock, [txKey(kind, to)], context.get(s.LastRateLimitedBlock, txKey(kind, from)))
  if (netuid === null) swapEverywhere(context, swap)
  else swapOnSubnet(context, swap, netuid)
}

function pay(context: Context, coldkey: string, cost: bigint): void {
  must(freeBalance(context, coldkey) >= cost, 'NotEnoughBalanceToPaySwapHotKey')
  must(freeBalance(context, coldkey) - cost >= EXISTENTIAL_DEPOSIT, 'InsufficientBalance')
  burn(context, coldkey, cost)
  context.set(s.TotalIssuance, [], context.get(s.TotalIssuance) - cost)
}

function swapOnSubnet(context: Context, swap: Swap, netuid: number): void {
  const { coldkey, from, to } = swap
  // Unlike in a swap everywhere, a first one waits too, counted from block 0.
  const isInTime = context.get(s.LastHotkeySwapOnNetuid, netuid, coldkey) + SUBNET_SWAP_LIMIT < now(context)
  must(isInTime, 'HotKeySwapOnSubnetIntervalNotPassed')
  must(!isSubnetAccount(to), 'CannotUseSystemAccount')
  pay(context, coldkey, SUBNET_SWAP_COST)
  context.set(s.Owner, [to], coldkey)
  const owned = context.get(s.OwnedHotkeys, coldkey)
  if (!owned.includes(to)) context.set(s.OwnedHotkeys, [coldkey], [...owned, to])
  moveOnSubnet(context, swap, netuid)
  context.set(s.LastRateLimitedBlock, [txKey('LastTxBlock', coldkey)], now(context))
  context.set(s.LastHotkeySwapOnNetuid, [netuid, coldkey], now(context))
  context.emit(PALLET, 'HotkeySwappedOnSubnet', { coldkey, old_hotkey: from, new_hotkey: to, netuid })
}

function swapEverywhere(context: Context, swap: Swap): void {
  const { coldkey, from, to } = swap
  const affected = netuids(context).filter(
    (netuid) => context.get(s.IsNetworkMember, from, netuid) || context.get(s.ChildKeys, from, netuid).length > 0,
  )
  for (const netuid of affected) {
    const last = context.get(s.LastHotkeySwapOnNetuid, netuid, coldkey)
    must(last === 0n || last + SUBNET_SWAP_LIMIT < now(context), 'HotKeySwapOnSubnetIntervalNotPassed')
  }
  pay(context, coldkey, KEY_SWAP_COST)
  const stakers = stakersOf(context, from)
  must(!isSubnetAccount(to), 'CannotUseSystemAccount')
  context.remove(s.Owner, [from])
  context.set(s.Owner, [to], coldkey)
  context.set(s.OwnedHotkeys, [coldkey], replaced(context.get(s.OwnedHotkeys, coldkey), from, to))
  for (const netuid of netuids(context)) moveOnSubnet(context, swap, netuid)
  for (const kind of TX_KINDS) context.remove(s.LastRateLimitedBlock, [txKey(kind, from)])
  moveEntry(context, s.Delegates, [from], [to])
  if (!swap.keepStake) moveStakers(context, swap, stakers)
  for (const netuid of affected) context.set(s.LastHotkeySwapOnNetuid, [netuid, coldkey], now(context))
  context.set(s.LastRateLimitedBlock, [txKey('LastTxBlock', coldkey)], now(context))
  context.emit(PALLET, 'HotkeySwapped', { coldkey, old_hotkey: from, new_hotkey: to })
}

const stakersOf = (view: View, hotkey: string): readonly string[] => [
  ...new Set([...view.entries(s.AlphaV2, hotkey)].map(([[, coldkey]]) => coldkey)),
]

function moveStakers(context: Context, { from, to }: Swap, stakers: readonly string[]): void {
  for (const coldkey of stakers) {
    const hotkeys = context.get(s.StakingHotkeys, coldkey)
    if (!hotkeys.includes(from)) continue
    const others = hotkeys.filter((hotkey) => hotkey !== from && hotkey !== to)
    context.set(s.StakingHotkeys, [coldkey], [...others, to])
  }
}

/** The new one at the end, unless it is in the list. */
const replaced = (hotkeys: readonly string[], from: string, to: string): readonly string[] =>
  (hotkeys.includes(to) ? hotkeys : [...hotkeys, to]).filter((hotkey) => hotkey !== from)

/** Only what is written down: a default stays one. */
function moveEntry<K extends readonly unknown[], V>(context: Context, item: StorageItem<K, V>, from: K, to: K): void {
  for (const [, value] of [...context.entries(item, ...from)]) {
    context.remove(item, from)
    context.set(item, to, value)
  }
}

function moveOnSubnet(context: Context, swap: Swap, netuid: number): void {
  const { from, to } = swap
  const wasMember = context.get(s.IsNetworkMember, from, netuid)
  context.remove(s.IsNetworkMember, [from, netuid])
  context.set(s.IsNetworkMember, [to, netuid], wasMember)
  if (wasMember) moveSeat(context, swap, netuid)
  moveEntry(context, s.ChildkeyTake, [from, netuid], [to, netuid])
  moveKin(context, netuid, from, to)
  if (context.get(s.SubnetOwnerHotkey, netuid) === from) {
    context.set(s.SubnetOwnerHotkey, [netuid], to)
    context.emit(PALLET, 'SubnetOwnerHotkeySet', { netuid, hotkey: to })
  }
  if (swap.keepStake) return
  moveStake(context, swap, netuid)
  if (netuid === ROOT) moveEntry(context, s.AutoParentDelegationEnabled, [from], [to])
}

/** Timelocked commits stay with the key that is sealed in them. */
function moveSeat(context: Context, { from, to }: Swap, netuid: number): void {
  const uid = context.get(s.Uids, netuid, from)
  if (uid !== null) {
    context.remove(s.Uids, [netuid, from])
    context.set(s.Uids, [netuid, to], uid)
    context.set(s.Keys, [netuid, uid], to)
  }
  moveEntry(context, s.Prometheus, [netuid, from], [netuid, to])
  moveEntry(context, s.Axons, [netuid, from], [netuid, to])
  for (const index of indices(context, netuid)) moveEntry(context, s.WeightCommits, [index, from], [index, to])
  moveEntry(context, s.NeuronCertificates, [netuid, from], [netuid, to])
}

function moveStake(context: Context, { from, to }: Swap, netuid: number): void {
  const [lastFrom, lastTo] = [from, to].map((hotkey) => context.get(s.TotalHotkeyAlphaLastEpoch, hotkey, netuid))
  context.remove(s.TotalHotkeyAlphaLastEpoch, [from, netuid])
  context.set(s.TotalHotkeyAlphaLastEpoch, [to, netuid], (lastFrom ?? 0n) + (lastTo ?? 0n))
  const [paidFrom, paidTo] = [from, to].map((hotkey) => context.get(s.AlphaDividendsPerSubnet, netuid, hotkey))
  context.remove(s.AlphaDividendsPerSubnet, [netuid, from])
  context.set(s.AlphaDividendsPerSubnet, [netuid, to], (paidFrom ?? 0n) + (paidTo ?? 0n))
  const shares = [...context.entries(s.AlphaV2, from)].filter(([[, , place]]) => place === netuid)
  for (const [[, coldkey]] of shares) {
    const alpha = stakeOf(context, from, coldkey, netuid)
    takeStake(context, from, coldkey, netuid, alpha)
    addStake(context, to, coldkey, netuid, alpha)
  }
}

const ARGS = 'hotkey: AccountId32, new_hotkey: AccountId32, netuid: Option<u16>'

export const SWAP_HOTKEY_CALLS: readonly CallSpec[] = [
  { index: 70, name: 'swap_hotkey', args: ARGS, paysFee: true, ...signed(swapHotkey) },
  { index: 72, name: 'swap_hotkey_v2', args: `${ARGS}, keep_stake: bool`, paysFee: true, ...signed(swapHotkey) },
]
