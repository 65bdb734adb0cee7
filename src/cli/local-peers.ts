/**
 * The peers of a local network: a libp2p host for every node, on loopback, and an entry peer through which they meet.
 */

import { OPEN_TO_ALL } from '../p2p/admission.ts'
import { keepConnected } from '../p2p/connect.ts'
import { createGossip, type Gossip } from '../p2p/gossip.ts'
import { type Host, startHost } from '../p2p/host.ts'
import type { Unsubscribe } from '../ports.ts'
import { createSimBlobs } from '../sim/blobs.ts'
import type { Ground, Medium } from '../sim/ground.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'

type Peers = Pick<Ground, 'founder' | 'join' | 'peek' | 'verdicts'> & { readonly stop: () => Promise<void> }
type Peer = { readonly host: Host; readonly gossip: Gossip; readonly disconnect: Unsubscribe; readonly medium: Medium }

const SECRET_BYTES = 32
const LISTEN = ['/ip4/127.0.0.1/tcp/0']

export function createLocalPeers(): Peers {
  const blobs = createSimBlobs()
  const peers = new Map<string, Peer>()
  let entry: Promise<Host> | null = null

  const start = (network: string, secret: Uint8Array, isEntry: boolean): Promise<Host> =>
    startHost({
      network,
      secret,
      listen: LISTEN,
      announce: [],
      privateAllowed: true,
      relay: isEntry,
      admission: OPEN_TO_ALL,
    })

  return {
    founder: blobs.join('founder'),
    peek: async (cid) => blobs.peek(cid) ?? null,
    join: async ({ peerId, peerSecret }, network) => {
      const known = peers.get(peerId)
      if (known !== undefined) return known.medium
      entry ??= start(network, RANDOM.bytes(SECRET_BYTES), true)
      const entries = (await entry).getMultiaddrs().map(String)
      const host = await start(network, peerSecret, false)
      const gossip = createGossip(network, { host, clock: CLOCK })
      const disconnect = keepConnected({ entries }, { host, clock: CLOCK, log: SILENT })
      const medium = { network: gossip, blobs: blobs.join(peerId) }
      peers.set(peerId, { host, gossip, disconnect, medium })
      return medium
    },
    verdicts: () => {
      const sum = new Map<string, number>()
      for (const { gossip } of peers.values()) {
        for (const [label, count] of gossip.verdicts) sum.set(label, (sum.get(label) ?? 0) + count)
      }
      return sum
    },
    stop: async () => {
      for (const { disconnect } of peers.values()) disconnect()
      await Promise.all([...peers.values()].map(({ host }) => host.stop()))
      await (await entry)?.stop()
    },
  }
}
