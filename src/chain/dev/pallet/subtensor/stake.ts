/**
 * Who holds how much alpha on which hotkey.
 *
 * A hotkey's alpha is a pool in which its coldkeys have shares, so that dividends for all of them are one addition. Shares
 * are kept as subtensor keeps them, decimal floats of 21 digits, and reckoned as whole counts of 10^-18.
 */
import type { Context } from '../../define.ts'
import * as s from './storage.ts'
import type { View } from './subnet.ts'

type SafeFloat = { readonly mantissa: bigint; readonly exponent: bigint }

const SCALE_DIGITS = 18n
const MANTISSA_MAX = 10n ** 21n

export function readShares({ mantissa, exponent }: SafeFloat): bigint {
  const shift = exponent + SCALE_DIGITS
  return shift >= 0n ? mantissa * 10n ** shift : mantissa / 10n ** -shift
}

export function writeShares(shares: bigint): SafeFloat {
  let mantissa = shares
  let exponent = -SCALE_DIGITS
  if (mantissa === 0n) return { mantissa: 0n, exponent: 0n }
  for (; mantissa > MANTISSA_MAX; exponent++) mantissa /= 10n
  for (; mantissa * 10n <= MANTISSA_MAX; exponent--) mantissa *= 10n
  return { mantissa, exponent }
}

const sharesOf = (view: View, hotkey: string, coldkey: string, netuid: number): bigint =>
  readShares(view.get(s.AlphaV2, hotkey, coldkey, netuid))

const sharesOfAll = (view: View, hotkey: string, netuid: number): bigint =>
  readShares(view.get(s.TotalHotkeySharesV2, hotkey, netuid))

/** In rao of alpha, rounded down. */
export function stakeOf(view: View, hotkey: string, coldkey: string, netuid: number): bigint {
  const all = sharesOfAll(view, hotkey, netuid)
  if (all === 0n) return 0n
  return (view.get(s.TotalHotkeyAlpha, hotkey, netuid) * sharesOf(view, hotkey, coldkey, netuid)) / all
}

export function addStake(context: Context, hotkey: string, coldkey: string, netuid: number, alpha: bigint): void {
  if (alpha === 0n) return
  const total = context.get(s.TotalHotkeyAlpha, hotkey, netuid)
  const all = sharesOfAll(context, hotkey, netuid)
  const fresh = total === 0n || all === 0n ? alpha * 10n ** SCALE_DIGITS : (alpha * all) / total
  context.set(s.TotalHotkeyAlpha, [hotkey, netuid], total + alpha)
  setShares(context, hotkey, coldkey, netuid, sharesOf(context, hotkey, coldkey, netuid) + fresh, all + fresh)
  const hotkeys = context.get(s.StakingHotkeys, coldkey)
  if (!hotkeys.includes(hotkey)) context.set(s.StakingHotkeys, [coldkey], [...hotkeys, hotkey])
}

/** At most what `stakeOf` says. Shares that are worth nothing vanish. */
export function takeStake(context: Context, hotkey: string, coldkey: string, netuid: number, alpha: bigint): void {
  const total = context.get(s.TotalHotkeyAlpha, hotkey, netuid)
  const all = sharesOfAll(context, hotkey, netuid)
  const own = sharesOf(context, hotkey, coldkey, netuid)
  const isAll = alpha >= stakeOf(context, hotkey, coldkey, netuid)
  const gone = isAll || total === 0n ? own : (alpha * all) / total
  context.set(s.TotalHotkeyAlpha, [hotkey, netuid], total - alpha)
  setShares(context, hotkey, coldkey, netuid, own - gone, all - gone)
}

/** For all who have shares, in proportion. */
export function addDividend(context: Context, hotkey: string, netuid: number, alpha: bigint): void {
  if (alpha === 0n) return
  context.set(s.TotalHotkeyAlpha, [hotkey, netuid], context.get(s.TotalHotkeyAlpha, hotkey, netuid) + alpha)
}

function setShares(context: Context, hotkey: string, coldkey: string, netuid: number, own: bigint, all: bigint): void {
  if (own === 0n) context.remove(s.AlphaV2, [hotkey, coldkey, netuid])
  else context.set(s.AlphaV2, [hotkey, coldkey, netuid], writeShares(own))
  if (all === 0n) context.remove(s.TotalHotkeySharesV2, [hotkey, netuid])
  else context.set(s.TotalHotkeySharesV2, [hotkey, netuid], writeShares(all))
}
