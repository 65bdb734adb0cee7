/** Staking: TAO into a subnet's alpha on a hotkey, out again, and from one place to another. */
import type { CallSpec, Context, Fields } from '../../define.ts'
import { freeBalance, transfer } from '../balances.ts'
import { dropPendingChildren } from './children.ts'
import { must, PALLET } from './error.ts'
import { min } from './fixed-point.ts'
import { signed } from './guard.ts'
import { addStake, stakeOf, takeStake } from './stake.ts'
import * as s from './storage.ts'
import { exists, isBeyond, NO_ACCOUNT, netuids, now, subnetAccount, type View } from './subnet.ts'
import { amountToPrice, quote, swapAlpha, swapTao } from './swap.ts'

/** 0.002 TAO: nothing below it is staked or, unless it is all there is, unstaked. */
export const STAKE_MIN = 2_000_000n

const hotkeyExists = (view: View, hotkey: string) => view.get(s.Owner, hotkey) !== NO_ACCOUNT

function mustBeOpen(view: View, netuid: number): void {
  must(exists(view, netuid), 'SubnetNotExists')
  must(view.get(s.SubtokenEnabled, netuid), 'SubtokenDisabled')
}

function stake(context: Context, coldkey: string, args: Fields): void {
  const netuid = args['netuid'] as number
  const hotkey = args['hotkey'] as string
  const wanted = args['amount_staked'] as bigint
  const limit = args['limit_price'] as bigint | undefined
  const most = limit === undefined ? wanted : amountToPrice(context, netuid, 'tao', limit)
  mustBeOpen(context, netuid)
  must(wanted >= STAKE_MIN + quote(context, netuid, 'tao', STAKE_MIN).fee, 'AmountTooLow')
  must(args['allow_partial'] === true || wanted <= most, 'SlippageTooHigh')
  const tao = min(wanted, most)
  must(freeBalance(context, coldkey) >= tao, 'NotEnoughBalanceToStake')
  must(hotkeyExists(context, hotkey), 'HotKeyAccountNotExists')
  const expected = quote(context, netuid, 'tao', tao)
  must(expected.paid >= STAKE_MIN, 'AmountTooLow')
  must(expected.got > 0n, 'InsufficientLiquidity')
  buy(context, coldkey, hotkey, netuid, tao)
}

/** The alpha that it became. */
function buy(context: Context, coldkey: string, hotkey: string, netuid: number, tao: bigint): bigint {
  transfer(context, coldkey, subnetAccount(netuid), tao, false)
  const { got, fee } = swapTao(context, netuid, tao)
  addStake(context, hotkey, coldkey, netuid, got)
  context.emit(PALLET, 'StakeAdded', { coldkey, hotkey, tao, alpha: got, netuid, fee })
  return got
}

/** The TAO that it became, paid to `to`. */
function sell(context: Context, coldkey: string, hotkey: string, netuid: number, alpha: bigint, to = coldkey): bigint {
  takeStake(context, hotkey, coldkey, netuid, alpha)
  const { got, paid, fee } = swapAlpha(context, netuid, alpha)
  transfer(context, subnetAccount(netuid), to, got, false)
  context.emit(PALLET, 'StakeRemoved', { coldkey, hotkey, tao: got, alpha: paid, netuid, fee })
  return got
}

function mustBeSellable(view: View, coldkey: string, hotkey: string, netuid: number, alpha: bigint): void {
  must(exists(view, netuid), 'SubnetNotExists')
  must(alpha > 0n, 'AmountTooLow')
  const own = stakeOf(view, hotkey, coldkey, netuid)
  must(alpha <= own, 'NotEnoughStakeToWithdraw')
  must(alpha === own || quote(view, netuid, 'alpha', alpha).got >= STAKE_MIN, 'AmountTooLow')
  must(hotkeyExists(view, hotkey), 'HotKeyAccountNotExists')
}

