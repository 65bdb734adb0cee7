/**
 * What becomes of a certified cycle's submissions: per group merge, keep or take back; and which routing rows are adopted.
 *
 * Decided by certified integers alone, so that all peers do the same. The arithmetic on tensors is in merge-tensor.ts.
 */

import { compareText } from '../util/compare.ts'
import type { Track } from './track.ts'
import { ROUTER } from './track.ts'

export type CertifiedGain = {
  readonly hotkey: string
  readonly group: string
  readonly manifest: string
  readonly score: number
  readonly marginal: number
}

export type CertifiedGains = {
  /** In the order of hotkey bytes. */
  readonly rows: readonly CertifiedGain[]
  /** Per group: by how much the base is worse than the root before it, in nano-nats; negative when better. */
  readonly worse: ReadonlyMap<string, number>
}

export type Member = { readonly hotkey: string; readonly manifest: string; readonly weight: number }

export type GroupPlan =
  | { readonly group: string; readonly action: 'keep' }
  /** The base made the group worse: its pages of the root before the base are taken again. */
  | { readonly group: string; readonly action: 'revert' }
  /** Φ + η Σ ŵ Δ over the members, in this order, with weights proportional to these integers. */
  | { readonly group: string; readonly action: 'merge'; readonly members: readonly Member[] }

/**
 * A submission that was measured on a base which goes back is merged nowhere. Otherwise everything with a positive
 * certified marginal is, in proportion to its score.
 */
export function planExperts(track: Track, { rows, worse }: CertifiedGains): readonly GroupPlan[] {
  return track.groups.map(({ name: group }) => {
    if ((worse.get(group) ?? 0) > track.scoring.harmMax) return { group, action: 'revert' }
    const members = rows
      .filter((entry) => entry.group === group && entry.marginal > 0)
      .map(({ hotkey, manifest, score: weight }) => ({ hotkey, manifest, weight }))
    return members.length === 0 ? { group, action: 'keep' } : { group, action: 'merge', members }
  })
}

/**
 * The routing rows of the cycle: the best certified score, ties by hotkey, adopted whole. That no domain suffers is part of
 * the score: a validator gives 0 to rows that harm one (protocol §7).
 */
export function adoptRouter(rows: readonly CertifiedGain[]): CertifiedGain | null {
  const best = rows
    .filter((entry) => entry.group === ROUTER && entry.marginal > 0)
    .toSorted((a, b) => b.score - a.score || compareText(a.hotkey, b.hotkey))
  return best[0] ?? null
}
