/** Two who fetch the same file at once, from a seed that counts what it gives away. */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { servePull } from '../../src/p2p/pull/serve.ts'
import { addFile, addressOf, clock, createHost, createMemoryStore, fileOf, SILENT } from '../p2p/pull/stage.ts'
import { addressIn, createStage, MIB, type Stage, sha256Of, until } from './checkpoint-stage.ts'

const SIZE_MIB = 96
const peerIdIn = (out: string) => addressIn(out).split('/').at(-1)

/** So slow that the second process is there while most of the file is not: 96 MiB take three lanes 13 seconds. */
const SEND_MS_PER_BLOCK = 400

let stage: Stage
beforeEach(() => {
  stage = createStage()
})
afterEach(() => stage.end())

test('downloaders serve one another: the seed sends much less than two copies', async () => {
  const { path, start } = stage
  const [host, store] = [await createHost(), createMemoryStore()]
  const get: typeof store.get = async (cid, opts) => {
    await sleep(SEND_MS_PER_BLOCK)
    return store.get(cid, opts)
  }
  const seed = await servePull({ libp2p: host, store: { ...store, get }, clock, log: SILENT })
  try {
    const cid = String(await addFile(store, fileOf(SIZE_MIB * MIB)))
    const [from] = addressOf(host).addresses
    const words = (name: string) => ['--out', path(name), '--dir', path(`${name}.store`)]
    const first = start('get', cid, '--from', `${from}`, '--listen', '/ip4/127.0.0.1/tcp/0', ...words('one'))
    await until(() => first.out().includes('\n'))
    const second = start('get', cid, '--from', `${from},${addressIn(first.out())}`, ...words('two'))
    expect(await Promise.all([first.ended, second.ended])).toEqual([0, 0])
    expect(await sha256Of(path('one'))).toBe(await sha256Of(path('two')))
    expect(seed.stats().sentBytes / (SIZE_MIB * MIB)).toBeLessThan(1.7)
    // Who was told of it before finds it when it goes on after it was stopped.
    rmSync(path('one.store/open'), { recursive: true })
    const again = start('get', cid, '--from', `${from}`, '--listen', '/ip4/127.0.0.1/tcp/0', ...words('one'))
    await until(() => again.out().includes('\n'))
    again.child.kill()
    await again.ended
    expect(peerIdIn(again.out())).toBe(peerIdIn(first.out()))
  } finally {
    await host.stop()
  }
})
