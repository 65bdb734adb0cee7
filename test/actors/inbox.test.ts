import { describe, expect, test } from 'vitest'
import { createInbox, type Inbox, type Knowledge } from '../../src/actors/inbox.ts'
import type { MessageKind } from '../../src/protocol/envelope.ts'
import { seal, verifySr25519 } from '../../src/protocol/envelope.ts'
import type { Message } from '../../src/protocol/gossip.ts'
import { CARDS_MAX, EARLY_MESSAGES_MAX } from '../../src/protocol/limits.ts'
import { revealShape } from '../../src/protocol/reveal.ts'
import { openingKey } from '../../src/protocol/shard.ts'
import {
  BLOCK,
  CYCLE,
  cardOf,
  cidOfText,
  constitution,
  hexOf,
  type Key,
  minerKey,
  network,
  report,
  reportMessage,
  revealOf,
  sealed,
  sealedCard,
  validatorKey,
  view,
} from '../protocol/world.ts'

const miner = minerKey(0)
const validator = validatorKey(0)

/** What is known when a cycle begins; everything else comes later. */
const beginning: Knowledge = {
  cycle: CYCLE,
  block: BLOCK,
  registered: view.registered as Knowledge['registered'],
  validators: view.validators,
  commitments: null,
  open: false,
  seals: view.seals,
  terms: view.terms,
  hashes: null,
}
const facts: Partial<Knowledge> = { commitments: view.commitments, open: true, hashes: view.hashes }

function createBox(verify = verifySr25519): {
  inbox: Inbox
  heard: Message[]
  hear: (kind: MessageKind, bytes: Uint8Array) => string
} {
  const heard: Message[] = []
  const inbox = createInbox(
    { network, constitution, privateAllowed: true },
    { verify, heard: (message) => heard.push(message) },
  )
  const hear = (kind: MessageKind, bytes: Uint8Array): string => {
    const verdict = inbox.gate(kind)('peer', bytes)
    return verdict.kind === 'accept' ? 'ACCEPT' : verdict.code
  }
  return { inbox, heard, hear }
}

const opening = { domain: 'code', shard: cidOfText('sealed') }
const messages = {
  card: sealedCard(miner),
  reveal: sealed('reveal', miner, revealOf(miner)),
  shard: sealed('shard', validator, opening),
  report: sealed('report', validator, reportMessage),
}

test('a node that knows nothing believes nobody', () => {
  const { inbox, heard, hear } = createBox()
  for (const kind of ['card', 'reveal', 'shard', 'report'] as const)
    expect(hear(kind, messages[kind])).toBe('CYCLE_FUTURE')
  expect(heard).toEqual([])
  expect(inbox.known.cycle).toBe(0)
})

describe('with all facts at hand', () => {
  test('each kind is put where its readers look', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    for (const kind of ['card', 'reveal', 'shard', 'report'] as const) expect(hear(kind, messages[kind])).toBe('ACCEPT')
    expect(inbox.cards.get(miner.hotkey)).toEqual(cardOf(miner))
    expect(inbox.reveals.get(miner.hotkey)).toEqual(revealOf(miner))
    expect(inbox.openings).toEqual(new Map([[openingKey(validator.hotkey, 'code'), opening.shard]]))
    expect(inbox.reports).toEqual(new Map([[validator.hotkey, report]]))
    expect(heard.map(({ kind }) => kind)).toEqual(['card', 'reveal', 'shard', 'report'])
  })

  test('a message that comes again is known and told once', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    for (const kind of ['reveal', 'shard', 'report'] as const) hear(kind, messages[kind])
    for (const kind of ['reveal', 'shard', 'report'] as const) expect(hear(kind, messages[kind])).toBe('KNOWN')
    expect(heard).toHaveLength(3)
  })

  test('what is refused leaves no trace', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    expect(hear('reveal', sealed('reveal', miner, revealOf(miner, { salt: '00'.repeat(32) })))).toBe(
      'COMMITMENT_MISMATCH',
    )
    expect(hear('reveal', messages.shard)).toBe('KIND_WRONG')
    expect(hear('report', messages.report.slice(1))).toBe('MESSAGE_MALFORMED')
    expect([inbox.reveals.size, inbox.reports.size, heard.length]).toEqual([0, 0, 0])
  })
})

