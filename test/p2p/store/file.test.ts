import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unixfs } from '@helia/unixfs'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import { afterAll, describe, expect, test } from 'vitest'
import { cidOfKey, keyOf } from '../../../src/p2p/store/cid.ts'
import { cutLeaves } from '../../../src/p2p/store/file-cut.ts'
import { createBlockstore } from '../../../src/p2p/store/helia.ts'
import type { Store } from '../../../src/p2p/store/index.ts'
import { rawCidOf } from '../../../src/protocol/codec.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { aborted, expectCancelled, expectCode } from '../../contracts/harness.ts'
import {
  collect,
  createMemory,
  expectBytes,
  keysOf,
  MIB,
  model,
  noise,
  pieces,
  sha256,
  signal,
  silent,
} from './stage.ts'

const root = mkdtempSync(join(tmpdir(), 'store-file-'))
afterAll(() => rmSync(root, { recursive: true }))

/** The file system of Helia over the same blocks: the other software that must agree with us. */
const heliaOver = (store: Store) => {
  const helia = store.createHelia()
  return unixfs({ blockstore: createBlockstore(store.blocks, silent), getHasher: helia.getHasher } as never)
}
async function* stalled(): AsyncGenerator<Uint8Array> {
  yield noise(5, 5)
  await new Promise(() => {})
}
const add = (store: Store, bytes: Uint8Array, options = {}) => store.addFile(pieces(bytes), { signal, ...options })

describe('adding', () => {
  test.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])(
    '%i bytes: the CID that Helia gives them, and back again',
    async (n) => {
      const bytes = noise(n, n)
      const store = await createMemory()
      const added = await add(store, bytes)
      expect(added).toMatchObject({ bytes: n, sha256: sha256(bytes) })
      expect(added.cid.toString()).toBe((await heliaOver(await createMemory()).addBytes(bytes)).toString())
      if (n <= MIB) expect(added.cid.toString()).toBe(rawCidOf(bytes))
      expectBytes(await collect(store.readFile(added.cid, { signal })), bytes)
      expectBytes(await collect(heliaOver(store).cat(added.cid)), bytes)
    },
  )

  test.each([1024, 1025, 2049])('%i leaves: a balanced tree of 1,024 children, as Helia builds it', async (leaves) => {
    const bytes = noise(leaves * 4, 7)
    const store = await createMemory()
    const cuts = Array.from({ length: leaves }, (_, i) => 4 * (i + 1))
    const { cid } = await add(store, bytes, { cuts })
    async function* chunker(source: AsyncIterable<Uint8Array>) {
      yield* pieces(await collect(source), 4)
    }
    const theirs = await heliaOver(await createMemory()).addByteStream(pieces(bytes), { chunker })
    expect(cid.toString()).toBe(theirs.toString())
    expectBytes(await collect(store.readFile(cid, { signal })), bytes)
  })

  test('from a path as from a stream', async () => {
    const bytes = noise(2 * MIB + 5, 1)
    const path = join(root, 'file')
    writeFileSync(path, bytes)
    const store = await createMemory()
    expect(await store.addFile(path, { signal })).toEqual(await add(await createMemory(), bytes))
    await expectCode(store.addFile(join(root, 'none'), { signal }), 'FILE_UNREADABLE')
    await expectCode(store.addFile(root, { signal }), 'FILE_UNREADABLE')
  })

  test('what is cancelled or fails ends with an error, and what was stored of it is freed', async () => {
    const store = await createMemory(3 * MIB)
    await expect(add(store, noise(10, 0), { signal: aborted })).rejects.toThrow()
    await expectCode(add(store, noise(5 * MIB, 1)), 'DISK_QUOTA')
    const stop = new AbortController()
    async function* endless() {
      for (let seed = 0; ; seed++) {
        yield noise(1000, seed)
        if (seed === 5) stop.abort()
      }
    }
    await expect(store.addFile(endless(), { signal: stop.signal })).rejects.toThrow()
    await expectCancelled((signal) => store.addFile(stalled(), { signal }))
    await store.gc({ signal })
    expect(store.usedBytes()).toBe(0)
    expect((await add(store, noise(2 * MIB, 2))).bytes).toBe(2 * MIB)
  })
})

