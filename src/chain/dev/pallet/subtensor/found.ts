/**
 * Subnets that are there from the first block, for local networks and tests: registered, staked, permitted, so that weights
 * can land before the first epoch.
 */
import type { Context } from '../../define.ts'
import { TotalIssuance as BalancesIssuance, issue } from '../balances.ts'
import { addNetwork, giveTo, nextNetuid, openMarket, type Pair, startEmission } from './network.ts'
import { appendNeuron, claimHotkey } from './registration.ts'
import { addStake } from './stake.ts'
import * as s from './storage.ts'
import { now, ROOT, subnetAccount } from './subnet.ts'
import { add } from './swap.ts'

export type SubnetSpec = {
  /** The next free one when absent. */
  readonly netuid?: number
  /** Its hotkey is uid 0. */
  readonly owner: Pair & { readonly stake?: bigint }
  /** In the order of their uids, from 1. Those with stake have permits. */
  readonly neurons: readonly (Pair & { readonly stake?: bigint })[]
  /** Blocks between epochs; the chain's bounds for owners do not bind here. */
  readonly tempo: number
  /** The first epoch comes so many blocks after genesis; a whole tempo when absent. */
  readonly firstEpochBlock?: number
  /** Blocks between two sets, or commits, of weights of one hotkey. */
  readonly weightsRateLimit?: number
  readonly servingRateLimit?: number
  readonly commitReveal?: boolean
  readonly revealPeriodEpochs?: number
  readonly minAllowedWeights?: number
  readonly validatorsMax?: number
  readonly uidsMax?: number
  readonly immunityPeriod?: number
  readonly burn?: bigint
  readonly yuma3?: boolean
  readonly liquidAlpha?: boolean
  /** TAO in the market, and as much alpha. */
  readonly market?: bigint
}

/** As much as the owner of a first subnet locks. */
const MARKET = s.NetworkMinLockCost.fallback

/** The root, where TAO is staked. Every chain has it. */
export function foundRoot(context: Context): void {
  context.set(s.NetworksAdded, [ROOT], true)
  context.set(s.TotalNetworks, [], context.get(s.TotalNetworks) + 1)
  context.set(s.Tempo, [ROOT], 100)
  context.set(s.MaxAllowedUids, [ROOT], 64)
  context.set(s.MaxAllowedValidators, [ROOT], 64)
  context.set(s.TargetRegistrationsPerInterval, [ROOT], 1)
  context.set(s.SubtokenEnabled, [ROOT], true)
  context.set(s.TotalIssuance, [], context.get(BalancesIssuance))
}

/** The netuid of the new subnet. Only for genesis: nobody pays for it. */
export function foundSubnet(context: Context, spec: SubnetSpec): number {
  const netuid = spec.netuid ?? nextNetuid(context)
  addNetwork(context, netuid, spec.tempo)
  const firstEpoch = BigInt(spec.firstEpochBlock ?? spec.tempo)
  // The epoch comes a tempo after the last one, which cannot be before genesis: an earlier first one is a pending one.
  context.set(
    s.LastEpochBlock,
    [netuid],
    firstEpoch > BigInt(spec.tempo) ? firstEpoch - BigInt(spec.tempo) : now(context),
  )
  if (firstEpoch < BigInt(spec.tempo)) context.set(s.PendingEpochAt, [netuid], firstEpoch)
  setParameters(context, netuid, spec)
  giveTo(context, netuid, spec.owner)
  for (const { coldkey, hotkey } of spec.neurons) {
    claimHotkey(context, coldkey, hotkey)
    appendNeuron(context, netuid, hotkey)
  }
  const market = spec.market ?? MARKET
  issue(context, subnetAccount(netuid), market)
  context.set(s.TotalIssuance, [], context.get(s.TotalIssuance) + market)
  openMarket(context, netuid, market)
  startEmission(context, netuid)
  context.set(s.SubnetEmissionEnabled, [netuid], false) // as every new subnet, so that its price stays
  const all = [spec.owner, ...spec.neurons]
  for (const { hotkey, coldkey, stake = 0n } of all) {
    addStake(context, hotkey, coldkey, netuid, stake)
    add(context, s.SubnetAlphaOut, netuid, stake)
  }
  const permits = all.map(({ stake = 0n }, uid) => uid === 0 || stake > 0n)
  context.set(s.ValidatorPermit, [netuid], permits)
  return netuid
}

function setParameters(context: Context, netuid: number, spec: SubnetSpec): void {
  const set = <V>(item: Parameters<typeof context.set<[number], V>>[0], value: V | undefined) => {
    if (value !== undefined) context.set(item, [netuid], value)
  }
  const blocks = (count: number | undefined) => (count === undefined ? undefined : BigInt(count))
  set(s.WeightsSetRateLimit, blocks(spec.weightsRateLimit))
  set(s.ServingRateLimit, blocks(spec.servingRateLimit))
  set(s.CommitRevealWeightsEnabled, spec.commitReveal)
  set(s.RevealPeriodEpochs, blocks(spec.revealPeriodEpochs))
  set(s.MinAllowedWeights, spec.minAllowedWeights)
  set(s.MaxAllowedValidators, spec.validatorsMax)
  set(s.MaxAllowedUids, spec.uidsMax)
  set(s.ImmunityPeriod, spec.immunityPeriod)
  set(s.Burn, spec.burn)
  set(s.Yuma3On, spec.yuma3)
  set(s.LiquidAlphaOn, spec.liquidAlpha)
}
