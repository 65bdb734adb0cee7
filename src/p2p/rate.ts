/** How often each peer may do something: so many at once, and so many a second from then on. */
import type { Clock } from '../ports.ts'

export type Rate = { readonly burst: number; readonly perSecond: number }
export type Rates = {
  /** Takes one from what the peer has left; false when that is nothing. */
  readonly takes: (peerId: string) => boolean
}

/** Who has been silent until its burst was full again is forgotten when there are more than this. */
const PEERS_MAX = 1_024

export function createRates({ burst, perSecond }: Rate, clock: Pick<Clock, 'now'>): Rates {
  const left = new Map<string, { count: number; atMs: number }>()
  const refill = (entry: { count: number; atMs: number }, nowMs: number): number =>
    Math.min(burst, entry.count + ((nowMs - entry.atMs) / 1_000) * perSecond)
  const forgetFull = (nowMs: number): void => {
    for (const [peerId, entry] of left) if (refill(entry, nowMs) >= burst) left.delete(peerId)
  }
  return {
    takes: (peerId) => {
      const nowMs = clock.now()
      if (left.size > PEERS_MAX) forgetFull(nowMs)
      const entry = left.get(peerId) ?? { count: burst, atMs: nowMs }
      entry.count = refill(entry, nowMs)
      entry.atMs = nowMs
      left.set(peerId, entry)
      if (entry.count < 1) return false
      entry.count -= 1
      return true
    },
  }
}
