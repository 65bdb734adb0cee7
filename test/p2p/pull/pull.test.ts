import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPull } from '../../../src/p2p/pull/index.ts'
import { BLOCK_BYTES_MAX } from '../../../src/p2p/pull/limits.ts'
import type { Clock } from '../../../src/ports.ts'
import { equalBytes } from '../../../src/util/bytes.ts'
import { addFile, cidOf, clock, createPeers, fileOf, MIB, never, type Peer, type Peers, SILENT } from './stage.ts'

const DAG_CBOR = 0x71
let peers: Peers
beforeEach(() => {
  peers = createPeers()
})
afterEach(() => peers.end())

const big = { bytesMax: 1024 * MIB, ...never }
const sameBlocks = (a: Peer, b: Peer): void => {
  expect(new Set(b.store.blocks.keys())).toEqual(new Set(a.store.blocks.keys()))
}
const untilQuiet = async (...all: readonly Peer[]): Promise<void> => {
  const open = () => all.reduce((sum, { pull, server }) => sum + pull.stats().lanes + server.stats().streams, 0)
  for (let i = 0; i < 200 && open() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(open()).toBe(0)
}

describe('content comes', () => {
  test.each([
    ['a file of many leaves', 21 * MIB + 12],
    ['a file of two leaves', MIB + 4],
    ['a file of one leaf', 1_000],
    ['no bytes', 0],
  ])('%s', async (_, length) => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const file = fileOf(length)
    const cid = await addFile(a.store, file)
    const progress: number[] = []
    await b.pull.fetch(cid, {
      bytesMax: length,
      from: [a.address],
      onProgress: ({ doneBytes }) => progress.push(doneBytes),
      ...never,
    })
    sameBlocks(a, b)
    expect(progress.at(-1)).toBe(length)
    expect(b.misdeeds).toEqual([])
    await untilQuiet(a, b)
  })

  test('and the fetch is over when it is here, whatever it was going to wait for', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const stopped: Clock = { now: () => 0, setTimeout: () => 0, clearTimeout: () => undefined }
    const pull = createPull({ libp2p: b.host, store: b.store, clock: stopped, log: SILENT })
    await pull.fetch(await addFile(a.store, fileOf(1_000)), { bytesMax: 1_000, from: [a.address], ...never })
    sameBlocks(a, b)
  })

  test('and a source that dies while its blocks are being stored keeps nobody else waiting', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const slow = {
      has: b.store.has,
      get: b.store.get,
      put: async (...args: Parameters<typeof b.store.put>) => {
        for (const connection of b.host.getConnections()) connection.abort(new Error('gone'))
        await a.host.stop()
        await new Promise((resolve) => setTimeout(resolve, 300))
        await b.store.put(...args)
      },
    }
    const pull = createPull({ libp2p: b.host, store: slow, clock, log: SILENT })
    const fetching = pull.fetch(await addFile(a.store, fileOf(40 * MIB)), { ...big, from: [a.address] })
    await expect(fetching).rejects.toMatchObject({ code: 'BLOB_UNAVAILABLE' })
  }, 12_000)

  test('a file of thousands of small leaves, on two levels', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, fileOf(3_000 * 64), { leafBytes: 64 })
    await b.pull.fetch(cid, { bytesMax: 3_000 * 64, from: [a.address], ...never })
    sameBlocks(a, b)
  })

  test('a document of the greatest size', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const document = fileOf(BLOCK_BYTES_MAX)
    const cid = cidOf(document, DAG_CBOR)
    await a.store.put(cid, document, { ...never, verified: true })
    await b.pull.fetch(cid, { bytesMax: BLOCK_BYTES_MAX, from: [a.address], ...never })
    expect(equalBytes((await b.store.get(cid, never)) ?? new Uint8Array(0), document)).toBe(true)
  })

  test('from a connected peer that nobody named, and again from who has fetched it', async () => {
    const [a, b, c] = [await peers.peer(), await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, fileOf(6 * MIB))
    await b.pull.fetch(cid, { ...big, from: [a.address] })
    await a.host.stop()
    await c.host.dial(b.host.getMultiaddrs())
    await expect
      .poll(async () => (await c.host.peerStore.get(b.host.peerId)).protocols)
      .toContain('/wheelwright/pull/1')
    await c.pull.fetch(cid, { ...big, from: [] })
    sameBlocks(b, c)
  })

  test('only what is missing is fetched', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, fileOf(20 * MIB))
    const here = [...a.store.blocks].filter((_, i) => i % 3 === 0)
    for (const [key, bytes] of here) b.store.blocks.set(key, bytes)
    await b.pull.fetch(cid, { ...big, from: [a.address] })
    sameBlocks(a, b)
    const sizes = (blocks: Iterable<[string, Uint8Array]>) =>
      [...blocks].reduce((sum, [, { length }]) => sum + length, 0)
    expect(b.pull.stats().receivedBytes).toBe(sizes(a.store.blocks) - sizes(here))
    await b.pull.fetch(cid, { ...big, from: [] })
  })

  test('the same block in many places is fetched once', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, new Uint8Array(12 * MIB))
    const progress: number[] = []
    await b.pull.fetch(cid, { ...big, from: [a.address], onProgress: ({ doneBytes }) => progress.push(doneBytes) })
    expect(b.pull.stats().receivedBytes).toBeLessThan(1.1 * MIB)
    expect(progress.at(-1)).toBe(12 * MIB)
  })

  test('twenty who ask at once share one fetch', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, fileOf(24 * MIB))
    await Promise.all(Array.from({ length: 20 }, () => b.pull.fetch(cid, { ...big, from: [a.address] })))
    sameBlocks(a, b)
    expect(b.pull.stats().receivedBytes).toBe(a.server.stats().sentBytes)
    expect(b.pull.stats().duplicateBytes).toBe(0)
    await untilQuiet(a, b)
  })

  test('twenty peers fetch one file at once', { timeout: 60_000 }, async () => {
    const seed = await peers.peer()
    const cid = await addFile(seed.store, fileOf(8 * MIB))
    const others = await Promise.all(Array.from({ length: 20 }, () => peers.peer()))
    await Promise.all(others.map(({ pull }) => pull.fetch(cid, { ...big, from: [seed.address] })))
    for (const other of others) sameBlocks(seed, other)
    await untilQuiet(seed, ...others)
  })
})

