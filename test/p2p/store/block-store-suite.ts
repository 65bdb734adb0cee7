/** What verified blocks do over every shelf: in memory, in a directory, in a bucket. */
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { describe, expect, test } from 'vitest'
import { type Damage, Part } from '../../../src/p2p/store/block-store.ts'
import { createBudget } from '../../../src/p2p/store/budget.ts'
import { cidOfBlock, DAG_CBOR, RAW } from '../../../src/p2p/store/cid.ts'
import { createHolds } from '../../../src/p2p/store/hold.ts'
import { BLOCK_BYTES_MAX } from '../../../src/p2p/store/limits.ts'
import type { Shelf } from '../../../src/p2p/store/shelf.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { aborted, expectCode, fresh, type Harness, never } from '../../contracts/harness.ts'

export type ShelfHarness = Harness & {
  /** The same place again, as after a restart. */
  readonly shelf: () => Shelf
  /** A second one of the same kind. */
  readonly other: () => Shelf
}

const signal = never
const bytes = utf8('a block')
const cid = cidOfBlock(RAW, bytes)

const createPlenty = (quotaBytes = 1_000_000_000) => createBudget({ quotaBytes, freeBytesMin: 0 })

const openWith = async (shelf: Shelf, budget = createPlenty()) => {
  const damages: Damage[] = []
  const part = await Part.open('open', shelf, { budget, holds: createHolds(), onDamaged: (one) => damages.push(one) })
  return { part, damages, budget }
}

export function describeBlockStore(name: string, createHarness: () => Promise<ShelfHarness>): void {
  const on = fresh(createHarness)
  describe(`verified blocks: ${name}`, () => {
    describeKeeping(on)
    describeJudging(on)
    describeMoving(on)
  })
}

type On = (body: (harness: ShelfHarness) => Promise<void>) => () => Promise<void>

function describeKeeping(on: On): void {
  test(
    'what was put is there, after a restart too, until it is deleted',
    on(async ({ shelf }) => {
      const { part } = await openWith(shelf())
      expect(await part.get(cid, { signal })).toBeNull()
      await part.put(cid, bytes, { signal })
      await part.put(cid, bytes, { signal })
      expect(await part.get(cid, { signal })).toEqual(bytes)
      const { part: again, budget } = await openWith(shelf())
      expect(await again.has(cid)).toBe(true)
      expect(again.usedBytes()).toBe(bytes.length)
      expect(budget.usedBytes()).toBe(bytes.length)
      expect(await again.get(cid, { signal })).toEqual(bytes)
      await again.delete(cid)
      await again.delete(cid)
      expect([await again.has(cid), again.usedBytes(), budget.usedBytes()]).toEqual([false, 0, 0])
      expect(await (await openWith(shelf())).part.get(cid, { signal })).toBeNull()
    }),
  )
  test(
    'blocks are listed by their hash, and the same bytes under two codecs are one block',
    on(async ({ shelf }) => {
      const { part } = await openWith(shelf())
      await part.put(cidOfBlock(DAG_CBOR, bytes), bytes, { signal })
      expect(await part.get(cid, { signal })).toEqual(bytes)
      const empty = cidOfBlock(RAW, new Uint8Array(0))
      await part.put(empty, new Uint8Array(0), { signal })
      const listed: [string, number][] = []
      for await (const one of part.cids()) listed.push([one.cid.toString(), one.bytes])
      expect(listed).toEqual([
        [cid.toString(), bytes.length],
        [empty.toString(), 0],
      ])
      expect(await part.get(empty, { signal })).toHaveLength(0)
    }),
  )
  test(
    'what a reader changes does not change what is stored',
    on(async ({ shelf }) => {
      const { part } = await openWith(shelf())
      await part.put(cid, bytes, { signal })
      ;(await part.get(cid, { signal }))?.fill(0)
      expect(await part.get(cid, { signal })).toEqual(bytes)
    }),
  )
  test(
    'many at once, the same ones among them, with reads and deletes in between',
    on(async ({ shelf }) => {
      const { part, damages, budget } = await openWith(shelf())
      const blocks = Array.from({ length: 20 }, (_, i) => utf8(`block ${i}`.repeat(100 * i)))
      await Promise.all(
        Array.from({ length: 400 }, async (_, i) => {
          const block = blocks[i % 20] as Uint8Array
          const name = cidOfBlock(RAW, block)
          if (i % 7 === 3) await part.delete(name)
          else if (i % 3 === 0) expect([null, block]).toContainEqual(await part.get(name, { signal }))
          else await part.put(name, block, { signal })
        }),
      )
      for (const block of blocks) await part.put(cidOfBlock(RAW, block), block, { signal })
      const all = blocks.reduce((sum, { length }) => sum + length, 0)
      expect([part.usedBytes(), budget.usedBytes(), damages]).toEqual([all, all, []])
      for (const block of blocks) expect(await part.get(cidOfBlock(RAW, block), { signal })).toEqual(block)
    }),
  )
}

