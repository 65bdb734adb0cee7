import { MemoryBlockstore } from 'blockstore-core'
import { type BlockBroker, createHeliaLight } from 'helia'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPullBroker } from '../../../src/p2p/pull/broker.ts'
import { cidOf, createPeers, never, type Peers } from './stage.ts'

let peers: Peers
beforeEach(() => {
  peers = createPeers()
})
afterEach(() => peers.end())

const block = Uint8Array.of(1, 2, 3)
const cid = cidOf(block)
const other = Uint8Array.of(9)

/** Remembers what it was asked, and has one block of its own. */
function fallbackOf() {
  const asked: string[] = []
  const fallback: BlockBroker & { start(): void; stop(): void } = {
    name: 'other',
    retrieve: async (wanted) => {
      asked.push(String(wanted))
      return other
    },
    announce: async (wanted) => void asked.push(`announce ${wanted}`),
    start: () => void asked.push('start'),
    stop: () => void asked.push('stop'),
  }
  return { asked, fallback }
}

test('a block comes from our peers, and the other broker is not asked', async () => {
  const [a, b] = [await peers.peer(), await peers.peer()]
  await a.store.put(cid, block, { ...never, verified: true })
  await b.host.dial(a.host.getMultiaddrs())
  await expect.poll(async () => (await b.host.peerStore.get(a.host.peerId)).protocols).toContain('/wheelwright/pull/1')
  const { asked, fallback } = fallbackOf()
  const broker = createPullBroker(b.pull, fallback)
  expect(await broker.retrieve(cid)).toEqual(block)
  expect(await broker.createSession().retrieve?.(cid)).toEqual(block)
  expect(asked).toEqual([])
  expect(b.store.blocks.size).toBe(0)
})

test('what none of them has comes from the other broker', async () => {
  const b = await peers.peer()
  const { asked, fallback } = fallbackOf()
  const broker = createPullBroker(b.pull, fallback)
  expect(await broker.retrieve(cid)).toEqual(other)
  await broker.announce(cid)
  await broker.start()
  expect(broker.isStarted()).toBe(true)
  await broker.stop()
  expect(asked).toEqual([String(cid), `announce ${cid}`, 'start', 'stop'])
})

test('who does not want it any more gets an error and not another try', async () => {
  const { asked, fallback } = fallbackOf()
  const signal = AbortSignal.abort(new Error('enough'))
  const broker = createPullBroker((await peers.peer()).pull, fallback)
  await expect(broker.retrieve(cid, { signal })).rejects.toThrow('enough')
  expect(asked).toEqual([])
})

test('Helia fetches through it', async () => {
  const a = await peers.peer()
  await a.store.put(cid, block, { ...never, verified: true })
  const b = await peers.peer()
  await b.host.dial(a.host.getMultiaddrs())
  await expect.poll(async () => (await b.host.peerStore.get(a.host.peerId)).protocols).toContain('/wheelwright/pull/1')
  const { asked, fallback } = fallbackOf()
  const helia = createHeliaLight({
    blockstore: new MemoryBlockstore(),
    blockBrokers: [createPullBroker(b.pull, fallback)],
  })
  await helia.start()
  const parts: Uint8Array[] = []
  for await (const part of helia.blockstore.get(cid)) parts.push(part)
  expect(parts).toEqual([block])
  await helia.stop()
  expect(asked.filter((line) => !line.startsWith('announce'))).toEqual(['start', 'stop'])
})
