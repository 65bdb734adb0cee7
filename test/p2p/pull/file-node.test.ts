import * as dagPb from '@ipld/dag-pb'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { type Child, type FileNode, readFileNode } from '../../../src/p2p/pull/file-node.ts'
import { RAW } from '../../../src/p2p/store/cid.ts'
import { addFile, cidOf, createMemoryStore, fileOf, type MemoryStore, MIB, never } from './stage.ts'

const LEAF = 16

async function nodeOf(store: MemoryStore, cid: CID, place: Child | null = null): Promise<FileNode> {
  const bytes = await store.get(cid, never)
  const node = bytes === null ? 'is not there' : readFileNode(bytes, place)
  if (typeof node === 'string') throw new Error(node)
  return node
}

/** All leaves below a node, in order. */
async function leavesOf(store: MemoryStore, node: FileNode): Promise<readonly Child[]> {
  const below = node.children.map(async (child) =>
    child.cid.code === RAW ? [child] : leavesOf(store, await nodeOf(store, child.cid, child)),
  )
  return (await Promise.all(below)).flat()
}

describe('files as the library of IPFS writes them', () => {
  test.each([
    ['two leaves', LEAF + 1, true],
    ['a full node', LEAF * 1024, true],
    ['one leaf more, alone in a node of its own', LEAF * 1024 + 1, false],
    ['two levels', LEAF * 2_500 + 3, false],
  ])('%s', async (_, sizeBytes, isLeaf) => {
    const store = createMemoryStore()
    const file = fileOf(sizeBytes - (sizeBytes % 4)).subarray()
    const bytes = new Uint8Array(sizeBytes)
    bytes.set(file)
    const node = await nodeOf(store, await addFile(store, bytes, { leafBytes: LEAF }))
    expect(node.bytes).toBe(sizeBytes)
    expect(node.children.every((child) => (child.cid.code === RAW) === isLeaf)).toBe(true)
    const leaves = await leavesOf(store, node)
    expect(leaves.map((leaf) => leaf.bytes).reduce((a, b) => a + b)).toBe(sizeBytes)
    expect(leaves.slice(0, -1).every((leaf) => leaf.bytes === LEAF)).toBe(true)
  })

  test('in leaves of a mebibyte', async () => {
    const store = createMemoryStore()
    const cid = await addFile(store, fileOf(3 * MIB + 8))
    expect(readFileNode((await store.get(cid, never)) ?? new Uint8Array(0), null)).toMatchObject({
      bytes: 3 * MIB + 8,
    })
  })
})

describe('what is not of the profile is refused', () => {
  const leaf = cidOf(Uint8Array.of(1))
  const varint = (value: number): readonly number[] =>
    value < 128 ? [value] : [(value % 128) | 0x80, ...varint(Math.floor(value / 128))]
  const dataOf = (size: number, sizes: readonly number[]) =>
    Uint8Array.from([8, 2, 0x18, ...varint(size), ...sizes.flatMap((each) => [0x20, ...varint(each)])])
  const link = (size: number, hash = leaf, name = '') => ({ Hash: hash, Name: name, Tsize: size })
  const node = (data: Uint8Array, links: readonly ReturnType<typeof link>[]) =>
    dagPb.encode({ Data: data, Links: [...links] })
  const below = cidOf(leaf.bytes, 0x70)
  const good = node(dataOf(20, [16, 4]), [link(16), link(4)])
  const place = { cid: leaf, bytes: 20, treeBytes: good.length + 20, levels: 1 }

  test('while the same with nothing wrong is accepted', () => {
    expect(readFileNode(good, null)).toMatchObject({ bytes: 20 })
    expect(readFileNode(good, place)).toMatchObject({ bytes: 20 })
  })
  test.each<[string, Uint8Array, Child | null]>([
    ['sizes that do not add up', node(dataOf(21, [16, 4]), [link(16), link(4)]), null],
    ['a leaf above a mebibyte', node(dataOf(MIB + 1, [MIB + 1]), [link(MIB + 1)]), null],
    ['an empty leaf', node(dataOf(16, [16, 0]), [link(16), link(0)]), null],
    ['a size in a longer form', node(Uint8Array.from([8, 2, 0x18, 0x84, 0, 0x20, 4]), [link(4)]), null],
    ['more nodes than its size can need', node(dataOf(4, [4]), [link(5 * MIB, below)]), null],
    ['a node below the last level', node(dataOf(4, [4]), [link(60, below)]), { ...place, bytes: 4 }],
    ['fewer links than sizes', node(dataOf(20, [16, 4]), [link(16)]), null],
    ['a link whose size is another', node(dataOf(20, [16, 4]), [link(15), link(4)]), null],
    ['a link with a name', node(dataOf(20, [16, 4]), [link(16), link(4, leaf, 'x')]), null],
    ['a document where a leaf belongs', node(dataOf(20, [16, 4]), [link(16, cidOf(leaf.bytes, 0x71)), link(4)]), null],
    ['nothing', node(dataOf(0, []), []), null],
    ['another size than its parent says', good, { ...place, bytes: 21 }],
    ['another weight than its parent says', good, { ...place, treeBytes: 1_000 }],
    ['bytes behind its end', Uint8Array.from([...good, 0]), null],
    ['a directory', dagPb.encode({ Data: Uint8Array.of(8, 1), Links: [] }), null],
  ])('%s', (_, bytes, at) => {
    expect(readFileNode(bytes, at)).toBeTypeOf('string')
  })
  test('any bytes at all', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readFileNode(bytes, null)))
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => void readFileNode(good.with(at, byte), null)),
    )
  })
})
