import { ed25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, test } from 'vitest'
import { decode, encode } from '../../src/protocol/codec.ts'
import { envelopeShape, isSigned, openEnvelope, verifySr25519 } from '../../src/protocol/envelope.ts'
import { ADDRESS_CHARS_MAX, ADDRESSES_MAX, BLOCK_MAX, CARD_BYTES_MAX, CARDS_MAX } from '../../src/protocol/limits.ts'
import {
  type CardView,
  cardShape,
  judgeCard,
  type PeerCard,
  peerClaim,
  peerIdOf,
  peerKeyOf,
} from '../../src/protocol/peer-card.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { ACCEPT, ignore, reject, type Verdict } from '../../src/protocol/verdict.ts'
import { concat } from '../../src/util/bytes.ts'
import { alice, bob, CARD_BLOCK, cardOf, cidOfText, network, sealed } from './sample.ts'

const view: CardView = {
  network,
  block: CARD_BLOCK,
  cardBlocksMax: 720,
  privateAllowed: false,
  registered: new Set([alice.hotkey, bob.hotkey]),
  cards: new Map(),
  cardsHeard: new Map(),
}
const card = cardOf(alice)
const judge = (given: PeerCard, change: Partial<CardView> = {}, hotkey = alice.hotkey): Verdict =>
  judgeCard({ ...view, ...change }, { hotkey }, given)
const held = (sequence: number) => ({ cards: new Map([[alice.hotkey, { sequence }]]) })
const at = (...addresses: string[]): PeerCard => cardOf(alice, { addresses })
const unproven = reject('CARD_PEER_UNPROVEN')
const forbidden = reject('ADDRESS_FORBIDDEN')
const direct = '/ip4/8.8.4.4/tcp/4001'

const verdicts: readonly [why: string, verdict: Verdict, expected: Verdict][] = [
  ['a good card', judge(card), ACCEPT],
  ['a card without addresses', judge(at()), ACCEPT],
  ['a card in its last block', judge(cardOf(alice, { expires: CARD_BLOCK })), ACCEPT],
  ['a card a block too old', judge(cardOf(alice, { expires: CARD_BLOCK - 1 })), ignore('CARD_EXPIRED')],
  ['a card of full length', judge(cardOf(alice, { expires: CARD_BLOCK + 720 })), ACCEPT],
  ['a card a block too long', judge(cardOf(alice, { expires: CARD_BLOCK + 721 })), ignore('CARD_TOO_LONG_LIVED')],
  ['a card for ever', judge(cardOf(alice, { expires: BLOCK_MAX })), ignore('CARD_TOO_LONG_LIVED')],
  ['a card of somebody unregistered', judge(card, { registered: new Set() }), ignore('HOTKEY_UNREGISTERED')],
  ['a newer card', judge(card, held(2)), ACCEPT],
  ['the card that is held', judge(card, held(3)), ignore('CARD_SUPERSEDED')],
  ['an older card', judge(card, held(4)), ignore('CARD_SUPERSEDED')],
  ['a card beside another’s', judge(card, { cards: new Map([[bob.hotkey, { sequence: 9 }]]) }), ACCEPT],
  ['the last card of a cycle', judge(card, { cardsHeard: new Map([[alice.hotkey, CARDS_MAX - 1]]) }), ACCEPT],
  [
    'one card more in a cycle',
    judge(card, { cardsHeard: new Map([[alice.hotkey, CARDS_MAX]]) }),
    ignore('CARD_TOO_MANY'),
  ],
  ['a private address', judge(at('/ip4/10.0.0.1/tcp/1')), forbidden],
  ['a private address behind a public one', judge(at(direct, '/ip4/127.0.0.1/tcp/1')), forbidden],
  ['a private address on a laptop', judge(at('/ip4/127.0.0.1/tcp/1'), { privateAllowed: true }), ACCEPT],
  ['what is no address on a laptop', judge(at('/junk'), { privateAllowed: true }), forbidden],
  ['an address that says whose it is', judge(at(`${direct}/p2p/${alice.peerId}`)), ACCEPT],
  ['an address that says it is another’s', judge(at(`${direct}/p2p/${bob.peerId}`)), forbidden],
  ['an address through a relay', judge(at(`${direct}/p2p/${bob.peerId}/p2p-circuit`)), ACCEPT],

  ['a card in another mouth', judge(card, {}, bob.hotkey), unproven],
  ['another’s peer id', judge({ ...card, peerId: bob.peerId }), unproven],
  ['another’s peer id with another’s proof', judge({ ...cardOf(bob), addresses: [] }), unproven],
  ['a proof for another block', judge({ ...card, expires: card.expires + 1 }), unproven],
  ['a proof for another sequence', judge({ ...card, sequence: card.sequence + 1 }), unproven],
  ['a proof for another chain', judge(card, { network: { ...network, genesis: '00'.repeat(32) } }), unproven],
  ['a proof for another network', judge(card, { network: { ...network, constitution: cidOfText('x') } }), unproven],
  ['a proof changed', judge({ ...card, proof: card.proof.map((byte, i) => (i === 40 ? byte ^ 1 : byte)) }), unproven],
  ['no proof', judge({ ...card, proof: new Uint8Array() }), unproven],
  ['a proof of zeros', judge({ ...card, proof: new Uint8Array(64) }), unproven],
  ['a proof of ones', judge({ ...card, proof: new Uint8Array(64).fill(0xff) }), unproven],
  ['a proof too short', judge({ ...card, proof: card.proof.subarray(1) }), unproven],
  [
    'a peer id of a key that is no point',
    judge({ ...card, peerId: peerIdOf(new Uint8Array(32).fill(0xfe)) }),
    unproven,
  ],
  ['a peer id that is none', judge({ ...card, peerId: `12D3Koo${'1'.repeat(45)}` }), unproven],
]
test.each(verdicts)('%s', (_, verdict, expected) => expect(verdict).toEqual(expected))

