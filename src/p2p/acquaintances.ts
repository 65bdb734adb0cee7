/**
 * Whom a host knows in its subnet: cards come with gossip, and who was not heard is looked up in the table of peers.
 */
import type { Cancel, Clock, Log, PeerAddress } from '../ports.ts'
import { type MessageKind, openEnvelope } from '../protocol/envelope.ts'
import { readBody } from '../protocol/gossip.ts'
import { Flaw } from '../protocol/schema.ts'
import { compareNumber } from '../util/compare.ts'
import type { Census, Directory } from './directory.ts'
import type { OwnCard } from './own-card.ts'
import type { Table } from './table.ts'

export type AcquaintancesDeps = {
  readonly directory: Directory
  readonly table: Table
  readonly census: Census
  readonly hotkey: string | null
  readonly own: OwnCard | null
  readonly clock: Clock
  readonly log: Log
}
export type Acquaintances = {
  /** Whose cards are held. */
  readonly known: () => readonly PeerAddress[]
  /** Looks for a few whose cards were not heard. Never rejects. */
  readonly search: (opts: Cancel) => Promise<void>
  /** A message of gossip that was accepted, or that this host says itself. */
  readonly heard: (kind: MessageKind, bytes: Uint8Array) => void
  readonly close: () => void
}

/** The table is asked for so many at once, each for so long, and for the same one not soon again. */
const SEARCHES = 2
const SEARCH_MS = 5_000
const SEARCH_AGAIN_MS = 120_000
const STORE_MS = 20_000
/** Everybody says a card when a cycle begins: so each waits for a time of its own, or all would store at once. */
const STORE_LATER_MS_MIN = 20_000
const STORE_LATER_MS_MAX = 180_000
const storeLaterMs = (hotkey: string): number =>
  STORE_LATER_MS_MIN + (Number.parseInt(hotkey.slice(0, 8), 16) / 2 ** 32) * (STORE_LATER_MS_MAX - STORE_LATER_MS_MIN)
/** Storing asks dozens of peers, and a card counts for hours: one that says nothing new is stored again after this. */
const STORE_AGAIN_MS = 10 * 60_000

export function createAcquaintances(deps: AcquaintancesDeps): Acquaintances {
  const { directory, table, census, hotkey: me, own, clock, log } = deps
  const stopped = new AbortController()
  const searchedMs = new Map<string, number>()
  const lastMs = (hotkey: string): number => searchedMs.get(hotkey) ?? Number.NEGATIVE_INFINITY
  const isDue = (hotkey: string): boolean =>
    hotkey !== me && directory.peerOf(hotkey) === null && clock.now() - lastMs(hotkey) >= SEARCH_AGAIN_MS
  const never = { where: '', atMs: Number.NEGATIVE_INFINITY }
  let stored = never
  let timer: unknown = null
  let said: Uint8Array = new Uint8Array()
  const store = (hotkey: string, card: Uint8Array): void => {
    if (stopped.signal.aborted) return
    said = card
    const where = JSON.stringify(directory.peerOf(hotkey))
    if (stored.where === where && clock.now() - stored.atMs < STORE_AGAIN_MS) return
    stored = { where, atMs: clock.now() }
    clock.clearTimeout(timer)
    timer = clock.setTimeout(() => {
      const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(STORE_MS)])
      table.put(hotkey, said, { signal }).catch((error: unknown) => {
        stored = never
        log.debug('our card is in no table of peers', { why: String(error) })
      })
    }, storeLaterMs(hotkey))
  }
  return {
    known: directory.peers,
    search: async ({ signal }) => {
      const registered = census.registered()
      for (const hotkey of searchedMs.keys()) if (!registered.has(hotkey)) searchedMs.delete(hotkey)
      // Who was not asked for longest, so that everybody's turn comes.
      const due = [...registered].filter(isDue).toSorted((a, b) => compareNumber(lastMs(a), lastMs(b)))
      const turn = due.slice(0, SEARCHES)
      for (const hotkey of turn) searchedMs.set(hotkey, clock.now())
      const limit = { signal: AbortSignal.any([signal, AbortSignal.timeout(SEARCH_MS)]) }
      await Promise.all(turn.map((hotkey) => table.find(hotkey, limit).catch(() => null)))
    },
    heard: (kind, bytes) => {
      if (kind === 'reveal') takeCarried(directory, bytes)
      if (kind !== 'card') return
      directory.file(bytes)
      if (me !== null && own?.said(bytes) === true) store(me, bytes)
    },
    close: () => {
      stopped.abort()
      clock.clearTimeout(timer)
    },
  }
}

/** A reveal may be accepted whose card is not. */
function takeCarried(directory: Directory, bytes: Uint8Array): void {
  const envelope = openEnvelope(bytes)
  const message = envelope instanceof Flaw ? envelope : readBody('reveal', envelope)
  if (!(message instanceof Flaw) && message.kind === 'reveal') directory.take(message.body.card)
}
