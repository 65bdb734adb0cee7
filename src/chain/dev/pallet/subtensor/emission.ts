/**
 * What a block brings: TAO and alpha for every subnet that has started, and epochs that pay the alpha out.
 *
 * Of a subnet's alpha the owner gets its cut and miners and validators half of the rest each. What validators earn by TAO
 * that is staked on the root is recycled while alpha is cheap, as on subtensor; otherwise it is set aside for claims, which
 * this chain does not have.
 */

import type { Context } from '../../define.ts'
import { issue } from '../balances.ts'
import { shareWithParents } from './child-dividend.ts'
import { type Payment, runEpoch } from './epoch.ts'
import { PALLET } from './error.ts'
import { fixed, floor, less, min, ONE, over, times, U16_WHOLE } from './fixed-point.ts'
import { addDividend, addStake } from './stake.ts'
import { taoWeight } from './stake-weight.ts'
import * as s from './storage.ts'
import { isEpochDue, isRegistered, netuids, now, ROOT, removeUnder, subnetAccount, type View } from './subnet.ts'
import { add, alphaPrice, swapTao } from './swap.ts'

const HALF = ONE / 2n
/** Twenty-one million, of TAO and of every alpha: emission halves at a half of it, at three quarters, and so on. */
const SUPPLY_MAX = 21_000_000n * 10n ** 9n
const EMISSION_MAX = 10n ** 9n

export function blockEmission(issuance: bigint): bigint {
  let emission = EMISSION_MAX
  if (issuance >= SUPPLY_MAX) return 0n
  for (let left = SUPPLY_MAX - issuance; left * 2n <= SUPPLY_MAX; left *= 2n) emission /= 2n
  return emission
}

const alphaIssuance = (view: View, netuid: number): bigint =>
  view.get(s.SubnetAlphaIn, netuid) + view.get(s.SubnetAlphaOut, netuid)

/** How much of what validators earn is earned by TAO on the root. */
function rootShare(view: View, netuid: number): bigint {
  const tao = times(fixed(view.get(s.SubnetTAO, ROOT)), taoWeight(view))
  return over(tao, tao + fixed(alphaIssuance(view, netuid)))
}

const starting = (view: View): readonly number[] =>
  netuids(view).filter(
    (netuid) =>
      netuid !== ROOT &&
      view.get(s.FirstEmissionBlockNumber, netuid) !== null &&
      view.get(s.SubtokenEnabled, netuid) &&
      view.get(s.NetworkRegistrationAllowed, netuid),
  )

/** Before the transactions of every block. */
export function runCoinbase(context: Context): void {
  const subnets = starting(context)
  const alpha = new Map(subnets.map((netuid) => [netuid, blockEmission(alphaIssuance(context, netuid))]))
  emitTao(context, subnets, alpha)
  // Prices of at most one in all mean that nobody would buy what the root sells.
  const isRootSold = subnets.reduce((sum, netuid) => sum + context.get(s.SubnetMovingPrice, netuid).bits, 0n) > ONE
  for (const netuid of subnets) emitAlpha(context, netuid, alpha.get(netuid) ?? 0n, isRootSold)
  runEpochs(context)
  for (const netuid of subnets) moveAveragePrice(context, netuid)
}

/**
 * By price, less what owners withheld from miners. On subtensor the flows of TAO into subnets decide; on a chain of few
 * subnets, where this matters little, price stands for them.
 */
function emitTao(context: Context, subnets: readonly number[], alpha: ReadonlyMap<number, bigint>): void {
  const enabled = subnets.filter((netuid) => context.get(s.SubnetEmissionEnabled, netuid))
  const shares = enabled.map((netuid) =>
    times(alphaPrice(context, netuid), less(ONE, context.get(s.MinerBurned, netuid).bits)),
  )
  const total = shares.reduce((sum, share) => sum + share, 0n)
  const emission = blockEmission(context.get(s.TotalIssuance))
  for (const [i, netuid] of enabled.entries()) {
    const tao = floor(times(fixed(emission), over(shares[i] as bigint, total)))
    if (tao > 0n) fillMarket(context, netuid, tao, alpha.get(netuid) ?? 0n)
  }
}

/** Both sides of the market grow at its price, alpha at most by the root's share of its emission; the rest buys alpha. */
function fillMarket(context: Context, netuid: number, tao: bigint, alphaEmission: bigint): void {
  const price = alphaPrice(context, netuid)
  const cap = times(rootShare(context, netuid), fixed(alphaEmission))
  const wanted = over(fixed(tao), price)
  const alphaIn = floor(min(wanted, cap))
  const taoIn = wanted <= cap ? tao : floor(times(cap, price))
  context.set(s.TotalIssuance, [], context.get(s.TotalIssuance) + tao)
  issue(context, subnetAccount(netuid), tao)
  if (tao > taoIn) add(context, s.SubnetProtocolAlpha, netuid, swapTao(context, netuid, tao - taoIn, true).got)
  add(context, s.SubnetAlphaIn, netuid, alphaIn)
  add(context, s.SubnetTAO, netuid, taoIn)
  context.set(s.TotalStake, [], context.get(s.TotalStake) + taoIn)
  context.set(s.SubnetAlphaInEmission, [netuid], alphaIn)
  context.set(s.SubnetTaoInEmission, [netuid], taoIn)
}

