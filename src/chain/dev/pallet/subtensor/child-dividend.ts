/**
 * What a child earns with its parents' stake is its parents', less its take where the two belong to different people.
 */
import type { Context } from '../../define.ts'
import { fixed, floor, less, ONE, over, times, U16_WHOLE, U64_MAX } from './fixed-point.ts'
import { partOf, taoWeight } from './stake-weight.ts'
import * as s from './storage.ts'
import { ROOT, type View } from './subnet.ts'
import { add } from './swap.ts'

export type Share = { readonly hotkey: string; readonly dividend: bigint }

export const minChildTake = (view: View, netuid: number): number =>
  Math.max(view.get(s.MinChildkeyTake), view.get(s.MinChildkeyTakePerSubnet, netuid))

export const childTake = (view: View, hotkey: string, netuid: number): number =>
  Math.max(view.get(s.ChildkeyTake, hotkey, netuid), minChildTake(view, netuid))

/** So much of a hotkey's own stake. */
function stakePart(view: View, netuid: number, hotkey: string, part: bigint): bigint {
  const alpha = times(fixed(view.get(s.TotalHotkeyAlpha, hotkey, netuid)), part)
  const tao = times(fixed(view.get(s.TotalHotkeyAlpha, hotkey, ROOT)), part)
  return alpha + times(tao, taoWeight(view))
}

/** What a dividend comes to for each parent, and at last for the hotkey itself. */
export function shareWithParents(context: Context, netuid: number, { hotkey, dividend }: Share): readonly Share[] {
  const unlent = context.get(s.ChildKeys, hotkey, netuid).reduce((rest, [lent]) => less(rest, partOf(lent)), ONE)
  const parents = context
    .get(s.ParentKeys, hotkey, netuid)
    .map(([proportion, parent]) => ({ parent, stake: stakePart(context, netuid, parent, partOf(proportion)) }))
  const own = fixed(floor(stakePart(context, netuid, hotkey, unlent)))
  const total = parents.reduce((sum, { stake }) => sum + stake, own)
  const take = over(fixed(childTake(context, hotkey, netuid)), fixed(U16_WHOLE))
  const burn = over(fixed(context.get(s.CKBurn)), fixed(U64_MAX))
  const owner = context.get(s.Owner, hotkey)
  let left = fixed(dividend)
  let taken = 0n
  const shares = parents.map(({ parent, stake }): Share => {
    const earned = times(fixed(dividend), over(stake, total))
    left = less(left, earned)
    if (context.get(s.Owner, parent) === owner) return { hotkey: parent, dividend: floor(earned) }
    const [burned, kept] = [times(burn, earned), times(take, earned)]
    taken += kept
    if (floor(burned) > 0n) add(context, s.SubnetAlphaOut, netuid, -floor(burned))
    return { hotkey: parent, dividend: floor(less(less(earned, burned), kept)) }
  })
  return [...shares, { hotkey, dividend: floor(left + taken) }]
}
