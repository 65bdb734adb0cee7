import * as dagPb from '@ipld/dag-pb'
import fc from 'fast-check'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { describe, expect, test } from 'vitest'
import { cidOfBlock, DAG_CBOR, DAG_PB, RAW } from '../../../src/p2p/store/cid.ts'
import { type FileNode, judgeNode } from '../../../src/p2p/store/file-node.ts'
import type { Store } from '../../../src/p2p/store/index.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { collect, createMemory, expectBytes, MIB, noise, pieces, signal } from './stage.ts'

const leaf = utf8('twelve bytes')
const leafCid = cidOfBlock(RAW, leaf)

type Child = readonly [cid: CID, bytes: number]
const node = (
  children: readonly Child[],
  { type = 'file', data }: { type?: 'file' | 'directory' | 'symlink'; data?: Uint8Array } = {},
) => {
  const entry = new UnixFS({ type, blockSizes: children.map(([, bytes]) => BigInt(bytes)), ...(data && { data }) })
  return dagPb.encode({ Data: entry.marshal(), Links: children.map(([Hash]) => ({ Name: '', Tsize: 0, Hash })) })
}
const put = async (store: Store, block: Uint8Array, codec: number = DAG_PB) => {
  const cid = cidOfBlock(codec, block)
  await store.blocks.put(cid, block, { signal })
  return cid
}

describe('the layout of a file', () => {
  test('names every leaf, in order, with the bytes that it holds', async () => {
    const bytes = noise(2 * MIB + 10, 1)
    const store = await createMemory()
    const { cid } = await store.addFile(pieces(bytes), { cuts: [5], signal })
    const layout = await store.fileLayout(cid, { signal })
    expect(layout).toMatchObject({ kind: 'file', bytes: bytes.length })
    const leaves = layout.kind === 'file' ? layout.leaves : []
    expect(leaves.map(({ offset, bytes }) => [offset, bytes])).toEqual([
      [0, 5],
      [5, MIB],
      [MIB + 5, MIB],
      [2 * MIB + 5, 5],
    ])
    for (const { cid, offset, bytes: n } of leaves) {
      expectBytes(await store.blocks.get(cid, { signal }), bytes.subarray(offset, offset + n))
    }
  })

  test('a file of one leaf is that leaf, and a document is a leaf too', async () => {
    const store = await createMemory()
    for (const codec of [RAW, DAG_CBOR]) {
      const cid = await put(store, leaf, codec)
      const leaves = [{ cid, offset: 0, bytes: leaf.length }]
      expect(await store.fileLayout(cid, { signal })).toEqual({ kind: 'file', bytes: leaf.length, leaves })
    }
  })

  test('says which nodes it needs first, all that it can know of', async () => {
    const store = await createMemory()
    const inner = [node([[leafCid, 12]]), node([[leafCid, 12]], { data: leaf })]
    const cids = inner.map((block) => cidOfBlock(DAG_PB, block))
    const outer = node([
      [cids[0] as CID, 12],
      [leafCid, 12],
      [cids[1] as CID, 24],
    ])
    const root = cidOfBlock(DAG_PB, outer)
    expect(await store.fileLayout(root, { signal })).toEqual({ kind: 'incomplete', missing: [root] })
    await put(store, outer)
    expect(await store.fileLayout(root, { signal })).toEqual({ kind: 'incomplete', missing: cids })
    for (const block of inner) await put(store, block)
    expect(await store.fileLayout(root, { signal })).toMatchObject({ kind: 'file', bytes: 48, leaves: { length: 4 } })
    await put(store, leaf, RAW)
    expect(await collect(store.readFile(root, { signal }))).toEqual(
      new Uint8Array(Buffer.concat([leaf, leaf, leaf, leaf])),
    )
  })
})

