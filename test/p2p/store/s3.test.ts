import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3 } from '@aws-sdk/client-s3'
import { S3Blockstore } from 'blockstore-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cidOfBlock, keyOf, RAW } from '../../../src/p2p/store/cid.ts'
import { openStore, type Store } from '../../../src/p2p/store/index.ts'
import { BLOCK_BYTES_MAX } from '../../../src/p2p/store/limits.ts'
import { openBucket, type S3Place } from '../../../src/p2p/store/s3-shelf.ts'
import { gather } from '../../../src/p2p/store/shelf.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { expectCode } from '../../contracts/harness.ts'
import { describeBlockStore } from './block-store-suite.ts'
import { type S3Server, startS3 } from './s3-stage.ts'
import { collect, expectBytes, MIB, noise, pieces, plenty, signal, silent } from './stage.ts'

const root = mkdtempSync(join(tmpdir(), 's3-store-'))
const before = { ...process.env }
let server: S3Server
let client: S3
let count = 0
beforeAll(async () => {
  server = await startS3()
  Object.assign(process.env, server.env)
  client = new S3({ forcePathStyle: true })
})
afterAll(async () => {
  process.env = before
  client.destroy()
  await server.stop()
  rmSync(root, { recursive: true })
})

const freshPlace = (): S3Place => ({ bucket: server.bucket, prefix: `${++count}/` })
const freshDir = () => join(root, String(++count))
const open = (s3: S3Place, dir = freshDir()): Promise<Store> => openStore({ dir, s3, ...plenty }, { log: silent })
const putObject = (Key: string, Body: Uint8Array | string) => client.putObject({ Bucket: server.bucket, Key, Body })

describeBlockStore('in a bucket', async () => {
  const bucket = openBucket(freshPlace())
  return { shelf: () => bucket.shelf('one'), other: () => bucket.shelf('two'), close: async () => bucket.close() }
})

const bytes = utf8('a block of everybody')
const cid = cidOfBlock(RAW, bytes)

