/**
 * One epoch of one subnet: the state becomes the input of Yuma consensus, and its result becomes state.
 *
 * Permits that an epoch gives count from the next one on. A subnet with several mechanisms has an epoch of each, weighted
 * by the share of the emission that the mechanism gets.
 */
import { type EpochTerms, epochTerms } from '../../../yuma/epoch.ts'
import { divide, normalise, toU16 } from '../../../yuma/fixed.ts'
import type { YumaInput, YumaMode } from '../../../yuma/input.ts'
import type { Context } from '../../define.ts'
import { PALLET } from './error.ts'
import { U16_WHOLE } from './fixed-point.ts'
import { stakeWeight } from './stake-weight.ts'
import * as s from './storage.ts'
import { activityCutoff, hotkeysOf, isExpired, now, ownerUid, storageIndex, type View } from './subnet.ts'

/** What an epoch pays a neuron, in rao of alpha. */
export type Payment = { readonly hotkey: string; readonly incentive: bigint; readonly dividend: bigint }

/** Of one mechanism, by uid. */
type Outcome = {
  readonly terms: EpochTerms
  readonly active: readonly boolean[]
  readonly permits: readonly boolean[]
  readonly server: readonly bigint[]
  readonly validator: readonly bigint[]
  readonly combined: readonly bigint[]
}

export function runEpoch(context: Context, netuid: number, alpha: bigint): readonly Payment[] {
  const hotkeys = hotkeysOf(context, netuid)
  const parts = splitEmission(context, netuid, alpha)
  const outcomes = parts.map((part, mechanism) => {
    const outcome = runMechanism(context, netuid, mechanism, hotkeys, part)
    storeMechanism(context, storageIndex(netuid, mechanism), outcome)
    return outcome
  })
  storeSubnet(context, netuid, outcomes, weightsOf(parts, alpha))
  const sum = (of: (outcome: Outcome) => readonly bigint[], uid: number) =>
    outcomes.reduce((total, outcome) => total + (of(outcome)[uid] ?? 0n), 0n)
  return hotkeys.map((hotkey, uid) => ({
    hotkey,
    incentive: sum(({ server }) => server, uid),
    dividend: sum(({ validator }) => validator, uid),
  }))
}

/** What rounding loses goes to the first mechanism. */
export function splitEmission(view: View, netuid: number, alpha: bigint): readonly bigint[] {
  const count = view.get(s.MechanismCountCurrent, netuid)
  const split = view.get(s.MechanismEmissionSplit, netuid)
  const part = (i: number) => (split === null ? alpha / BigInt(count) : (alpha * BigInt(split[i] ?? 0)) / U16_WHOLE)
  const parts = Array.from({ length: count }, (_, i) => part(i))
  const rest = alpha - parts.reduce((total, each) => total + each, 0n)
  return parts.map((each, i) => (i === 0 ? each + rest : each))
}

/** As counts of 2^-64. Without emission, the first mechanism is all. */
const weightsOf = (parts: readonly bigint[], alpha: bigint): readonly bigint[] =>
  parts.map((part, i) => (alpha > 0n ? (part << 64n) / alpha : i === 0 ? 1n << 64n : 0n))

function runMechanism(
  context: Context,
  netuid: number,
  mechanism: number,
  hotkeys: readonly string[],
  alpha: bigint,
): Outcome {
  const input = inputOf(context, netuid, storageIndex(netuid, mechanism), hotkeys)
  const terms = epochTerms(input)
  const combined = terms.incentive.map((share, uid) => share + (terms.dividends[uid] as number))
  const sum = combined.reduce((total, share) => total + share, 0)
  // Where nobody earns anything, validators are paid by their stake.
  const byStake = terms.activeStake.some((share) => share > 0) ? terms.activeStake : terms.stake
  const paid = (shares: Float64Array) => Array.from(shares, (share) => (BigInt(share) * alpha) >> 32n)
  const ofSum = (shares: Float64Array) => (sum === 0 ? shares : shares.map((share) => divide(share, sum)))
  return {
    terms,
    active: input.active,
    permits: nextPermits(terms.stake, context.get(s.MaxAllowedValidators, netuid), input.ownerUid ?? null),
    server: paid(ofSum(terms.incentive)),
    validator: paid(sum === 0 ? byStake : ofSum(terms.dividends)),
    combined: paid(sum === 0 ? byStake : normalise(combined)),
  }
}

