import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { cidOfBlock, cidOfKey, keyOf, RAW } from '../../../src/p2p/store/cid.ts'
import { openDiskShelf } from '../../../src/p2p/store/disk-shelf.ts'
import { type Damage, openStore, type Store } from '../../../src/p2p/store/index.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { aborted, expectCode } from '../../contracts/harness.ts'
import {
  collect,
  createMemory,
  expectBytes,
  keysOf,
  MIB,
  noise,
  pieces,
  plenty,
  setOf,
  signal,
  silent,
} from './stage.ts'

const root = mkdtempSync(join(tmpdir(), 'store-'))
afterAll(() => rmSync(root, { recursive: true }))
let dir: string
let count = 0
beforeEach(() => {
  dir = join(root, String(++count))
})
const open = (options = {}) => openStore({ dir, ...plenty }, { log: silent, ...options })
const raw = { codec: 'raw', withheld: false, signal } as const
const sealed = { ...raw, withheld: true } as const
const bytes = noise(3 * MIB + 1, 1)
const text = utf8('a text')

/** What is in a part, on the disk. */
const partKeys = async (part: 'open' | 'sealed') => {
  const keys = new Set<string>()
  for await (const { key } of openDiskShelf(join(dir, part)).list()) keys.add(key)
  return keys
}

describe('what is withheld', () => {
  test('is read by us and not served, until it is released: over restarts, with all its blocks', async () => {
    const { cid } = await (await open()).addFile(pieces(bytes), { withheld: true, signal })
    const store = await open()
    expect((await keysOf(store)).size).toBe(0)
    expect(await store.blocks.get(cid, { signal })).toBeNull()
    expectBytes(await collect(store.readFile(cid, { signal })), bytes)
    await store.release(cid)
    await store.release(cid)
    const again = await open()
    expect((await keysOf(again)).size).toBe(5)
    expect(await partKeys('sealed')).toEqual(new Set())
    expectBytes(await collect(again.readFile(cid, { signal })), bytes)
    expect(again.usedBytes()).toBe(store.usedBytes())
  })

  test('may share leaves with what is open: those stay open, and only the others are withheld', async () => {
    const store = await open()
    const first = await store.addFile(pieces(bytes), { signal })
    const before = await keysOf(store)
    const changed = bytes.slice()
    changed[0] = 1 + (bytes[0] ?? 0)
    const second = await store.addFile(pieces(changed), { withheld: true, signal })
    expect(await keysOf(store)).toEqual(before)
    expect((await partKeys('sealed')).size).toBe(2) // a leaf and the root
    await store.release(second.cid)
    expectBytes(await collect(store.readFile(second.cid, { signal })), changed)
    expectBytes(await collect(store.readFile(first.cid, { signal })), bytes)
  })

  test('and then stored for everybody is only in the open part', async () => {
    const store = await open()
    const cid = await store.put(text, sealed)
    await store.put(text, raw)
    expect([await partKeys('sealed'), store.usedBytes()]).toEqual([new Set(), text.length])
    expect(await store.blocks.get(cid, { signal })).toEqual(text)
  })

  test('is read by us without a gap while it is released, and its root is served last', async () => {
    const store = await open()
    const cuts = Array.from({ length: 200 }, (_, i) => 10 * (i + 1))
    const { cid } = await store.addFile(pieces(noise(2000, 3)), { cuts, withheld: true, signal })
    const layout = await store.fileLayout(cid, { signal })
    const leaves = layout.kind === 'file' ? layout.leaves : []
    let isReleased = false
    const releasing = store.release(cid).then(() => {
      isReleased = true
    })
    while (!isReleased) {
      const read = leaves.map((leaf) => store.readWhole(leaf.cid, 10, { signal }))
      expect((await Promise.all(read)).filter(({ kind }) => kind !== 'whole')).toEqual([])
      if (!(await store.blocks.has(cid))) continue
      expect(await Promise.all(leaves.map((leaf) => store.blocks.has(leaf.cid)))).not.toContain(false)
    }
    await releasing
  })

  test('is in one part only, wherever a crash came between', async () => {
    const cid = cidOfBlock(RAW, text)
    for (const part of ['open', 'sealed']) await openDiskShelf(join(dir, part)).write(cid, text, false)
    const store = await open()
    expect(store.usedBytes()).toBe(text.length)
    expect(await partKeys('sealed')).toEqual(new Set())
    expect(await store.blocks.get(cid, { signal })).toEqual(text)
  })

  test('is freed like anything else', async () => {
    const store = await open()
    const kept = await store.put(text, sealed)
    await store.put(utf8('not kept'), sealed)
    expect(await store.retain(setOf(kept), { signal })).toEqual({ freedBytes: 8 })
    expect(await store.has(kept)).toBe(true)
  })
})

