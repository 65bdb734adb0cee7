/** Peers that know nothing but an entry peer find one another through it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { keepConnected } from '../../src/p2p/connect.ts'
import { startEntryPeer } from '../../src/p2p/entry.ts'
import { ACCEPT } from '../../src/protocol/verdict.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { never } from '../contracts/harness.ts'
import { SILENT } from './chain-stage.ts'
import { createPeer, NETWORK, stopAll } from './p2p-stage.ts'

const { clock } = SYSTEM

const PEERS = 6
const GIVE_UP_MS = 30_000

async function until(isTrue: () => boolean): Promise<void> {
  const startMs = performance.now()
  while (!isTrue()) {
    if (performance.now() - startMs > GIVE_UP_MS) throw new Error('it did not happen')
    await sleep(50)
  }
}

const startEntry = (secret: Uint8Array, listen: string) =>
  startEntryPeer(
    { network: NETWORK, secret, listen: [listen], announce: [], privateAllowed: true, entries: [] },
    { clock, log: SILENT },
  )

test('six peers hear one another through an entry peer that comes late and restarts', async () => {
  const secret = crypto.getRandomValues(new Uint8Array(32))
  const first = await startEntry(secret, '/ip4/127.0.0.1/tcp/0')
  const [address = ''] = first.addresses
  const port = /\/tcp\/(\d+)/.exec(address)?.[1]
  await first.stop()

  const peers = await Promise.all(Array.from({ length: PEERS }, () => createPeer()))
  const stops = peers.map(({ host }) => keepConnected({ entries: [address] }, { host, clock, log: SILENT }))
  const heard = peers.map(() => new Set<string>())
  for (const [i, { gossip }] of peers.entries()) {
    gossip.subscribe('card', (_, bytes) => {
      heard[i]?.add(new TextDecoder().decode(bytes))
      return ACCEPT
    })
  }
  await sleep(300)
  const entry = await startEntry(secret, `/ip4/127.0.0.1/tcp/${port}`)
  await until(() => peers.every(({ host }) => host.getPeers().length >= 3))
  expect(entry.peerCount()).toBeGreaterThanOrEqual(PEERS - 1)
  await until(() => peers.every(({ host }) => host.services.pubsub.getSubscribers(topic()).length >= 2))
  for (const [i, { gossip }] of peers.entries()) await gossip.publish('card', utf8(`card ${i}`), { signal: never })
  await until(() => heard.every((cards) => cards.size === PEERS - 1))

  for (const stop of stops) stop()
  await stopAll(peers)
  await entry.stop()
}, 90_000)

const topic = (): string => `/wheelwright/1/${NETWORK}/card`