describe('a node of a stranger', () => {
  const v0 = CID.createV0(Digest.create(0x12, new Uint8Array(32)))
  const sha512 = CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64)))
  const identity = CID.createV1(RAW, Digest.create(0, new Uint8Array(4)))
  const git = CID.createV1(0x78, leafCid.multihash)
  const unequal = dagPb.encode({ Data: new UnixFS({ type: 'file' }).marshal(), Links: [{ Name: '', Hash: leafCid }] })
  const wrong: [string, Uint8Array][] = [
    ['is no dag-pb', utf8('nothing')],
    ['is empty', new Uint8Array(0)],
    ['has no entry', dagPb.encode({ Links: [] })],
    ['has an entry that is none', dagPb.encode({ Data: utf8('zzzz'), Links: [] })],
    ['is a directory', node([], { type: 'directory' })],
    ['is a symbolic link', node([], { type: 'symlink', data: utf8('/etc/passwd') })],
    ['has more links than sizes', unequal],
    ['has an empty part', node([[leafCid, 0]])],
    ['has a leaf of a terabyte', node([[leafCid, 10 ** 12]])],
    ['is larger than any number', node(Array.from({ length: 3 }, () => [v0, Number.MAX_SAFE_INTEGER]))],
    ['links to another hash', node([[sha512, 12]])],
    ['links to a CID that is its own content', node([[identity, 4]])],
    ['links to a document', node([[cidOfBlock(DAG_CBOR, leaf), 12]])],
    ['links to another codec', node([[git, 12]])],
    ['is larger than any block of a file', node([], { data: new Uint8Array(2 * MIB) })],
  ]
  test.each(wrong)('that %s is malformed', async (_, block) => {
    expect(judgeNode(cidOfBlock(DAG_PB, block), block)).toMatchObject({ kind: 'malformed' })
    const store = await createMemory()
    const cid = await put(store, block)
    expect(await store.fileLayout(cid, { signal })).toMatchObject({ kind: 'malformed' })
    expect(await store.readWhole(cid, MIB, { signal })).toMatchObject({ kind: 'malformed' })
    expect(await store.has(cid)).toBe(true) // there is nothing more to it
  })

  test('that has more below than it says is malformed, and so is a leaf of another length', async () => {
    const store = await createMemory()
    await put(store, leaf, RAW)
    const inner = await put(store, node([[leafCid, 12]]))
    const lying = await put(store, node([[inner, 13]]))
    expect(await store.fileLayout(lying, { signal })).toMatchObject({ kind: 'malformed' })
    const long = await put(store, node([[leafCid, 13]]))
    expect(await store.readWhole(long, MIB, { signal })).toMatchObject({ kind: 'malformed' })
  })

  test('that repeats itself without end is bounded: too deep, or too many', async () => {
    const store = await createMemory()
    let [cid, bytes] = [await put(store, leaf, RAW), leaf.length]
    for (let depth = 0; depth < 12; depth++) {
      cid = await put(store, node([[cid, bytes]]))
      if (depth === 5) expect(await store.fileLayout(cid, { signal })).toMatchObject({ kind: 'file' })
    }
    expect(await store.fileLayout(cid, { signal })).toMatchObject({
      kind: 'malformed',
      why: 'a file has at most 8 levels',
    })

    for (let depth = 0; depth < 2; depth++) {
      const children = Array.from({ length: 1000 }, (): Child => [depth === 0 ? leafCid : cid, bytes])
      cid = await put(store, node(children))
      bytes *= 1000
    }
    expect(await store.fileLayout(cid, { signal })).toMatchObject({ kind: 'malformed' })
    expect(await store.has(cid)).toBe(true)
    expect(await store.retain(new Set([cid.toString()]), { signal })).toMatchObject({ freedBytes: expect.any(Number) })
    expect(await store.has(cid)).toBe(true)
  })

  test('never throws, whatever the bytes', () => {
    const sound = node([[leafCid, 12]], { data: leaf })
    const mutated = fc
      .array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const block = sound.slice()
        for (const [at, byte] of changes) block[at] = byte
        return block
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (block) => {
        const judged = judgeNode(cidOfBlock(DAG_PB, block), block)
        if (judged.kind !== 'node') return
        const sum = judged.children.reduce((total, { bytes }) => total + bytes, judged.data.length)
        expect((judged satisfies FileNode).bytes).toBe(sum)
      }),
      { numRuns: 2_000 },
    )
  })
})