describe('a message that comes before its window is final', () => {
  test.each(['reveal', 'shard', 'report'] as const)('a %s is kept and judged again when the facts arrive', (kind) => {
    const { inbox, heard, hear } = createBox()
    inbox.begin(beginning)
    expect(hear(kind, messages[kind])).toBe('EARLY')
    expect(heard).toEqual([])
    inbox.learn(facts)
    expect(heard.map((message) => message.kind)).toEqual([kind])
    expect(hear(kind, messages[kind])).toBe('KNOWN')
  })

  test('it waits on when other facts arrive', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin(beginning)
    hear('report', messages.report)
    inbox.learn({ commitments: view.commitments })
    inbox.learn({ open: true })
    expect(heard).toEqual([])
    inbox.learn({ hashes: view.hashes })
    expect(inbox.reports.get(validator.hotkey)).toEqual(report)
  })

  test('one that turns out false is dropped for good', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin(beginning)
    expect(hear('reveal', sealed('reveal', miner, revealOf(miner, { salt: '00'.repeat(32) })))).toBe('EARLY')
    inbox.learn(facts)
    inbox.learn(facts)
    expect([inbox.reveals.size, heard.length]).toEqual([0, 0])
  })

  test('with a signature that is not its author’s it is not even kept', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin(beginning)
    const forged = sealed('reveal', { ...miner, sign: minerKey(1).sign }, revealOf(miner))
    expect(hear('reveal', forged)).toBe('SIGNATURE_BAD')
    inbox.learn(facts)
    expect(heard).toEqual([])
  })

  test('of one author the latest of a kind is kept', () => {
    const { inbox, hear } = createBox()
    inbox.begin(beginning)
    hear('reveal', sealed('reveal', miner, revealOf(miner, { salt: '00'.repeat(32) })))
    hear('reveal', messages.reveal)
    inbox.learn(facts)
    expect(inbox.reveals.get(miner.hotkey)).toEqual(revealOf(miner))
  })

  test('nobody takes up the room of others, and there is no more of it than the limit', () => {
    const crowd = Array.from({ length: EARLY_MESSAGES_MAX }, (_, i) => hexOf(i + 1, 0xcc))
    const { inbox, heard, hear } = createBox(() => true)
    const registered = new Set([...beginning.registered, ...crowd])
    inbox.begin({ ...beginning, registered })
    const reveal = revealOf(miner)
    const unsigned = (hotkey: string, manifest: string): Uint8Array => {
      const head = { kind: 'reveal', cycle: CYCLE, hotkey } as const
      return seal(network, head, revealShape, { ...reveal, manifest }, () => new Uint8Array(64))
    }
    for (let i = 0; i < 2 * EARLY_MESSAGES_MAX; i++) hear('reveal', unsigned(crowd[0] as string, cidOfText(`${i}`)))
    hear('reveal', messages.reveal)
    inbox.learn(facts)
    expect(heard).toHaveLength(1)

    inbox.begin({ ...beginning, registered })
    for (const hotkey of crowd) hear('reveal', unsigned(hotkey, cidOfText('any')))
    hear('reveal', messages.reveal)
    inbox.learn(facts)
    expect(heard).toHaveLength(1)
  })
})

