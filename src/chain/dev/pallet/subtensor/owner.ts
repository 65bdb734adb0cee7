/**
 * What only a subnet's owner may do, or the chain's root in its place, and when.
 *
 * An owner changes each parameter at most every other epoch or so, and nobody changes one in the last blocks before an
 * epoch, when validators set their weights.
 */
import type { CallSpec, Context, Fields, Origin } from '../../define.ts'
import { refuse } from '../../dispatch-error.ts'
import { signer } from '../system.ts'
import { must, PALLET } from './error.ts'
import * as s from './storage.ts'
import { blocksToRegularEpoch, exists, isOver, now, TEMPO_MAX, TEMPO_MIN, type View } from './subnet.ts'
import type { Hyperparameter } from './type-table.ts'

/** Kinds of `TransactionKeyLastBlock`. */
const KINDS = {
  SetWeightsVersionKey: 4,
  MechanismCountUpdate: 7,
  MechanismEmission: 8,
  TempoUpdate: 11,
} as const
/** A parameter of its own count, or a kind of change with a limit of its own. */
export type Change = Hyperparameter | keyof typeof KINDS

const CUTOFF_FACTOR_MIN = 1000
const CUTOFF_FACTOR_MAX = 50_000
/** A day: how a subnet's work is divided does not change more often. */
const MECHANISM_LIMIT = 7200n

/** The owner's account, or `null` for the root. */
export function requireOwnerOrRoot(context: View, origin: Origin, netuid: number): string | null {
  return origin.kind === 'root' ? null : requireOwner(context, origin, netuid)
}

export function requireOwner(context: View, origin: Origin, netuid: number): string {
  const who = signer(origin)
  if (context.get(s.SubnetOwner, netuid) !== who) throw refuse('BadOrigin')
  return who
}

const isKind = (change: Change): change is keyof typeof KINDS => Object.hasOwn(KINDS, change)

function limitOf(view: View, netuid: number, change: Change): bigint {
  const tempo = BigInt(view.get(s.Tempo, netuid))
  if (change === 'TempoUpdate') return BigInt(TEMPO_MIN)
  if (change === 'SetWeightsVersionKey') return tempo * view.get(s.WeightsVersionKeyRateLimit)
  return isKind(change) ? MECHANISM_LIMIT : tempo * BigInt(view.get(s.OwnerHyperparamRateLimit))
}

const keyOf = (netuid: number, change: Hyperparameter) => ({
  type: 'OwnerHyperparamUpdate',
  value: [netuid, { type: change, value: null }],
})

export function mustBeInTime(view: View, who: string, netuid: number, change: Change): void {
  const last = isKind(change)
    ? view.get(s.TransactionKeyLastBlock, who, netuid, KINDS[change])
    : view.get(s.LastRateLimitedBlock, keyOf(netuid, change))
  must(isOver(view, last, limitOf(view, netuid, change)), 'TxRateLimitExceeded')
}

export function record(context: Context, who: string, netuid: number, change: Change): void {
  if (isKind(change)) context.set(s.TransactionKeyLastBlock, [who, netuid, KINDS[change]], now(context))
  else context.set(s.LastRateLimitedBlock, [keyOf(netuid, change)], now(context))
}

export function mustBeOutsideFreeze(view: View, netuid: number): void {
  const tempo = view.get(s.Tempo, netuid)
  const isTriggered = view.get(s.PendingEpochAt, netuid) > now(view)
  const isNear = blocksToRegularEpoch(view, netuid) < BigInt(view.get(s.AdminFreezeWindow))
  must(tempo === 0 || (!isTriggered && !isNear), 'AdminActionProhibitedDuringWeightsWindow')
}

/** A new tempo begins a new epoch's time. */
export function applyTempo(context: Context, netuid: number, tempo: number): void {
  context.set(s.Tempo, [netuid], tempo)
  context.emit(PALLET, 'TempoSet', { netuid, tempo })
  context.set(s.LastEpochBlock, [netuid], now(context))
}

function setTempo(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  const tempo = args['tempo'] as number
  const who = requireOwner(context, origin, netuid)
  must(tempo >= TEMPO_MIN && tempo <= TEMPO_MAX, 'TempoOutOfBounds')
  mustBeOutsideFreeze(context, netuid)
  mustBeInTime(context, who, netuid, 'TempoUpdate')
  applyTempo(context, netuid, tempo)
  record(context, who, netuid, 'TempoUpdate')
}

function setCutoffFactor(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  const factor = args['factor_milli'] as number
  const who = requireOwnerOrRoot(context, origin, netuid)
  must(factor >= CUTOFF_FACTOR_MIN && factor <= CUTOFF_FACTOR_MAX, 'ActivityCutoffFactorMilliOutOfBounds')
  if (who !== null) {
    mustBeOutsideFreeze(context, netuid)
    mustBeInTime(context, who, netuid, 'ActivityCutoffFactorMilli')
    record(context, who, netuid, 'ActivityCutoffFactorMilli')
  }
  context.set(s.ActivityCutoffFactorMilli, [netuid], factor)
  context.emit(PALLET, 'ActivityCutoffFactorMilliSet', { netuid, factor_milli: factor })
}

/** A week, so that a subnet that is sold stays what it was for a while. */
const OWNER_HOTKEY_LIMIT = 50_400n

export function setOwnerHotkey(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  const hotkey = args['hotkey'] as string
  requireOwnerOrRoot(context, origin, netuid)
  must(exists(context, netuid), 'SubnetNotExists')
  const key = { type: 'SetSNOwnerHotkey', value: netuid }
  must(isOver(context, context.get(s.LastRateLimitedBlock, key), OWNER_HOTKEY_LIMIT), 'TxRateLimitExceeded')
  context.set(s.LastRateLimitedBlock, [key], now(context))
  context.set(s.SubnetOwnerHotkey, [netuid], hotkey)
  context.emit(PALLET, 'SubnetOwnerHotkeySet', { netuid, hotkey })
}

function triggerEpoch(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  const who = requireOwner(context, origin, netuid)
  must(!context.get(s.CommitRevealWeightsEnabled, netuid), 'DynamicTempoBlockedByCommitReveal')
  must(context.get(s.PendingEpochAt, netuid) === 0n, 'EpochTriggerAlreadyPending')
  const window = BigInt(context.get(s.AdminFreezeWindow))
  must(blocksToRegularEpoch(context, netuid) >= window, 'AutoEpochAlreadyImminent')
  mustBeInTime(context, who, netuid, 'TriggerEpoch')
  const firesAt = now(context) + window
  context.set(s.PendingEpochAt, [netuid], firesAt)
  record(context, who, netuid, 'TriggerEpoch')
  context.emit(PALLET, 'EpochTriggered', { netuid, by: who, fires_at: firesAt })
}

export const OWNER_CALLS: readonly CallSpec[] = [
  { index: 139, name: 'set_tempo', args: 'netuid: u16, tempo: u16', paysFee: true, run: setTempo },
  {
    index: 140,
    name: 'set_activity_cutoff_factor',
    args: 'netuid: u16, factor_milli: u32',
    paysFee: true,
    run: setCutoffFactor,
  },
  { index: 141, name: 'trigger_epoch', args: 'netuid: u16', paysFee: true, run: triggerEpoch },
]
