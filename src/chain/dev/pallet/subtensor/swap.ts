/**
 * The market between TAO and a subnet's alpha: a pool in which the product of the two reserves stays the same, as
 * subtensor's is while nobody shifts its weights. On the root, and on subnets without a market, one is worth one.
 *
 * A share of what comes in is the fee. On subtensor it goes to the author of the block; here it goes to nobody, because
 * nobody authors these blocks.
 */
import { isqrt } from '../../../../util/integer.ts'
import type { Context } from '../../define.ts'
import { must } from './error.ts'
import { fixed, ONE, over, U16_WHOLE, U64_MAX } from './fixed-point.ts'
import * as s from './storage.ts'
import { ROOT, type View } from './subnet.ts'

/** As a share in a u16, the default of the Swap pallet. */
const FEE_RATE = 33n
/** Prices in arguments are rao for a whole alpha. */
const RAO = 10n ** 9n

export type Swap = { readonly paid: bigint; readonly got: bigint; readonly fee: bigint }

const isStable = (view: View, netuid: number) => netuid === ROOT || view.get(s.SubnetMechanism, netuid) === 0

/** TAO for one alpha. */
export const alphaPrice = (view: View, netuid: number): bigint =>
  isStable(view, netuid) ? ONE : over(fixed(view.get(s.SubnetTAO, netuid)), fixed(view.get(s.SubnetAlphaIn, netuid)))

/** What `amount` of one side would fetch of the other. */
export function quote(view: View, netuid: number, give: 'tao' | 'alpha', amount: bigint, isFree = false): Swap {
  if (isStable(view, netuid)) return { paid: amount, got: amount, fee: 0n }
  const fee = isFree ? 0n : (amount * FEE_RATE) / U16_WHOLE
  const [tao, alpha] = [view.get(s.SubnetTAO, netuid), view.get(s.SubnetAlphaIn, netuid)]
  const [from, to] = give === 'tao' ? [tao, alpha] : [alpha, tao]
  const paid = amount - fee
  return { paid, got: from + paid === 0n ? 0n : (to * paid) / (from + paid), fee }
}

/** TAO has come to the subnet's account before. */
export function swapTao(context: Context, netuid: number, tao: bigint, isFree = false): Swap {
  const swap = quote(context, netuid, 'tao', tao, isFree)
  if (!isStable(context, netuid)) {
    must(swap.got < context.get(s.SubnetAlphaIn, netuid), 'InsufficientLiquidity')
    add(context, s.SubnetAlphaIn, netuid, -swap.got)
  }
  add(context, s.SubnetAlphaOut, netuid, swap.got)
  add(context, s.SubnetTAO, netuid, swap.paid)
  add(context, s.SubnetVolume, netuid, tao)
  context.set(s.TotalStake, [], context.get(s.TotalStake) + tao)
  return swap
}

/** TAO leaves the subnet's account afterwards. */
export function swapAlpha(context: Context, netuid: number, alpha: bigint): Swap {
  const swap = quote(context, netuid, 'alpha', alpha)
  must(swap.got <= context.get(s.SubnetTAO, netuid), 'InsufficientLiquidity')
  if (!isStable(context, netuid)) add(context, s.SubnetAlphaIn, netuid, swap.paid)
  add(context, s.SubnetAlphaOut, netuid, -alpha)
  add(context, s.SubnetTAO, netuid, -swap.got)
  add(context, s.SubnetVolume, netuid, swap.got)
  const staked = context.get(s.TotalStake) - swap.got
  context.set(s.TotalStake, [], staked > 0n ? staked : 0n)
  return swap
}

type Reserve = typeof s.SubnetTAO

/** Never below zero, as the runtime saturates. */
export function add(context: Context, reserve: Reserve, netuid: number, amount: bigint): void {
  const sum = context.get(reserve, netuid) + amount
  context.set(reserve, [netuid], sum > 0n ? sum : 0n)
}

/** How much TAO raises the price to the limit, or how much alpha lowers it there. */
export function amountToPrice(view: View, netuid: number, give: 'tao' | 'alpha', limitPrice: bigint): bigint {
  if (isStable(view, netuid)) {
    const isFine = give === 'tao' ? limitPrice >= RAO : limitPrice <= RAO
    return isFine ? U64_MAX : 0n
  }
  const [tao, alpha] = [view.get(s.SubnetTAO, netuid), view.get(s.SubnetAlphaIn, netuid)]
  if (give === 'alpha' && limitPrice === 0n) return U64_MAX
  // With the product k = tao × alpha, the price is limitPrice where tao is √(k × price) and alpha √(k / price).
  const target = give === 'tao' ? isqrt((tao * alpha * limitPrice) / RAO) : isqrt((tao * alpha * RAO) / limitPrice)
  const paid = target - (give === 'tao' ? tao : alpha)
  if (paid <= 0n) return 0n
  const withFee = (paid * U16_WHOLE) / (U16_WHOLE - FEE_RATE)
  return withFee < U64_MAX ? withFee : U64_MAX
}