describe('cutting', () => {
  test('leaves join to the file, have at most a MiB, and end at every cut', async () => {
    const lengths = fc.array(fc.nat(300_000), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(lengths, fc.array(fc.nat(1_500_000), { maxLength: 6 }), async (chunks, at) => {
        const source = chunks.map((length, i) => noise(length, i))
        const cuts = at.sort((a, b) => a - b)
        async function* stream() {
          yield* source
        }
        const ends = new Set<number>()
        let end = 0
        const leaves: Uint8Array[] = []
        for await (const leaf of cutLeaves(stream(), cuts)) {
          expect(leaf.length).toBeGreaterThan(0)
          expect(leaf.length).toBeLessThanOrEqual(MIB)
          end += leaf.length
          ends.add(end)
          leaves.push(leaf)
        }
        expectBytes(Buffer.concat(leaves), Buffer.concat(source))
        for (const cut of cuts) if (cut > 0 && cut <= end) expect(ends).toContain(cut)
      }),
      { numRuns: 30 },
    )
  })

  test('of eight experts two change and the header grows by 33 bytes: the two and the header are new', async () => {
    const size = MIB + 777
    const experts = Array.from({ length: 8 }, (_, i): [string, Uint8Array] => [`experts.${i}.weight`, noise(size, i)])
    const before = model(experts)
    const changed = experts.map(([name, data], i): [string, Uint8Array] => [name, i < 2 ? noise(size, 100 + i) : data])
    const after = model(changed, 33)
    expect(after.length - before.length).toBe(33)
    const store = await createMemory()
    const first = await store.addFile(pieces(before), { cuts: 'safetensors', bytes: before.length, signal })
    const old = await keysOf(store)
    const second = await store.addFile(pieces(after), { cuts: 'safetensors', bytes: after.length, signal })
    const layout = await store.fileLayout(second.cid, { signal })
    const leaves = layout.kind === 'file' ? layout.leaves : []
    const fresh = leaves.filter(({ cid }) => !old.has(cidOfKey(keyOf(cid) ?? '').toString()))
    expect(fresh.map(({ bytes }) => bytes)).toEqual([after.length - 8 * size, MIB, 777, MIB, 777])
    expect((await keysOf(store)).size - old.size).toBe(fresh.length + 1) // and the root of the tree
    expectBytes(await collect(store.readFile(first.cid, { signal })), before)
    expectBytes(await collect(store.readFile(second.cid, { signal })), after)
    expectBytes(await collect(heliaOver(store).cat(second.cid)), after)
  })

  test.each([
    ['no header', utf8('abc'), 'SAFETENSORS_TOO_SHORT'],
    ['a header without end', noise(100, 3), 'SAFETENSORS_HEADER_TOO_LONG'],
    ['no JSON', Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 65, 65), 'SAFETENSORS_HEADER_NOT_JSON'],
    ['bytes behind the tensors', Buffer.concat([model([['a', noise(9, 1)]]), utf8('x')]), 'SAFETENSORS_GAP'],
  ])('a file that is not safetensors is refused before a tensor is read: %s', async (_, bytes, code) => {
    const store = await createMemory()
    const options = { cuts: 'safetensors', bytes: bytes.length } as const
    await expect(add(store, bytes, options)).rejects.toMatchObject({ code: 'SAFETENSORS_INVALID', data: { code } })
    expect(store.usedBytes()).toBe(0)
  })

  test.each([-1, 1])('a file that is not as long as was said is refused: %i', async (more) => {
    const file = model([['a', noise(100, 1)]])
    const given = more < 0 ? file.subarray(0, -1) : Buffer.concat([file, utf8('x')])
    const options = { cuts: 'safetensors', bytes: file.length } as const
    await expectCode(add(await createMemory(), given, options), 'SAFETENSORS_INVALID')
  })
})

describe('reading', () => {
  test('any range of any file', async () => {
    const bytes = noise(40_000, 9)
    const store = await createMemory()
    const cuts = Array.from({ length: 3000 }, (_, i) => (i + 1) * 13)
    const { cid } = await add(store, bytes, { cuts })
    await fc.assert(
      fc.asyncProperty(fc.nat(41_000), fc.nat(41_000), async (offset, length) => {
        const read = await collect(store.readFile(cid, { offset, length, signal }))
        expectBytes(read, bytes.subarray(offset, offset + length))
      }),
      { numRuns: 50 },
    )
  })

  const foreign = {
    'leaves in nodes': { rawLeaves: false },
    'leaves in nodes, one of them': { rawLeaves: false, reduceSingleLeafToSelf: true },
    'CIDs of version 0': { rawLeaves: false, cidVersion: 0 },
  } as const
  test.each(Object.entries(foreign))('what other software made: %s', async (_, options) => {
    const { fixedSize } = await import('ipfs-unixfs-importer/chunker')
    const { balanced, trickle, flat } = await import('ipfs-unixfs-importer/layout')
    for (const layout of [balanced({ maxChildrenPerNode: 3 }), trickle({ maxChildrenPerNode: 3 }), flat()]) {
      for (const n of [0, 10, 262_144, 400_000]) {
        const bytes = noise(n, n)
        const store = await createMemory()
        const chunker = fixedSize({ chunkSize: 30_000 })
        const theirs = await heliaOver(store).addBytes(bytes, { ...options, chunker, layout })
        const cid = theirs.toV1() as CID
        expectBytes(await collect(store.readFile(cid, { signal })), bytes)
        expectBytes(await collect(store.readFile(cid, { offset: n >> 1, signal })), bytes.subarray(n >> 1))
        const whole = await store.readWhole(cid, n, { signal })
        expectBytes(whole.kind === 'whole' ? whole.bytes : null, bytes)
        expect(await store.fileLayout(cid, { signal })).toMatchObject({ kind: 'file', bytes: n })
        expect(await store.has(cid)).toBe(true)
      }
    }
  })

  test('a reader may stop, and is told where a block is missing', async () => {
    const bytes = noise(6 * MIB, 4)
    const store = await createMemory()
    const { cid } = await add(store, bytes)
    for await (const first of store.readFile(cid, { signal })) {
      expect(first).toHaveLength(MIB)
      break
    }
    const layout = await store.fileLayout(cid, { signal })
    const gone = layout.kind === 'file' ? layout.leaves[2]?.cid : undefined
    await store.blocks.delete(gone as CID)
    expect(await store.has(cid)).toBe(false)
    expect(await store.readWhole(cid, bytes.length, { signal })).toEqual({ kind: 'missing', cid: gone })
    await expectCode(collect(store.readFile(cid, { signal })), 'BLOB_UNAVAILABLE')
    expect(await collect(store.readFile(cid, { offset: 3 * MIB, signal }))).toHaveLength(3 * MIB)
    expect(await store.readWhole(cid, bytes.length - 1, { signal })).toEqual({ kind: 'too-large', bytes: bytes.length })
  })
})
