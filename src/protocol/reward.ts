/**
 * The rewards of one cycle: what each group pays, to whom, and what is burned (protocol §8, security notes).
 *
 * A group's part is fixed by its value alone, so that nobody lowers it by crowding a rival. It is paid out as far as
 * the group's merge earned it, split by marginals. Every division rounds down, and all that is left over is burned, so
 * that the sum is the pot to the last unit.
 */
import { assert } from '../util/assert.ts'
import { compareText } from '../util/compare.ts'

/** Nine digits: a hotkey that earned a billionth of a cycle is still seen, and nine million cycles sum below 2^53. */
export const REWARD_POT = 1_000_000_000

const PPM = 1_000_000

export type TrackShare = { readonly name: string; readonly sharePpm: number }

/** `value` is what customers asked for, in any unit: only its part of the track's sum matters. */
export type GroupValue = { readonly name: string; readonly track: string; readonly value: number }

/** A certified marginal, in nano-nats. Rows of a group without a value, such as the reserved `router`, earn nothing. */
export type RewardRow = { readonly hotkey: string; readonly group: string; readonly marginal: number }

export type CycleInput = {
  readonly tracks: readonly TrackShare[]
  readonly groups: readonly GroupValue[]
  readonly rows: readonly RewardRow[]
  /** By group: the merged gain that earns the whole part; 0 pays all of it for any gain. */
  readonly references: ReadonlyMap<string, number>
}

export type CycleRewards = {
  /** Only who earned something, in the order of hotkeys. */
  readonly rewards: ReadonlyMap<string, number>
  readonly burned: number
}

export function cycleRewards({ tracks, groups, rows, references }: CycleInput): CycleRewards {
  const parts = groupParts(tracks, groups)
  const rewards = new Map<string, number>()
  for (const [name, part] of parts) {
    const own = rows.filter((row) => row.group === name)
    for (const [hotkey, reward] of splitPart(part, own, references.get(name))) {
      if (reward > 0) rewards.set(hotkey, (rewards.get(hotkey) ?? 0) + reward)
    }
  }
  const paid = [...rewards.values()].reduce((sum, reward) => sum + reward, 0)
  assert(paid <= REWARD_POT, 'a cycle never pays more than its pot')
  return { rewards: new Map([...rewards].toSorted(([a], [b]) => compareText(a, b))), burned: REWARD_POT - paid }
}

/** pot × share of the track × value / sum of the values of the track. */
function groupParts(tracks: readonly TrackShare[], groups: readonly GroupValue[]): ReadonlyMap<string, bigint> {
  for (const { sharePpm } of tracks) assert(Number.isInteger(sharePpm) && sharePpm >= 0, 'a share is not negative')
  for (const { value } of groups) assert(Number.isSafeInteger(value) && value >= 0, 'a value is not negative')
  assert(tracks.reduce((sum, { sharePpm }) => sum + sharePpm, 0) <= PPM, 'tracks share at most the whole pot')
  const shares = new Map(tracks.map(({ name, sharePpm }) => [name, BigInt(sharePpm)]))
  assert(shares.size === tracks.length, 'a track has one name')
  const parts = new Map<string, bigint>()
  for (const { name, track, value } of groups) {
    const share = shares.get(track)
    assert(share !== undefined, 'a group belongs to a track')
    assert(!parts.has(name), 'a group has one name')
    const valueTotal = groups.reduce((sum, group) => sum + (group.track === track ? BigInt(group.value) : 0n), 0n)
    assert(valueTotal > 0n, 'the values of a track have a sum')
    parts.set(name, (BigInt(REWARD_POT) * share * BigInt(value)) / (BigInt(PPM) * valueTotal))
  }
  return parts
}

/** part × min(merged, reference) / reference, in proportion to the marginals; merged is their sum. */
function splitPart(
  part: bigint,
  rows: readonly RewardRow[],
  reference: number | undefined,
): readonly [string, number][] {
  assert(reference !== undefined && Number.isSafeInteger(reference) && reference >= 0, 'a group has a reference gain')
  for (const { marginal } of rows) assert(Number.isSafeInteger(marginal) && marginal >= 0, 'a marginal is not negative')
  const merged = rows.reduce((sum, { marginal }) => sum + BigInt(marginal), 0n)
  if (merged === 0n) return []
  const full = BigInt(reference)
  const paid = merged >= full ? part : (part * merged) / full
  return rows.map(({ hotkey, marginal }) => [hotkey, Number((paid * BigInt(marginal)) / merged)])
}