describe('a bucket', () => {
  test('blockstore-s3 reads what we wrote, under names that it would give', async () => {
    const bucket = openBucket({ bucket: server.bucket, prefix: '' })
    await bucket.shelf('open').write(cid, bytes, true)
    await new S3Blockstore(client, server.bucket).put(cid, bytes)
    const { Contents = [] } = await client.listObjectsV2({ Bucket: server.bucket })
    const [theirs] = Contents.map(({ Key = '' }) => Key).filter((key) => !/^(\d+|open)\//.test(key))
    expect(Contents.map(({ Key }) => Key)).toContain(`open/${theirs}`)
    const reader = new S3Blockstore(client, server.bucket)
    expect(await gather(reader.get(cid) as AsyncGenerator<Uint8Array>)).toEqual(bytes)
    bucket.close()
  })

  test('what is no block is passed over, and what is longer than any is not read', async () => {
    const place = freshPlace()
    const bucket = openBucket(place)
    const shelf = bucket.shelf('open')
    expect(await gatherList(shelf.list())).toEqual([])
    await shelf.write(cid, bytes, true)
    for (const name of ['open/note.txt', 'open/ZZ/BCIQ.data', 'other/x.data'])
      await putObject(`${place.prefix}${name}`, 'x')
    expect(await gatherList(shelf.list())).toEqual([{ key: keyOf(cid), bytes: bytes.length }])
    await shelf.write(cid, new Uint8Array(BLOCK_BYTES_MAX + 1), true)
    expect(await shelf.read(cid)).toBe('unreadable')
    bucket.close()
  })

  test('of more blocks than one answer names is listed to its end', { timeout: 30_000 }, async () => {
    const bucket = openBucket(freshPlace())
    const shelf = bucket.shelf('open')
    const blocks = Array.from({ length: 1_100 }, (_, i) => utf8(`block ${i}`))
    for (let i = 0; i < blocks.length; i += 50) {
      await Promise.all(blocks.slice(i, i + 50).map((block) => shelf.write(cidOfBlock(RAW, block), block, true)))
    }
    const keys = (await gatherList(shelf.list())).map(({ key }) => key)
    expect(new Set(keys)).toEqual(new Set(blocks.map((block) => keyOf(cidOfBlock(RAW, block)))))
    bucket.close()
  })
})

async function gatherList<T>(list: AsyncIterable<T>): Promise<readonly T[]> {
  const listed: T[] = []
  for await (const one of list) listed.push(one)
  return listed
}

describe('a store in a bucket', () => {
  const file = noise(3 * MIB + 7, 1)

  test('is found whole by another machine, its pins among it, and freed by what they say', async () => {
    const place = freshPlace()
    const one = await open(place)
    const kept = await one.addFile(pieces(file), { signal })
    const loose = await one.addFile(pieces(noise(MIB + 1, 2)), { signal })
    await one.pin(kept.cid, { name: 'base', cycle: 3 })
    await one.close()
    const two = await open(place)
    expect(await two.ls({ signal })).toMatchObject([{ cid: String(kept.cid), name: 'base', cycle: 3 }])
    expect((await two.gc({ signal })).freedBytes).toBeGreaterThan(MIB)
    expect([await two.has(kept.cid), await two.has(loose.cid)]).toEqual([true, false])
    expectBytes(await collect(two.readFile(kept.cid, { signal })), file)
    await two.close()
  })

  test('keeps what is withheld on this machine until it is released', async () => {
    const [place, dir] = [freshPlace(), freshDir()]
    const store = await open(place, dir)
    const { cid: sealed } = await store.addFile(pieces(file), { withheld: true, signal })
    const inBucket = async () => (await client.listObjectsV2({ Bucket: server.bucket, Prefix: place.prefix })).KeyCount
    const inSealed = () =>
      readdirSync(join(dir, 'sealed'), { recursive: true }).filter((name) => `${name}`.endsWith('.data'))
    expect([await inBucket(), inSealed().length]).toEqual([0, 5])
    await store.release(sealed)
    expect([await inBucket(), inSealed().length]).toEqual([5, 0])
    expectBytes(await collect(store.readFile(sealed, { signal })), file)
    await store.close()
  })

  test('keeps its limit, with what was there before', async () => {
    const place = freshPlace()
    const one = await open(place)
    await one.addFile(pieces(file), { signal })
    await one.close()
    const options = { dir: freshDir(), s3: place, quotaBytes: 4 * MIB, freeBytesMin: 0 }
    const two = await openStore(options, { log: silent })
    await expectCode(two.addFile(pieces(noise(MIB, 2)), { signal }), 'DISK_QUOTA')
    await two.close()
  })

  test('keeps free of the disk here what others need, and asks nothing of the bucket', async () => {
    const options = { ...plenty, freeBytesMin: 2 ** 60, dir: freshDir(), s3: freshPlace() }
    const store = await openStore(options, { log: silent })
    const put = (withheld: boolean) => store.put(bytes, { codec: 'raw', withheld, signal })
    await expectCode(put(true), 'DISK_QUOTA')
    expect(await put(false)).toEqual(cid)
    await store.close()
  })

  test('says what is wrong: no such bucket, a wrong key, nobody there, damaged pins', async () => {
    const place = freshPlace()
    await expect(open({ ...place, bucket: 'nobodys' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      what: `s3://nobodys/${place.prefix} cannot be used`,
      why: 'The specified bucket does not exist',
    })
    process.env['AWS_ACCESS_KEY_ID'] = 'nobodys'
    await expect(open(place)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', why: /key Id you provided does not/ })
    Object.assign(process.env, server.env, { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })
    await expect(open(place)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', why: /ECONNREFUSED/ })
    Object.assign(process.env, server.env)
    await putObject(`${place.prefix}pins.json`, '{')
    await expectCode(open(place), 'STORE_DAMAGED')
  })

  test('forgets no block because the server fails', async () => {
    const place = freshPlace()
    const own = await startS3()
    Object.assign(process.env, own.env)
    const store = await open({ ...place, bucket: own.bucket })
    const { cid: added } = await store.addFile(pieces(file), { signal })
    Object.assign(process.env, server.env)
    await own.stop()
    await expectCode(store.blocks.get(added, { signal }), 'STORE_UNAVAILABLE')
    expect(await store.blocks.has(added)).toBe(true)
    await store.close()
  })
})
