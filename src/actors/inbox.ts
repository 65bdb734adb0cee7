/**
 * The inbox: what a node knows and what it has heard in the open cycle, and the gates through which it hears.
 *
 * One rule, two doors: the gossip border asks the same judges as whoever reads the inbox later. A message whose window is
 * not final yet waits here, bounded, and is judged again when the facts arrive. Nobody adjudicates lateness.
 */
import type { Gate, PeerAddress } from '../ports.ts'
import { decodeRecord } from '../protocol/commitment.ts'
import type { Constitution, Network } from '../protocol/constitution.ts'
import type { MessageKind, Verify } from '../protocol/envelope.ts'
import { carriedCard, judgeBody, judgeMessage, type Message, recordKey, type View } from '../protocol/gossip.ts'
import { EARLY_MESSAGES_MAX, REPORT_BYTES_MAX } from '../protocol/limits.ts'
import type { PeerCard } from '../protocol/peer-card.ts'
import type { ReportTerms } from '../protocol/report.ts'
import { decodeReport, type Report } from '../protocol/report.ts'
import type { Reveal } from '../protocol/reveal.ts'
import { Flaw } from '../protocol/schema.ts'
import { openingKey } from '../protocol/shard.ts'
import { assert } from '../util/assert.ts'

/** What the node reads from the chain in the course of a cycle. `null` until the block in question is final. */
export type Knowledge = {
  cycle: number
  block: number
  registered: ReadonlySet<string>
  validators: { has(hotkey: string): boolean }
  commitments: View['commitments']
  open: boolean
  seals: View['seals']
  terms: ReportTerms | null
  hashes: View['hashes']
}

export type Inbox = {
  readonly known: Readonly<Knowledge>
  readonly cards: ReadonlyMap<string, PeerCard>
  readonly reveals: ReadonlyMap<string, Reveal>
  /** Opened shards: `openingKey` → CID. */
  readonly openings: ReadonlyMap<string, string>
  /** Well-formed bodies that match their commitments. */
  readonly reports: ReadonlyMap<string, Report>
  readonly gate: (kind: MessageKind) => Gate
  /** New facts: early messages are judged again. */
  readonly learn: (facts: Partial<Knowledge>) => void
  /** A new cycle: nothing of the old one is kept but cards that have not expired. */
  readonly begin: (facts: Knowledge) => void
  /** The accepted report of a hotkey in its author's envelope, to be said again for who lacks it. */
  readonly bytesOf: (hotkey: string) => Uint8Array | null
  /** Where a hotkey can be reached, from its card. */
  readonly addressOf: (hotkey: string) => readonly PeerAddress[]
}

type Heard = {
  readonly cards: Map<string, PeerCard>
  readonly reveals: Map<string, Reveal>
  readonly openings: Map<string, string>
  readonly reports: Map<string, Report>
  /** Who said which, by `recordKey`: what they say, the chain says better. */
  readonly records: Set<string>
  readonly cardsHeard: Map<string, number>
}

/** `wasEarly`: the border did not pass it on when it came, because its window was not final here. It may be now. */
export type Hear = (message: Message, bytes: Uint8Array, wasEarly: boolean) => void

export type InboxOptions = {
  readonly network: Network
  readonly constitution: Constitution
  readonly privateAllowed: boolean
}