export function inputOf(view: View, netuid: number, index: number, hotkeys: readonly string[]): YumaInput {
  const owner = ownerUid(view, netuid)
  const threshold = view.get(s.StakeThreshold)
  const permits = view.get(s.ValidatorPermit, netuid)
  const lastUpdate = view.get(s.LastUpdate, index)
  const cutoff = activityCutoff(view, netuid)
  const lastStep = view.get(s.LastMechansimStepBlock, netuid)
  const [alphaLow, alphaHigh] = view.get(s.AlphaValues, netuid)
  return {
    stake: hotkeys.map((hotkey, uid) => {
      const stake = stakeWeight(view, netuid, hotkey)
      return uid === owner || stake >= threshold ? Number(stake) : 0
    }),
    weights: hotkeys.map((_, uid) => view.get(s.Weights, index, uid)),
    bonds: hotkeys.map((_, uid) => view.get(s.Bonds, index, uid)),
    active: hotkeys.map((_, uid) => (lastUpdate[uid] ?? 0n) + cutoff >= now(view)),
    permits: hotkeys.map((_, uid) => permits[uid] ?? false),
    lastUpdate: hotkeys.map((_, uid) => Number(lastUpdate[uid] ?? 0n)),
    registeredAt: hotkeys.map((_, uid) => Number(view.get(s.BlockAtRegistration, netuid, uid))),
    ownerUid: owner,
    kappa: view.get(s.Kappa, netuid),
    bondsMovingAverage: Number(view.get(s.BondsMovingAverage, netuid)),
    bondsPenalty: view.get(s.BondsPenalty, netuid),
    mode: modeOf(view, netuid),
    alphaLow,
    alphaHigh,
    alphaSteepness: view.get(s.AlphaSigmoidSteepness, netuid),
    // Before the first epoch, the runtime takes the block a tempo ago as the one after the last.
    lastStepBlock: lastStep > 0n ? Number(lastStep) : Math.max(0, view.block - view.get(s.Tempo, netuid) - 1),
    earliestCommit: view.get(s.CommitRevealWeightsEnabled, netuid)
      ? earliestCommits(view, netuid, index, hotkeys)
      : undefined,
  }
}

const modeOf = (view: View, netuid: number): YumaMode => {
  if (!view.get(s.Yuma3On, netuid)) return 'yuma2'
  return view.get(s.LiquidAlphaOn, netuid) ? 'liquid' : 'yuma3'
}

/** The block of each neuron's first commit that is still alive. */
function earliestCommits(
  view: View,
  netuid: number,
  index: number,
  hotkeys: readonly string[],
): readonly (number | null)[] {
  const blocks = new Map<string, number>()
  const note = (who: string, block: bigint) =>
    blocks.set(who, Math.min(blocks.get(who) ?? Number.POSITIVE_INFINITY, Number(block)))
  for (const [[, who], commits] of view.entries(s.WeightCommits, index)) {
    const first = commits?.find(([, epoch]) => !isExpired(view, netuid, epoch))
    if (first !== undefined) note(who, first[2])
  }
  for (const [[, epoch], commits] of view.entries(s.TimelockedWeightCommits, index)) {
    if (!isExpired(view, netuid, epoch)) for (const [who, block] of commits) note(who, block)
  }
  return hotkeys.map((hotkey) => blocks.get(hotkey) ?? null)
}

/** Those with most stake, among equals those with higher uids. Nobody without stake, and always the owner. */
export function nextPermits(stake: Float64Array, countMax: number, owner: number | null): readonly boolean[] {
  const order = Array.from(stake.keys()).sort((a, b) => (stake[a] as number) - (stake[b] as number) || a - b)
  const first = new Set(order.slice(Math.max(0, stake.length - countMax)))
  return Array.from(stake, (share, uid) => uid === owner || (share > 0 && first.has(uid)))
}

function storeMechanism(context: Context, index: number, { terms, permits, server }: Outcome): void {
  context.set(s.Incentive, [index], Array.from(terms.incentive, toU16))
  context.emit(PALLET, 'IncentiveAlphaEmittedToMiners', { netuid: index, emissions: server })
  terms.bonds.forEach((row, uid) => {
    const bonds = permits[uid] === true ? row : []
    if (bonds.length > 0 || context.get(s.Bonds, index, uid).length > 0) context.set(s.Bonds, [index, uid], bonds)
  })
}

function storeSubnet(context: Context, netuid: number, outcomes: readonly Outcome[], weights: readonly bigint[]): void {
  const uids = Array.from(outcomes[0]?.permits.keys() ?? [])
  /** Rounded down after each addition, as the runtime adds. */
  const mean = (of: (outcome: Outcome, uid: number) => number | bigint) => (uid: number) =>
    outcomes.reduce((sum, outcome, i) => sum + ((BigInt(of(outcome, uid)) * (weights[i] as bigint)) >> 64n), 0n)
  const means = (of: (terms: EpochTerms) => Float64Array) => {
    const at = mean(({ terms }, uid) => toU16(of(terms)[uid] as number))
    return uids.map((uid) => Number(at(uid)))
  }
  const any = (of: (outcome: Outcome) => readonly boolean[]) =>
    uids.map((uid) => outcomes.some((outcome) => of(outcome)[uid] === true))
  context.set(s.Active, [netuid], any(({ active }) => active)) // biome-ignore format: a table
  context.set(s.ValidatorPermit, [netuid], any(({ permits }) => permits)) // biome-ignore format: a table
  context.set(s.Emission, [netuid], uids.map(mean(({ combined }, uid) => combined[uid] as bigint))) // biome-ignore format: a table
  context.set(s.Consensus, [netuid], means(({ consensus }) => consensus)) // biome-ignore format: a table
  context.set(s.Dividends, [netuid], means(({ dividends }) => dividends)) // biome-ignore format: a table
  context.set(s.ValidatorTrust, [netuid], means(({ validatorTrust }) => validatorTrust)) // biome-ignore format: a table
  context.set(s.StakeWeight, [netuid], means(({ stake }) => stake)) // biome-ignore format: a table
}