function unstake(context: Context, coldkey: string, args: Fields): void {
  const netuid = args['netuid'] as number
  const hotkey = args['hotkey'] as string
  must(context.get(s.SubtokenEnabled, netuid), 'SubtokenDisabled')
  const own = stakeOf(context, hotkey, coldkey, netuid)
  const wanted = (args['amount_unstaked'] as bigint | undefined) ?? own
  const limit = (args['limit_price'] as bigint | null | undefined) ?? null
  const alpha = min(wanted, own)
  const most = limit === null ? alpha : amountToPrice(context, netuid, 'alpha', limit)
  must(args['allow_partial'] === true || alpha <= most, 'SlippageTooHigh')
  mustBeSellable(context, coldkey, hotkey, netuid, min(alpha, most))
  sell(context, coldkey, hotkey, netuid, min(alpha, most))
  dropPendingChildren(context, hotkey)
}

function unstakeAll(context: Context, coldkey: string, args: Fields): void {
  const hotkey = args['hotkey'] as string
  must(hotkeyExists(context, hotkey), 'HotKeyAccountNotExists')
  for (const netuid of netuids(context)) {
    const alpha = stakeOf(context, hotkey, coldkey, netuid)
    const worth = quote(context, netuid, 'alpha', alpha).got
    if (alpha > 0n && worth > 0n && context.get(s.SubtokenEnabled, netuid))
      sell(context, coldkey, hotkey, netuid, alpha)
  }
}

type Place = { readonly coldkey: string; readonly hotkey: string; readonly netuid: number }

/** Within a subnet the alpha only changes hands; between subnets it is sold and bought. */
function moveStake(context: Context, from: Place, to: Place, wanted: bigint): bigint {
  mustBeOpen(context, from.netuid)
  mustBeOpen(context, to.netuid)
  must(hotkeyExists(context, from.hotkey) && hotkeyExists(context, to.hotkey), 'HotKeyAccountNotExists')
  const alpha = min(wanted, stakeOf(context, from.hotkey, from.coldkey, from.netuid))
  mustBeSellable(context, from.coldkey, from.hotkey, from.netuid, alpha)
  if (from.netuid === to.netuid) {
    takeStake(context, from.hotkey, from.coldkey, from.netuid, alpha)
    addStake(context, to.hotkey, to.coldkey, to.netuid, alpha)
    return quote(context, from.netuid, 'alpha', alpha).got
  }
  const tao = sell(context, from.coldkey, from.hotkey, from.netuid, alpha, to.coldkey)
  buy(context, to.coldkey, to.hotkey, to.netuid, tao)
  return tao
}

function move(context: Context, coldkey: string, args: Fields): void {
  const from = { coldkey, hotkey: args['origin_hotkey'] as string, netuid: args['origin_netuid'] as number }
  const to = { coldkey, hotkey: args['destination_hotkey'] as string, netuid: args['destination_netuid'] as number }
  const tao = moveStake(context, from, to, args['alpha_amount'] as bigint)
  context.emit(PALLET, 'StakeMoved', { coldkey, from: from.hotkey, a: from.netuid, to: to.hotkey, b: to.netuid, tao })
}

function give(context: Context, coldkey: string, args: Fields): void {
  const hotkey = args['hotkey'] as string
  const to = args['destination_coldkey'] as string
  const [a, b] = [args['origin_netuid'] as number, args['destination_netuid'] as number]
  must(context.get(s.TransferToggle, a) && context.get(s.TransferToggle, b), 'TransferDisallowed')
  const place = { coldkey, hotkey, netuid: a }
  const tao = moveStake(context, place, { coldkey: to, hotkey, netuid: b }, args['alpha_amount'] as bigint)
  context.emit(PALLET, 'StakeTransferred', { coldkey, to, hotkey, a, b, tao })
}

function swap(context: Context, coldkey: string, args: Fields): void {
  const hotkey = args['hotkey'] as string
  const [a, b] = [args['origin_netuid'] as number, args['destination_netuid'] as number]
  must(a !== b, 'SameNetuid')
  const place = { coldkey, hotkey, netuid: a }
  const tao = moveStake(context, place, { coldkey, hotkey, netuid: b }, args['alpha_amount'] as bigint)
  context.emit(PALLET, 'StakeSwapped', { coldkey, hotkey, a, b, tao })
}

