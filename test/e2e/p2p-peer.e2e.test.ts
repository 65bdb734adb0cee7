/** Two whole peers: what one has stored, cut at its tensors, the other fetches; of the next cycle only what changed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { type Peer, startPeer } from '../../src/p2p/peer.ts'
import { openStore, type Store } from '../../src/p2p/store/index.ts'
import { NETWORK } from './p2p-stage.ts'

const MIB = 1024 * 1024
const EXPERT_BYTES = 3 * MIB + 12_345
const EXPERTS = 8
const never = new AbortController().signal

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

type Node = { readonly peer: Peer; readonly store: Store }

async function createNode(): Promise<Node> {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
  const { clock, log, random } = SYSTEM
  const store = await openStore({ dir, quotaBytes: 1024 * MIB, freeBytesMin: 0 }, { log })
  const place = { network: NETWORK, listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], privateAllowed: true, relay: false }
  const peer = await startPeer({ ...place, secret: random.bytes(32), entries: [] }, { store, clock, log })
  ends.push(async () => {
    await peer.stop()
    await store.close()
    rmSync(dir, { recursive: true })
  })
  return { peer, store }
}

/** safetensors by the book: length, header, tensors. */
function model(cycle: number, changed: ReadonlySet<number>): Uint8Array {
  const entries = Array.from({ length: EXPERTS }, (_, i) => [
    `expert.${i}`,
    { dtype: 'U8', shape: [EXPERT_BYTES], data_offsets: [i * EXPERT_BYTES, (i + 1) * EXPERT_BYTES] },
  ])
  const header = JSON.stringify({ __metadata__: { note: 'x'.repeat(cycle * 33) }, ...Object.fromEntries(entries) })
  const bytes = Buffer.alloc(8 + header.length + EXPERTS * EXPERT_BYTES)
  bytes.writeBigUInt64LE(BigInt(header.length))
  bytes.write(header, 8)
  for (let i = 0; i < EXPERTS; i++) {
    const at = 8 + header.length + i * EXPERT_BYTES
    for (let j = 0; j < EXPERT_BYTES; j += 4)
      bytes.writeUInt32LE((i * 7919 + j + (changed.has(i) ? cycle : 0)) >>> 0, at + Math.min(j, EXPERT_BYTES - 4))
  }
  return bytes
}

async function* inParts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += MIB) yield bytes.subarray(at, at + MIB)
}

const add = (store: Store, bytes: Uint8Array) =>
  store.addFile(inParts(bytes), { cuts: 'safetensors', bytes: bytes.length, signal: never })

test('of the next cycle only the changed tensors move', async () => {
  const [seed, other] = [await createNode(), await createNode()]
  const from = [{ peerId: seed.peer.host.peerId.toString(), addresses: seed.peer.host.getMultiaddrs().map(String) }]
  const opts = { bytesMax: 64 * MIB, from, signal: never }
  const first = model(0, new Set())
  const { cid } = await add(seed.store, first)
  expect(Buffer.from(await other.peer.blobs.get(cid.toString(), opts)).equals(first)).toBe(true)

  const received = other.peer.pull.stats().receivedBytes
  const second = model(1, new Set([2, 5]))
  const next = await add(seed.store, second)
  expect(Buffer.from(await other.peer.blobs.get(next.cid.toString(), opts)).equals(second)).toBe(true)
  const moved = other.peer.pull.stats().receivedBytes - received
  expect(moved).toBeGreaterThanOrEqual(2 * EXPERT_BYTES)
  expect(moved / (2 * EXPERT_BYTES)).toBeLessThan(1.02)
  expect(other.peer.pull.stats()).toMatchObject({ duplicateBytes: 0, refusedBytes: 0 })
}, 60_000)