export function createInbox(
  { network, constitution, privateAllowed }: InboxOptions,
  { verify, heard }: { readonly verify: Verify; readonly heard: Hear },
): Inbox {
  const boxes: Heard = {
    cards: new Map(),
    reveals: new Map(),
    openings: new Map(),
    reports: new Map(),
    records: new Set(),
    cardsHeard: new Map(),
  }
  let known: Knowledge = NOTHING_KNOWN
  const envelopes = new Map<string, Uint8Array>()
  let early = new Map<string, Early>()
  const view = (): View => ({
    ...known,
    ...boxes,
    network,
    verify,
    privateAllowed,
    cardBlocksMax: constitution.limits.cardBlocks,
  })
  const keep = (message: Message, bytes: Uint8Array, wasEarly: boolean): void => {
    file(boxes, message, view())
    if (message.kind === 'report') envelopes.set(message.envelope.hotkey, bytes)
    heard(message, bytes, wasEarly)
  }
  const learn = (facts: Partial<Knowledge>): void => {
    known = { ...known, ...facts }
    const waiting = early
    early = new Map()
    for (const [key, { message, bytes }] of waiting) {
      const verdict = judgeBody(view(), message)
      if (verdict.kind === 'accept') keep(message, bytes, true)
      else if (verdict.kind === 'ignore' && verdict.code === 'EARLY') early.set(key, { message, bytes })
    }
  }
  return {
    ...boxes,
    get known() {
      return known
    },
    gate: (kind) => (_from, bytes) => {
      const { verdict, message } = judgeMessage(view(), kind, bytes)
      if (message !== null && verdict.kind === 'accept') keep(message, bytes, false)
      else if (message !== null) setBounded(early, earlyKey(message), { message, bytes }, EARLY_MESSAGES_MAX)
      return verdict
    },
    learn,
    begin: (facts) => {
      const { reveals, openings, reports, records, cardsHeard } = boxes
      for (const box of [reveals, openings, reports, records, cardsHeard, envelopes]) box.clear()
      for (const [hotkey, { expires }] of boxes.cards) if (expires < facts.block) boxes.cards.delete(hotkey)
      learn(facts)
    },
    bytesOf: (hotkey) => envelopes.get(hotkey) ?? null,
    addressOf: (hotkey) => {
      const card = boxes.cards.get(hotkey)
      return card === undefined ? [] : [{ peerId: card.peerId, addresses: card.addresses }]
    },
  }
}

type Early = { readonly message: Message; readonly bytes: Uint8Array }

const NOTHING_KNOWN: Knowledge = {
  cycle: 0,
  block: 0,
  registered: new Set(),
  validators: new Set<string>(),
  commitments: null,
  open: false,
  seals: new Map(),
  terms: null,
  hashes: null,
}

/** One early message of a kind for each author, the latest: nobody takes up all the room by repeating itself. */
const earlyKey = ({ kind, envelope: { hotkey }, body }: Message): string =>
  kind === 'shard' ? `${kind}/${openingKey(hotkey, body.domain)}` : `${kind}/${hotkey}`

function setBounded<T>(map: Map<string, T>, key: string, value: T, sizeMax: number): void {
  if (map.has(key) || map.size < sizeMax) map.set(key, value)
}

/** Puts an accepted message where its readers look. */
function file(boxes: Heard, { kind, envelope, body }: Message, view: View): void {
  const { hotkey } = envelope
  switch (kind) {
    case 'card':
      fileCard(boxes, hotkey, body)
      return
    case 'reveal': {
      boxes.reveals.set(hotkey, body)
      const card = carriedCard(view, envelope, body)
      if (card !== null) fileCard(boxes, hotkey, card)
      return
    }
    case 'shard':
      boxes.openings.set(openingKey(hotkey, body.domain), body.shard)
      return
    case 'report': {
      const { terms } = view
      assert(terms !== null && body.report.length <= REPORT_BYTES_MAX, 'a report was accepted under its terms')
      const report = decodeReport(terms, body.report)
      if (!(report instanceof Flaw)) boxes.reports.set(hotkey, report)
      return
    }
    case 'record': {
      const slot = decodeRecord(view.network, body.record)
      if (slot !== null) boxes.records.add(recordKey(hotkey, slot))
      return
    }
    default:
      kind satisfies never
  }
}

function fileCard({ cards, cardsHeard }: Heard, hotkey: string, card: PeerCard): void {
  cards.set(hotkey, card)
  cardsHeard.set(hotkey, (cardsHeard.get(hotkey) ?? 0) + 1)
}
