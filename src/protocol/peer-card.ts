/**
 * Peer cards: a hotkey says under which libp2p peer id and addresses it can be reached, until a block.
 *
 * The hotkey signs the envelope; the peer's own key signs the hotkey, so that nobody can claim another's peer id. Only
 * addresses from a valid card are dialled, and the peer id that answers must be the card's.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { base58btc } from 'multiformats/bases/base58'
import { concat, hexBytes, u64, utf8 } from '../util/bytes.ts'
import { addressShape, isDialable } from './address.ts'
import { cidBytes, decode } from './codec.ts'
import type { Network } from './constitution.ts'
import { type Envelope, isSigned, openEnvelope, type Sign, seal, type Verify } from './envelope.ts'
import { ADDRESSES_MAX, BLOCK_MAX, CARD_BYTES_MAX, CARDS_MAX } from './limits.ts'
import { blob, Flaw, integer, list, record, type TypeOf, text } from './schema.ts'
import { ACCEPT, ignore, reject, type Verdict } from './verdict.ts'

export const cardShape = record({
  /** base58 of an identity multihash of an Ed25519 key, as libp2p prints it. */
  peerId: text(/^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/, 'an Ed25519 peer id'),
  addresses: list(addressShape, 0, ADDRESSES_MAX),
  /** The last block at which this card counts. */
  expires: integer(0, BLOCK_MAX),
  /** Of two valid cards the one with the higher number holds. */
  sequence: integer(0, Number.MAX_SAFE_INTEGER),
  /** By the peer's key, over `peerClaim`. */
  proof: blob(64),
})
export type PeerCard = TypeOf<typeof cardShape>

/** Identity multihash (0x00, 36 bytes) of the protobuf {type: Ed25519, data: 32 bytes}: libp2p's peer id specification. */
const PEER_ID_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

/** What the peer's key signs: that this hotkey may speak for it, in this network, until then. */
export function peerClaim(network: Network, hotkey: string, card: Pick<PeerCard, 'expires' | 'sequence'>): Uint8Array {
  return concat(
    utf8('wheelwright/peer/v1\n'),
    hexBytes(network.genesis),
    cidBytes(network.constitution),
    hexBytes(hotkey),
    u64(card.expires),
    u64(card.sequence),
  )
}

export function peerIdOf(publicKey: Uint8Array): string {
  return base58btc.baseEncode(concat(PEER_ID_PREFIX, publicKey))
}

export function peerKeyOf(peerId: string): Uint8Array | null {
  try {
    const bytes = base58btc.baseDecode(peerId)
    const isEd25519 = bytes.length === 38 && PEER_ID_PREFIX.every((byte, i) => bytes[i] === byte)
    return isEd25519 ? bytes.subarray(PEER_ID_PREFIX.length) : null
  } catch {
    return null
  }
}

/** What a card needs: the hotkey's signature, and the peer's own over a claim. */
export type CardKeys = {
  readonly hotkey: string
  readonly sign: Sign
  readonly prove: (claim: Uint8Array) => Uint8Array
}

/** A card in its envelope. */
export function sealCard(
  network: Network,
  { hotkey, sign, prove }: CardKeys,
  cycle: number,
  card: Omit<PeerCard, 'proof'>,
): Uint8Array {
  const proof = prove(peerClaim(network, hotkey, card))
  return seal(network, { kind: 'card', cycle, hotkey }, cardShape, { ...card, proof }, sign)
}

export type OpenedCard = { readonly envelope: Envelope; readonly card: PeerCard }

/** What a card in its envelope says, without a judgement. */
export function openCard(bytes: Uint8Array): OpenedCard | Flaw {
  const envelope = openEnvelope(bytes, CARD_BYTES_MAX)
  if (envelope instanceof Flaw) return envelope
  if (envelope.kind !== 'card') return new Flaw('kind', 'is not card')
  const card = decode(cardShape, envelope.body, envelope.body.length)
  return card instanceof Flaw ? card : { envelope, card }
}

export type CardView = {
  readonly network: Network
  /** The finalised head. */
  readonly block: number
  readonly cardBlocksMax: number
  /** True only where all peers live on one machine or test bench. */
  readonly privateAllowed: boolean
  readonly registered: { has(hotkey: string): boolean }
  /** The card that we hold of a hotkey. */
  readonly cards: { get(hotkey: string): { readonly sequence: number } | undefined }
  /** How many of its cards were accepted in the open cycle. */
  readonly cardsHeard: { get(hotkey: string): number | undefined }
}

export function judgeCard(view: CardView, { hotkey }: Pick<Envelope, 'hotkey'>, card: PeerCard): Verdict {
  if (card.expires < view.block) return ignore('CARD_EXPIRED')
  // No fault of its author: a head that trails by one block makes a card of full length look too long.
  if (card.expires > view.block + view.cardBlocksMax) return ignore('CARD_TOO_LONG_LIVED')
  const isAllowed = (address: string): boolean =>
    isDialable(address, view.privateAllowed) && isOwn(address, card.peerId)
  if (!card.addresses.every(isAllowed)) return reject('ADDRESS_FORBIDDEN')
  if (!view.registered.has(hotkey)) return ignore('HOTKEY_UNREGISTERED')
  const held = view.cards.get(hotkey)
  if (held !== undefined && held.sequence >= card.sequence) return ignore('CARD_SUPERSEDED')
  // Sequences that rise for ever would make the whole mesh pass on whatever one key signs.
  if ((view.cardsHeard.get(hotkey) ?? 0) >= CARDS_MAX) return ignore('CARD_TOO_MANY')
  return isProven(view.network, hotkey, card) ? ACCEPT : reject('CARD_PEER_UNPROVEN')
}

/** A card that came by itself, and not over gossip: its cycle says nothing then, because nobody passes it on. */
export function judgeOpenedCard(view: CardView & { readonly verify: Verify }, { envelope, card }: OpenedCard): Verdict {
  const verdict = judgeCard(view, envelope, card)
  if (verdict.kind !== 'accept') return verdict
  return isSigned(view.network, envelope, view.verify) ? ACCEPT : reject('SIGNATURE_BAD')
}

/** A direct address may say whose it is, but not that it is another's. Before a circuit stands the relay. */
const isOwn = (address: string, peerId: string): boolean =>
  !/\/p2p\/[^/]*$/.test(address) || address.endsWith(`/p2p/${peerId}`)

function isProven(network: Network, hotkey: string, card: PeerCard): boolean {
  const key = peerKeyOf(card.peerId)
  if (key === null) return false
  try {
    return ed25519.verify(card.proof, peerClaim(network, hotkey, card), key)
  } catch {
    return false
  }
}
