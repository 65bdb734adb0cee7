/**
 * Seats: who is evaluated when more submit than time allows (protocol §5, security notes).
 *
 * Anybody may commit; only evaluation is limited. Three quarters of the seats go to those who earned recently, so that
 * garbage from many keys cannot shut them out; the rest by lot, so that a newcomer needs no history.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { assert } from '../util/assert.ts'
import { concat, hexBytes, toHex, utf8 } from '../util/bytes.ts'
import { compareNumber, compareText } from '../util/compare.ts'

export type Revealed = {
  /** 64 characters of lower-case hex. */
  readonly hotkey: string
  /** Its certified rewards over the reward window (protocol §8). */
  readonly reward: number | bigint
}

export type SeatOptions = {
  readonly seats: number
  readonly revealed: readonly Revealed[]
  /** The finalised block hash of the constitution's choice: public only after the reveals are in. */
  readonly lotteryHash: Uint8Array
}

const SEAT_TAG = utf8('wheelwright/seat/v1')
const HOTKEY_PATTERN = /^[0-9a-f]{64}$/
const LOTTERY_HASH_BYTES = 32

/**
 * The seated hotkeys in the order of evaluation. That order is the lottery's for all of them, the same for every
 * validator: when time runs out, all cut the same tail.
 */
export function seatsOf({ seats, revealed, lotteryHash }: SeatOptions): readonly string[] {
  assert(Number.isSafeInteger(seats) && seats >= 0, 'seats are counted')
  assert(lotteryHash.length === LOTTERY_HASH_BYTES, 'the lottery needs a block hash')
  assert(new Set(revealed.map(({ hotkey }) => hotkey)).size === revealed.length, 'a hotkey has one submission')
  for (const { hotkey } of revealed) assert(HOTKEY_PATTERN.test(hotkey), 'a hotkey is lower-case hex')

  const lots = new Map(revealed.map(({ hotkey }) => [hotkey, lotOf(lotteryHash, hotkey)]))
  const byLot = (a: string, b: string) => compareText(lots.get(a) ?? '', lots.get(b) ?? '') || compareText(a, b)

  const earned = revealed
    .filter(({ reward }) => reward > 0)
    .toSorted((a, b) => compareNumber(b.reward, a.reward) || compareText(a.hotkey, b.hotkey))
    .slice(0, Math.floor((seats * 3) / 4))
    .map(({ hotkey }) => hotkey)
  const seated = new Set(earned)
  const drawn = [...lots.keys()].filter((hotkey) => !seated.has(hotkey)).toSorted(byLot)
  return [...earned, ...drawn.slice(0, seats - earned.length)].toSorted(byLot)
}

/** All three parts have a fixed length, so that no two inputs share one hash. */
function lotOf(lotteryHash: Uint8Array, hotkey: string): string {
  return toHex(sha256(concat(SEAT_TAG, lotteryHash, hexBytes(hotkey))))
}
