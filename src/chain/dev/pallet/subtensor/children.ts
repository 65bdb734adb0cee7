/**
 * Lending stake: a hotkey's owner names its children on a subnet. On a subnet that has started it takes a while, until the
 * first epoch after it, so that nobody is surprised.
 */
import { type CallSpec, type Context, DispatchFailure, type Fields, type Origin } from '../../define.ts'
import { requireRoot } from '../system.ts'
import { childTake, minChildTake } from './child-dividend.ts'
import { must, PALLET } from './error.ts'
import { fixed, floor, times, U64_MAX } from './fixed-point.ts'
import { signed } from './guard.ts'
import { applyChildren, type Kin, mustBeChildren } from './kin.ts'
import * as s from './storage.ts'
import { exists, hotkeysOf, isOver, isRegistered, netuids, now, ROOT, type View } from './subnet.ts'
import { alphaPrice } from './swap.ts'

/** Kinds of `TransactionKeyLastBlock`. */
const SET_CHILDREN = 0
const SET_TAKE = 1
/** Half an hour. */
const SET_CHILDREN_LIMIT = 150n

/** In rao of TAO, over all subnets. */
function totalStake(view: View, hotkey: string): bigint {
  const worth = (netuid: number) => times(fixed(view.get(s.TotalHotkeyAlpha, hotkey, netuid)), alphaPrice(view, netuid))
  return floor(netuids(view).reduce((sum, netuid) => sum + worth(netuid), 0n))
}

const hasStakeForChildren = (view: View, hotkey: string): boolean =>
  totalStake(view, hotkey) >= view.get(s.StakeThreshold)

function setChildren(context: Context, coldkey: string, args: Fields): void {
  const { hotkey, netuid, children } = args as Fields & Family
  must(isOver(context, context.get(s.TransactionKeyLastBlock, hotkey, netuid, SET_CHILDREN), SET_CHILDREN_LIMIT), 'TxRateLimitExceeded') // biome-ignore format: one condition
  must(netuid !== ROOT, 'RegistrationNotPermittedOnRootSubnet')
  must(exists(context, netuid), 'SubnetNotExists')
  must(context.get(s.Owner, hotkey) === coldkey, 'NonAssociatedColdKey')
  must(new Set(children.map(([, child]) => child)).size === children.length, 'DuplicateChild')
  mustBeChildren(context, netuid, hotkey, children)
  const isOwner = context.get(s.SubnetOwnerHotkey, netuid) === hotkey
  must(children.length === 0 || isOwner || hasStakeForChildren(context, hotkey), 'NotEnoughStakeToSetChildkeys')
  context.set(s.TransactionKeyLastBlock, [hotkey, netuid, SET_CHILDREN], now(context))
  if (!context.get(s.SubtokenEnabled, netuid)) {
    apply(context, { hotkey, netuid, children })
    return
  }
  const block = now(context) + context.get(s.PendingChildKeyCooldown)
  context.set(s.PendingChildKeys, [netuid, hotkey], [children, block])
  context.emit(PALLET, 'SetChildrenScheduled', { hotkey, netuid, block, children })
}

type Family = { readonly hotkey: string; readonly netuid: number; readonly children: Kin }

function apply(context: Context, { hotkey, netuid, children }: Family): void {
  if (applyChildren(context, netuid, hotkey, children))
    context.emit(PALLET, 'SetChildren', { hotkey, netuid, children })
}

/** After the epochs of a block, on the subnets that had one. */
export function applyPendingChildren(context: Context): void {
  for (const netuid of netuids(context)) {
    if (context.get(s.LastEpochBlock, netuid) !== now(context)) continue
    const isStarted = context.get(s.SubtokenEnabled, netuid)
    for (const [keys, [children, block]] of [...context.entries(s.PendingChildKeys, netuid)]) {
      if (isStarted && block >= now(context)) continue
      apply(context, { hotkey: keys[1], netuid, children })
      context.remove(s.PendingChildKeys, keys)
    }
  }
}

/** Whoever takes its stake away, takes back what it announced. */
export function dropPendingChildren(context: Context, hotkey: string): void {
  if (hasStakeForChildren(context, hotkey)) return
  for (const netuid of netuids(context)) context.remove(s.PendingChildKeys, [netuid, hotkey])
}

/** A new subnet's owner borrows the stake of everybody on the root who did not say no. Who cannot lend does not. */
export function lendFromRoot(context: Context, netuid: number): void {
  const owner = context.get(s.SubnetOwnerHotkey, netuid)
  for (const hotkey of hotkeysOf(context, ROOT)) {
    if (hotkey === owner || !context.get(s.AutoParentDelegationEnabled, hotkey)) continue
    try {
      setChildren(context, context.get(s.Owner, hotkey), { hotkey, netuid, children: [[U64_MAX, owner]] })
    } catch (error) {
      if (!(error instanceof DispatchFailure)) throw error
    }
  }
}

/** A higher take is allowed every thirty days, a lower one at any time. */
function setTake(context: Context, coldkey: string, args: Fields): void {
  const { hotkey, netuid, take } = args as Fields & { hotkey: string; netuid: number; take: number }
  must(context.get(s.Owner, hotkey) === coldkey, 'NonAssociatedColdKey')
  must(take >= minChildTake(context, netuid) && take <= context.get(s.MaxChildkeyTake), 'InvalidChildkeyTake')
  const last = context.get(s.TransactionKeyLastBlock, hotkey, netuid, SET_TAKE)
  const isInTime = isOver(context, last, context.get(s.TxChildkeyTakeRateLimit))
  must(take <= childTake(context, hotkey, netuid) || isInTime, 'TxChildkeyTakeRateLimitExceeded')
  context.set(s.TransactionKeyLastBlock, [hotkey, netuid, SET_TAKE], now(context))
  context.set(s.ChildkeyTake, [hotkey, netuid], take)
  context.emit(PALLET, 'ChildKeyTakeSet', { hotkey, take })
}

function setAutoLending(context: Context, coldkey: string, args: Fields): void {
  const { hotkey, enabled } = args as Fields & { hotkey: string; enabled: boolean }
  must(context.get(s.Owner, hotkey) === coldkey, 'NonAssociatedColdKey')
  must(isRegistered(context, ROOT, hotkey), 'HotKeyNotRegisteredInSubNet')
  context.set(s.AutoParentDelegationEnabled, [hotkey], enabled)
  context.emit(PALLET, 'AutoParentDelegationEnabledSet', { hotkey, enabled })
}

function setCooldown(context: Context, origin: Origin, args: Fields): void {
  requireRoot(origin)
  context.set(s.PendingChildKeyCooldown, [], args['cooldown'] as bigint)
}

export const CHILDREN_CALLS: readonly CallSpec[] = [
  {
    index: 67,
    name: 'set_children',
    args: 'hotkey: AccountId32, netuid: u16, children: Vec<(u64,AccountId32)>',
    paysFee: true,
    ...signed(setChildren),
  },
  {
    index: 75,
    name: 'set_childkey_take',
    args: 'hotkey: AccountId32, netuid: u16, take: u16',
    paysFee: true,
    ...signed(setTake),
  },
  { index: 109, name: 'set_pending_childkey_cooldown', args: 'cooldown: u64', paysFee: true, run: setCooldown },
  {
    index: 135,
    name: 'set_auto_parent_delegation_enabled',
    args: 'hotkey: AccountId32, enabled: bool',
    paysFee: true,
    ...signed(setAutoLending),
  },
]
