/**
 * Registration: a coldkey burns TAO and its hotkey gets a uid, one that is free or that of the neuron that earned least.
 *
 * Every registration makes the next one dearer, and the price falls back by half in every `BurnHalfLife` blocks.
 */

import { compareNumber } from '../../../../util/compare.ts'
import type { CallSpec, Context, Fields } from '../../define.ts'
import { freeBalance, transfer } from '../balances.ts'
import { must, PALLET } from './error.ts'
import { max, min } from './fixed-point.ts'
import { signed } from './guard.ts'
import * as s from './storage.ts'
import {
  exists,
  hotkeysOf,
  indices,
  isEpochDue,
  isImmune,
  isRegistered,
  isSubnetAccount,
  NO_ACCOUNT,
  netuids,
  now,
  ROOT,
  subnetAccount,
  type View,
  withEntry,
} from './subnet.ts'
import { add, swapTao } from './swap.ts'
import { setLastUpdate } from './weight.ts'

const Q32 = 1n << 32n

/** Makes the pair known; a hotkey that is known keeps its coldkey. */
export function claimHotkey(context: Context, coldkey: string, hotkey: string): void {
  must(!isSubnetAccount(hotkey), 'CannotUseSystemAccount')
  if (context.get(s.Owner, hotkey) !== NO_ACCOUNT) return
  context.set(s.Owner, [hotkey], coldkey)
  for (const item of [s.OwnedHotkeys, s.StakingHotkeys]) {
    const known = context.get(item, coldkey)
    if (!known.includes(hotkey)) context.set(item, [coldkey], [...known, hotkey])
  }
}

function register(context: Context, coldkey: string, args: Fields): void {
  const netuid = args['netuid'] as number
  const hotkey = args['hotkey'] as string
  must(netuid !== ROOT, 'RegistrationNotPermittedOnRootSubnet')
  must(exists(context, netuid), 'SubnetNotExists')
  if (args['limit_price'] !== undefined)
    must(context.get(s.Burn, netuid) <= (args['limit_price'] as bigint), 'RegistrationPriceLimitExceeded')
  must(context.get(s.NetworkRegistrationAllowed, netuid), 'SubNetRegistrationDisabled')
  must(!isRegistered(context, netuid, hotkey), 'HotKeyAlreadyRegisteredInSubNet')
  const cost = context.get(s.Burn, netuid)
  must(freeBalance(context, coldkey) >= cost, 'NotEnoughBalanceToStake')
  claimHotkey(context, coldkey, hotkey)
  must(context.get(s.Owner, hotkey) === coldkey, 'NonAssociatedColdKey')
  must(context.get(s.MaxAllowedUids, netuid) !== 0, 'NoNeuronIdAvailable')
  const isFull = context.get(s.SubnetworkN, netuid) >= context.get(s.MaxAllowedUids, netuid)
  const pruned = isFull ? neuronToPrune(context, netuid) : null
  must(!isFull || pruned !== null, 'NoNeuronIdAvailable')

  transfer(context, coldkey, subnetAccount(netuid), cost, false)
  // The alpha that it buys is nobody's.
  add(context, s.SubnetAlphaOut, netuid, -swapTao(context, netuid, cost).got)
  const uid = pruned ?? context.get(s.SubnetworkN, netuid)
  if (pruned === null) appendNeuron(context, netuid, hotkey)
  else replaceNeuron(context, netuid, pruned, hotkey)
  raisePrice(context, netuid)
  context.set(s.RegistrationsThisBlock, [netuid], context.get(s.RegistrationsThisBlock, netuid) + 1)
  add(context, s.RAORecycledForRegistration, netuid, cost)
  context.emit(PALLET, 'NeuronRegistered', { netuid, uid, hotkey })
}

