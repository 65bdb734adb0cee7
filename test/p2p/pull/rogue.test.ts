import type { Stream } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PIECE_BYTES, STALL_MS } from '../../../src/p2p/pull/limits.ts'
import { createPull } from '../../../src/p2p/pull/pull.ts'
import { messageParts } from '../../../src/p2p/pull/stream.ts'
import { createRequestReader, encodeBitmap, lengthBytes, type PullRequest } from '../../../src/p2p/pull/wire.ts'
import { concat } from '../../../src/util/bytes.ts'
import {
  addFile,
  clock,
  createMemoryStore,
  createPeers,
  fileOf,
  type MemoryStore,
  MIB,
  never,
  type Peers,
} from './stage.ts'

let peers: Peers
beforeEach(() => {
  peers = createPeers()
})
afterEach(() => peers.end())

/** A peer that says it has everything, gives nodes as they are, and leaves to do with them as it likes. */
const answering =
  (store: MemoryStore, onLeaves: (stream: Stream, leaves: readonly Uint8Array[]) => void) =>
  (stream: Stream): void => {
    const reader = createRequestReader()
    const answer = async ({ kind, cids }: PullRequest): Promise<void> => {
      if (kind === 'have') {
        const bitmap = encodeBitmap(cids.map(() => true))
        stream.send(concat(lengthBytes(bitmap.length), bitmap))
        return
      }
      const blocks = await Promise.all(cids.map(async (cid) => (await store.get(cid, never)) ?? new Uint8Array(0)))
      if (cids[0]?.code === 0x55) onLeaves(stream, blocks)
      else for (const block of blocks) stream.send(concat(lengthBytes(block.length), block))
    }
    stream.addEventListener('message', ({ data }) => {
      for (const part of messageParts(data)) {
        const read = reader.push(part)
        if (read.kind === 'request') void answer(read.request).catch(() => undefined)
      }
    })
  }
const framed = (block: Uint8Array): Uint8Array => concat(lengthBytes(block.length), block)
const quietly = (stream: Stream, bytes: Uint8Array): void => {
  if (stream.status === 'open') stream.send(bytes)
}

/** A clock on which seconds are short, so that a stall need not be waited for. */
const FASTER = 25
const fast = {
  now: () => clock.now() * FASTER,
  setTimeout: (fn: () => void, ms: number) => setTimeout(fn, ms / FASTER),
  clearTimeout,
}

const SIZE = 40 * MIB
async function fetchBeside(handle: (store: MemoryStore) => (stream: Stream) => void, at = clock) {
  const [good, us] = [await peers.peer(), await peers.peer()]
  const cid = await addFile(good.store, fileOf(SIZE))
  const bad = await peers.rogue(handle(good.store))
  const misdeeds: { peerId: string; misdeed: string }[] = []
  const store = createMemoryStore()
  const misbehaved = (peerId: string, misdeed: string) => void misdeeds.push({ peerId, misdeed })
  const pull = createPull({ libp2p: us.host, store, clock: at, log: silent, misbehaved })
  await pull.fetch(cid, { bytesMax: SIZE, from: [bad, good.address], ...never })
  expect(new Set(store.blocks.keys())).toEqual(new Set(good.store.blocks.keys()))
  return { misdeeds, bad, stats: pull.stats(), sizeBytes: [...store.blocks.values()].reduce((a, b) => a + b.length, 0) }
}
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

