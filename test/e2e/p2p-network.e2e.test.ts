/** The Network port over real libp2p on loopback: what the fake passes, it passes; and what only a real one can fail at. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createAdmission } from '../../src/p2p/admission.ts'
import { ACCEPT, ignore, reject } from '../../src/protocol/verdict.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { never } from '../contracts/harness.ts'
import { describeNetworkContract } from '../contracts/network.ts'
import { createPeer, join, type Peer, stopAll, untilHeard } from './p2p-stage.ts'

/** A heartbeat of gossipsub, in which what the mesh did not carry is asked for. */
const HEARTBEAT_MS = 1_200

const scoreOf = (of: Peer, who: Peer): number =>
  (of.host.services.pubsub as unknown as { getScore(peerId: string): number }).getScore(who.host.peerId.toString())

async function createPeers(count: number): Promise<readonly Peer[]> {
  const peers = await Promise.all(Array.from({ length: count }, () => createPeer()))
  await join(peers)
  return peers
}

describeNetworkContract('gossipsub on loopback', async (count) => {
  const peers = await createPeers(count)
  // What a test subscribes to is known everywhere before anything is said.
  const networks = peers.map(({ gossip }) => ({
    get self() {
      return gossip.self
    },
    subscribe: gossip.subscribe,
    publish: async (...args: Parameters<typeof gossip.publish>) => {
      const [kind, bytes, opts] = args
      const copy = bytes.slice()
      await untilHeard(peers)
      return gossip.publish(kind, copy, opts)
    },
  }))
  return { peers: networks, settle: () => sleep(HEARTBEAT_MS), close: () => stopAll(peers) }
})

test('what was ignored when it came early is passed on when it is said again, and never more than a few times', async () => {
  const peers = await createPeers(3)
  const [a, b, c] = peers as [Peer, Peer, Peer]
  // A line: c hears from b alone.
  await a.host.hangUp(c.host.peerId)
  let verdict: typeof ACCEPT | ReturnType<typeof ignore> = ignore('EARLY')
  const heard: string[] = []
  b.gossip.subscribe('report', () => verdict)
  c.gossip.subscribe('report', (from) => {
    heard.push(from)
    return ACCEPT
  })
  await untilHeard([a, b])
  await untilHeard([b, c])
  const message = utf8('a report whose window is not final at b')
  await a.gossip.publish('report', message, { signal: never })
  await sleep(HEARTBEAT_MS)
  expect([...b.gossip.verdicts]).toEqual([['report/ignore/EARLY', 1]])
  expect(heard).toEqual([])

  verdict = ACCEPT
  for (let i = 0; i < 10; i++) await b.gossip.publish('report', message, { signal: never })
  await sleep(HEARTBEAT_MS)
  expect(new Set(heard)).toEqual(new Set([b.host.peerId.toString()]))
  expect(heard.length).toBeLessThanOrEqual(4)
  await stopAll(peers)
}, 30_000)

test('who sends what is rejected loses score, and its messages are not passed on', async () => {
  const peers = await createPeers(2)
  const [a, b] = peers as [Peer, Peer]
  b.gossip.subscribe('reveal', () => reject('SIGNATURE_BAD'))
  await untilHeard(peers)
  for (let i = 0; i < 20; i++) await a.gossip.publish('reveal', utf8(`rubbish ${i}`), { signal: never })
  await sleep(HEARTBEAT_MS)
  expect(b.gossip.verdicts.get('reveal/reject/SIGNATURE_BAD')).toBeGreaterThan(0)
  expect(scoreOf(b, a)).toBeLessThan(-100)
  await stopAll(peers)
}, 30_000)

test('networks do not meet: a message of other rules is never judged', async () => {
  const [a, b] = [
    await createPeer(),
    await createPeer({ network: 'bafyreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavvu' }),
  ]
  await join([a, b])
  let judged = 0
  b.gossip.subscribe('reveal', () => {
    judged += 1
    return ACCEPT
  })
  a.gossip.subscribe('reveal', () => ACCEPT)
  await sleep(HEARTBEAT_MS)
  await a.gossip.publish('reveal', utf8('hello'), { signal: never })
  await sleep(HEARTBEAT_MS)
  expect(judged).toBe(0)
  await stopAll([a, b])
}, 30_000)

test('who is not known is not let in, who is denied neither, and who is allowed is', async () => {
  const [stranger, friend, denied] = [await createPeer(), await createPeer(), await createPeer()]
  const idOf = ({ host }: Peer): string => host.peerId.toString()
  const lists = { allow: new Set([idOf(friend)]), deny: new Set([idOf(denied)]) }
  const closed = await createPeer({ admission: createAdmission(lists, (peerId) => peerId === idOf(denied)) })
  const address = closed.host.getMultiaddrs()
  await friend.host.dial(address)
  for (const peer of [stranger, denied]) {
    await peer.host.dial(address).catch(() => undefined)
    await sleep(100)
    expect(closed.host.getConnections(peer.host.peerId)).toEqual([])
  }
  expect(closed.host.getConnections(friend.host.peerId)).toHaveLength(1)
  await stopAll([stranger, friend, denied, closed])
}, 30_000)
