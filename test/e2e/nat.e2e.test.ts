/** Miners behind NAT: they wait at a relay, are met there, and dial back, so that what they have moves on a line of its own. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isDialable } from '../../src/protocol/address.ts'
import { toHex } from '../../src/util/bytes.ts'
import { type Bench, countersOf, createBench, createInternet, type Machine, whyNoBench } from './nat-bench.ts'
import type { Order, Report } from './nat-peer.ts'
import { NETWORK } from './p2p-stage.ts'

const MIB = 1024 ** 2
const WAIT = { timeout: 30_000, interval: 200 }

type Peer = { readonly ask: (order: Order) => Promise<Report>; readonly end: () => void }

function startPeer(machine: Machine): Peer {
  const child = machine.node(['test/e2e/nat-peer.ts'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the peer ended with ${code}`)))
  ended.catch(() => undefined)
  const ask = async (order: Order): Promise<Report> => {
    const answer = once(child, 'message')
    child.send(order)
    const [report] = await Promise.race([answer, ended])
    return report
  }
  return { ask, end: () => child.kill('SIGKILL') }
}

const addressesOf = async (peer: Peer): Promise<readonly string[]> => (await peer.ask({ op: 'look' })).self.addresses

describe.skipIf(whyNoBench('nft', 'sysctl') !== null)('behind NAT', () => {
  let bench: Bench
  let folder: string
  let internet: ReturnType<typeof createInternet>
  let relayHost: Machine
  let relay: ChildProcess
  let entry: string
  let miner: Peer

  /** The entry peer as people run it who run only that; with the same key after a restart. */
  async function startRelay(): Promise<void> {
    const env = {
      ...process.env,
      WHEELWRIGHT_NETWORK: NETWORK,
      WHEELWRIGHT_KEY_FILE: join(folder, 'key'),
      WHEELWRIGHT_LISTEN: '/ip4/0.0.0.0/tcp/4001',
    }
    relay = relayHost.node(['bootstrap/main.ts'], { stdio: ['ignore', 'pipe', 'inherit'], env })
    const line = await new Promise<string>((resolve) => relay.stdout?.once('data', (data) => resolve(String(data))))
    const { addrs } = JSON.parse(line)
    expect(addrs).toHaveLength(1)
    entry = addrs[0]
  }
  /** One that others can dial, and that knows nobody. */
  async function startPublic(name: string, address: string): Promise<Peer> {
    const peer = startPeer(internet.join(name, address))
    const { self } = await peer.ask({ op: 'start', listen: ['/ip4/0.0.0.0/tcp/4002'], entries: [] })
    expect(self.addresses).toEqual([`/ip4/${address}/tcp/4002/p2p/${self.peerId}`])
    return peer
  }
  async function startHidden(name: string, address: string): Promise<Peer> {
    const peer = startPeer(internet.hide(name, address))
    await peer.ask({ op: 'start', listen: ['/ip4/0.0.0.0/tcp/4002', '/p2p-circuit'], entries: [entry] })
    await vi.waitFor(async () => expect(await addressesOf(peer)).toEqual([`${entry}/p2p-circuit`]), WAIT)
    return peer
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wheelwright-nat-'))
    writeFileSync(join(folder, 'key'), toHex(crypto.getRandomValues(new Uint8Array(32))))
    bench = createBench()
    internet = createInternet(bench)
    relayHost = internet.join('relay', '5.0.0.1')
    await startRelay()
    miner = await startHidden('home', '5.0.1.1')
  })
  afterAll(() => {
    bench?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a miner waits at the relay, under an address that a card may have, and nobody can dial it', async () => {
    const addresses = await addressesOf(miner)
    expect(addresses).toEqual([`${entry}/p2p-circuit`])
    expect(addresses.every((address) => isDialable(address, false))).toBe(true)
    const knock =
      "require('net').connect(4002, '5.0.1.1').setTimeout(1000, () => process.exit(7)).on('error', () => process.exit(8))"
    const outside = relayHost.node(['-e', knock], { stdio: 'ignore' })
    const code = await new Promise((resolve) => outside.once('exit', resolve))
    expect([7, 8]).toContain(code)
  })

  test('a public peer that knows only this address is dialled back, and fetches over that', async () => {
    const validator = await startPublic('validator', '5.0.2.1')
    const { cid = '', self } = await miner.ask({ op: 'add', bytes: 16 * MIB })
    const before = countersOf(relayHost, 'out').rx.bytes
    const { failure, bytes, links } = await validator.ask({ op: 'fetch', cid, from: self })
    expect([failure, bytes]).toEqual([undefined, 16 * MIB])
    const direct = links.filter(({ address }) => address.startsWith('/ip4/5.0.1.1/tcp/'))
    expect(direct).toMatchObject([{ direction: 'inbound', isLimited: false }])
    expect(countersOf(relayHost, 'out').rx.bytes - before).toBeLessThan(256 * 1024)
    validator.end()
  })

  test('of two behind NAT neither can dial the other, and the error says so', async () => {
    const other = await startHidden('cabin', '5.0.3.1')
    const { cid = '', self } = await miner.ask({ op: 'add', bytes: MIB })
    const { failure, links } = await other.ask({ op: 'fetch', cid, from: self })
    expect(failure).toMatchObject({ code: 'BLOB_UNAVAILABLE', why: expect.stringContaining('met through a relay') })
    expect(links.filter(({ isLimited }) => isLimited)).toHaveLength(1)
    other.end()
  })

  test('when the relay was away, the miner waits there again', async () => {
    relay.kill('SIGKILL')
    await expect.poll(() => addressesOf(miner), WAIT).toEqual([])
    await startRelay()
    await expect.poll(() => addressesOf(miner), WAIT).toEqual([`${entry}/p2p-circuit`])
    const guest = await startPublic('guest', '5.0.4.1')
    const { cid = '', self } = await miner.ask({ op: 'add', bytes: MIB })
    expect(await guest.ask({ op: 'fetch', cid, from: self })).toMatchObject({ bytes: MIB })
  })
})