describe('when the next cycle begins', () => {
  const next = { ...beginning, cycle: CYCLE + 1 }

  test('everything of the old one is forgotten but cards', () => {
    const { inbox, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    for (const kind of ['card', 'reveal', 'shard', 'report'] as const) hear(kind, messages[kind])
    inbox.begin(next)
    expect([inbox.reveals.size, inbox.openings.size, inbox.reports.size]).toEqual([0, 0, 0])
    expect(inbox.cards.has(miner.hotkey)).toBe(true)
    expect(inbox.known).toEqual(next)
  })

  test('what was early in the old one is never heard', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin(beginning)
    for (const kind of ['reveal', 'shard', 'report'] as const) hear(kind, messages[kind])
    inbox.begin({ ...next, ...facts })
    inbox.begin({ ...beginning, ...facts })
    expect(heard).toEqual([])
  })

  test('who said too many cards in the old one is heard again', () => {
    const { inbox, heard, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    const cardAt = (sequence: number): Uint8Array => sealedCard(miner, cardOf(miner, { sequence }))
    for (let i = 1; i <= CARDS_MAX; i++) expect(hear('card', cardAt(i))).toBe('ACCEPT')
    expect(hear('card', cardAt(CARDS_MAX + 1))).toBe('CARD_TOO_MANY')
    expect(hear('card', sealedCard(validator))).toBe('ACCEPT')
    expect(heard).toHaveLength(CARDS_MAX + 1)
    expect(inbox.cards.get(miner.hotkey)?.sequence).toBe(CARDS_MAX)
    inbox.begin(next)
    expect(hear('card', cardAt(CARDS_MAX + 1))).toBe('ACCEPT')
  })

  test('a card that a reveal brings counts like any other', () => {
    const { inbox, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    const cardAt = (sequence: number): Uint8Array => sealedCard(miner, cardOf(miner, { sequence }))
    for (let i = 1; i < CARDS_MAX; i++) hear('card', cardAt(i))
    hear('reveal', sealed('reveal', miner, revealOf(miner, { card: cardAt(CARDS_MAX) })))
    expect(hear('card', cardAt(CARDS_MAX + 1))).toBe('CARD_TOO_MANY')
  })

  test('a card is forgotten when it has expired', () => {
    const { inbox, hear } = createBox()
    inbox.begin(beginning)
    hear('card', messages.card)
    const { expires } = cardOf(miner)
    inbox.begin({ ...next, block: expires })
    expect(inbox.addressOf(miner.hotkey)).toHaveLength(1)
    inbox.begin({ ...next, block: expires + 1 })
    expect(inbox.addressOf(miner.hotkey)).toEqual([])
  })
})

describe('where a hotkey can be reached', () => {
  const at = (port: number): string => `/ip4/127.0.0.1/tcp/${port}`
  const cardAt = (key: Key, sequence: number, port: number) => cardOf(key, { sequence, addresses: [at(port)] })

  test('nowhere, without a card', () => {
    expect(createBox().inbox.addressOf(miner.hotkey)).toEqual([])
  })

  test('the newest card holds, also one that a reveal brought', () => {
    const { inbox, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    hear('card', sealedCard(miner, cardAt(miner, 1, 1)))
    expect(inbox.addressOf(miner.hotkey)[0]?.addresses).toEqual([at(1)])
    const card = sealedCard(miner, cardAt(miner, 3, 3))
    expect(hear('reveal', sealed('reveal', miner, revealOf(miner, { card })))).toBe('ACCEPT')
    expect(hear('card', sealedCard(miner, cardAt(miner, 2, 2)))).toBe('CARD_SUPERSEDED')
    expect(inbox.addressOf(miner.hotkey)[0]?.addresses).toEqual([at(3)])
  })

  test('an older card in a reveal takes nothing from the reveal and changes no address', () => {
    const { inbox, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    hear('card', sealedCard(miner, cardAt(miner, 5, 5)))
    const card = sealedCard(miner, cardAt(miner, 4, 4))
    expect(hear('reveal', sealed('reveal', miner, revealOf(miner, { card })))).toBe('ACCEPT')
    expect(inbox.addressOf(miner.hotkey)[0]?.addresses).toEqual([at(5)])
  })

  test('an expired card in a reveal is not dialled', () => {
    const { inbox, hear } = createBox()
    inbox.begin({ ...beginning, ...facts })
    const card = sealedCard(miner, cardOf(miner, { expires: BLOCK - 1 }))
    expect(hear('reveal', sealed('reveal', miner, revealOf(miner, { card })))).toBe('ACCEPT')
    expect(inbox.addressOf(miner.hotkey)).toEqual([])
  })

  test('a reveal that was early brings its card when its window is final', () => {
    const { inbox, hear } = createBox()
    inbox.begin(beginning)
    hear('reveal', messages.reveal)
    expect(inbox.addressOf(miner.hotkey)).toEqual([])
    inbox.learn(facts)
    expect(inbox.addressOf(miner.hotkey)[0]?.peerId).toBe(cardOf(miner).peerId)
  })
})
