/**
 * Who lends stake to whom on a subnet, written down on both sides: with the parent its children, with the child its
 * parents. A hotkey is one or the other towards another one, and neither towards itself.
 */
import { compareText } from '../../../../util/compare.ts'
import type { Context } from '../../define.ts'
import { must } from './error.ts'
import { U64_MAX } from './fixed-point.ts'
import * as s from './storage.ts'
import type { View } from './subnet.ts'

/** Proportions are parts of `U64_MAX` of the parent's stake. */
export type Kin = readonly (readonly [proportion: bigint, hotkey: string])[]
type Side = typeof s.ChildKeys

const CHILDREN_MAX = 5

const without = (kin: Kin, hotkey: string): Kin => kin.filter(([, other]) => other !== hotkey)
const has = (kin: Kin, hotkey: string): boolean => kin.some(([, other]) => other === hotkey)

/** Each once, the last one counts, in the order of their keys. */
const sorted = (kin: Kin): Kin =>
  [...new Map(kin.map(([proportion, hotkey]) => [hotkey, proportion]))]
    .sort(([a], [b]) => compareText(a, b))
    .map(([hotkey, proportion]) => [proportion, hotkey])

/** No list is written down empty. */
function put(context: Context, side: Side, hotkey: string, netuid: number, kin: Kin): void {
  if (kin.length > 0) context.set(side, [hotkey, netuid], kin)
  else context.remove(side, [hotkey, netuid])
}

export function mustBeChildren(view: View, netuid: number, parent: string, children: Kin): void {
  must(!has(children, parent), 'InvalidChild')
  must(children.length <= CHILDREN_MAX, 'TooManyChildren')
  must(children.reduce((sum, [proportion]) => sum + proportion, 0n) <= U64_MAX, 'ProportionOverflow')
  const parents = view.get(s.ParentKeys, parent, netuid)
  must(!children.some(([, child]) => has(parents, child)), 'ChildParentInconsistency')
}

/** `false`, and nothing changes, when one of them has become a parent of its parent by now. */
export function applyChildren(context: Context, netuid: number, parent: string, children: Kin): boolean {
  const parents = context.get(s.ParentKeys, parent, netuid)
  if (children.some(([, child]) => has(parents, child))) return false
  link(context, netuid, parent, children, s.ChildKeys, s.ParentKeys)
  link(context, netuid, parent, parents, s.ParentKeys, s.ChildKeys)
  return true
}

/** What the others have written down follows what `hotkey` has. */
function link(context: Context, netuid: number, hotkey: string, kin: Kin, mine: Side, theirs: Side): void {
  const before = context.get(mine, hotkey, netuid)
  put(context, mine, hotkey, netuid, sorted(kin))
  for (const [proportion, other] of kin) {
    const known = context.get(theirs, other, netuid)
    const next: Kin = has(known, hotkey)
      ? known.map((entry) => (entry[1] === hotkey ? [proportion, hotkey] : entry))
      : [...known, [proportion, hotkey]]
    put(context, theirs, other, netuid, next)
  }
  for (const [, other] of before)
    if (!has(kin, other)) put(context, theirs, other, netuid, without(context.get(theirs, other, netuid), hotkey))
}

/** The new hotkey has the kin of the old one, also the one that is only announced, in place of its own. */
export function moveKin(context: Context, netuid: number, from: string, to: string): void {
  const [children, parents] = [context.get(s.ChildKeys, from, netuid), context.get(s.ParentKeys, from, netuid)]
  for (const [, child] of children)
    put(context, s.ParentKeys, child, netuid, without(context.get(s.ParentKeys, child, netuid), from))
  for (const [, parent] of parents)
    put(context, s.ChildKeys, parent, netuid, without(context.get(s.ChildKeys, parent, netuid), from))
  context.set(s.ChildKeys, [from, netuid], []) // the one list that subtensor does write down empty
  put(context, s.ParentKeys, from, netuid, [])
  must(!has(children, to) && !has(parents, to), 'InvalidChild')
  for (const [, pending] of [...context.entries(s.PendingChildKeys, netuid, from)]) {
    const [wanted] = pending
    must(!has(wanted, to), 'InvalidChild')
    must(!wanted.some(([, child]) => has(parents, child)), 'ChildParentInconsistency')
    context.remove(s.PendingChildKeys, [netuid, from])
    context.set(s.PendingChildKeys, [netuid, to], pending)
  }
  link(context, netuid, to, children, s.ChildKeys, s.ParentKeys)
  link(context, netuid, to, parents, s.ParentKeys, s.ChildKeys)
  for (const [keys, [wanted, block]] of [...context.entries(s.PendingChildKeys, netuid)]) {
    const found = wanted.find(([, child]) => child === from)
    if (found !== undefined) context.set(s.PendingChildKeys, keys, [[...without(wanted, from), [found[0], to]], block])
  }
}
