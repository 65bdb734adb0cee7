/**
 * Twenty peers on one address against public nodes. Every node has an address of its own, as on the Internet: Linux has all
 * of 127.0.0.0/8 on loopback, and a socket may be bound to any of it.
 */
import { networkInterfaces } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { gossipsub } from '@libp2p/gossipsub'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import type { Libp2pOptions, ServiceFactoryMap } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { OPEN_TO_ALL } from '../../src/p2p/admission.ts'
import { createGossip, type Gossip } from '../../src/p2p/gossip.ts'
import { gossipOptions } from '../../src/p2p/gossip-options.ts'
import { type Host, hostConfig, startLibp2p } from '../../src/p2p/host.ts'
import { CONNECTIONS_PER_ADDRESS } from '../../src/p2p/limits.ts'
import { topicOf } from '../../src/protocol/gossip.ts'
import { ACCEPT } from '../../src/protocol/verdict.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { never } from '../contracts/harness.ts'
import { NETWORK } from './p2p-stage.ts'

const HONEST = 8
const SYBILS = 20
const MESSAGES = 40
const GRAYLIST = -80
/** Less than what a public host lets in of one address in a second. */
const INBOUND_AT_ONCE = 15
const SYBIL_ADDRESS = '127.0.0.200'
const TOPIC = topicOf(NETWORK, 'report')

type Node = { readonly host: Host; readonly gossip: Gossip; readonly heard: Set<string> }

const nodes: Node[] = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map(({ host }) => host.stop()))
})

/** Only what is dialled is a laptop's; how others are judged is a public node's. */
async function startPublic(address: string): Promise<Node> {
  const host = (await startOn(address, { pubsub: gossipsub(gossipOptions(NETWORK, false)) })) as unknown as Host
  const node = { host, gossip: createGossip(NETWORK, { host, clock: SYSTEM.clock }), heard: new Set<string>() }
  nodes.push(node)
  return node
}

function startOn(address: string, services: object): Promise<Libp2p> {
  const options = {
    network: NETWORK,
    secret: crypto.getRandomValues(new Uint8Array(32)),
    listen: [`/ip4/${address}/tcp/0`],
    announce: [],
    privateAllowed: true,
    relay: false,
    admission: OPEN_TO_ALL,
  }
  const { services: all, ...config } = hostConfig(options)
  const { identify } = all as unknown as ServiceFactoryMap // the others have nothing to do here
  const transports = [tcp({ dialOpts: { localAddress: address } as never })]
  const places = { ...options, privateAllowed: false }
  return startLibp2p({ ...config, transports, services: { identify, ...services } } as Libp2pOptions, places)
}

const idOf = ({ host }: Node): string => host.peerId.toString()
/** The types do not name it. */
const meshOf = ({ host }: Node): readonly string[] => [
  ...((host.services.pubsub as unknown as { mesh: ReadonlyMap<string, Iterable<string>> }).mesh.get(TOPIC) ?? []),
]
const scoreOf = (of: Node, who: Node): number =>
  (of.host.services.pubsub as unknown as { getScore(peerId: string): number }).getScore(idOf(who))

function hear(node: Node): void {
  node.gossip.subscribe('report', (_, bytes) => {
    node.heard.add(new TextDecoder().decode(bytes))
    return ACCEPT
  })
}

async function dialAll(from: Node, to: readonly Node[]): Promise<void> {
  for (const { host } of to) await from.host.dial(host.getMultiaddrs())
}

const hasLoopback = networkInterfaces()['lo']?.some(({ cidr }) => cidr === '127.0.0.1/8') === true
if (!hasLoopback) console.warn('skipped: this system has not all of 127.0.0.0/8 on its loopback interface')

test.skipIf(!hasLoopback)(
  'honest nodes keep their mesh and lose no message',
  async () => {
    const honest: Node[] = []
    for (let i = 0; i < HONEST; i++) honest.push(await startPublic(`127.0.0.${10 + i}`))
    honest.forEach(hear)
    // Sybils are there first, connected with everybody; they hear everything and pass nothing on.
    const sybils: Node[] = []
    for (let i = 0; i < SYBILS; i++) sybils.push(await startPublic(SYBIL_ADDRESS))
    for (const { gossip } of sybils) gossip.subscribe('report', () => ({ kind: 'ignore', code: 'KNOWN' }))
    for (const sybil of sybils) await dialAll(sybil, honest)
    for (const [i, node] of honest.entries()) await dialAll(node, honest.slice(i + 1))
    await sleep(3_000) // heartbeats

    const names = new Set(honest.map(idOf))
    for (const node of honest) {
      expect(sybils.filter((sybil) => scoreOf(node, sybil) > GRAYLIST).map(idOf)).toEqual([])
      expect(meshOf(node).filter((peer) => !names.has(peer))).toEqual([])
      expect(meshOf(node).length).toBeGreaterThanOrEqual(4)
      expect(honest.filter((other) => other !== node && scoreOf(node, other) < 0).map(idOf)).toEqual([])
    }
    for (let i = 0; i < MESSAGES; i++) {
      await honest[i % HONEST]?.gossip.publish('report', utf8(`message ${i}`), { signal: never })
    }
    const missing = () => honest.map(({ heard }, at) => MESSAGES - heard.size - (at < MESSAGES % HONEST ? 1 : 0))
    await expect.poll(missing, { timeout: 15_000 }).toEqual(honest.map(() => MESSAGES / HONEST))
  },
  120_000,
)

test.skipIf(!hasLoopback)(
  'one address gets a part of the connections, and others still come in',
  async () => {
    const target = await startPublic('127.0.0.10')
    const crowd = await Promise.all(
      Array.from({ length: CONNECTIONS_PER_ADDRESS + 8 }, () => startOn(SYBIL_ADDRESS, {})),
    )
    const honest = await startOn('127.0.0.11', {})
    try {
      for (const [i, host] of crowd.entries()) {
        if (i % INBOUND_AT_ONCE === 0) await sleep(1_100)
        await host.dial(target.host.getMultiaddrs()).catch(() => undefined)
      }
      await expect.poll(() => target.host.getConnections().length).toBe(CONNECTIONS_PER_ADDRESS)
      await honest.dial(target.host.getMultiaddrs())
      await sleep(200)
      expect(target.host.getConnections(honest.peerId)).toHaveLength(1)
    } finally {
      await Promise.all([...crowd, honest].map((host) => host.stop()))
    }
  },
  120_000,
)
