/** The checkpoint commands over a bucket, and what they say when there is none. */
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type S3Server, startS3 } from '../p2p/store/s3-stage.ts'
import { createStage, MIB, type Stage, sha256Of } from './checkpoint-stage.ts'

let s3: S3Server
let stage: Stage
beforeEach(async () => {
  s3 = await startS3()
  stage = createStage(s3.env)
})
afterEach(async () => {
  stage.end()
  await s3.stop()
})

test('a checkpoint is added to a bucket, served from it, and fetched into another', async () => {
  const { path, run, serve, makeFile } = stage
  const file = makeFile('f.bin', 20 * MIB + 1)
  const bucket = ['--store', `s3://${s3.bucket}/one`]
  const { last: added } = await run('add', file, '--dir', path('a'), ...bucket, '--pin', 'base', '--cycle', '3')
  expect(readdirSync(path('a'))).not.toContain('open')

  // Another machine, which has nothing but the bucket.
  const there = ['--dir', path('b'), ...bucket]
  const { last: listed } = await run('ls', ...there)
  expect(listed.pins).toMatchObject([{ cid: added.cid, name: 'base', cycle: 3 }])
  const server = await serve(...there)
  const into = ['--out', 'g.bin', '--dir', path('c'), '--store', `s3://${s3.bucket}/two/of/them/`]
  const { exit, last } = await run('get', added.cid, '--from', server.address, ...into)
  expect([exit, last.sha256]).toEqual([0, added.sha256])
  expect(await sha256Of(path('g.bin'))).toBe(added.sha256)
  expect(await server.stop()).toBe(0)

  expect((await run('verify', added.cid, ...there)).exit).toBe(0)
  await run('unpin', added.cid, '--name', 'base', ...there)
  const { last: freed } = await run('gc', ...there)
  expect([freed.usedBytes, freed.freedBytes > 20 * MIB]).toEqual([0, true])
  expect((await run('verify', added.cid, '--dir', path('c'), '--store', `s3://${s3.bucket}/two/of/them`)).exit).toBe(0)
})

test('a bucket that is not there is said in one line, with what to do', async () => {
  const { exit, last } = await stage.run('ls', '--store', 's3://nobodys/prefix')
  expect([exit, last.error.code]).toEqual([4, 'STORE_UNAVAILABLE'])
  expect(last.error.why).toContain('bucket does not exist')
  expect(last.error.remedy).toContain('AWS_ENDPOINT_URL')
})
