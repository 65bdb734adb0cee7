import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { NodeError } from '../../../src/errors.ts'
import { cidOfBlock, DAG_PB, parseCid, RAW } from '../../../src/p2p/store/cid.ts'
import { openDiskShelf } from '../../../src/p2p/store/disk-shelf.ts'
import { createBlobs, type Fetch, judgeNode, openStore, type Store } from '../../../src/p2p/store/index.ts'
import type { PeerAddress } from '../../../src/ports.ts'
import { rawCidOf } from '../../../src/protocol/codec.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { type BlobsHarness, describeBlobsContract } from '../../contracts/blobs.ts'
import { expectCode } from '../../contracts/harness.ts'
import { createMemory, expectBytes, keysOf, MIB, noise, plenty, signal, silent } from './stage.ts'

type Peer = { readonly store: Store; readonly address: PeerAddress }
const peerOf = (store: Store, i: number): Peer => ({ store, address: { peerId: `peer-${i}`, addresses: [] } })

/** Copies what others serve: the named ones first. */
const copyFrom =
  (own: () => Store, others: () => readonly Peer[]): Fetch =>
  async (text, { bytesMax, from, signal }) => {
    const isNamed = ({ address }: Peer) => from.some(({ peerId }) => peerId === address.peerId)
    const copy = async (cid: CID, { blocks }: Store, isRoot: boolean): Promise<boolean> => {
      signal.throwIfAborted()
      const here = await own().blocks.get(cid, { signal })
      const block = here ?? (await blocks.get(cid, { signal }))
      if (block === null) return false
      const node = judgeNode(cid, block)
      if (isRoot && node.kind === 'node' && node.bytes > bytesMax) {
        throw new NodeError('BLOB_TOO_LARGE', { what: text, why: `${node.bytes} bytes` })
      }
      await own().blocks.put(cid, block, { signal })
      for (const child of node.kind === 'node' ? node.children : []) {
        if (!(await copy(child.cid, { blocks } as Store, false))) return false
      }
      return true
    }
    const peers = [...others().filter(isNamed), ...others().filter((peer) => !isNamed(peer))]
    for (const { store } of peers) if (await copy(parseCid(text) as CID, store, true)) return
    throw new NodeError('BLOB_UNAVAILABLE', { what: text, why: 'no peer serves it' })
  }

async function createHarness(): Promise<BlobsHarness> {
  const root = mkdtempSync(join(tmpdir(), 'blobs-'))
  const dirOf = (peer: number) => join(root, String(peer))
  const open = (peer: number) => openStore({ dir: dirOf(peer), ...plenty }, { log: silent })
  const peers = await Promise.all([0, 1, 2].map(async (i) => peerOf(await open(i), i)))
  const portOf = (i: number) => {
    const fetch = copyFrom(
      () => (peers[i] as Peer).store,
      () => peers.filter((_, other) => other !== i),
    )
    return createBlobs({ store: (peers[i] as Peer).store, fetch })
  }
  const ports = peers.map(({ address }, i) => ({ blobs: portOf(i), address }))
  return {
    peers: ports as unknown as BlobsHarness['peers'],
    damage: async (peer, text) => {
      const shelf = openDiskShelf(join(dirOf(peer), 'open'))
      const cid = parseCid(text) as CID
      const bytes = (await shelf.read(cid)) as Uint8Array
      bytes[0] = 1 ^ (bytes[0] ?? 0)
      await shelf.write(cid, bytes, false)
    },
    again: async () => {
      await peers[0]?.store.close()
      peers[0] = peerOf(await open(0), 0)
      return portOf(0)
    },
    close: async () => rmSync(root, { recursive: true }),
  }
}

describeBlobsContract('the store in a directory', createHarness)