export function appendNeuron(context: Context, netuid: number, hotkey: string): number {
  const uid = context.get(s.SubnetworkN, netuid)
  context.set(s.SubnetworkN, [netuid], uid + 1)
  context.set(s.Active, [netuid], withEntry(context.get(s.Active, netuid), uid, true))
  context.set(s.Emission, [netuid], withEntry(context.get(s.Emission, netuid), uid, 0n))
  context.set(s.ValidatorPermit, [netuid], withEntry(context.get(s.ValidatorPermit, netuid), uid, false))
  for (const list of [s.Consensus, s.Dividends, s.ValidatorTrust])
    context.set(list, [netuid], withEntry(context.get(list, netuid), uid, 0))
  for (const index of indices(context, netuid)) {
    context.set(s.Incentive, [index], withEntry(context.get(s.Incentive, index), uid, 0))
    setLastUpdate(context, index, uid)
  }
  seat(context, netuid, uid, hotkey)
  return uid
}

function seat(context: Context, netuid: number, uid: number, hotkey: string): void {
  context.set(s.Keys, [netuid, uid], hotkey)
  context.set(s.Uids, [netuid, hotkey], uid)
  context.set(s.BlockAtRegistration, [netuid, uid], now(context))
  context.set(s.IsNetworkMember, [hotkey, netuid], true)
}

export function replaceNeuron(context: Context, netuid: number, uid: number, hotkey: string): void {
  const old = context.get(s.Keys, netuid, uid)
  context.remove(s.Uids, [netuid, old])
  context.remove(s.IsNetworkMember, [old, netuid])
  context.remove(s.Axons, [netuid, old])
  context.remove(s.NeuronCertificates, [netuid, old])
  context.remove(s.Prometheus, [netuid, old])
  context.set(s.Active, [netuid], withEntry(context.get(s.Active, netuid), uid, true))
  seat(context, netuid, uid, hotkey)
  clearNeuron(context, netuid, uid)
  for (const index of indices(context, netuid)) setLastUpdate(context, index, uid)
}

/** What the predecessor set and earned, and what others thought of it. */
function clearNeuron(context: Context, netuid: number, uid: number): void {
  context.set(s.Emission, [netuid], withEntry(context.get(s.Emission, netuid), uid, 0n))
  context.set(s.ValidatorPermit, [netuid], withEntry(context.get(s.ValidatorPermit, netuid), uid, false))
  for (const list of [s.Consensus, s.Dividends, s.ValidatorTrust, s.StakeWeight]) {
    const values = context.get(list, netuid)
    if (uid < values.length) context.set(list, [netuid], withEntry(values, uid, 0))
  }
  for (const index of indices(context, netuid)) {
    context.set(s.Incentive, [index], withEntry(context.get(s.Incentive, index), uid, 0))
    context.remove(s.Bonds, [index, uid])
    context.remove(s.Weights, [index, uid])
    for (const [keys, row] of [...context.entries(s.Weights, index)]) {
      if (!row.some(([target, weight]) => target === uid && weight > 0)) continue
      const cleared = row.map((entry) => (entry[0] === uid ? ([uid, 0] as const) : entry))
      context.set(s.Weights, keys, cleared)
    }
  }
}

type Candidate = readonly [emission: bigint, registeredAt: bigint, uid: number]

/** Whoever earned least, then the oldest, then the lowest uid. */
const isWorse = (a: Candidate, b: Candidate): boolean => {
  if (a[0] !== b[0]) return a[0] < b[0]
  return a[1] !== b[1] ? a[1] < b[1] : a[2] < b[2]
}
const worst = (candidates: readonly Candidate[]): number | null =>
  candidates.reduce<Candidate | null>(
    (found, each) => (found === null || isWorse(each, found) ? each : found),
    null,
  )?.[2] ?? null

/**
 * Never one of the owner's immortal keys. Neurons within their immunity period go only when too few others would be left,
 * and then those others are the ones that are safe.
 */
export function neuronToPrune(view: View, netuid: number): number | null {
  const immortal = immortalHotkeys(view, netuid)
  const emission = view.get(s.Emission, netuid)
  const candidates = hotkeysOf(view, netuid).flatMap((hotkey, uid): Candidate[] =>
    immortal.includes(hotkey) ? [] : [[emission[uid] ?? 0n, view.get(s.BlockAtRegistration, netuid, uid), uid]],
  )
  const mortal = candidates.filter(([, , uid]) => !isImmune(view, netuid, uid))
  if (mortal.length > view.get(s.MinNonImmuneUids, netuid)) return worst(mortal)
  return worst(candidates.filter(([, , uid]) => isImmune(view, netuid, uid)))
}

