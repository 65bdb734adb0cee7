import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FsBlockstore } from 'blockstore-fs'
import { afterAll, expect, test } from 'vitest'
import { cidOfBlock, keyOf, RAW } from '../../../src/p2p/store/cid.ts'
import { openDiskShelf } from '../../../src/p2p/store/disk-shelf.ts'
import { createMemoryShelf, gather } from '../../../src/p2p/store/shelf.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { describeBlockStore } from './block-store-suite.ts'

const root = mkdtempSync(join(tmpdir(), 'block-store-'))
afterAll(() => rmSync(root, { recursive: true }))
let count = 0
const freshDir = () => join(root, String(++count))
const close = async () => {}

describeBlockStore('in memory', async () => {
  const [one, two] = [createMemoryShelf(), createMemoryShelf()]
  return { shelf: () => one, other: () => two, close }
})

describeBlockStore('in a directory', async () => {
  const [one, two] = [freshDir(), freshDir()]
  return { shelf: () => openDiskShelf(one), other: () => openDiskShelf(two), close }
})

const bytes = utf8('a block of everybody')
const cid = cidOfBlock(RAW, bytes)

test('blockstore-fs reads what we wrote, and we read what it wrote', async () => {
  const ours = freshDir()
  await openDiskShelf(ours).write(cid, bytes, true)
  const reader = new FsBlockstore(ours)
  await reader.open()
  expect(await gather(reader.get(cid))).toEqual(bytes)

  const theirs = freshDir()
  const writer = new FsBlockstore(theirs)
  await writer.open()
  await writer.put(cid, bytes)
  expect(await openDiskShelf(theirs).read(cid)).toEqual(bytes)
})

test('what a crash left half-written is cleared away, and what is no block is passed over', async () => {
  const dir = freshDir()
  await openDiskShelf(dir).write(cid, bytes, false)
  writeFileSync(join(dir, 'fresh', '0'), 'half')
  mkdirSync(join(dir, 'ZZ'))
  for (const name of ['note.txt', 'x.data', 'BCIQ.data']) writeFileSync(join(dir, 'ZZ', name), name)
  writeFileSync(join(dir, 'stray'), '')
  const shelf = openDiskShelf(dir)
  expect(readdirSync(join(dir, 'fresh'))).toEqual([])
  const listed: unknown[] = []
  for await (const one of shelf.list()) listed.push(one)
  expect(listed).toEqual([{ key: keyOf(cid), bytes: bytes.length }])
})

test('a file that is longer than any block is not read', async () => {
  const dir = freshDir()
  const shelf = openDiskShelf(dir)
  await shelf.write(cid, new Uint8Array(17 * 2 ** 20), false)
  expect(await shelf.read(cid)).toBe('unreadable')
})
