/** Real hosts on loopback, joined to one another. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SYSTEM } from '../../src/chain/system.ts'
import { type Admission, OPEN_TO_ALL } from '../../src/p2p/admission.ts'
import { createGossip, type Gossip } from '../../src/p2p/gossip.ts'
import { type Host, startHost } from '../../src/p2p/host.ts'
import { MESSAGE_KINDS } from '../../src/protocol/envelope.ts'
import { topicOf } from '../../src/protocol/gossip.ts'

const { clock } = SYSTEM

export const NETWORK = 'bafyreic4uuhk4e4i4dnzw5hgl33vkdtj7ho2mek5d2dklidzgxassbty3y'

export type StageOptions = { readonly network?: string; readonly admission?: Admission }
export type Peer = { readonly host: Host; readonly gossip: Gossip }

export async function createPeer({ network = NETWORK, admission = OPEN_TO_ALL }: StageOptions = {}): Promise<Peer> {
  const host = await startHost({
    network,
    secret: crypto.getRandomValues(new Uint8Array(32)),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    privateAllowed: true,
    relay: false,
    admission,
  })
  return { host, gossip: createGossip(network, { host, clock }) }
}

export async function join(peers: readonly Peer[]): Promise<void> {
  for (const [i, { host }] of peers.entries()) {
    for (const other of peers.slice(i + 1)) await host.dial(other.host.getMultiaddrs())
  }
}

/** Until everybody who is subscribed is known to everybody else as such. */
export async function untilHeard(peers: readonly Peer[], network = NETWORK): Promise<void> {
  const topics = MESSAGE_KINDS.map((kind) => topicOf(network, kind))
  const subscribers = (topic: string) => peers.filter(({ host }) => host.services.pubsub.getTopics().includes(topic))
  const isHeard = ({ host }: Peer, topic: string): boolean =>
    subscribers(topic).every(
      (other) =>
        other.host === host ||
        host.services.pubsub.getSubscribers(topic).some((peer) => peer.equals(other.host.peerId)),
    )
  for (let i = 0; i < 1_000; i++) {
    if (peers.every((peer) => topics.every((topic) => isHeard(peer, topic)))) return
    await sleep(5)
  }
  throw new Error('subscriptions did not get around')
}

export const stopAll = async (peers: readonly Peer[]): Promise<void> => {
  await Promise.all(peers.map(({ host }) => host.stop()))
}
