import { CarReader, CarWriter } from '@ipld/car'
import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { describe, expect, test } from 'vitest'
import { cidOfBlock, RAW } from '../../../src/p2p/store/cid.ts'
import type { Store } from '../../../src/p2p/store/index.ts'
import { concat, utf8 } from '../../../src/util/bytes.ts'
import { aborted, expectCode } from '../../contracts/harness.ts'
import { collect, createMemory, expectBytes, keysOf, MIB, noise, pieces, signal } from './stage.ts'

async function exported(store: Store, cid: CID): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  await store.exportCar(cid, async (part) => void parts.push(part.slice()), { signal })
  return concat(...parts)
}
async function made(roots: CID[], blocks: { cid: CID; bytes: Uint8Array }[]): Promise<Uint8Array> {
  const { writer, out } = CarWriter.create(roots)
  const result = collect(out)
  for (const block of blocks) await writer.put(block)
  await writer.close()
  return result
}
const text = utf8('a block')
const cid = cidOfBlock(RAW, text)

describe('a CAR', () => {
  test('has the root first and each block once, and other software reads it', async () => {
    const leaf = noise(MIB, 1)
    const bytes = concat(leaf, leaf, noise(5, 2))
    const store = await createMemory()
    const { cid } = await store.addFile(pieces(bytes), { signal })
    const car = await exported(store, cid)
    const reader = await CarReader.fromBytes(car)
    expect((await reader.getRoots()).map(String)).toEqual([cid.toString()])
    const cids: string[] = []
    for await (const one of reader.cids()) cids.push(one.toString())
    expect([cids[0], cids.length]).toEqual([cid.toString(), 3])

    const other = await createMemory()
    const verdict = await other.importCar(pieces(car, 70_001), { signal })
    expect(verdict).toMatchObject({ kind: 'accept', blocks: 3 })
    expect(verdict.kind === 'accept' && verdict.roots.map(String)).toEqual([cid.toString()])
    expectBytes(await collect(other.readFile(cid, { signal })), bytes)
    expect(await keysOf(other)).toEqual(await keysOf(store))
  })

  test('what other software wrote is taken in, byte by byte too', async () => {
    const document = dagCbor.encode({ a: 1 })
    const root = cidOfBlock(dagCbor.code, document)
    const empty = cidOfBlock(RAW, new Uint8Array(0))
    const blocks = [
      { cid: root, bytes: document },
      { cid: empty, bytes: new Uint8Array(0) },
      { cid, bytes: text },
    ]
    const car = await made([root], blocks)
    for (const size of [1, 7, 100_000]) {
      const store = await createMemory()
      expect(await store.importCar(pieces(car, size), { signal })).toMatchObject({ kind: 'accept', blocks: 3 })
      for (const { cid, bytes } of blocks) expect(await store.blocks.get(cid, { signal })).toEqual(bytes)
    }
  })

  test('of what is withheld, or not whole, is not made', async () => {
    const store = await createMemory()
    const sealed = await store.put(text, { codec: 'raw', withheld: true, signal })
    await expectCode(exported(store, sealed), 'BLOB_UNAVAILABLE')
    await store.release(sealed)
    expect((await exported(store, sealed)).length).toBeGreaterThan(text.length)
    const failing = store.exportCar(sealed, () => Promise.reject(new Error('the pipe is closed')), { signal })
    await expect(failing).rejects.toThrow('the pipe is closed')
  })

  const sha512 = CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64)))
  const header = (value: unknown) => {
    const bytes = dagCbor.encode(value)
    return concat(Uint8Array.of(bytes.length), bytes)
  }
  const good = header({ version: 1, roots: [cid] })
  const wrong: [string, () => Promise<Uint8Array> | Uint8Array][] = [
    ['nothing', () => new Uint8Array(0)],
    ['another version', () => header({ version: 2 })],
    ['a header without roots', () => header({ version: 1 })],
    ['roots that are none', () => header({ version: 1, roots: ['x'] })],
    ['a root of another hash', () => header({ version: 1, roots: [sha512] })],
    ['a header that is no cbor', () => Uint8Array.of(3, 255, 255, 255)],
    ['a header of a gigabyte', () => Uint8Array.of(0x80, 0x80, 0x80, 0x80, 4, 0)],
    ['a length without end', () => concat(good, new Uint8Array(9).fill(0xff))],
    ['a block of a terabyte', () => concat(good, Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x7f))],
    ['a block that ends early', async () => (await made([cid], [{ cid, bytes: text }])).slice(0, -1)],
    ['a length that ends early', () => concat(good, Uint8Array.of(0x80))],
    ['a block without a CID', () => concat(good, Uint8Array.of(2, 9, 9))],
    ['no block at all in a section', () => concat(good, Uint8Array.of(0))],
    ['a block of another hash', () => made([cid], [{ cid: sha512, bytes: text }])],
    ['a block that is another', () => made([cid], [{ cid, bytes: utf8('other') }])],
  ]
  test.each(wrong)('%s is rejected, and nothing of it is stored', async (_, make) => {
    const store = await createMemory()
    expect(await store.importCar(pieces(await make()), { signal })).toMatchObject({ kind: 'reject', blocks: 0 })
    expect(store.usedBytes()).toBe(0)
  })

  test('never throws, whatever the bytes; the disk and the caller may', async () => {
    const sound = await made([cid], [{ cid, bytes: text }])
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length), async (at, byte, end) => {
        const car = sound.slice(0, end)
        if (at < end) car[at] = byte
        const verdict = await (await createMemory()).importCar(pieces(car), { signal })
        expect(['accept', 'reject']).toContain(verdict.kind)
      }),
      { numRuns: 300 },
    )
    await expectCode((await createMemory(3)).importCar(pieces(sound), { signal }), 'DISK_QUOTA')
    await expect((await createMemory()).importCar(pieces(sound), { signal: aborted })).rejects.toThrow()
  })
})