describe('what cannot be had', () => {
  test('nobody has it, nobody is there: who is not is told, and nobody else', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = cidOf(fileOf(100))
    const gone = { peerId: b.address.peerId, addresses: ['/ip4/127.0.0.1/tcp/1'] }
    const odd = { peerId: 'nobody', addresses: ['nowhere'] }
    for (const from of [[a.address], [gone], [odd], []]) {
      const fetch = (await peers.peer()).pull.fetch(cid, { ...big, from })
      await expect(fetch).rejects.toMatchObject({ code: 'BLOB_UNAVAILABLE' })
    }
    await expect(b.pull.fetch(cid, { ...big, from: [a.address, odd] })).rejects.toThrow('1 absent, 1 unreachable')
    expect(b.misdeeds).toEqual([{ peerId: odd.peerId, misdeed: 'unreachable' }])
  })

  test('what is larger than agreed is not taken', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const file = await addFile(a.store, fileOf(3 * MIB))
    const document = fileOf(1_000)
    const one = cidOf(document, DAG_CBOR)
    await a.store.put(one, document, { ...never, verified: true })
    for (const [cid, bytesMax] of [
      [file, 3 * MIB - 1],
      [one, 999],
    ] as const) {
      const fetch = b.pull.fetch(cid, { bytesMax, from: [a.address], ...never })
      await expect(fetch).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE' })
    }
    expect(b.store.blocks.size).toBe(0)
    expect(b.pull.stats().receivedBytes).toBeLessThan(MIB)
    expect(b.misdeeds).toEqual([])
  })

  test('what is no file of ours is refused whoever sends it', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const directory = Uint8Array.of(10, 2, 8, 1)
    const cid = cidOf(directory, 0x70)
    await a.store.put(cid, directory, { ...never, verified: true })
    const fetch = b.pull.fetch(cid, { ...big, from: [a.address] })
    await expect(fetch).rejects.toMatchObject({ code: 'BLOB_MALFORMED' })
    expect(b.misdeeds).toEqual([])
  })

  test('what the store throws ends the fetch', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, fileOf(9 * MIB))
    b.store.put = () => Promise.reject(new Error('the disk is full'))
    await expect(b.pull.fetch(cid, { ...big, from: [a.address] })).rejects.toThrow('the disk is full')
    await untilQuiet(a, b)
  })
})

describe('cancelling', () => {
  test('ends a fetch at once and leaves no stream', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, fileOf(64 * MIB))
    const controller = new AbortController()
    const fetch = b.pull.fetch(cid, {
      ...big,
      from: [a.address],
      onProgress: () => controller.abort(new Error('enough')),
      signal: controller.signal,
    })
    await expect(fetch).rejects.toThrow('enough')
    await untilQuiet(a, b)
    expect(b.store.blocks.size).toBeLessThan(60)
    const aborted = b.pull.fetch(cid, { ...big, from: [a.address], signal: controller.signal })
    await expect(aborted).rejects.toThrow('enough')
    await b.pull.fetch(cid, { ...big, from: [a.address] })
    sameBlocks(a, b)
  })

  test('one of two who share a fetch leaves the other its own', async () => {
    const [a, b] = [await peers.peer(), await peers.peer()]
    const cid = await addFile(a.store, fileOf(32 * MIB))
    const controller = new AbortController()
    const stays = b.pull.fetch(cid, { ...big, from: [a.address] })
    const leaves = b.pull.fetch(cid, { ...big, from: [], signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(leaves).rejects.toThrow('enough')
    await stays
    sameBlocks(a, b)
  })
})