function describeJudging(on: On): void {
  const other = utf8('something else')
  const sha512 = CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64)))
  test.each([
    ['other bytes', cid, other],
    ['a hash that nobody can check', sha512, bytes],
    ['more bytes than any block', cid, new Uint8Array(BLOCK_BYTES_MAX + 1)],
  ])('%s are foreign', (_, name, given) =>
    on(async ({ shelf }) => {
      const { part } = await openWith(shelf())
      await expectCode(part.put(name, given, { signal }), 'BLOB_FOREIGN')
      expect([await part.has(name), await part.get(name, { signal })]).toEqual([false, null])
    })(),
  )
  test(
    'a damaged block is named, removed and absent',
    on(async ({ shelf }) => {
      const place = shelf()
      const { part, damages, budget } = await openWith(place)
      await part.put(cid, bytes, { signal })
      await place.write(cid, other, false)
      expect(await part.get(cid, { signal })).toBeNull()
      expect(damages).toEqual([{ cid: cid.toString(), part: 'open', bytes: bytes.length }])
      expect([await part.has(cid), await place.read(cid), budget.usedBytes()]).toEqual([false, null, 0])
      await part.put(cid, bytes, { signal })
      expect(await part.get(cid, { signal })).toEqual(bytes)
    }),
  )
  test(
    'storing it again heals it, and what vanished is absent',
    on(async ({ shelf }) => {
      const place = shelf()
      const { part, damages, budget } = await openWith(place)
      await part.put(cid, bytes, { signal })
      await place.write(cid, new Uint8Array(0), false)
      await part.put(cid, bytes, { signal })
      expect(await part.get(cid, { signal })).toEqual(bytes)
      await place.remove(cid)
      expect([await part.get(cid, { signal }), await part.has(cid)]).toEqual([null, false])
      expect([damages.length, budget.usedBytes()]).toEqual([2, 0])
    }),
  )
  test(
    'what was cancelled ends with an error',
    on(async ({ shelf }) => {
      const { part } = await openWith(shelf())
      await expect(part.put(cid, bytes, { signal: aborted })).rejects.toThrow()
      await expect(part.get(cid, { signal: aborted })).rejects.toThrow()
      expect(await part.has(cid)).toBe(false)
    }),
  )
  test(
    'a write that would pass the limit fails, and what was there stays usable',
    on(async ({ shelf }) => {
      const { part, budget } = await openWith(shelf(), createPlenty(10))
      await part.put(cid, bytes, { signal })
      await expectCode(part.put(cidOfBlock(RAW, other), other, { signal }), 'DISK_QUOTA')
      expect([await part.get(cid, { signal }), budget.usedBytes()]).toEqual([bytes, bytes.length])
      await part.delete(cid)
      await part.put(cidOfBlock(RAW, utf8('ten bytes!')), utf8('ten bytes!'), { signal })
    }),
  )
}

function describeMoving(on: On): void {
  test(
    'a block moves to another part and needs no room for it',
    on(async ({ shelf, other }) => {
      const budget = createPlenty(bytes.length)
      const { part: from } = await openWith(shelf(), budget)
      const { part: to } = await openWith(other(), budget)
      await from.put(cid, bytes, { signal })
      await from.moveTo(cid, to)
      await from.moveTo(cid, to)
      expect([await from.has(cid), await to.get(cid, { signal })]).toEqual([false, bytes])
      expect([from.usedBytes(), to.usedBytes(), budget.usedBytes()]).toEqual([0, bytes.length, bytes.length])
      expect(await (await openWith(other())).part.get(cid, { signal })).toEqual(bytes)
    }),
  )
  test(
    'what vanished before it could be moved is absent in both',
    on(async ({ shelf, other }) => {
      const place = shelf()
      const { part: from, budget } = await openWith(place)
      const { part: to } = await openWith(other(), budget)
      await from.put(cid, bytes, { signal })
      await place.remove(cid)
      await from.moveTo(cid, to)
      expect([await from.has(cid), await to.has(cid), budget.usedBytes()]).toEqual([false, false, 0])
    }),
  )
  test(
    'a block that is there already is only removed, and a damaged one there is replaced',
    on(async ({ shelf, other }) => {
      const { part: from, budget } = await openWith(shelf())
      const place = other()
      const { part: to } = await openWith(place, budget)
      for (const isDamaged of [false, true]) {
        await from.put(cid, bytes, { signal })
        await to.put(cid, bytes, { signal })
        if (isDamaged) await place.write(cid, utf8('wrong'), false)
        await from.moveTo(cid, to)
        expect([await from.has(cid), await to.get(cid, { signal })]).toEqual([false, bytes])
        expect(budget.usedBytes()).toBe(bytes.length)
      }
    }),
  )
}
