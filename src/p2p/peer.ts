/**
 * A peer: its host, its gossip, its store and its transfers, put together. What the ports `Network` and `Blobs` are to a
 * node is made here.
 */
import { CID } from 'multiformats/cid'
import type { Blobs, Clock, Log } from '../ports.ts'
import { OPEN_TO_ALL } from './admission.ts'
import { keepConnected } from './connect.ts'
import { createGossip, type Gossip } from './gossip.ts'
import { checkAddress, type Host, type HostOptions, startHost } from './host.ts'
import { createPull, type Pull, servePull } from './pull/index.ts'
import { createBlobs, type Store } from './store/index.ts'

export type PeerOptions = Omit<HostOptions, 'admission'> & {
  readonly admission?: HostOptions['admission']
  /** Multiaddrs of entry peers, each with the peer id that must answer there. */
  readonly entries: readonly string[]
}
export type PeerDeps = { readonly store: Store; readonly clock: Clock; readonly log: Log }

export type Peer = {
  readonly host: Host
  readonly network: Gossip
  readonly blobs: Blobs
  readonly pull: Pull
  readonly stop: () => Promise<void>
}

export async function startPeer(
  { entries, admission = OPEN_TO_ALL, ...options }: PeerOptions,
  { store, clock, log }: PeerDeps,
): Promise<Peer> {
  for (const entry of entries) checkAddress(entry)
  const host = await startHost({ ...options, admission })
  const pull = createPull({ libp2p: host, store: store.blocks, clock, log })
  const server = await servePull({ libp2p: host, store: store.blocks, clock, log })
  const disconnect = keepConnected({ entries }, { host, clock, log })
  return {
    host,
    network: createGossip(options.network, { host, clock }),
    blobs: createBlobs({ store, fetch: (cid, opts) => pull.fetch(CID.parse(cid), opts) }),
    pull,
    // Nobody new, then nobody at all: what is under way ends with its connection.
    stop: async () => {
      disconnect()
      await server.close()
      await host.stop()
    },
  }
}
