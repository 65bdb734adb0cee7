/** Strangers at the door: a few at a time, each for some seconds, and not soon again when they were refused. */
import type { Clock } from '../ports.ts'
import { HELLO_MS, KNOCKS_MAX, KNOCKS_PER_ADDRESS, REFUSED_MAX, REFUSED_MS } from './limits.ts'

export type Knocks = {
  /** True when a stranger may come in for as long as it takes to show a card. */
  readonly lets: (peerId: string, origin: string | null) => boolean
  /** It stays, has left by itself, or was refused. */
  readonly over: (peerId: string, outcome: 'admitted' | 'gone' | 'refused') => void
}

/** A connection is not made at once, and the exchange begins when it is. */
const KNOCK_MS = 2 * HELLO_MS

export function createKnocks(privateAllowed: boolean, clock: Pick<Clock, 'now'>): Knocks {
  const inside = new Map<string, { readonly origin: string | null; readonly untilMs: number }>()
  const refused = new Map<string, number>()
  const perAddress = privateAllowed ? KNOCKS_MAX : KNOCKS_PER_ADDRESS
  const forget = (nowMs: number): void => {
    for (const [peerId, { untilMs }] of inside) if (untilMs <= nowMs) inside.delete(peerId)
    // In the order in which they were refused.
    for (const [peerId, untilMs] of refused) {
      if (untilMs > nowMs && refused.size <= REFUSED_MAX) break
      refused.delete(peerId)
    }
  }
  return {
    lets: (peerId, origin) => {
      const nowMs = clock.now()
      forget(nowMs)
      if (refused.has(peerId)) return false
      if (!inside.has(peerId)) {
        const near = [...inside.values()].filter((knock) => knock.origin === origin).length
        if (inside.size >= KNOCKS_MAX || near >= perAddress) return false
      }
      inside.set(peerId, { origin, untilMs: nowMs + KNOCK_MS })
      return true
    },
    over: (peerId, outcome) => {
      inside.delete(peerId)
      if (outcome !== 'gone') refused.delete(peerId)
      if (outcome === 'refused') refused.set(peerId, clock.now() + REFUSED_MS)
      forget(clock.now())
    },
  }
}
