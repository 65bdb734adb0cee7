/**
 * What a hotkey's stake counts for on a subnet: its alpha there, and its TAO on the root at the chain's weight, less what it
 * lends to its children and with what its parents lend to it.
 */
import { fixed, floor, less, over, times, U64_MAX } from './fixed-point.ts'
import * as s from './storage.ts'
import { ROOT, type View } from './subnet.ts'

/** The share of TAO staked on the root that counts as stake everywhere. */
export const taoWeight = (view: View): bigint => over(fixed(view.get(s.TaoWeight)), fixed(U64_MAX))

/** Of a parent's stake, as `ChildKeys` and `ParentKeys` have it. */
export const partOf = (proportion: bigint): bigint => over(fixed(proportion), fixed(U64_MAX))

/** On `netuid`, of the stake that lies on `held`: that subnet, or the root. */
export function inheritedStake(view: View, netuid: number, hotkey: string, held: number): bigint {
  const own = fixed(view.get(s.TotalHotkeyAlpha, hotkey, held))
  let lent = 0n
  for (const [proportion] of view.get(s.ChildKeys, hotkey, netuid)) lent += times(own, partOf(proportion))
  let borrowed = 0n
  for (const [proportion, parent] of view.get(s.ParentKeys, hotkey, netuid))
    borrowed += times(fixed(view.get(s.TotalHotkeyAlpha, parent, held)), partOf(proportion))
  return floor(less(own, lent) + borrowed)
}

/** In rao of alpha. */
export function stakeWeight(view: View, netuid: number, hotkey: string): bigint {
  const alpha = inheritedStake(view, netuid, hotkey, netuid)
  if (netuid === ROOT) return alpha
  return alpha + floor(times(fixed(inheritedStake(view, netuid, hotkey, ROOT)), taoWeight(view)))
}

export function hasStakeForWeights(view: View, netuid: number, hotkey: string): boolean {
  if (view.get(s.SubnetOwnerHotkey, netuid) === hotkey) return true
  return stakeWeight(view, netuid, hotkey) >= view.get(s.StakeThreshold)
}
