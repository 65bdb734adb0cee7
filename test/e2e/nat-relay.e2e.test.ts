/** What a relay does for strangers, and no more of it: bytes, circuits, places. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { OPEN_TO_ALL } from '../../src/p2p/admission.ts'
import { dialDirect } from '../../src/p2p/dial.ts'
import { startEntryPeer } from '../../src/p2p/entry.ts'
import { type Host, startHost } from '../../src/p2p/host.ts'
import { RELAY_BYTES_MAX, RELAY_CIRCUITS_PER_PEER } from '../../src/p2p/limits.ts'
import { startPublicPeer } from '../../src/p2p/public.ts'
import { messageParts } from '../../src/p2p/pull/stream.ts'
import { openMemoryStore } from '../../src/p2p/store/index.ts'
import { SILENT } from './chain-stage.ts'
import { NETWORK } from './p2p-stage.ts'

const LOOPBACK = '/ip4/127.0.0.1/tcp/0'
const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const POUR = '/test/pour'
const PART_BYTES = 16 * 1024

const hosts: Host[] = []
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  await Promise.all(hosts.splice(0).map((host) => host.stop()))
})

async function start(listen: readonly string[], relay = false): Promise<Host> {
  const secret = SYSTEM.random.bytes(32)
  const options = {
    network: NETWORK,
    secret,
    listen,
    announce: [],
    privateAllowed: true,
    relay,
    admission: OPEN_TO_ALL,
  }
  const host = await startHost(options)
  hosts.push(host)
  return host
}

/** A relay and one who waits there: who calls it `--private` is on a test bench, where nobody dials back. */
async function stage() {
  const relay = await start([LOOPBACK], true)
  const hidden = await start(['/p2p-circuit'])
  await hidden.dial(relay.getMultiaddrs())
  await expect.poll(() => hidden.getMultiaddrs().map(String), { timeout: 10_000 }).toHaveLength(1)
  const places = (relay.services['relay'] as CircuitRelayService).reservations
  return { relay, hidden, places, address: hidden.getMultiaddrs().map(String)[0] ?? '' }
}

test('after so many bytes the relay ends it', async () => {
  const { hidden, address } = await stage()
  let received = 0
  const hear = ({ data }: { readonly data: Parameters<typeof messageParts>[0] }): void => {
    received += messageParts(data).reduce((sum, { length }) => sum + length, 0)
  }
  await hidden.handle(POUR, (stream) => stream.addEventListener('message', hear), { runOnLimitedConnection: true })
  const asker = await start([])
  const connection = await asker.dial(multiaddr(address))
  expect(connection.limits).toBeDefined()
  await expect(connection.newStream(POUR)).rejects.toThrow(/limited/i)
  const stream = await connection.newStream(POUR, { runOnLimitedConnection: true })
  for (let sent = 0; sent < 4 * RELAY_BYTES_MAX && stream.status === 'open'; sent += PART_BYTES) {
    stream.send(new Uint8Array(PART_BYTES))
    await sleep(1)
  }
  await expect.poll(() => connection.status).not.toBe('open')
  expect(received).toBeGreaterThan(RELAY_BYTES_MAX / 2)
  expect(received).toBeLessThanOrEqual(RELAY_BYTES_MAX)
})

test('nobody holds more circuits than a few, and who leaves gives its place back', async () => {
  const { hidden, places, address } = await stage()
  const asker = await start([])
  const dial = () => asker.dial(multiaddr(address), { force: true, signal: AbortSignal.timeout(5_000) })
  for (let i = 0; i < RELAY_CIRCUITS_PER_PEER; i++) await dial()
  await expect(dial()).rejects.toThrow()
  expect(places.size).toBe(1)
  await hidden.stop()
  await expect.poll(() => places.size).toBe(0)
})

test('nobody holds more circuits by having more connections', async () => {
  const { hidden, relay } = await stage()
  const others = [hidden, await start([`${relay.getMultiaddrs()[0]}/p2p-circuit`])]
  const asker = await start([])
  const open: Stream[] = []
  for (let i = 0; i < 2; i++) {
    const connection = await asker.dial(relay.getMultiaddrs(), { force: true })
    for (let j = 0; j < RELAY_CIRCUITS_PER_PEER; j++) {
      const id = (others[i] ?? hidden).peerId.toMultihash().bytes
      const stream = await connection.newStream(HOP, { maxOutboundStreams: 2 * RELAY_CIRCUITS_PER_PEER })
      const answer = new Promise<readonly number[]>((resolve) => {
        stream.addEventListener('message', ({ data }) => resolve([...data.subarray()]), { once: true })
        stream.addEventListener('close', () => resolve([]), { once: true })
      })
      // CONNECT to that peer, with the length before it.
      stream.send(Uint8Array.from([id.length + 6, 8, 1, 0x12, id.length + 2, 0x0a, id.length, ...id]))
      // Its status comes last: 100 is a circuit.
      if ((await answer).slice(-2).join() === '40,100') open.push(stream)
    }
  }
  expect(asker.getConnections(relay.peerId)).toHaveLength(2)
  expect(open.filter(({ status }) => status === 'open')).toHaveLength(RELAY_CIRCUITS_PER_PEER)
}, 30_000)

test('an entry peer that nobody could dial does not start', async () => {
  const { clock, log, random } = SYSTEM
  const place = { network: NETWORK, listen: [LOOPBACK], announce: [], privateAllowed: false, entries: [] }
  const started = startEntryPeer({ ...place, secret: random.bytes(32) }, { clock, log })
  await expect(started).rejects.toMatchObject({
    code: 'ADDRESS_INVALID',
    remedy: expect.stringContaining('--announce'),
  })
})

test('who was met through the relay, and has an address of its own, is dialled there', async () => {
  const relay = await start([LOOPBACK], true)
  const [near] = relay.getMultiaddrs().map(String)
  const both = await start([LOOPBACK, `${near}/p2p-circuit`])
  const addresses = (): readonly string[] => both.getMultiaddrs().map(String)
  await expect.poll(addresses, { timeout: 10_000 }).toHaveLength(2)
  // Without the table of peers, which dials of itself whom it hears of.
  const store = await openMemoryStore({ quotaBytes: RELAY_BYTES_MAX, freeBytesMin: 0 }, { log: SILENT })
  const place = { listen: [], announce: [], privateAllowed: true, admission: OPEN_TO_ALL }
  const { clock, random } = SYSTEM
  const fetcher = await startPublicPeer({ ...place, secret: random.bytes(32) }, { store, clock, log: SILENT })
  stops.push(fetcher.stop)
  const asker = fetcher.host
  const met = await asker.dial(multiaddr(addresses().find((address) => address.includes('/p2p-circuit')) ?? ''))
  expect(met.limits).toBeDefined()
  const peer = { peerId: both.peerId.toString(), addresses: addresses() }
  const lanes = Array.from({ length: 4 }, () => dialDirect(asker, peer, { signal: AbortSignal.timeout(5_000) }))
  for (const lane of await Promise.all(lanes)) expect(lane.limits).toBeUndefined()
  expect(asker.getConnections(both.peerId).filter(({ limits }) => limits === undefined)).toHaveLength(1)
}, 20_000)
