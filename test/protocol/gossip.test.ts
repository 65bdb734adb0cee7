import { describe, expect, test } from 'vitest'
import { encode, rawCidOf } from '../../src/protocol/codec.ts'
import { bitmapOf, EMPTY_BITMAP, encodeRecord, NO_HASH, type SlotRecord } from '../../src/protocol/commitment.ts'
import {
  type Envelope,
  envelopeShape,
  MESSAGE_KINDS,
  type MessageKind,
  openEnvelope,
  seal,
} from '../../src/protocol/envelope.ts'
import {
  carriedCard,
  judgeBody,
  judgeMessage,
  kindOfTopic,
  type RecordMessage,
  recordKey,
  topicOf,
  type View,
} from '../../src/protocol/gossip.ts'
import { MESSAGE_BYTES_MAX } from '../../src/protocol/limits.ts'
import { reportCid } from '../../src/protocol/report.ts'
import { revealShape } from '../../src/protocol/reveal.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { openingKey } from '../../src/protocol/shard.ts'
import type { Verdict } from '../../src/protocol/verdict.ts'
import {
  BLOCK,
  CYCLE,
  cardOf,
  cidOfText,
  constitution,
  hashOf,
  type Key,
  keyOf,
  minerKey,
  network,
  report,
  reportMessage,
  revealOf,
  sealed,
  sealedCard,
  validatorKey,
  view,
} from './world.ts'

const miner = minerKey(0)
const validator = validatorKey(0)
const root = cidOfText('root')
const attest: SlotRecord = { kind: 'attest', cycle: CYCLE, hash: NO_HASH, root, bitmap: bitmapOf([0, 1]) }
const recorded = (slot: SlotRecord): RecordMessage => ({ record: encodeRecord(network, slot) })
const reveal = revealOf(miner)
const opening = { domain: 'code', shard: cidOfText('sealed') }

/** One message of every kind that the view accepts. */
const GOOD: { readonly [K in MessageKind]: Uint8Array } = {
  card: sealedCard(miner),
  reveal: sealed('reveal', miner, reveal),
  shard: sealed('shard', validator, opening),
  report: sealed('report', validator, reportMessage),
  record: sealed('record', validator, recorded(attest)),
}
const accept: Verdict = { kind: 'accept' }
const ignored = (code: string) => ({ kind: 'ignore', code })
const rejected = (code: string) => ({ kind: 'reject', code })
const envelopeOf = (bytes: Uint8Array): Envelope => openEnvelope(bytes) as Envelope
const altered = (bytes: Uint8Array, change: Partial<Envelope>): Uint8Array =>
  encode(envelopeShape, { ...envelopeOf(bytes), ...change })
const verdictOf = (kind: MessageKind, bytes: Uint8Array, known: View = view): Verdict =>
  judgeMessage(known, kind, bytes).verdict

