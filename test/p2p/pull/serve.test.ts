import type { Stream } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PULL_PROTOCOL, SERVED_PER_PEER } from '../../../src/p2p/pull/limits.ts'
import { createOutlet, messageParts } from '../../../src/p2p/pull/stream.ts'
import { encodeRequest } from '../../../src/p2p/pull/wire.ts'
import { addFile, cidOf, clock, createHost, createPeers, fileOf, MIB, never, type Peer, type Peers } from './stage.ts'

let peers: Peers
beforeEach(() => {
  peers = createPeers()
})
afterEach(() => peers.end())

async function streamTo(peer: Peer, from?: Peer): Promise<Stream> {
  const { host } = from ?? (await peers.peer())
  const connection = await host.dial(peer.host.getMultiaddrs())
  return connection.newStream([PULL_PROTOCOL], { maxOutboundStreams: 64 })
}
const bytesOf = (stream: Stream, count: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    stream.addEventListener('message', ({ data }) => {
      for (const part of messageParts(data)) parts.push(part)
      const all = Buffer.concat(parts)
      if (all.length >= count) resolve(new Uint8Array(all))
    })
    stream.addEventListener('close', () => reject(new Error('closed')))
  })
const ended = (stream: Stream): Promise<unknown> =>
  expect.poll(() => stream.status, { timeout: 5_000 }).not.toBe('open')

describe('a server', () => {
  test('answers in the bytes of the protocol', async () => {
    const a = await peers.peer()
    const block = Uint8Array.of(1, 2, 3)
    const [here, gone] = [cidOf(block), cidOf(Uint8Array.of(9))]
    await a.store.put(here, block, { ...never, verified: true })
    const stream = await streamTo(a)
    const got = bytesOf(stream, 11)
    stream.send(encodeRequest({ kind: 'get', cids: [gone, here] }))
    expect([...(await got)]).toEqual([255, 255, 255, 255, 0, 0, 0, 3, 1, 2, 3])
    const had = bytesOf(stream, 5)
    stream.send(encodeRequest({ kind: 'have', cids: [gone, here] }))
    expect([...(await had)]).toEqual([0, 0, 0, 1, 0b10])
  })

  test('ends a stream that says what is no request', async () => {
    const stream = await streamTo(await peers.peer())
    stream.send(Uint8Array.of(9, 9, 9))
    await ended(stream)
  })

  test('ends a stream that asks on and on without taking answers', async () => {
    const stream = await streamTo(await peers.peer())
    const request = encodeRequest({ kind: 'have', cids: [cidOf(Uint8Array.of(1))] })
    for (let i = 0; i < 100 && stream.status === 'open'; i++) stream.send(request)
    await ended(stream)
  })

  test('takes so many streams of a peer', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const streams = await Promise.allSettled(Array.from({ length: SERVED_PER_PEER + 4 }, () => streamTo(a, b)))
    expect(streams.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(SERVED_PER_PEER - 1)
    expect(a.server.stats().streams).toBeLessThanOrEqual(SERVED_PER_PEER)
  })

  test('reads no further than a peer takes', async () => {
    const a = await peers.peer()
    const cid = await addFile(a.store, fileOf(64 * MIB))
    const leaves = [
      ...(await import('@ipld/dag-pb')).decode((await a.store.get(cid, never)) ?? new Uint8Array(0)).Links,
    ]
    const stream = await streamTo(a)
    stream.pause()
    stream.send(encodeRequest({ kind: 'get', cids: leaves.map(({ Hash }) => Hash) }))
    await new Promise((resolve) => setTimeout(resolve, 500))
    // The first window and what is in the socket; the rest is where it was.
    expect(a.server.stats().sentBytes).toBeLessThan(16 * MIB)
    stream.abort(new Error('enough'))
    await expect.poll(() => a.server.stats().streams).toBe(0)
  })

  test('closes with all its streams', async () => {
    const a = await peers.peer()
    const stream = await streamTo(a)
    await expect.poll(() => a.server.stats().streams).toBe(1)
    await a.server.close()
    await ended(stream)
    await expect(streamTo(a)).rejects.toThrow()
  })
})

test('an outlet ends when the stream does, and when its signal says so', async () => {
  const host = await createHost()
  const a = await peers.peer()
  const connection = await host.dial(a.host.getMultiaddrs())
  await a.host.handle('/test/deaf', (stream) => stream.pause())
  const open = () => connection.newStream(['/test/deaf'])
  const endless = fileOf(64 * MIB)
  const head = new Uint8Array(4)

  const controller = new AbortController()
  const sending = createOutlet(await open(), clock).send(head, endless, { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 50)
  await expect(sending).rejects.toThrow('enough')

  const stream = await open()
  const lost = createOutlet(stream, clock).send(head, endless, never)
  setTimeout(() => stream.abort(new Error('lost')), 50)
  await expect(lost).rejects.toThrow()
  await host.stop()
})
