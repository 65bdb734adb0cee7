/** Who may stay among real hosts: members of the subnet, whom an operator allows, and nobody whom an operator denies. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { startEntryPeer } from '../../src/p2p/entry.ts'
import { HELLO_PROTOCOL } from '../../src/p2p/hello.ts'
import { HELLO_MS, ROLL_CALL_MS } from '../../src/p2p/limits.ts'
import { PULL_PROTOCOL } from '../../src/p2p/pull/index.ts'
import { networkOf } from '../../src/protocol/constitution.ts'
import { topicOf } from '../../src/protocol/gossip.ts'
import { sealCard } from '../../src/protocol/peer-card.ts'
import { ACCEPT } from '../../src/protocol/verdict.ts'
import type { SimKeys } from '../../src/sim/keys.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { never } from '../contracts/harness.ts'
import { createSubnet, isConnected, keysOf, type Member, RULES } from './p2p-member-stage.ts'
import { createPeer, type StageOptions, type Peer as Stranger, stopAll } from './p2p-stage.ts'

const { clock, log } = SYSTEM

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const [alice, bob, carol] = [keysOf('alice'), keysOf('bob'), keysOf('carol')]

function subnetOf(...registered: readonly SimKeys[]) {
  const subnet = createSubnet(...registered)
  ends.push(subnet.stop)
  return subnet
}

async function stranger(options: StageOptions = {}): Promise<Stranger> {
  const peer = await createPeer(options)
  ends.push(() => stopAll([peer]))
  return peer
}

const dial = (from: Member | Stranger, to: Member): Promise<unknown> =>
  ('peer' in from ? from.peer.host : from.host).dial(multiaddr(to.address)).catch(() => undefined)
const refusals = ({ told }: Member): readonly object[] =>
  told.filter(([message]) => message === 'a peer was not admitted').map(([, fields]) => fields)

test('who is registered stays, with nobody told before; who is not is asked once, dropped and named', async () => {
  const subnet = subnetOf(alice, bob)
  const [a, b, c] = [
    await subnet.start({ keys: alice }),
    await subnet.start({ keys: bob }),
    await subnet.start({ keys: carol }),
  ]
  await dial(b, a)
  await dial(c, a)
  await expect
    .poll(() => refusals(a))
    .toEqual([{ peer: carol.peerId, address: expect.any(String), why: 'it has shown no card of a registered hotkey' }])
  await expect.poll(() => isConnected(c, a)).toBe(false)
  await sleep(500)
  expect([isConnected(a, b), isConnected(b, a)]).toEqual([true, true])

  // It is not heard again for a while, even when it is registered now.
  subnet.members.add(carol.hotkey)
  await dial(c, a)
  await sleep(300)
  expect(isConnected(a, c)).toBe(false)
  await dial(c, b)
  await sleep(300)
  expect(isConnected(b, c)).toBe(true)
}, 30_000)

test('who shows nothing is dropped when its time is over, and is served nothing meanwhile', async () => {
  const subnet = subnetOf(alice)
  const a = await subnet.start({ keys: alice })
  a.peer.network.subscribe('record', () => ACCEPT)
  const { constitution: network } = networkOf(RULES)
  const mute = await stranger({ network })
  const heard: unknown[] = []
  mute.gossip.subscribe('record', (_, bytes) => {
    heard.push(bytes)
    return ACCEPT
  })
  // It takes the question and never answers.
  await mute.host.handle(HELLO_PROTOCOL, () => undefined)
  const startMs = performance.now()
  const connection = await mute.host.dial(multiaddr(a.address))
  const answers: unknown[] = []
  // What a member would be answered at once: one `have` for one CID, a peer that is near.
  const findNode = [38, 8, 4, 18, 34, 0x12, 32, ...new Uint8Array(32)]
  const requests: readonly [protocol: string, bytes: readonly number[]][] = [
    [PULL_PROTOCOL, [2, 0, 1, 1, 0x55, 0x12, 32, ...new Uint8Array(32)]],
    [`/wheelwright/kad/1/${network}`, findNode],
  ]
  for (const [protocol, bytes] of requests) {
    const stream = await connection.newStream([protocol])
    stream.addEventListener('message', (event) => answers.push(event))
    stream.send(Uint8Array.from(bytes))
  }
  await sleep(1_000)
  await a.peer.network.publish('record', utf8('for members'), { signal: never })
  expect(a.peer.host.services.pubsub.getPeers()).toEqual([])
  await expect.poll(() => connection.status, { timeout: 3 * HELLO_MS }).not.toBe('open')
  expect(performance.now() - startMs).toBeGreaterThan(HELLO_MS / 2)
  expect([answers, heard]).toEqual([[], []])
  expect(refusals(a)).toMatchObject([{ peer: mute.host.peerId.toString() }])
}, 30_000)

test('who hangs up while it is asked is not refused, and is asked again when it comes back', async () => {
  const subnet = subnetOf(alice)
  const a = await subnet.start({ keys: alice })
  const shy = await stranger()
  let asked = 0
  await shy.host.handle(HELLO_PROTOCOL, (_, connection) => {
    asked += 1
    connection.abort(new Error('not now'))
  })
  for (let times = 1; times <= 3; times++) {
    await shy.host.dial(multiaddr(a.address)).catch(() => undefined)
    await expect.poll(() => asked).toBe(times)
    await expect.poll(() => a.peer.host.getConnections(shy.host.peerId)).toEqual([])
  }
  expect(refusals(a)).toEqual([])
}, 30_000)

test("a card of somebody else's peer opens no door", async () => {
  const subnet = subnetOf(alice, bob)
  const a = await subnet.start({ keys: alice })
  const thief = await stranger()
  const card = sealCard(networkOf(RULES), bob, 0, { peerId: bob.peerId, addresses: [], expires: 200, sequence: 1 })
  await thief.host.handle(HELLO_PROTOCOL, (stream) => {
    stream.send(new Uint8Array([card.length >> 8, card.length & 255, ...card]))
  })
  await thief.host.dial(multiaddr(a.address))
  await expect.poll(() => refusals(a)).toMatchObject([{ peer: thief.host.peerId.toString() }])
  await expect.poll(() => a.peer.host.getConnections(thief.host.peerId)).toEqual([])
}, 30_000)

test('whom the operator allows stays without a card, and whom the operator denies stays out with one', async () => {
  const friend = await stranger()
  const subnet = subnetOf(alice, bob, carol)
  const a = await subnet.start({
    keys: alice,
    allow: new Set([friend.host.peerId.toString(), carol.peerId]),
    deny: new Set([bob.peerId, carol.peerId]),
  })
  const [b, c] = [await subnet.start({ keys: bob }), await subnet.start({ keys: carol })]
  for (const peer of [friend, b, c]) await dial(peer, a)
  await sleep(1_000)
  expect(a.peer.host.getConnections(friend.host.peerId)).toHaveLength(1)
  expect([isConnected(a, b), isConnected(a, c)]).toEqual([false, false])
}, 30_000)

test('who loses its registration is dropped at the next roll call', async () => {
  const subnet = subnetOf(alice, bob)
  const b = await subnet.start({ keys: bob })
  const a = await subnet.start({ keys: alice, hurry: 20 })
  await dial(b, a)
  await sleep(300)
  expect(isConnected(a, b)).toBe(true)
  subnet.members.delete(bob.hotkey)
  await expect.poll(() => isConnected(a, b), { timeout: ROLL_CALL_MS / 10 }).toBe(false)
}, 30_000)

test('a member that knows nobody but by the cards of an earlier run dials them', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
  ends.push(async () => rmSync(dir, { recursive: true }))
  const subnet = subnetOf(alice, bob)
  const a = await subnet.start({ keys: alice })
  const before = await subnet.start({ keys: bob, path: join(dir, 'cards.json') })
  await dial(before, a)
  await expect.poll(() => isConnected(a, before)).toBe(true)
  await sleep(200)
  await before.peer.stop()
  await expect.poll(() => isConnected(a, before)).toBe(false)
  const after = await subnet.start({ keys: bob, path: join(dir, 'cards.json') })
  await expect.poll(() => isConnected(after, a), { timeout: 10_000 }).toBe(true)
}, 30_000)

test('sixteen members on one laptop address find one another through an entry peer, and hear everything', async () => {
  const everybody = Array.from({ length: 16 }, (_, i) => keysOf(`member ${i}`))
  const subnet = subnetOf(...everybody)
  const secret = crypto.getRandomValues(new Uint8Array(32))
  const { constitution: network } = networkOf(RULES)
  const place = { network, secret, listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], privateAllowed: true, entries: [] }
  const entry = await startEntryPeer(place, { clock, log })
  ends.push(entry.stop)
  const members: Member[] = []
  for (const keys of everybody) members.push(await subnet.start({ keys, entries: entry.addresses }))
  const heard = members.map(() => new Set<string>())
  for (const [i, { peer }] of members.entries()) {
    peer.network.subscribe('record', (_, bytes) => {
      heard[i]?.add(new TextDecoder().decode(bytes))
      return ACCEPT
    })
  }
  const topic = topicOf(network, 'record')
  await expect
    .poll(() => Math.min(...members.map(({ peer }) => peer.host.services.pubsub.getSubscribers(topic).length)), {
      timeout: 40_000,
      interval: 200,
    })
    .toBeGreaterThanOrEqual(8)
  await sleep(1_500) // a heartbeat, in which the mesh forms
  for (const [i, { peer }] of members.entries())
    await peer.network.publish('record', utf8(`from ${i}`), { signal: never })
  await expect
    .poll(() => heard.map(({ size }) => size), { timeout: 20_000 })
    .toEqual(members.map(() => members.length - 1))
  expect(members.flatMap(refusals)).toEqual([])
}, 90_000)