function emitAlpha(context: Context, netuid: number, alpha: bigint, isRootSold: boolean): void {
  if (context.get(s.SubnetAlphaOutEmission, netuid) !== alpha) context.set(s.SubnetAlphaOutEmission, [netuid], alpha)
  add(context, s.SubnetAlphaOut, netuid, alpha)
  let left = fixed(alpha)
  if (context.get(s.OwnerCutEnabled, netuid)) {
    const cut = times(left, over(fixed(context.get(s.SubnetOwnerCut)), fixed(U16_WHOLE)))
    left = less(left, cut)
    add(context, s.PendingOwnerCut, netuid, floor(cut))
  }
  const root = times(times(rootShare(context, netuid), left), HALF)
  const server = times(left, HALF)
  const validator = less(less(left, server), root)
  add(context, s.PendingServerEmission, netuid, floor(server))
  add(context, s.PendingValidatorEmission, netuid, floor(validator))
  if (floor(root) === 0n) return
  if (isRootSold) add(context, s.PendingRootAlphaDivs, netuid, floor(root))
  else add(context, s.SubnetAlphaOut, netuid, -floor(root))
}

type Pot = { readonly server: bigint; readonly validator: bigint; readonly root: bigint; readonly ownerCut: bigint }

/** At most so many in one block as the chain allows; the others are a block late. */
function runEpochs(context: Context): void {
  const pots: (readonly [number, Pot])[] = []
  for (const netuid of netuids(context)) {
    if (netuid === ROOT) continue
    context.set(s.BlocksSinceLastStep, [netuid], context.get(s.BlocksSinceLastStep, netuid) + 1n)
    if (!isEpochDue(context, netuid)) continue
    if (pots.length >= context.get(s.MaxEpochsPerBlock)) {
      const next = now(context) + 1n
      context.set(s.PendingEpochAt, [netuid], next)
      context.emit(PALLET, 'EpochDeferred', { netuid, from_block: now(context), to_block: next })
      continue
    }
    context.set(s.BlocksSinceLastStep, [netuid], 0n)
    pots.push([netuid, drain(context, netuid)])
    context.set(s.LastEpochBlock, [netuid], now(context))
    context.set(s.PendingEpochAt, [netuid], 0n)
    context.set(s.SubnetEpochIndex, [netuid], context.get(s.SubnetEpochIndex, netuid) + 1n)
  }
  for (const [netuid, pot] of pots) {
    distribute(context, netuid, pot)
    context.set(s.LastMechansimStepBlock, [netuid], now(context))
  }
}

/** Which subnets `runEpochs` will put off in this block. */
export function deferredEpochs(view: View): readonly number[] {
  const due = netuids(view).filter((netuid) => netuid !== ROOT && isEpochDue(view, netuid))
  return due.slice(view.get(s.MaxEpochsPerBlock))
}

function drain(context: Context, netuid: number): Pot {
  const take = (item: typeof s.PendingOwnerCut): bigint => {
    const amount = context.get(item, netuid)
    context.set(item, [netuid], 0n)
    return amount
  }
  return {
    server: take(s.PendingServerEmission),
    validator: take(s.PendingValidatorEmission),
    root: take(s.PendingRootAlphaDivs),
    ownerCut: take(s.PendingOwnerCut),
  }
}

function distribute(context: Context, netuid: number, pot: Pot): void {
  const payments = runEpoch(context, netuid, pot.server + pot.validator + pot.root)
  const incentive = payments.reduce((sum, payment) => sum + payment.incentive, 0n)
  // When no miner earns anything, validators get the miners' half too.
  const validators = incentive === 0n ? pot.validator + pot.server : pot.validator
  payOwner(context, netuid, pot.ownerCut)
  payMiners(context, netuid, payments, incentive)
  payValidators(context, netuid, payments, validators, pot.root)
}

function payOwner(context: Context, netuid: number, cut: bigint): void {
  addStake(context, context.get(s.SubnetOwnerHotkey, netuid), context.get(s.SubnetOwner, netuid), netuid, cut)
}