describe('content of many blocks', () => {
  const bytes = noise(4 * MIB + 3, 1)
  const raw = { codec: 'raw', withheld: false, signal } as const
  const anywhere = { bytesMax: bytes.length, from: [], signal }

  const pair = async () => {
    const [one, two] = [await createMemory(), await createMemory()]
    const fetched: string[] = []
    const copy = copyFrom(
      () => two,
      () => [peerOf(one, 1)],
    )
    const fetch: Fetch = async (cid, opts) => {
      fetched.push(cid)
      await copy(cid, opts)
    }
    const none: Fetch = async (cid) => {
      throw new NodeError('BLOB_UNAVAILABLE', { what: cid, why: 'alone' })
    }
    const [a, b] = [createBlobs({ store: one, fetch: none }), createBlobs({ store: two, fetch })]
    return { one, two, a, b, fetched }
  }

  test('is a file above a leaf and a raw block up to one; a document is always one block', async () => {
    const { a, one } = await pair()
    const leaf = bytes.subarray(0, MIB)
    expect(await a.put(leaf, raw)).toBe(rawCidOf(leaf))
    expect(parseCid(await a.put(bytes, raw))?.code).toBe(DAG_PB)
    const document = noise(5 * MIB, 2)
    const cid = await a.put(document, { ...raw, codec: 'dag-cbor' })
    expect((await keysOf(one)).has(cidOfBlock(RAW, document).toString())).toBe(true)
    expectBytes(await a.get(cid, { ...anywhere, bytesMax: document.length }), document)
  })

  test('is fetched again in the part that is missing, and only when it is wanted', async () => {
    const { a, b, two, fetched } = await pair()
    const cid = await a.put(bytes, raw)
    await b.get(cid, anywhere)
    const layout = await two.fileLayout(parseCid(cid) as CID, { signal })
    await two.blocks.delete((layout.kind === 'file' ? layout.leaves[1]?.cid : undefined) as CID)
    expect([await b.has(cid), fetched.length]).toEqual([false, 1])
    expectBytes(await b.get(cid, anywhere), bytes)
    expect(fetched).toHaveLength(2)
  })

  test('is withheld as a whole and released as a whole', async () => {
    const { a, b } = await pair()
    const cid = await a.put(bytes, { ...raw, withheld: true })
    expectBytes(await a.get(cid, anywhere), bytes)
    await expectCode(b.get(cid, anywhere), 'BLOB_UNAVAILABLE')
    await a.release(cid)
    expectBytes(await b.get(cid, anywhere), bytes)
  })

  test('is not read when it is larger than agreed, and not kept', async () => {
    const { a, b, two } = await pair()
    const cid = await a.put(bytes, raw)
    const short = { ...anywhere, bytesMax: bytes.length - 1 }
    await expectCode(a.get(cid, short), 'BLOB_TOO_LARGE')
    await expectCode(b.get(cid, short), 'BLOB_TOO_LARGE')
    expect((await keysOf(two)).size).toBe(0)
    expectBytes(await b.get(cid, anywhere), bytes)
  })

  test('that is no file, or no CID, is unavailable', async () => {
    const { a, one } = await pair()
    const junk = utf8('junk')
    const cid = cidOfBlock(DAG_PB, junk)
    await one.blocks.put(cid, junk, { signal })
    for (const text of [cid.toString(), 'nonsense', '', 'bafyrei']) {
      await expectCode(a.get(text, anywhere), 'BLOB_UNAVAILABLE')
    }
    await a.release('nonsense')
    expect(await a.has('nonsense')).toBe(false)
  })

  test('that does not stay sound is not fetched for ever', async () => {
    const store = await createMemory()
    let fetches = 0
    const lying: Fetch = async () => void fetches++
    await expectCode(createBlobs({ store, fetch: lying }).get(rawCidOf(bytes), anywhere), 'BLOB_UNAVAILABLE')
    expect(fetches).toBe(2)
  })

  test('is not freed while it is fetched', async () => {
    const { a, one } = await pair()
    const cid = await a.put(bytes, raw)
    const target = await createMemory()
    const copy = copyFrom(
      () => target,
      () => [peerOf(one, 1)],
    )
    const fetch: Fetch = async (text, opts) => {
      await copy(text, opts)
      await blobs.retain(new Set(), opts)
    }
    const blobs = createBlobs({ store: target, fetch })
    expectBytes(await blobs.get(cid, anywhere), bytes)
    await blobs.retain(new Set(), { signal })
    expect(target.usedBytes()).toBe(0)
  })
})
