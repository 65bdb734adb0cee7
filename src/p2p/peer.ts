/**
 * A peer: its host, its gossip, its store and its transfers, put together. What the ports `Network` and `Blobs` are to a
 * node is made here.
 */
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import type { Blobs, Clock, Log } from '../ports.ts'
import { type Acquaintances, createAcquaintances } from './acquaintances.ts'
import { OPEN_TO_ALL } from './admission.ts'
import { keepConnected } from './connect.ts'
import { createGossip, type Gossip, selfOf } from './gossip.ts'
import { checkEntry, type Host, type HostOptions, startHost } from './host.ts'
import { type Membership, openMembers } from './members.ts'
import { createPull, type Pull, servePull } from './pull/index.ts'
import { createBlobs, type Store } from './store/index.ts'
import { createTable } from './table.ts'

export type PeerOptions = Omit<HostOptions, 'admission' | 'records'> & {
  /** With it, members of the subnet alone may connect, besides entry peers and who is allowed. */
  readonly membership?: Membership
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

export async function startPeer(options: PeerOptions, deps: PeerDeps): Promise<Peer> {
  for (const entry of options.entries) checkEntry(entry)
  const { membership } = options
  if (membership !== undefined) return startMember(options, membership, deps)
  const host = await startHost({ ...options, admission: OPEN_TO_ALL })
  return assemble(host, options, deps, null)
}

/** What membership adds to a peer. */
type Social = Omit<Acquaintances, 'close'> & { readonly close: () => Promise<void> }

async function startMember(options: PeerOptions, membership: Membership, deps: PeerDeps): Promise<Peer> {
  const { privateAllowed, entries } = options
  const allow = new Set([...membership.allow, ...entries.flatMap(peerIdsIn)])
  const members = await openMembers({ ...membership, allow }, { privateAllowed }, deps)
  const { admission, records, directory } = members
  const host = await startHost({ ...options, admission, records })
  const guard = await members.guard(host, () => selfOf(host))
  const table = createTable(host.services.dht, directory)
  const hotkey = membership.keys?.hotkey ?? null
  const acquaintances = createAcquaintances({
    ...deps,
    directory,
    table,
    hotkey,
    own: guard.own,
    census: membership.census,
  })
  const close = async (): Promise<void> => {
    acquaintances.close()
    await guard.close()
    await members.close()
  }
  return assemble(host, options, deps, { ...acquaintances, close })
}

/** An entry peer, and the relay before it where there is one. */
const peerIdsIn = (address: string): readonly string[] =>
  multiaddr(address)
    .getComponents()
    .flatMap(({ name, value }) => (name === 'p2p' && value !== undefined ? [value] : []))

async function assemble(
  host: Host,
  { network, entries }: Pick<PeerOptions, 'network' | 'entries'>,
  { store, clock, log }: PeerDeps,
  social: Social | null,
): Promise<Peer> {
  const pull = createPull({ libp2p: host, store: store.blocks, clock, log })
  const server = await servePull({ libp2p: host, store: store.blocks, clock, log })
  const disconnect = keepConnected(
    { entries },
    { host, clock, log, ...(social === null ? {} : { acquaintances: social }) },
  )
  return {
    host,
    network: createGossip(network, { host, clock, ...(social === null ? {} : { heard: social.heard }) }),
    blobs: createBlobs({ store, fetch: (cid, opts) => pull.fetch(CID.parse(cid), opts) }),
    pull,
    // Nobody new, then nobody at all: what is under way ends with its connection.
    stop: async () => {
      disconnect()
      await server.close()
      await social?.close()
      await host.stop()
    },
  }
}