/** The owner's oldest neurons, as many as the subnet allows, with its hotkey in any case. */
export function immortalHotkeys(view: View, netuid: number): readonly string[] {
  const limit = view.get(s.ImmuneOwnerUidsLimit, netuid)
  const owned = view
    .get(s.OwnedHotkeys, view.get(s.SubnetOwner, netuid))
    .flatMap((hotkey): (readonly [bigint, number, string])[] => {
      const uid = view.get(s.Uids, netuid, hotkey)
      return uid === null ? [] : [[view.get(s.BlockAtRegistration, netuid, uid), uid, hotkey]]
    })
    .sort(([blockA, uidA], [blockB, uidB]) => compareNumber(blockA, blockB) || uidA - uidB)
    .slice(0, limit)
    .map(([, , hotkey]) => hotkey)
  const owner = view.get(s.SubnetOwnerHotkey, netuid)
  if (!isRegistered(view, netuid, owner) || owned.includes(owner)) return owned
  return [owner, ...owned].slice(0, limit)
}

function raisePrice(context: Context, netuid: number): void {
  const { bits } = context.get(s.BurnIncreaseMult, netuid)
  const factor = max(bits, 1n << 64n)
  setPrice(context, netuid, (context.get(s.Burn, netuid) * factor) >> 64n)
}

function setPrice(context: Context, netuid: number, burn: bigint): void {
  const bounded = min(max(burn, context.get(s.MinBurn, netuid)), context.get(s.MaxBurn, netuid))
  if (bounded !== context.get(s.Burn, netuid)) context.set(s.Burn, [netuid], bounded)
}

/**
 * At the start of every block. The root has intervals too. Its epochs never run, so that from the first one on there is one
 * due in every block, and every block is an interval.
 */
export function lowerPrices(context: Context): void {
  for (const netuid of netuids(context)) {
    const halfLife = context.get(s.BurnHalfLife, netuid)
    const decays = halfLife > 0 && context.block > 1
    const burn = context.get(s.Burn, netuid)
    setPrice(context, netuid, decays ? (burn * decayFactor(halfLife)) >> 32n : burn)
    if (context.get(s.RegistrationsThisBlock, netuid) > 0) context.set(s.RegistrationsThisBlock, [netuid], 0)
  }
  if (isEpochDue(context, ROOT) && context.get(s.RegistrationsThisInterval, ROOT) > 0)
    context.set(s.RegistrationsThisInterval, [ROOT], 0)
}

const factors = new Map<number, bigint>()

/** The greatest 32-bit fraction whose power `halfLife` is at most a half, by halving as the runtime finds it. */
export function decayFactor(halfLife: number): bigint {
  const known = factors.get(halfLife)
  if (known !== undefined) return known
  let low = 0n
  let high = Q32
  while (low + 1n < high) {
    const middle = low + ((high - low) >> 1n)
    if (power(middle, halfLife) > Q32 >> 1n) high = middle
    else low = middle
  }
  factors.set(halfLife, low)
  return low
}

function power(base: bigint, exponent: number): bigint {
  let result = Q32
  let factor = base
  for (let left = exponent; left > 0; left >>= 1) {
    if ((left & 1) === 1) result = (result * factor) >> 32n
    factor = (factor * factor) >> 32n
  }
  return result
}

const ARGS = 'netuid: u16, hotkey: AccountId32'

export const REGISTRATION_CALLS: readonly CallSpec[] = [
  { index: 7, name: 'burned_register', args: ARGS, paysFee: true, ...signed(register) },
  {
    index: 6,
    name: 'register',
    // Nobody looks at the work any more; the price is burned.
    args: `netuid: u16, block_number: u64, nonce: u64, work: Vec<u8>, hotkey: AccountId32, coldkey: AccountId32`,
    paysFee: true,
    ...signed(register),
  },
  { index: 134, name: 'register_limit', args: `${ARGS}, limit_price: u64`, paysFee: true, ...signed(register) },
]