describe.each(MESSAGE_KINDS)('a message of the kind %s', (kind) => {
  test('is accepted and handed on', () => {
    const { verdict, message } = judgeMessage(view, kind, GOOD[kind])
    expect(verdict).toEqual(accept)
    expect(message).toMatchObject({ kind, envelope: envelopeOf(GOOD[kind]) })
  })

  test.each(MESSAGE_KINDS.filter((other) => other !== kind))('is out of place in the topic %s', (other) => {
    expect(judgeMessage(view, other, GOOD[kind])).toEqual({ verdict: rejected('KIND_WRONG'), message: null })
  })

  test('under the name of another kind is malformed or badly signed', () => {
    for (const other of MESSAGE_KINDS.filter((k) => k !== kind)) {
      const verdict = verdictOf(other, altered(GOOD[kind], { kind: other }))
      expect(['MESSAGE_MALFORMED', 'SIGNATURE_BAD']).toContain(verdict.kind === 'reject' && verdict.code)
    }
  })

  test('with any bit of its signature flipped is badly signed', () => {
    const { signature } = envelopeOf(GOOD[kind])
    for (const bit of [0, 255, 256, 511]) {
      const flipped = signature.with(bit >> 3, (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
      expect(verdictOf(kind, altered(GOOD[kind], { signature: flipped }))).toEqual(rejected('SIGNATURE_BAD'))
    }
    expect(verdictOf(kind, altered(GOOD[kind], { signature: new Uint8Array(0) }))).toEqual(rejected('SIGNATURE_BAD'))
  })

  test('that is cut, lengthened or not there is malformed', () => {
    const cut = [GOOD[kind].subarray(1), GOOD[kind].subarray(0, -1), new Uint8Array([...GOOD[kind], 0])]
    for (const bytes of [...cut, new Uint8Array(0)]) {
      const verdict = verdictOf(kind, bytes)
      expect(verdict).toMatchObject(rejected('MESSAGE_MALFORMED'))
    }
  })

  test('with a body that is no document is malformed', () => {
    expect(verdictOf(kind, altered(GOOD[kind], { body: Uint8Array.of(0xff) }))).toMatchObject(
      rejected('MESSAGE_MALFORMED'),
    )
  })

  test('that another network signed is refused', () => {
    const elsewhere = { ...view, network: { ...network, constitution: cidOfText('elsewhere') } }
    expect(judgeMessage(elsewhere, kind, GOOD[kind])).toMatchObject({ verdict: { kind: 'reject' }, message: null })
    const otherChain = { ...view, network: { ...network, genesis: '00'.repeat(32) } }
    expect(judgeMessage(otherChain, kind, GOOD[kind])).toMatchObject({ verdict: { kind: 'reject' }, message: null })
  })

  test('is verified once, and only when all else holds', () => {
    const asked: string[] = []
    const watching: View = { ...view, verify: (hotkey) => asked.push(hotkey) > 0 }
    judgeMessage(watching, kind, GOOD[kind])
    // A reveal brings a card, which has a signature of its own.
    expect(asked).toHaveLength(kind === 'reveal' ? 2 : 1)
    const later = { ...watching, cycle: CYCLE + 1, cards: new Map([[miner.hotkey, { sequence: 9 }]]) }
    judgeMessage(later, kind, GOOD[kind])
    judgeMessage(watching, kind, GOOD[kind].subarray(1))
    expect(asked).toHaveLength(kind === 'reveal' ? 2 : 1)
  })
})

test.each(MESSAGE_KINDS)('a %s is heard in its cycle alone, a card in those beside it too', (kind) => {
  const off = kind === 'card' ? 1 : 0
  const codes = [-2, -1, 0, 1, 2].map((change) => {
    const verdict = verdictOf(kind, altered(GOOD[kind], { cycle: CYCLE + change }), { ...view, verify: () => true })
    return verdict.kind === 'ignore' ? verdict.code : 'judged'
  })
  const expected = [-2, -1, 0, 1, 2].map((change) =>
    change < -off ? 'CYCLE_PAST' : change > off ? 'CYCLE_FUTURE' : 'judged',
  )
  expect(codes).toEqual(expected)
})

test('a message beyond its bound is not even read', () => {
  const large = new Uint8Array(MESSAGE_BYTES_MAX + 1)
  expect(verdictOf('report', large)).toEqual(rejected('MESSAGE_TOO_LARGE'))
  expect(verdictOf('report', large.subarray(1))).toMatchObject(rejected('MESSAGE_MALFORMED'))
})

test('what a peer wrote is repeated in part at most', () => {
  const key = 'k'.repeat(5_000)
  const body = encode({ read: () => new Flaw('', ''), write: () => ({ [key]: 1 }) }, null)
  const verdict = verdictOf('shard', altered(GOOD.shard, { body }))
  expect(verdict.kind === 'reject' && (verdict.detail?.length ?? 0)).toBeLessThan(200)
})

describe('before its window is final', () => {
  const early: readonly [MessageKind, View][] = [
    ['reveal', { ...view, commitments: null }],
    ['shard', { ...view, open: false }],
    ['report', { ...view, hashes: null }],
    ['report', { ...view, terms: null, hashes: null }],
  ]

  test.each(early)('a %s comes back with its message, so that it can be judged again', (kind, known) => {
    const { verdict, message } = judgeMessage(known, kind, GOOD[kind])
    expect(verdict).toEqual(ignored('EARLY'))
    expect(message?.kind).toBe(kind)
    if (message !== null) expect(judgeBody(view, message)).toEqual(accept)
  })

  test.each(early)('a %s that is badly signed is refused all the same', (kind, known) => {
    const bytes = altered(GOOD[kind], { signature: new Uint8Array(64) })
    expect(judgeMessage(known, kind, bytes)).toEqual({ verdict: rejected('SIGNATURE_BAD'), message: null })
  })

  test.each(early)('a %s of a made-up key is not kept', (kind, known) => {
    const bytes = altered(GOOD[kind], { hotkey: keyOf(99).hotkey })
    expect(judgeMessage({ ...known, verify: () => true }, kind, bytes)).toMatchObject({
      verdict: { kind: 'ignore' },
      message: null,
    })
  })
})

test('what was heard before is not handed on again', () => {
  const known: View = {
    ...view,
    cards: new Map([[miner.hotkey, { sequence: 1 }]]),
    reveals: new Set([miner.hotkey]),
    openings: new Set([openingKey(validator.hotkey, 'code')]),
    reports: new Set([validator.hotkey]),
    records: new Set([recordKey(validator.hotkey, attest)]),
  }
  for (const kind of MESSAGE_KINDS) {
    const code = kind === 'card' ? 'CARD_SUPERSEDED' : 'KNOWN'
    expect(judgeMessage(known, kind, GOOD[kind])).toEqual({ verdict: ignored(code), message: null })
  }
})

describe('nothing can be lifted', () => {
  test.each<[what: string, change: Partial<Envelope>, code: string]>([
    ['to another cycle', { cycle: CYCLE + 1 }, 'COMMITMENT_MISSING'],
    ['into another mouth', { hotkey: minerKey(1).hotkey }, 'COMMITMENT_MISMATCH'],
    ['into the mouth of who committed nothing', { hotkey: validator.hotkey }, 'COMMITMENT_MISSING'],
  ])('a reveal %s', (_, change, code) => {
    const known = change.cycle === undefined ? view : { ...view, cycle: change.cycle }
    expect(verdictOf('reveal', altered(GOOD.reveal, change), known)).toEqual(rejected(code))
  })

  test('a reveal into another network, even one with the same commitment', () => {
    const bytes = seal(
      { ...network, genesis: '00'.repeat(32) },
      envelopeOf(GOOD.reveal),
      revealShape,
      reveal,
      miner.sign,
    )
    expect(verdictOf('reveal', bytes)).toEqual(rejected('SIGNATURE_BAD'))
  })

  test('the hash of a report into another slot, even with body and salt', () => {
    const thief = validatorKey(1)
    const copied = hashOf('report', validator, reportCid(report))
    const known = { ...view, hashes: new Map([[thief.hotkey, copied]]) }
    expect(verdictOf('report', sealed('report', thief, reportMessage), known)).toEqual(rejected('COMMITMENT_MISMATCH'))
  })

  test('a body into the mouth of who never signed it', () => {
    const own = hashOf('report', validatorKey(1), reportCid(report))
    const known = { ...view, hashes: new Map([[validatorKey(1).hotkey, own]]) }
    const bytes = altered(GOOD.report, { hotkey: validatorKey(1).hotkey })
    expect(verdictOf('report', bytes, known)).toEqual(rejected('SIGNATURE_BAD'))
  })

  test('a signed body into another envelope', () => {
    const other = envelopeOf(sealed('shard', validator, { domain: 'law', shard: opening.shard })).signature
    expect(verdictOf('shard', altered(GOOD.shard, { signature: other }))).toEqual(rejected('SIGNATURE_BAD'))
  })
})

describe('the card inside a reveal', () => {
  const ENDLESS = sealedCard(miner, cardOf(miner, { expires: BLOCK + constitution.limits.cardBlocks + 1 }))
  const withCard = (card: Uint8Array, key: Key = miner): Uint8Array => sealed('reveal', key, { ...reveal, card })
  const cases: [why: string, card: Uint8Array, View, object][] = [
    ['of another hotkey', sealedCard(minerKey(1)), view, rejected('CARD_FOREIGN')],
    ['that is no envelope', Uint8Array.of(1, 2, 3), view, rejected('CARD_FOREIGN')],
    ['that is another message', sealed('record', miner, recorded(attest)), view, rejected('CARD_FOREIGN')],
    [
      'whose body is no card',
      altered(GOOD.card, { body: encode(revealShape, reveal) }),
      view,
      rejected('CARD_FOREIGN'),
    ],
    ['badly signed', altered(GOOD.card, { signature: new Uint8Array(64) }), view, rejected('SIGNATURE_BAD')],
    [
      'that claims a peer id that is not its own',
      sealedCard(miner, { ...cardOf(miner), proof: new Uint8Array(64) }),
      view,
      rejected('CARD_PEER_UNPROVEN'),
    ],
    ['of long ago takes nothing from the reveal', sealed('card', miner, cardOf(miner), CYCLE - 2), view, accept],
    ['with a private address', GOOD.card, { ...view, privateAllowed: false }, rejected('ADDRESS_FORBIDDEN')],
    ['that has expired takes nothing from the reveal', sealedCard(miner, cardOf(miner, { expires: 1 })), view, accept],
    ['that lives too long takes nothing from the reveal', ENDLESS, view, accept],
    [
      'that is known takes nothing from the reveal',
      GOOD.card,
      { ...view, cards: new Map([[miner.hotkey, { sequence: 1 }]]) },
      accept,
    ],
  ]
  test.each(cases)('%s', (_, card, known, verdict) =>
    expect(verdictOf('reveal', withCard(card), known)).toEqual(verdict),
  )
})

test.each<[why: string, card: Uint8Array, known: View, isKept: boolean]>([
  ['is kept when it is accepted', GOOD.card, view, true],
  ['is not kept when it has expired', sealedCard(miner, cardOf(miner, { expires: 1 })), view, false],
  [
    'is not kept when it is older than ours',
    GOOD.card,
    { ...view, cards: new Map([[miner.hotkey, { sequence: 1 }]]) },
    false,
  ],
  ['is not kept when it lives too long', sealedCard(miner, cardOf(miner, { expires: 1_000_000 })), view, false],
  ['is not kept when it is badly signed', altered(GOOD.card, { signature: new Uint8Array(64) }), view, false],
])('a card that a reveal brings %s', (_, card, known, isKept) => {
  const kept = carriedCard(known, envelopeOf(GOOD.reveal), { ...reveal, card })
  expect(kept).toEqual(isKept ? cardOf(miner) : null)
})

describe('a record said early', () => {
  const proposal: SlotRecord = { kind: 'root', cycle: CYCLE, base: root, root, bitmap: EMPTY_BITMAP }
  const say = (slot: SlotRecord, key: Key = validator, cycle = CYCLE): Uint8Array =>
    sealed('record', key, recorded(slot), cycle)
  const cases: [why: string, bytes: Uint8Array, object][] = [
    ['of a bitmap', say(attest), accept],
    ['of a root', say(proposal), accept],
    ['of a report', say({ kind: 'report', cycle: CYCLE, hash: NO_HASH, root }), accept],
    ['of routing rows', say({ kind: 'router', cycle: CYCLE, hash: NO_HASH, root }), accept],
    ['of a submission', say({ kind: 'submission', cycle: CYCLE, hash: NO_HASH }), rejected('RECORD_FOREIGN')],
    ['of another cycle than it says', say({ ...attest, cycle: CYCLE - 1 }), rejected('RECORD_FOREIGN')],
    ['by who is no validator', say(attest, miner), ignored('VALIDATOR_UNCOUNTED')],
    ['that is no record', sealed('record', validator, { record: Uint8Array.of(1) }), rejected('RECORD_FOREIGN')],
    [
      'of another network',
      sealed('record', validator, {
        record: encodeRecord({ ...network, constitution: rawCidOf(Uint8Array.of(1)) }, attest),
      }),
      rejected('RECORD_FOREIGN'),
    ],
  ]
  test.each(cases)('%s', (_, bytes, verdict) => expect(verdictOf('record', bytes)).toEqual(verdict))

  test('is heard once for each kind', () => {
    const known = { ...view, records: new Set([recordKey(validator.hotkey, attest)]) }
    expect(verdictOf('record', say({ ...attest, bitmap: bitmapOf([3]) }), known)).toEqual(ignored('KNOWN'))
    expect(verdictOf('record', say(proposal), known)).toEqual(accept)
  })
})

test('topics carry the name of the network, and only its own are known', () => {
  for (const kind of MESSAGE_KINDS) {
    const topic = topicOf(network.constitution, kind)
    expect(topic).toBe(`/wheelwright/1/${network.constitution}/${kind}`)
    expect(kindOfTopic(network.constitution, topic)).toBe(kind)
    expect(kindOfTopic(cidOfText('elsewhere'), topic)).toBeNull()
  }
  for (const topic of [
    '',
    '/',
    `/wheelwright/2/${network.constitution}/card`,
    `${topicOf(network.constitution, 'card')}/`,
  ]) {
    expect(kindOfTopic(network.constitution, topic)).toBeNull()
  }
})