describe('a peer beside a good one is dropped, named, and costs a piece at most', () => {
  test.each<[string, string, (stream: Stream, leaves: readonly Uint8Array[]) => void]>([
    [
      'wrong-bytes',
      'sends a leaf with a flipped bit',
      (stream, leaves) => {
        for (const leaf of leaves) quietly(stream, framed(leaf.with(7, (leaf[7] ?? 0) ^ 1)))
      },
    ],
    [
      'wrong-length',
      'says another length',
      (stream, leaves) => quietly(stream, lengthBytes((leaves[0]?.length ?? 0) - 1)),
    ],
    ['wrong-length', 'says a huge length', (stream) => quietly(stream, lengthBytes(0x7fff_ffff))],
    [
      'bad-frame',
      'says more than it was asked',
      (stream, leaves) => quietly(stream, concat(...leaves.map(framed), Uint8Array.of(1))),
    ],
    [
      'closed',
      'closes before it has answered',
      (stream, leaves) => {
        quietly(stream, framed(leaves[0] ?? new Uint8Array(0)).subarray(0, 1_000))
        void stream.close()
      },
    ],
    [
      'closed',
      'resets the stream',
      (stream, leaves) => {
        quietly(stream, lengthBytes(leaves[0]?.length ?? 0))
        setTimeout(() => stream.abort(new Error('enough')), 20)
      },
    ],
  ])('%s: it %s', { timeout: 30_000 }, async (misdeed, _, onLeaves) => {
    const { misdeeds, bad, stats, sizeBytes } = await fetchBeside((store) => answering(store, onLeaves))
    expect(misdeeds).toEqual([{ peerId: bad.peerId, misdeed }])
    expect(stats.receivedBytes - sizeBytes).toBeLessThanOrEqual(PIECE_BYTES)
  })

  test('wrong-length or bad-frame: it sends garbage', async () => {
    const garbage = fileOf(64 * 1024, 99)
    const { misdeeds, bad } = await fetchBeside(() => (stream) => quietly(stream, garbage))
    expect(misdeeds).toEqual([{ peerId: bad.peerId, misdeed: expect.stringMatching(/wrong-length|bad-frame|closed/) }])
  })

  test('stalled: it says nothing any more', { timeout: 30_000 }, async () => {
    const startMs = clock.now()
    const { misdeeds, bad, stats, sizeBytes } = await fetchBeside(
      (store) => answering(store, (stream, leaves) => quietly(stream, framed(leaves[0] as Uint8Array).subarray(0, 99))),
      fast,
    )
    // Others may have brought what it was asked for before the stall was one; then nothing was lost but time.
    for (const each of misdeeds) expect(each).toEqual({ peerId: bad.peerId, misdeed: 'stalled' })
    expect(stats.receivedBytes - sizeBytes).toBeLessThanOrEqual(PIECE_BYTES)
    expect(clock.now() - startMs).toBeLessThan(20_000)
  })
})

test('a stall of the only peer ends the fetch', { timeout: 30_000 }, async () => {
  const [good, us] = [await peers.peer(), await peers.peer()]
  const cid = await addFile(good.store, fileOf(8 * MIB))
  const bad = await peers.rogue(answering(good.store, () => undefined))
  const misdeeds: string[] = []
  const misbehaved = (_: string, misdeed: string) => void misdeeds.push(misdeed)
  const pull = createPull({ libp2p: us.host, store: us.store, clock: fast, log: silent, misbehaved })
  const startMs = clock.now()
  await expect(pull.fetch(cid, { bytesMax: SIZE, from: [bad], ...never })).rejects.toMatchObject({
    code: 'BLOB_UNAVAILABLE',
  })
  expect(misdeeds).toEqual(['stalled'])
  expect(clock.now() - startMs).toBeGreaterThanOrEqual(STALL_MS / FASTER - 50)
})

test('a peer that promises and never keeps it holds up nobody', { timeout: 30_000 }, async () => {
  const [good, us] = [await peers.peer(), await peers.peer()]
  const cid = await addFile(good.store, fileOf(24 * MIB))
  const liar = await peers.rogue(
    answering(good.store, (stream, leaves) => {
      for (const _ of leaves) quietly(stream, lengthBytes(0xffff_ffff))
    }),
  )
  await us.pull.fetch(cid, { bytesMax: SIZE, from: [liar, good.address], ...never })
  expect(us.store.blocks.size).toBe(good.store.blocks.size)
})
