/** When a client noticed a fault, and when it was at work again: from what it tells of itself, its events and its log. */
import type { ChainEvent, Log } from '../../src/ports.ts'

/** What a client does when it notices; `nothing` where a fault costs nothing that is worth a word. */
export type Noticed = 'degraded' | 'forked' | 'refused' | 'sent again' | 'nothing'

type Sight = { readonly what: 'degraded' | 'recovered' | 'forked' | 'sent' | 'refused'; readonly atMs: number }

export type Witness = {
  readonly log: Log
  readonly hear: (event: ChainEvent) => void
  /** The fault is done now: what was seen before does not count. */
  readonly begin: () => void
  readonly noticed: (by: Noticed) => Moments
}

/** When it hit, when the client knew, and when it worked again; `null` for what was not seen. */
export type Moments = {
  readonly faultMs: number | null
  readonly detectedMs: number | null
  readonly againMs: number | null
}

const EVENTS: { readonly [T in ChainEvent['type']]?: Sight['what'] } = {
  'chain.degraded': 'degraded',
  'chain.recovered': 'recovered',
  'chain.forked': 'forked',
}
const MESSAGES: { readonly [message: string]: Sight['what'] } = {
  'a transaction is sent': 'sent',
  'the pool refused a transaction': 'refused',
}

export function createWitness(): Witness {
  let sights: Sight[] = []
  let begunMs = performance.now()
  const see = (what: Sight['what'] | undefined): void => {
    if (what !== undefined) sights.push({ what, atMs: performance.now() })
  }
  const read = (message: string): void => see(MESSAGES[message])
  const after = (what: Sight['what'], sinceMs: number | null): number | null =>
    sights.find((sight) => sight.what === what && sinceMs !== null && sight.atMs > sinceMs)?.atMs ?? null
  const moments: { readonly [B in Noticed]: () => Moments } = {
    degraded: () => {
      const detectedMs = after('degraded', begunMs)
      return { faultMs: begunMs, detectedMs, againMs: after('recovered', detectedMs) }
    },
    // It works on: what was lost is sent again with the head that told of the fork.
    forked: () => {
      const detectedMs = after('forked', begunMs)
      return { faultMs: begunMs, detectedMs, againMs: after('sent', detectedMs) }
    },
    'sent again': () => {
      const faultMs = after('sent', begunMs)
      const detectedMs = after('sent', faultMs)
      return { faultMs, detectedMs, againMs: detectedMs }
    },
    refused: () => {
      const faultMs = after('sent', begunMs)
      const detectedMs = after('refused', faultMs)
      return { faultMs, detectedMs, againMs: after('sent', detectedMs) }
    },
    nothing: () => ({ faultMs: begunMs, detectedMs: null, againMs: null }),
  }
  return {
    log: { debug: read, info: read, warn: read, error: read },
    hear: ({ type }) => see(EVENTS[type]),
    begin: () => {
      sights = []
      begunMs = performance.now()
    },
    noticed: (by) => moments[by](),
  }
}
