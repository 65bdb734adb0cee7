/**
 * The voice: what this node says over gossip, each kind sealed in its envelope by the hotkey.
 */
import type { Cancel, Ports } from '../ports.ts'
import { encodeRecord, type SlotRecord } from '../protocol/commitment.ts'
import type { Network } from '../protocol/constitution.ts'
import { type MessageKind, seal } from '../protocol/envelope.ts'
import { type Bodies, MESSAGE_RULES } from '../protocol/gossip.ts'
import { sealCard } from '../protocol/peer-card.ts'
import type { Shape } from '../protocol/schema.ts'

export type Voice = {
  /** A fresh peer card in its envelope, good until a block. A later one has the greater sequence. */
  readonly card: (cycle: number, expires: number) => Uint8Array
  readonly say: <K extends MessageKind>(kind: K, cycle: number, body: Bodies[K], opts: Cancel) => Promise<void>
  /** A card, and what the chain will say anyway: courtesies. Nothing waits for them, and none of them fails a step. */
  readonly sayCard: (cycle: number, expires: number, opts: Cancel) => void
  readonly sayRecord: (slot: SlotRecord, opts: Cancel) => void
  /** What somebody said, once more in its author's envelope, for who may lack it: a courtesy as well. */
  readonly repeat: (kind: MessageKind, bytes: Uint8Array, opts: Cancel) => void
}

type Mouth = Pick<Ports, 'keys' | 'network' | 'clock' | 'log'>

/** `echo` hears every own message as peers do: what our own judges refuse would be refused everywhere. */
export type Echo = (kind: MessageKind, bytes: Uint8Array) => void

export function createVoice(network: Network, echo: Echo, { keys, network: gossip, clock, log }: Mouth): Voice {
  const sealed = <K extends MessageKind>(kind: K, cycle: number, body: Bodies[K]): Uint8Array => {
    const shape = MESSAGE_RULES[kind].shape as Shape<Bodies[K]>
    return seal(network, { kind, cycle, hotkey: keys.hotkey }, shape, body, keys.sign)
  }
  const say: Voice['say'] = (kind, cycle, body, opts) => {
    const bytes = sealed(kind, cycle, body)
    echo(kind, bytes)
    return gossip.publish(kind, bytes, opts)
  }
  const repeat: Voice['repeat'] = (kind, bytes, opts) => {
    gossip
      .publish(kind, bytes, opts)
      .catch((error) => log.warn('a courtesy was not said', { kind, why: String(error) }))
  }
  const card: Voice['card'] = (cycle, expires) => {
    // Time only orders a hotkey's own cards; no rule compares it with anybody else's.
    return sealCard(network, keys, cycle, { ...gossip.self, expires, sequence: Math.floor(clock.now()) })
  }
  const offer = (kind: MessageKind, bytes: Uint8Array, opts: Cancel): void => {
    echo(kind, bytes)
    repeat(kind, bytes, opts)
  }
  return {
    card,
    say,
    sayCard: (cycle, expires, opts) => offer('card', card(cycle, expires), opts),
    sayRecord: (slot, opts) =>
      offer('record', sealed('record', slot.cycle, { record: encodeRecord(network, slot) }), opts),
    repeat,
  }
}