/** A hotkey's take may fall at once and rise only every 30 days. */
function setTake(context: Context, coldkey: string, args: Fields, direction: 'TakeIncreased' | 'TakeDecreased'): void {
  const hotkey = args['hotkey'] as string
  const take = args['take'] as number
  const before = context.get(s.Delegates, hotkey)
  if (direction === 'TakeDecreased') must(take < before, 'DelegateTakeTooLow')
  else {
    must(take > before, 'DelegateTakeTooLow')
    must(take <= context.get(s.MaxDelegateTake), 'DelegateTakeTooHigh')
    const key = { type: 'LastTxBlockDelegateTake', value: coldkey }
    const last = context.get(s.LastRateLimitedBlock, key)
    const limit = context.get(s.TxDelegateTakeRateLimit)
    must(isBeyond(context, last, limit), 'DelegateTxRateLimitExceeded')
    context.set(s.LastRateLimitedBlock, [key], now(context))
  }
  context.set(s.Delegates, [hotkey], take)
  context.emit(PALLET, direction, { coldkey, hotkey, take })
}

function takeInBounds(context: Context, coldkey: string, args: Fields): void {
  const hotkey = args['hotkey'] as string
  must((args['take'] as number) >= context.get(s.MinDelegateTake), 'DelegateTakeTooLow')
  must((args['take'] as number) <= context.get(s.MaxDelegateTake), 'DelegateTakeTooHigh')
  must(hotkeyExists(context, hotkey), 'HotKeyAccountNotExists')
  must(context.get(s.Owner, hotkey) === coldkey, 'NonAssociatedColdKey')
}

const LIMIT = 'limit_price: u64, allow_partial: bool'
const PLACES = 'origin_netuid: u16, destination_netuid: u16, alpha_amount: u64'
const TAKE = 'hotkey: AccountId32, take: u16'
const REMOVE = 'hotkey: AccountId32, netuid: u16, amount_unstaked: u64'
const ADD = 'hotkey: AccountId32, netuid: u16, amount_staked: u64'

export const STAKING_CALLS: readonly CallSpec[] = [
  { index: 2, name: 'add_stake', args: ADD, paysFee: true, ...signed(stake) },
  { index: 3, name: 'remove_stake', args: REMOVE, paysFee: true, ...signed(unstake) },
  { index: 83, name: 'unstake_all', args: 'hotkey: AccountId32', paysFee: true, ...signed(unstakeAll) },
  {
    index: 85,
    name: 'move_stake',
    args: `origin_hotkey: AccountId32, destination_hotkey: AccountId32, ${PLACES}`,
    paysFee: true,
    ...signed(move),
  },
  {
    index: 86,
    name: 'transfer_stake',
    args: `destination_coldkey: AccountId32, hotkey: AccountId32, ${PLACES}`,
    paysFee: true,
    ...signed(give),
  },
  { index: 87, name: 'swap_stake', args: `hotkey: AccountId32, ${PLACES}`, paysFee: true, ...signed(swap) },
  { index: 88, name: 'add_stake_limit', args: `${ADD}, ${LIMIT}`, paysFee: true, ...signed(stake) },
  { index: 89, name: 'remove_stake_limit', args: `${REMOVE}, ${LIMIT}`, paysFee: true, ...signed(unstake) },
  {
    index: 103,
    name: 'remove_stake_full_limit',
    args: 'hotkey: AccountId32, netuid: u16, limit_price: Option<u64>',
    paysFee: true,
    ...signed(unstake),
  },
  {
    index: 65,
    name: 'decrease_take',
    args: TAKE,
    paysFee: false,
    ...signed((context, who, args) => setTake(context, who, args, 'TakeDecreased'), takeInBounds),
  },
  {
    index: 66,
    name: 'increase_take',
    args: TAKE,
    paysFee: false,
    ...signed((context, who, args) => setTake(context, who, args, 'TakeIncreased'), takeInBounds),
  },
]
