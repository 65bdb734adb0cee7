import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unixfs } from '@helia/unixfs'
import { afterAll, expect, test } from 'vitest'
import { openStore } from '../../../src/p2p/store/index.ts'
import { gather } from '../../../src/p2p/store/shelf.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { collect, createMemory, expectBytes, MIB, noise, pieces, plenty, signal, silent } from './stage.ts'

const root = mkdtempSync(join(tmpdir(), 'store-helia-'))
afterAll(() => rmSync(root, { recursive: true }))
const raw = { codec: 'raw', withheld: false, signal } as const

test('Helia reads and writes our blocks, and asks nobody else', async () => {
  const store = await openStore({ dir: root, ...plenty }, { log: silent })
  const helia = store.createHelia()
  await helia.start()
  try {
    const bytes = noise(3 * MIB, 1)
    const { cid } = await store.addFile(pieces(bytes), { signal })
    expectBytes(await collect(unixfs(helia as never).cat(cid)), bytes)
    const theirs = await unixfs(helia as never).addBytes(utf8('theirs'))
    expect(await collect(store.readFile(theirs, { signal }))).toEqual(utf8('theirs'))
    const absent = await (await createMemory()).put(utf8('absent'), raw)
    await expect(gather(helia.blockstore.get(absent, { offline: true }))).rejects.toThrow()
    await expect(gather(helia.blockstore.get(absent))).rejects.toThrow(/No block brokers/)
  } finally {
    await helia.stop()
  }
})

test('what is withheld is not there for Helia, and its collector frees nothing', async () => {
  const store = await createMemory()
  const helia = store.createHelia()
  await helia.start()
  const sealed = await store.put(utf8('sealed'), { ...raw, withheld: true })
  const open = await store.put(utf8('open'), raw)
  expect([await helia.blockstore.has(sealed), await helia.blockstore.has(open)]).toEqual([false, true])
  await expect(gather(helia.blockstore.get(sealed, { offline: true }))).rejects.toThrow()
  const listed: string[] = []
  for await (const { cid, bytes } of helia.blockstore.getAll()) listed.push(`${cid} ${(await gather(bytes)).length}`)
  expect(listed).toEqual([`${open} 4`])
  await helia.gc()
  await helia.blockstore.delete(open)
  expect(await store.has(open)).toBe(true)
  await store.release(sealed)
  expect(await gather(helia.blockstore.get(sealed))).toEqual(utf8('sealed'))
  await helia.stop()
})

test('many at once, in the shapes that the interface allows', async () => {
  const store = await createMemory()
  const { blockstore } = store.createHelia()
  const [one, two] = [
    await (await createMemory()).put(utf8('one'), raw),
    await (await createMemory()).put(utf8('two'), raw),
  ]
  async function* given() {
    yield { cid: one, bytes: [utf8('o'), utf8('ne')] }
    yield { cid: two, bytes: pieces(utf8('two'), 1) }
  }
  const put: string[] = []
  for await (const cid of blockstore.putMany(given())) put.push(cid.toString())
  expect(put).toEqual([one.toString(), two.toString()])
  const read: Uint8Array[] = []
  for await (const { bytes } of blockstore.getMany([one, two])) read.push(await gather(bytes))
  expect(read).toEqual([utf8('one'), utf8('two')])
  await expect(blockstore.put(one, utf8('two'))).resolves.toEqual(one) // Helia does not write what is there
})
