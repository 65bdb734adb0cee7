import { expect, test } from 'vitest'
import { SimulatedClock } from 'xstate'
import { createVoice } from '../../src/actors/voice.ts'
import type { Network } from '../../src/ports.ts'
import { decode } from '../../src/protocol/codec.ts'
import { EMPTY_BITMAP, encodeRecord } from '../../src/protocol/commitment.ts'
import { type Envelope, isSigned, openEnvelope, verifySr25519 } from '../../src/protocol/envelope.ts'
import { recordMessageShape } from '../../src/protocol/gossip.ts'
import { cardShape, judgeCard, type PeerCard } from '../../src/protocol/peer-card.ts'
import { createKeys } from '../../src/sim/keys.ts'
import { createRandom } from '../../src/sim/random.ts'
import { never, turn } from '../contracts/harness.ts'
import { BLOCK, baseCid, CYCLE, cidOfText, network, view } from '../protocol/world.ts'
import { createSimLog } from '../sim/log.ts'

function createMouth(publish: Network['publish'] = async () => undefined) {
  const keys = createKeys(createRandom('voice'))
  const order: string[] = []
  const sent: Uint8Array[] = []
  const clock = new SimulatedClock()
  const { log, lines } = createSimLog()
  const gossip: Network = {
    self: { peerId: keys.peerId, addresses: ['/ip4/127.0.0.1/tcp/4001'] },
    publish: (kind, bytes, opts) => {
      order.push(`published ${kind}`)
      sent.push(bytes)
      return publish(kind, bytes, opts)
    },
    subscribe: () => () => undefined,
  }
  const voice = createVoice(network, (kind) => order.push(`echoed ${kind}`), { keys, network: gossip, clock, log })
  return { voice, keys, clock, order, sent, lines }
}

const opening = { domain: 'code', shard: cidOfText('sealed') }
const slot = { kind: 'root', cycle: CYCLE, base: baseCid, root: baseCid, bitmap: EMPTY_BITMAP } as const

test('what is said is heard by ourselves first, as peers will hear it', async () => {
  const { voice, keys, order, sent } = createMouth()
  await voice.say('shard', CYCLE, opening, { signal: never })
  expect(order).toEqual(['echoed shard', 'published shard'])
  const envelope = openEnvelope(sent[0] as Uint8Array) as Envelope
  expect(envelope).toMatchObject({ kind: 'shard', cycle: CYCLE, hotkey: keys.hotkey })
  expect(isSigned(network, envelope, verifySr25519)).toBe(true)
})

test('a card is good for peers, and a later one has the greater sequence', () => {
  const { voice, keys, clock } = createMouth()
  const cardAt = (ms: number): PeerCard => {
    clock.set(ms)
    const envelope = openEnvelope(voice.card(CYCLE, BLOCK + 10)) as Envelope
    expect(isSigned(network, envelope, verifySr25519)).toBe(true)
    return decode(cardShape, envelope.body, envelope.body.length) as PeerCard
  }
  const [early, late] = [cardAt(1_000), cardAt(2_000)]
  expect(early.sequence).toBeLessThan(late.sequence)
  const registered = new Set([keys.hotkey])
  expect(judgeCard({ ...view, registered }, keys, late)).toEqual({ kind: 'accept' })
})

test('what somebody waits for fails when it was not said', async () => {
  const { voice } = createMouth(() => Promise.reject(new Error('no way out')))
  await expect(voice.say('shard', CYCLE, opening, { signal: never })).rejects.toThrow('no way out')
})

test('a courtesy that was not said fails nothing, and the log knows', async () => {
  const { voice, order, lines } = createMouth(() => Promise.reject(new Error('no way out')))
  voice.sayCard(CYCLE, BLOCK + 10, { signal: never })
  voice.sayRecord(slot, { signal: never })
  voice.repeat('report', new Uint8Array(3), { signal: never })
  await turn()
  expect(order).toEqual(['echoed card', 'published card', 'echoed record', 'published record', 'published report'])
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^warn .*card.*no way out/)
})

test('a courtesy that hangs holds up nobody', () => {
  const { voice, order } = createMouth(() => new Promise(() => undefined))
  voice.sayCard(CYCLE, BLOCK + 10, { signal: never })
  voice.sayRecord(slot, { signal: never })
  voice.repeat('report', new Uint8Array(3), { signal: never })
  expect(order).toHaveLength(5)
})

test('what another has said is repeated as it came, and is no news to ourselves', () => {
  const { voice, order, sent } = createMouth()
  const bytes = Uint8Array.of(1, 2, 3)
  voice.repeat('report', bytes, { signal: never })
  expect([order, sent]).toEqual([['published report'], [bytes]])
})

test('a record is said as it is written on chain', () => {
  const { voice, sent } = createMouth()
  voice.sayRecord(slot, { signal: never })
  const { body } = openEnvelope(sent[0] as Uint8Array) as Envelope
  expect(decode(recordMessageShape, body, body.length)).toEqual({ record: encodeRecord(network, slot) })
})