/** The owner earns nothing by mining on its own subnet: what its keys would get is burned, or recycled if it wants. */
function payMiners(context: Context, netuid: number, payments: readonly Payment[], total: bigint): void {
  const owned = ownedHotkeys(context, netuid)
  let withheld = 0n
  for (const { hotkey, incentive } of payments) {
    if (!owned.has(hotkey)) {
      addStake(context, hotkey, context.get(s.Owner, hotkey), netuid, incentive)
      continue
    }
    withheld += incentive
    if (context.get(s.RecycleOrBurn, netuid).type === 'Recycle') add(context, s.SubnetAlphaOut, netuid, -incentive)
  }
  context.set(s.MinerBurned, [netuid], { bits: over(fixed(withheld), fixed(total)) })
}

function ownedHotkeys(view: View, netuid: number): ReadonlySet<string> {
  const all = [view.get(s.SubnetOwnerHotkey, netuid), ...view.get(s.OwnedHotkeys, view.get(s.SubnetOwner, netuid))]
  return new Set(all.filter((hotkey) => isRegistered(view, netuid, hotkey)))
}

/** Dividends are split into what alpha and what TAO on the root earned; a hotkey's take comes first. */
function payValidators(
  context: Context,
  netuid: number,
  payments: readonly Payment[],
  alpha: bigint,
  root: bigint,
): void {
  const earned = new Map<string, bigint>()
  for (const payment of payments) {
    for (const { hotkey, dividend } of shareWithParents(context, netuid, payment))
      earned.set(hotkey, (earned.get(hotkey) ?? 0n) + dividend)
  }
  const shares = [...earned].map(([hotkey, dividend]) => {
    const byRoot = times(fixed(context.get(s.TotalHotkeyAlpha, hotkey, ROOT)), taoWeight(context))
    const all = fixed(context.get(s.TotalHotkeyAlpha, hotkey, netuid)) + byRoot
    const rootPart = times(fixed(dividend), over(byRoot, all))
    return { hotkey, alphaPart: less(fixed(dividend), rootPart), rootPart }
  })
  const totals = shares.reduce(
    (sum, { alphaPart, rootPart }) => ({ alpha: sum.alpha + alphaPart, root: sum.root + rootPart }),
    { alpha: 0n, root: 0n },
  )
  removeUnder(context, s.AlphaDividendsPerSubnet, netuid)
  removeUnder(context, s.RootAlphaDividendsPerSubnet, netuid)
  for (const { hotkey, alphaPart, rootPart } of shares) {
    const earned = payTake(context, netuid, hotkey, times(fixed(alpha), over(alphaPart, totals.alpha)))
    if (earned > 0n) {
      addDividend(context, hotkey, netuid, earned)
      context.set(s.AlphaDividendsPerSubnet, [netuid, hotkey], earned)
    }
    const total = context.get(s.TotalHotkeyAlpha, hotkey, netuid)
    if (total !== context.get(s.TotalHotkeyAlphaLastEpoch, hotkey, netuid))
      context.set(s.TotalHotkeyAlphaLastEpoch, [hotkey, netuid], total)
    const claimable = payTake(context, netuid, hotkey, times(fixed(root), over(rootPart, totals.root)))
    if (claimable > 0n) context.set(s.RootAlphaDividendsPerSubnet, [netuid, hotkey], claimable)
  }
}

/** The take goes to the hotkey's own coldkey. What is left is returned. */
function payTake(context: Context, netuid: number, hotkey: string, earned: bigint): bigint {
  if (earned === 0n) return 0n
  const take = times(over(fixed(context.get(s.Delegates, hotkey)), fixed(U16_WHOLE)), earned)
  addStake(context, hotkey, context.get(s.Owner, hotkey), netuid, floor(take))
  return floor(less(earned, take))
}

const PRICE_BITS = 64n

/** Follows the price, capped at one, ever more slowly in the first days of a subnet and then at a constant pace. */
function moveAveragePrice(context: Context, netuid: number): void {
  const started = (context.get(s.FirstEmissionBlockNumber, netuid) ?? 1n) - 1n
  const age = now(context) - started
  const halving = context.get(s.EMAPriceHalvingBlocks, netuid)
  const pace = (context.get(s.SubnetMovingAlpha).bits << PRICE_BITS) >> 32n
  const alpha = age + halving === 0n ? 0n : (pace * ((age << PRICE_BITS) / (age + halving))) >> PRICE_BITS
  const price = min(alphaPrice(context, netuid), ONE) << 32n
  const average = context.get(s.SubnetMovingPrice, netuid).bits << 32n
  const next = ((alpha * price) >> PRICE_BITS) + ((((1n << PRICE_BITS) - alpha) * average) >> PRICE_BITS)
  const bits = next >> 32n
  if (bits !== context.get(s.SubnetMovingPrice, netuid).bits) context.set(s.SubnetMovingPrice, [netuid], { bits })
}