describe('what is kept', () => {
  const file = async (store: Store, seed: number, leaves = 3) => {
    const content = noise(leaves * 10, seed)
    const cuts = Array.from({ length: leaves }, (_, i) => 10 * (i + 1))
    return { content, ...(await store.addFile(pieces(content), { cuts, signal })) }
  }

  test('files stay whole, pins stay, the rest is freed; gc keeps pins alone', async () => {
    const store = await open()
    const [kept, pinned, gone] = [await file(store, 1), await file(store, 2), await file(store, 3)]
    await store.pin(pinned.cid, { name: 'base', cycle: 7 })
    const before = store.usedBytes()
    const { freedBytes } = await store.retain(setOf(kept.cid), { signal })
    expect([freedBytes > 30, before - freedBytes]).toEqual([true, store.usedBytes()])
    expect(await Promise.all([kept, pinned, gone].map(({ cid }) => store.has(cid)))).toEqual([true, true, false])
    await store.gc({ signal })
    expectBytes(await collect(store.readFile(pinned.cid, { signal })), pinned.content)
    expect(await store.has(kept.cid)).toBe(false)
  })

  test('pins have a name, a cycle and a size, and survive a restart', async () => {
    const store = await open()
    const { cid } = await file(store, 1)
    await store.pin(cid, { name: 'base', cycle: 1 })
    await store.pin(cid, { name: 'mine', cycle: 1 })
    await store.pin(cid, { name: 'base', cycle: 2 })
    const again = await open()
    const bytes = again.usedBytes()
    expect(await again.ls({ signal })).toEqual([
      { cid: cid.toString(), name: 'mine', cycle: 1, bytes, isWhole: true },
      { cid: cid.toString(), name: 'base', cycle: 2, bytes, isWhole: true },
    ])
    await again.unpin(cid, 'mine')
    expect(await again.gc({ signal })).toEqual({ freedBytes: 0 })
    await again.unpin(cid, 'base')
    expect(await again.gc({ signal })).toEqual({ freedBytes: bytes })
    expect(await (await open()).ls({ signal })).toEqual([])
  })

  test('a list of pins that is not ours is not taken for an empty one', async () => {
    await (await open()).pin(cidOfBlock(RAW, text), { name: 'a', cycle: 0 })
    const whole = readFileSync(join(dir, 'pins.json'), 'utf8')
    for (const wrong of ['', '{}', whole.slice(0, -3), whole.replace('bafk', 'nope'), whole.replace('1', '2')]) {
      writeFileSync(join(dir, 'pins.json'), wrong)
      await expectCode(open(), 'STORE_DAMAGED')
    }
  })

  test('what is being written stays, and so does what a fetch has brought so far', async () => {
    const store = await createMemory()
    const here = await file(store, 9)
    let goOn = () => {}
    const half = new Promise<void>((resolve) => (goOn = resolve))
    async function* slowly() {
      yield noise(10, 1)
      yield noise(10, 2)
      await half
      yield noise(10, 3)
    }
    const adding = store.addFile(slowly(), { cuts: [10, 20, 30], signal })
    while ((await keysOf(store)).size < 2) await new Promise((resolve) => setImmediate(resolve))
    const hold = store.hold(here.cid)
    const fetched = utf8('fetched')
    await store.blocks.put(cidOfBlock(RAW, fetched), fetched, { signal })
    expect(await store.gc({ signal })).toEqual({ freedBytes: 0 })
    goOn()
    const { cid } = await adding
    hold.close()
    expect(await store.retain(setOf(cid), { signal })).toMatchObject({ freedBytes: expect.any(Number) })
    expect((await collect(store.readFile(cid, { signal }))).length).toBe(30)
    expect(await store.has(here.cid)).toBe(false)
  })

  test('of what lies below a damaged node nothing is known; what is kept by a wrong name is a mistake of ours', async () => {
    const store = await open()
    const { cid } = await file(store, 1)
    await openDiskShelf(join(dir, 'open')).write(cid, text, false)
    await expect(store.retain(new Set(['nonsense']), { signal })).rejects.toThrow('broken invariant')
    await store.retain(setOf(cid), { signal })
    expect(await store.has(cid)).toBe(false)
    await expect(store.gc({ signal: aborted })).rejects.toThrow()
  })

  test('exactly what nobody needs is freed, whatever shares leaves with what', async () => {
    const shape = fc.array(fc.array(fc.nat(6), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(shape, fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), async (files, keeps) => {
        const store = await createMemory()
        const cids: CID[] = []
        for (const [i, leaves] of files.entries()) {
          const content = Buffer.concat(leaves.map((seed) => noise(10, seed)))
          const cuts = leaves.map((_, at) => 10 * (at + 1))
          cids.push((await store.addFile(pieces(content), { cuts, withheld: i % 2 === 1, signal })).cid)
        }
        const kept = cids.filter((_, i) => keeps[i])
        const expected = new Set<string>()
        for (const cid of kept) {
          const layout = await store.fileLayout(cid, { signal })
          for (const one of [cid, ...(layout.kind === 'file' ? layout.leaves.map((leaf) => leaf.cid) : [])]) {
            expected.add(keyOf(one) ?? '')
          }
        }
        const before = store.usedBytes()
        const { freedBytes } = await store.retain(setOf(...kept), { signal })
        expect(store.usedBytes()).toBe(before - freedBytes)
        for (const cid of kept) {
          await store.release(cid)
          expect(await store.has(cid)).toBe(true)
        }
        const left = [...(await keysOf(store)).keys()].sort()
        expect(left).toEqual([...expected].map((key) => cidOfKey(key).toString()).sort())
      }),
      { numRuns: 60 },
    )
  })
})

