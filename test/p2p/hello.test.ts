/** What a peer can do to a hello: pour into it, and leave it open. */
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { SimulatedClock } from 'xstate'
import { HELLO_PROTOCOL, speakHello } from '../../src/p2p/hello.ts'
import { HELLO_MS } from '../../src/p2p/limits.ts'
import { CARD_BYTES_MAX } from '../../src/protocol/limits.ts'

const hosts: Libp2p[] = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()))
})

async function start(): Promise<Libp2p> {
  const host = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })
  hosts.push(host)
  return host
}

/** A host that says hello, and a stream to it of somebody who can say anything. */
async function stage() {
  const clock = new SimulatedClock()
  const [host, other] = [await start(), await start()]
  const cards: Uint8Array[] = []
  await speakHello({ host, clock, own: () => null, heard: (_, card) => cards.push(card) })
  const connection = await other.dial(host.getMultiaddrs())
  const open = (): Promise<Stream> => connection.newStream([HELLO_PROTOCOL])
  return { clock, cards, open, streams: () => host.getConnections().flatMap(({ streams }) => streams) }
}

const isOver = (stream: Stream): boolean => stream.status === 'reset' || stream.status === 'aborted'

test.each([
  ['after nothing', [0, 0]],
  ['after a card', [0, 1, 7]],
  ['after half a card', [0, 200, 7]],
  ['after a frame that is too long', [255, 255]],
])('who pours %s is cut off', async (_, frame) => {
  const { open } = await stage()
  const stream = await open()
  stream.addEventListener('message', () => undefined)
  stream.send(Uint8Array.from(frame))
  stream.send(new Uint8Array(2 * CARD_BYTES_MAX))
  await expect.poll(() => isOver(stream)).toBe(true)
})

test('who pours once its card is heard is cut off, and its card counts', async () => {
  const { open, cards } = await stage()
  const stream = await open()
  stream.addEventListener('message', () => undefined)
  stream.send(Uint8Array.of(0, 1, 7))
  await expect.poll(() => cards).toEqual([Uint8Array.of(7)])
  stream.send(Uint8Array.of(1))
  await expect.poll(() => isOver(stream)).toBe(true)
})

test('who leaves a stream open loses it when its time is over', async () => {
  const { open, clock, cards, streams } = await stage()
  const stream = await open()
  stream.send(Uint8Array.of(0, 1, 7))
  await expect.poll(() => cards).toHaveLength(1)
  clock.increment(HELLO_MS)
  await expect.poll(() => isOver(stream)).toBe(true)
  expect(streams().filter(({ protocol }) => protocol === HELLO_PROTOCOL)).toEqual([])
})

test('a card in pieces is heard, and who closes after it leaves nothing behind', async () => {
  const { open, cards, streams } = await stage()
  const stream = await open()
  stream.addEventListener('message', () => undefined)
  for (const byte of [0, 2, 7, 8]) stream.send(Uint8Array.of(byte))
  await stream.close()
  await expect.poll(() => cards).toEqual([Uint8Array.of(7, 8)])
  await expect.poll(() => stream.status).toBe('closed')
  await expect.poll(() => streams().filter(({ protocol }) => protocol === HELLO_PROTOCOL)).toEqual([])
})
