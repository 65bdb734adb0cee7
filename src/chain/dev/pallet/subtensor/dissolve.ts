/**
 * A subnet ends: its TAO goes to those who hold its alpha, and nothing of it is left. Only the chain's root may do that.
 *
 * Subnets from before `NetworkRegistrationStartBlock` would get their lock back on subtensor; that block is 0 here.
 */
import type { CallSpec, Context, Fields, Origin, StorageItem } from '../../define.ts'
import { burn, canReceive, EXISTENTIAL_DEPOSIT, freeBalance, transfer } from '../balances.ts'
import { purgeSubnet } from '../commitments.ts'
import { requireRoot } from '../system.ts'
import { must, PALLET } from './error.ts'
import { less } from './fixed-point.ts'
import { forgetMechanism } from './mechanism.ts'
import { stakeOf } from './stake.ts'
import * as s from './storage.ts'
import { exists, hotkeysOf, indices, ROOT, removeUnder, subnetAccount, type View } from './subnet.ts'

type OfSubnet = StorageItem<[netuid: number], unknown>
type OfMany = StorageItem<readonly unknown[], unknown>

/** What subtensor forgets to forget, or counts for ever. */
const KEPT: ReadonlySet<unknown> = new Set([
  s.RegisteredSubnetCounter,
  s.SubnetEmissionEnabled,
  s.OwnerCutEnabled,
  s.RecycleOrBurn,
  s.MinAllowedUids,
  s.MinNonImmuneUids,
  s.AdjustmentAlpha,
  s.AdjustmentInterval,
  s.MaxWeightsLimit,
  s.MinChildkeyTakePerSubnet,
])
/** Parameters and lists by uid. */
const OF_A_SUBNET = Object.values(s).filter(
  (item) => item.keys.length === 1 && item.keys[0]?.type === 'u16' && !KEPT.has(item),
) as unknown as readonly OfSubnet[]
const BY_SUBNET: readonly unknown[] = [
  s.Uids,
  s.Keys,
  s.BlockAtRegistration,
  s.Axons,
  s.NeuronCertificates,
  s.Prometheus,
  s.AlphaDividendsPerSubnet,
  s.PendingChildKeys,
  s.LastHotkeySwapOnNetuid,
]
/** With the place of the netuid among their keys. */
const BY_HOTKEY: readonly (readonly [item: unknown, place: number])[] = [
  [s.ChildkeyTake, 1],
  [s.ChildKeys, 1],
  [s.ParentKeys, 1],
  [s.TotalHotkeyAlphaLastEpoch, 1],
  [s.TotalHotkeyAlpha, 1],
  [s.TotalHotkeySharesV2, 1],
  [s.AlphaV2, 2],
  [s.TransactionKeyLastBlock, 1],
]

function dissolve(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  requireRoot(origin)
  must(exists(context, netuid) && netuid !== ROOT, 'SubnetNotExists')
  payOut(context, netuid)
  purgeSubnet(context, netuid)
  forget(context, netuid)
  context.emit(PALLET, 'NetworkRemoved', { netuid })
}

type Part = { readonly coldkey: string | null; readonly alpha: bigint }

/** `null` holds what the market and the chain hold. A market from the chain's first block does not count. */
function partsOf(view: View, netuid: number): readonly Part[] {
  const hasMarket = view.get(s.NetworkRegisteredAt, netuid) > view.get(s.TaoInRefundDeploymentBlock)
  const unowned = view.get(s.SubnetProtocolAlpha, netuid) + (hasMarket ? view.get(s.SubnetAlphaIn, netuid) : 0n)
  const owned = [...view.entries(s.AlphaV2)]
    .filter(([[, , place]]) => place === netuid)
    .map(([[hotkey, coldkey]]): Part => ({ coldkey, alpha: stakeOf(view, hotkey, coldkey, netuid) }))
  return [...owned, { coldkey: null, alpha: unowned }].filter(({ alpha }) => alpha > 0n)
}

/** By alpha, rounded down; what that leaves goes rao by rao to those who lost most by it. The rest is recycled. */
function payOut(context: Context, netuid: number): void {
  const pot = context.get(s.SubnetTAO, netuid)
  const parts = partsOf(context, netuid)
  const total = parts.reduce((sum, { alpha }) => sum + alpha, 0n)
  const account = subnetAccount(netuid)
  context.set(s.TotalStake, [], less(context.get(s.TotalStake), pot))
  const payments = parts
    .map(({ coldkey, alpha }) => ({ coldkey, tao: (pot * alpha) / total, lost: (pot * alpha) % total }))
    .sort((a, b) => (a.lost === b.lost ? 0 : a.lost > b.lost ? -1 : 1))
  const left = pot - payments.reduce((sum, { tao }) => sum + tao, 0n)
  for (const [i, { coldkey, tao }] of payments.entries()) {
    const amount = i < left ? tao + 1n : tao
    const isPaid = coldkey !== null && amount > 0n && canReceive(context, coldkey, amount)
    if (isPaid) transfer(context, account, coldkey, amount, false)
  }
  const rest = less(freeBalance(context, account), EXISTENTIAL_DEPOSIT)
  if (rest === 0n) return
  burn(context, account, rest)
  context.set(s.TotalIssuance, [], context.get(s.TotalIssuance) - rest)
}

function forget(context: Context, netuid: number): void {
  context.set(s.TotalNetworks, [], context.get(s.TotalNetworks) - 1)
  if (context.get(s.SubnetIdentitiesV3, netuid) !== null) context.emit(PALLET, 'SubnetIdentityRemoved', { netuid })
  for (const hotkey of hotkeysOf(context, netuid)) context.remove(s.IsNetworkMember, [hotkey, netuid])
  for (const index of indices(context, netuid)) forgetMechanism(context, index)
  for (const item of BY_SUBNET as readonly OfMany[]) removeUnder(context, item, netuid)
  for (const [item, place] of BY_HOTKEY as readonly (readonly [OfMany, number])[])
    for (const [keys] of [...context.entries(item)]) if (keys[place] === netuid) context.remove(item, keys)
  for (const item of OF_A_SUBNET) context.remove(item, [netuid])
}

export const DISSOLVE_CALLS: readonly CallSpec[] = [
  {
    index: 61,
    name: 'dissolve_network',
    args: 'coldkey: AccountId32, netuid: u16',
    paysFee: true,
    run: dissolve,
  },
  { index: 120, name: 'root_dissolve_network', args: 'netuid: u16', paysFee: true, run: dissolve },
]
