/**
 * Who is who: of every registered hotkey the newest card that was heard, wherever it came from, judged as gossip's are.
 *
 * An older card never takes the place of a newer one. So its sequence outlives a card: it is forgotten when no card that
 * was signed before can count any more, and not earlier, or a replay would bring the old one back.
 */
import type { Clock, Log, PeerAddress } from '../ports.ts'
import type { Network } from '../protocol/constitution.ts'
import type { Verify } from '../protocol/envelope.ts'
import { judgeOpenedCard, type OpenedCard, openCard, type PeerCard } from '../protocol/peer-card.ts'
import { Flaw } from '../protocol/schema.ts'
import { ACCEPT, ignore, reject, type Verdict } from '../protocol/verdict.ts'
import { equalBytes } from '../util/bytes.ts'
import { openDirectoryFile } from './directory-file.ts'
import { CARDS_HELD_MAX } from './limits.ts'

/** What the chain says, now. */
export type Census = {
  /** The finalised head. */
  readonly block: () => number
  readonly registered: () => ReadonlySet<string>
}

export type DirectoryOptions = {
  readonly network: Network
  /** The constitution's `limits.cardBlocks`. */
  readonly cardBlocksMax: number
  readonly privateAllowed: boolean
  /** Where cards outlive the process; `null` where they need not. */
  readonly path: string | null
}
export type DirectoryDeps = {
  readonly census: Census
  readonly verify: Verify
  readonly clock: Clock
  readonly log: Log
}

export type Directory = {
  /** Judges a card in its envelope and keeps it. What is held already is KNOWN. */
  readonly take: (bytes: Uint8Array) => Verdict
  /** Keeps a card that the gate of gossip has accepted by the same rules: nothing is verified twice. */
  readonly file: (bytes: Uint8Array) => void
  /** Where a hotkey is, while its card counts. */
  readonly peerOf: (hotkey: string) => PeerAddress | null
  /** Whose peer this is, by a card that counts and of a hotkey that is registered. */
  readonly hotkeyOf: (peerId: string) => string | null
  /** Of the newest card of a hotkey that is remembered, whether it counts or not. */
  readonly sequenceOf: (hotkey: string) => number | null
  /** Everybody with a card that counts. */
  readonly peers: () => readonly PeerAddress[]
  readonly close: () => Promise<void>
}

/** A card, and the block after which nothing that was signed before it counts. */
export type HeldCard = {
  readonly hotkey: string
  readonly card: PeerCard
  readonly bytes: Uint8Array
  readonly until: number
}

export async function openDirectory(
  { network, cardBlocksMax, privateAllowed, path }: DirectoryOptions,
  { census, verify, clock, log }: DirectoryDeps,
): Promise<Directory> {
  const shelf = createShelf(census)
  const rules = {
    network,
    cardBlocksMax,
    privateAllowed,
    verify,
    cards: { get: (hotkey: string) => shelf.lastOf(hotkey)?.card },
    cardsHeard: new Map(), // nothing is passed on from here
  }
  const file = path === null ? null : await openDirectoryFile(path, { network, clock, log, read: shelf.all })
  for (const { opened, bytes, until } of file?.entries ?? []) {
    const { envelope, card } = opened
    const block = census.block()
    if (until < block) continue
    // What has ended still keeps older cards out, and who has left may come back.
    const view = { ...rules, block: Math.min(block, card.expires), registered: EVERYBODY }
    if (judgeOpenedCard(view, opened).kind !== 'accept') continue
    shelf.put({ hotkey: envelope.hotkey, card, bytes, until: Math.min(until, block + cardBlocksMax) })
  }
  const keep = ({ envelope: { hotkey }, card }: OpenedCard, bytes: Uint8Array): Verdict => {
    const isKept = shelf.put({ hotkey, card, bytes: bytes.slice(), until: census.block() + cardBlocksMax })
    if (!isKept) return ignore('CARD_TOO_MANY')
    file?.changed()
    return ACCEPT
  }

  return {
    file: (bytes) => {
      const opened = openCard(bytes)
      if (opened instanceof Flaw) return
      const before = shelf.lastOf(opened.envelope.hotkey)
      if (before === null || before.card.sequence < opened.card.sequence) keep(opened, bytes)
    },
    take: (bytes) => {
      const opened = openCard(bytes)
      if (opened instanceof Flaw) return reject('MESSAGE_MALFORMED', `${opened.field} ${opened.problem}`)
      const { hotkey } = opened.envelope
      const before = shelf.lastOf(hotkey)
      if (before !== null && shelf.counts(before) && equalBytes(before.bytes, bytes)) return ignore('KNOWN')
      const verdict = judgeOpenedCard({ ...rules, block: census.block(), registered: census.registered() }, opened)
      return verdict.kind === 'accept' ? keep(opened, bytes) : verdict
    },
    peerOf: (hotkey) => {
      const entry = shelf.lastOf(hotkey)
      return entry !== null && shelf.counts(entry) ? addressOf(entry) : null
    },
    hotkeyOf: (peerId) => shelf.ofPeer(peerId).find(shelf.counts)?.hotkey ?? null,
    sequenceOf: (hotkey) => shelf.lastOf(hotkey)?.card.sequence ?? null,
    peers: () => [...shelf.all()].filter(shelf.counts).map(addressOf),
    close: async () => file?.close(),
  }
}

const EVERYBODY = { has: () => true }

const addressOf = ({ card: { peerId, addresses } }: HeldCard): PeerAddress => ({ peerId, addresses })

type Shelf = {
  /** In the place of the one before. False when there is no room. */
  readonly put: (entry: HeldCard) => boolean
  readonly all: () => Iterable<HeldCard>
  /** What is still remembered of a hotkey. */
  readonly lastOf: (hotkey: string) => HeldCard | null
  /** More than one where several hotkeys name one peer. */
  readonly ofPeer: (peerId: string) => readonly HeldCard[]
  /** Whether it is alive, and of somebody who is registered. */
  readonly counts: (entry: HeldCard) => boolean
}

function createShelf(census: Census): Shelf {
  const held = new Map<string, HeldCard>()
  const byPeer = new Map<string, Map<string, HeldCard>>()
  const remove = (hotkey: string): void => {
    const peerId = held.get(hotkey)?.card.peerId ?? ''
    held.delete(hotkey)
    byPeer.get(peerId)?.delete(hotkey)
    if (byPeer.get(peerId)?.size === 0) byPeer.delete(peerId)
  }
  /** Who has left the subnet cannot bring a card back, so their room is taken when there is no other. */
  const makeRoom = (): void => {
    const [block, registered] = [census.block(), census.registered()]
    for (const { hotkey, until } of held.values()) if (until < block || !registered.has(hotkey)) remove(hotkey)
  }
  return {
    put: (entry) => {
      if (!held.has(entry.hotkey) && held.size >= CARDS_HELD_MAX) makeRoom()
      if (!held.has(entry.hotkey) && held.size >= CARDS_HELD_MAX) return false
      remove(entry.hotkey)
      held.set(entry.hotkey, entry)
      const { peerId } = entry.card
      byPeer.set(peerId, (byPeer.get(peerId) ?? new Map()).set(entry.hotkey, entry))
      return true
    },
    all: () => held.values(),
    lastOf: (hotkey) => {
      const entry = held.get(hotkey)
      return entry !== undefined && entry.until >= census.block() ? entry : null
    },
    ofPeer: (peerId) => [...(byPeer.get(peerId)?.values() ?? [])],
    counts: ({ hotkey, card }) => card.expires >= census.block() && census.registered().has(hotkey),
  }
}
