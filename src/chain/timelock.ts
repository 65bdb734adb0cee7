/**
 * Timelocked weights: what is in them, and when the chain will open them itself.
 *
 * Decides the round from the chain's own state: nobody can read the vector before the epoch in which it counts.
 */
import { concat, hexBytes } from '../util/bytes.ts'
import { epochOfHeight, type Timelock } from './read.ts'
import { scaleLength, scaleU16s, scaleU64 } from './scale.ts'

export type Vector = {
  readonly hotkey: string
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly versionKey: string
}

/** SCALE of (hotkey, uids, values, version key u64). The hotkey is inside, so that a copied commit serves nobody. */
export function payloadOf({ hotkey, uids, values, versionKey }: Vector): Uint8Array {
  const key = hexBytes(hotkey)
  return concat(scaleLength(key.length), key, scaleU16s(uids), scaleU16s(values), scaleU64(BigInt(versionKey)))
}

/** The epoch has begun for certain, and most of it is left for a pulse that comes late. */
const MARGIN_BLOCKS = 3

export type Schedule = { readonly netuid: number; readonly tempo: number; readonly revealPeriodEpochs: number }

/** The first block of the epoch in which a commit of block `at` is revealed. */
export function revealBlock(
  { netuid, tempo, revealPeriodEpochs }: Schedule,
  { lastEpochBlock, pendingEpochAt }: Pick<Timelock, 'lastEpochBlock' | 'pendingEpochAt'>,
  at: number,
): number {
  if (lastEpochBlock === null) {
    return (epochOfHeight(at, netuid, tempo) + revealPeriodEpochs) * (tempo + 1) - (netuid + 1)
  }
  const regular = lastEpochBlock + tempo
  const next = pendingEpochAt > 0 ? Math.min(pendingEpochAt, regular) : regular
  const isLater = tempo > 0 && next <= at
  const following = isLater ? next + tempo * (1 + Math.floor((at - next) / tempo)) : next
  return following + (revealPeriodEpochs - 1) * tempo
}

/** The round whose pulse comes when that epoch has just begun; one that is not over in any case. */
export function revealRound(
  schedule: Schedule,
  timelock: Timelock,
  { at, blockMs }: { readonly at: number; readonly blockMs: number },
): bigint {
  const margin = Math.min(MARGIN_BLOCKS, Math.floor(schedule.tempo / 2))
  const blocks = revealBlock(schedule, timelock, at) + margin - timelock.block
  const ms = timelock.nowMs + blocks * blockMs - timelock.beacon.genesisMs
  const round = BigInt(Math.max(1, Math.floor(ms / timelock.beacon.periodMs)))
  return round > timelock.lastRound ? round : timelock.lastRound + 1n
}