test('an expired card of a stranger costs nobody anything, whatever else is wrong with it', () => {
  const worst = { ...cardOf(alice, { expires: 0, addresses: ['/junk'] }), proof: new Uint8Array() }
  expect(judge(worst, { registered: new Set() })).toEqual(ignore('CARD_EXPIRED'))
})

test('the addresses are signed by the hotkey', () => {
  const envelope = openEnvelope(sealed('card', alice, card))
  if (envelope instanceof Flaw) throw new Error(envelope.problem)
  expect(isSigned(network, envelope, verifySr25519)).toBe(true)
  const body = encode(cardShape, { ...card, addresses: ['/ip4/8.8.4.4/tcp/1'] })
  expect(isSigned(network, { ...envelope, body }, verifySr25519)).toBe(false)
})

test('the largest card fits a reveal', () => {
  const addresses = new Array<string>(ADDRESSES_MAX).fill(`/${'a'.repeat(ADDRESS_CHARS_MAX - 1)}`)
  const largest = { ...card, addresses, expires: BLOCK_MAX, sequence: Number.MAX_SAFE_INTEGER }
  const bytes = sealed('card', alice, largest, BLOCK_MAX)
  expect(bytes.length).toBeLessThanOrEqual(CARD_BYTES_MAX)
  const envelope = openEnvelope(bytes, CARD_BYTES_MAX)
  expect(envelope).not.toBeInstanceOf(Flaw)
  expect(encode(envelopeShape, envelope as never)).toEqual(bytes)
})

describe('the shape of a card', () => {
  test.each<[why: string, change: Partial<PeerCard>, field: string]>([
    ['nine addresses', { addresses: new Array<string>(9).fill(direct) }, 'addresses'],
    ['an address with a space', { addresses: ['/ip4/8.8.8.8 /tcp/1'] }, 'addresses[0]'],
    ['a peer id of RSA', { peerId: 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N' }, 'peerId'],
    ['a peer id too long', { peerId: `${alice.peerId}1` }, 'peerId'],
    ['a peer id with a letter that base58 lacks', { peerId: alice.peerId.replace(/.$/, '0') }, 'peerId'],
    ['an address for a peer id', { peerId: `/p2p/${alice.peerId}` }, 'peerId'],
    ['a proof of 65 bytes', { proof: new Uint8Array(65) }, 'proof'],
    ['a negative sequence', { sequence: -1 }, 'sequence'],
    ['an end beyond u32', { expires: BLOCK_MAX + 1 }, 'expires'],
  ])('forbids %s', (_, change, field) => {
    const bytes = encode(cardShape, { ...card, ...change })
    expect(decode(cardShape, bytes, bytes.length)).toMatchObject({ field })
  })

  test('is read as it was written', () => {
    const bytes = encode(cardShape, card)
    expect(decode(cardShape, bytes, bytes.length)).toEqual(card)
  })
})

describe('a peer id', () => {
  test('is a key, and every key has one of the same length', () => {
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const edges = fc.constantFrom(new Uint8Array(32), new Uint8Array(32).fill(0xff))
    fc.assert(
      fc.property(fc.oneof(key, edges), (bytes) => {
        const peerId = peerIdOf(bytes)
        expect(peerKeyOf(peerId)).toEqual(bytes)
        expect(cardShape.read({ ...card, peerId }, '', 'wire')).not.toBeInstanceOf(Flaw)
      }),
    )
  })

  // From the specification of libp2p's peer ids, in base58 of the multihash.
  test('has the prefix of an Ed25519 key, as libp2p prints it', () => {
    const secret = new Uint8Array(32).fill(1)
    const peerId = peerIdOf(ed25519.getPublicKey(secret))
    expect(peerId).toBe('12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5')
  })

  const prefix = (...bytes: number[]): string =>
    base58btc.baseEncode(concat(Uint8Array.from(bytes), new Uint8Array(32).fill(7)))
  test.each([
    ['nothing', ''],
    ['no base58', '0OIl'],
    ['a line end', `${alice.peerId}\n`],
    ['another hash', prefix(0x12, 0x24, 0x08, 0x01, 0x12, 0x20)],
    ['secp256k1', prefix(0x00, 0x24, 0x08, 0x02, 0x12, 0x20)],
    ['a short key', prefix(0x00, 0x24, 0x08, 0x01, 0x12)],
    ['a long key', prefix(0x00, 0x24, 0x08, 0x01, 0x12, 0x20, 0x00)],
  ])('is not %s', (_, text) => expect(peerKeyOf(text)).toBeNull())
})

test('what a peer’s key signs is bound to network, hotkey, end and sequence', () => {
  const claims = [
    peerClaim(network, alice.hotkey, card),
    peerClaim({ ...network, genesis: '00'.repeat(32) }, alice.hotkey, card),
    peerClaim({ ...network, constitution: cidOfText('x') }, alice.hotkey, card),
    peerClaim(network, bob.hotkey, card),
    peerClaim(network, alice.hotkey, { ...card, expires: card.expires + 1 }),
    peerClaim(network, alice.hotkey, { ...card, sequence: card.sequence + 1 }),
  ].map((claim) => Buffer.from(claim).toString('latin1'))
  expect(new Set(claims).size).toBe(claims.length)
  expect(claims.every((claim) => claim.startsWith('wheelwright/peer/v1\n'))).toBe(true)
})
