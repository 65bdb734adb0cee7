/**
 * From certified rewards to the vector that `set_weights` takes (protocol §8, security notes).
 *
 * A plain sum over a window, so that every cycle is paid in equally many epochs. Integers by floor, so that all
 * validators set identical vectors. What nobody earned goes to the burn uid: without it, old weights pay for ever.
 */
import { assert } from '../util/assert.ts'
import { compareNumber, compareText } from '../util/compare.ts'
import type { CycleRewards } from './reward.ts'

/** The chain's weights are u16, and the greatest is scaled to this. */
export const WEIGHT_U16_MAX = 65_535

/** Some 4,000 cycles of 45 blocks are 25 days: far more than any window. Keeps the sums below 2^53. */
export const WINDOW_CYCLES_MAX = 4_096

export type UidWeight = readonly [uid: number, weight: number]

export type WeightOptions = {
  readonly window: CycleRewards
  /** As registered at the block of signing: who has left, gets nothing, and neither does the uid's next owner. */
  readonly uidOf: (hotkey: string) => number | undefined
  readonly burnUid: number
  /** The chain refuses vectors with fewer entries (`MinAllowedWeights`). */
  readonly entriesMin: number
  readonly uidCount: number
}

/** The last M cycles; one without a certificate is null and adds nothing, for anybody. */
export function rewardWindow(cycles: readonly (CycleRewards | null)[]): CycleRewards {
  assert(cycles.length <= WINDOW_CYCLES_MAX, 'a window is bounded')
  const rewards = new Map<string, number>()
  let burned = 0
  for (const cycle of cycles) {
    if (cycle === null) continue
    burned += cycle.burned
    for (const [hotkey, reward] of cycle.rewards) rewards.set(hotkey, (rewards.get(hotkey) ?? 0) + reward)
  }
  return { rewards: new Map([...rewards].toSorted(([a], [b]) => compareText(a, b))), burned }
}

/** Ascending by uid, without zeros but those that fill up to `entriesMin`. The greatest weight is always 65535. */
export function toWeights({ window, uidOf, burnUid, entriesMin, uidCount }: WeightOptions): readonly UidWeight[] {
  assert(Number.isInteger(uidCount) && uidCount <= WEIGHT_U16_MAX + 1, 'a uid is a u16')
  assert(isUid(burnUid, uidCount), 'the burn uid is registered')
  const sums = new Map<number, bigint>([[burnUid, BigInt(window.burned)]])
  for (const [hotkey, reward] of window.rewards) {
    assert(Number.isSafeInteger(reward) && reward >= 0, 'a reward is not negative')
    const uid = uidOf(hotkey) ?? burnUid
    assert(isUid(uid, uidCount), 'a uid is below the count of uids')
    sums.set(uid, (sums.get(uid) ?? 0n) + BigInt(reward))
  }
  const greatest = [...sums.values()].reduce((max, sum) => (sum > max ? sum : max), 0n)
  const weights = new Map<number, number>()
  if (greatest === 0n) weights.set(burnUid, WEIGHT_U16_MAX)
  else
    for (const [uid, sum] of sums) {
      const weight = Number((BigInt(WEIGHT_U16_MAX) * sum) / greatest)
      if (weight > 0) weights.set(uid, weight)
    }
  for (let uid = 0; uid < uidCount && weights.size < entriesMin; uid++) if (!weights.has(uid)) weights.set(uid, 0)
  return [...weights].toSorted(([a], [b]) => compareNumber(a, b))
}

const isUid = (uid: number, uidCount: number) => Number.isInteger(uid) && uid >= 0 && uid < uidCount
