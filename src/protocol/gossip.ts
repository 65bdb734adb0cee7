/**
 * The gossip border: one table of message kinds, and one function from bytes to a verdict (protocol §9).
 *
 * Cheap checks come first and the signature last: only what would be accepted is worth a verification. The network adapter
 * calls `judgeMessage` and nothing else; the actors receive what it accepted.
 */

import { decode } from './codec.ts'
import { decodeRecord, type SlotRecord } from './commitment.ts'
import { type Envelope, isSigned, MESSAGE_KINDS, type MessageKind, openEnvelope, type Verify } from './envelope.ts'
import { MESSAGE_BYTES_MAX, RECORD_BYTES_MAX } from './limits.ts'
import { type CardView, cardShape, judgeCard, openCard, type PeerCard } from './peer-card.ts'
import { judgeReport, type ReportMessage, type ReportView, reportMessageShape } from './report.ts'
import { judgeReveal, type Reveal, type RevealView, revealShape } from './reveal.ts'
import { blob, Flaw, record, type Shape } from './schema.ts'
import { judgeOpening, openingShape, type ShardOpening, type ShardView } from './shard.ts'
import { ACCEPT, ignore, reject, type Verdict } from './verdict.ts'

/** A validator's slot record, said early. It helps others to start; only the chain decides. */
export const recordMessageShape = record({ record: blob(RECORD_BYTES_MAX) })
export type RecordMessage = { readonly record: Uint8Array }

/** All that a node knows and a judge may need. */
export type View = CardView &
  RevealView &
  ShardView &
  ReportView & {
    /** The open one. */
    readonly cycle: number
    readonly verify: Verify
    /** Validators whose records are worth hearing. */
    readonly validators: { has(hotkey: string): boolean }
    readonly records: { has(key: string): boolean }
  }

export type Bodies = {
  readonly card: PeerCard
  readonly reveal: Reveal
  readonly shard: ShardOpening
  readonly report: ReportMessage
  readonly record: RecordMessage
}

type Rule<B> = {
  readonly shape: Shape<B>
  /** By how many cycles it may miss the open one: a cycle does not begin everywhere at once. */
  readonly cyclesOff: 0 | 1
  readonly judge: (view: View, envelope: Envelope, body: B) => Verdict
}

export const MESSAGE_RULES: { readonly [K in MessageKind]: Rule<Bodies[K]> } = {
  card: { shape: cardShape, cyclesOff: 1, judge: judgeCard },
  reveal: { shape: revealShape, cyclesOff: 0, judge: judgeRevealWithCard },
  shard: { shape: openingShape, cyclesOff: 0, judge: judgeOpening },
  report: { shape: reportMessageShape, cyclesOff: 0, judge: judgeReport },
  record: { shape: recordMessageShape, cyclesOff: 0, judge: judgeRecord },
}

export type Message = {
  [K in MessageKind]: { readonly kind: K; readonly envelope: Envelope; readonly body: Bodies[K] }
}[MessageKind]

export type Judged = { readonly verdict: Verdict; readonly message: Message | null }

/** `message` is there when the verdict is accept, and when it is EARLY, so that an actor can keep it for later. */
export function judgeMessage(view: View, kind: MessageKind, bytes: Uint8Array): Judged {
  const refused = (verdict: Verdict): Judged => ({ verdict, message: null })
  if (bytes.length > MESSAGE_BYTES_MAX) return refused(reject('MESSAGE_TOO_LARGE'))
  const envelope = openEnvelope(bytes)
  if (envelope instanceof Flaw) return refused(reject('MESSAGE_MALFORMED', `${envelope.field} ${envelope.problem}`))
  if (envelope.kind !== kind) return refused(reject('KIND_WRONG'))
  const message = readBody(kind, envelope)
  if (message instanceof Flaw) return refused(reject('MESSAGE_MALFORMED', `${message.field} ${message.problem}`))

  const verdict = judgeBody(view, message)
  const isEarly = verdict.kind === 'ignore' && verdict.code === 'EARLY'
  if (verdict.kind !== 'accept' && !isEarly) return refused(verdict)
  if (!isSigned(view.network, envelope, view.verify)) return refused(reject('SIGNATURE_BAD'))
  return { verdict, message }
}

/** The body in its envelope, without a judgement. */
export function readBody(kind: MessageKind, envelope: Envelope): Message | Flaw {
  const body = decode<Bodies[MessageKind]>(
    MESSAGE_RULES[kind].shape as Shape<Bodies[MessageKind]>,
    envelope.body,
    envelope.body.length,
  )
  return body instanceof Flaw ? body : ({ kind, envelope, body } as Message)
}

/** The judgement without the signature. An early message is judged by the same rule again when its window is final. */
export function judgeBody(view: View, { kind, envelope, body }: Message): Verdict {
  const { cyclesOff, judge } = MESSAGE_RULES[kind] as Rule<typeof body>
  if (envelope.cycle < view.cycle - cyclesOff) return ignore('CYCLE_PAST')
  if (envelope.cycle > view.cycle + cyclesOff) return ignore('CYCLE_FUTURE')
  return judge(view, envelope, body)
}

/** A reveal brings its author's card; a card that is only ignored takes nothing from the reveal. */
function judgeRevealWithCard(view: View, envelope: Envelope, reveal: Reveal): Verdict {
  const verdict = judgeReveal(view, envelope, reveal)
  if (verdict.kind !== 'accept') return verdict
  const carried = judgeCarried(view, envelope, reveal).verdict
  return carried.kind === 'ignore' ? ACCEPT : carried
}

/** The card inside an accepted reveal, or `null`: an ignored card was not verified, so nobody may dial it. */
export function carriedCard(view: View, envelope: Envelope, reveal: Reveal): PeerCard | null {
  const { verdict, card } = judgeCarried(view, envelope, reveal)
  return verdict.kind === 'accept' ? card : null
}

function judgeCarried(
  view: View,
  { hotkey }: Envelope,
  reveal: Reveal,
): { readonly verdict: Verdict; readonly card: PeerCard | null } {
  const foreign = { verdict: reject('CARD_FOREIGN'), card: null }
  const inner = openCard(reveal.card)
  if (inner instanceof Flaw || inner.envelope.hotkey !== hotkey) return foreign
  const { envelope, card } = inner
  const verdict = judgeBody(view, { kind: 'card', envelope, body: card })
  const isForged = verdict.kind === 'accept' && !isSigned(view.network, envelope, view.verify)
  return { verdict: isForged ? reject('SIGNATURE_BAD') : verdict, card }
}

/** One per validator, cycle and kind: whoever sends more repeats itself or wastes our time. */
export const recordKey = (hotkey: string, slot: SlotRecord): string => `${slot.cycle}/${slot.kind}/${hotkey}`

function judgeRecord(view: View, { cycle, hotkey }: Envelope, { record: bytes }: RecordMessage): Verdict {
  const slot = decodeRecord(view.network, bytes)
  if (slot === null || slot.cycle !== cycle || slot.kind === 'submission') return reject('RECORD_FOREIGN')
  if (!view.validators.has(hotkey)) return ignore('VALIDATOR_UNCOUNTED')
  return view.records.has(recordKey(hotkey, slot)) ? ignore('KNOWN') : ACCEPT
}

/** Topics carry the network's name: nodes under other rules never hear each other (protocol §3). */
export const topicOf = (network: string, kind: MessageKind): string => `/wheelwright/1/${network}/${kind}`

export function kindOfTopic(network: string, topic: string): MessageKind | null {
  return MESSAGE_KINDS.find((kind) => topicOf(network, kind) === topic) ?? null
}