describe('the directory', () => {
  test('damage is told to the log and to metrics', async () => {
    const cid = await (await open()).put(text, raw)
    await openDiskShelf(join(dir, 'open')).write(cid, utf8('a test'), false)
    const damages: Damage[] = []
    const lines: string[] = []
    const log = { ...silent, error: (message: string) => lines.push(message) }
    const store = await open({ log, onDamaged: (damage: Damage) => damages.push(damage) })
    expect(await store.readWhole(cid, 100, { signal })).toEqual({ kind: 'missing', cid })
    expect(damages).toEqual([{ cid: cid.toString(), part: 'open', bytes: text.length }])
    expect(lines).toEqual(['a block was damaged on disk and is removed'])
  })

  test('the limit counts both parts, over a restart too', async () => {
    const limited = () => openStore({ dir, quotaBytes: 10, freeBytesMin: 0 }, { log: silent })
    await (await limited()).put(text, sealed)
    const store = await limited()
    await expectCode(store.put(utf8('five!'), raw), 'DISK_QUOTA')
    await store.put(utf8('four'), raw)
    await store.release(cidOfBlock(RAW, text))
    expect([store.usedBytes(), (await keysOf(store)).size]).toEqual([10, 2])
  })

  test('the disk itself is asked what is free, and a write that failed leaves no file', async () => {
    const store = await openStore({ dir, quotaBytes: 10, freeBytesMin: Number.MAX_SAFE_INTEGER }, { log: silent })
    await expectCode(store.put(text, raw), 'DISK_QUOTA')
    expect(readdirSync(join(dir, 'open'))).toEqual(['fresh'])
  })

  test('that cannot be used is told as such', async () => {
    writeFileSync(dir, 'a file')
    await expectCode(open(), 'STORE_UNAVAILABLE')
    rmSync(dir)
    const store = await open()
    rmSync(dir, { recursive: true })
    writeFileSync(dir, 'a file')
    await expectCode(store.put(text, raw), 'STORE_UNAVAILABLE')
    await expectCode(store.pin(cidOfBlock(RAW, text), { name: 'a', cycle: 0 }), 'STORE_UNAVAILABLE')
  })

  test('is locked while it is open, and given back when it cannot be opened', async () => {
    const told: string[] = []
    const lock = async (path: string) => {
      told.push(`lock ${path === dir}`)
      return async () => void told.push('unlock')
    }
    await (await open({ lock })).close()
    writeFileSync(join(dir, 'pins.json'), 'x')
    await expectCode(open({ lock }), 'STORE_DAMAGED')
    expect(told).toEqual(['lock true', 'unlock', 'lock true', 'unlock'])
  })
})
