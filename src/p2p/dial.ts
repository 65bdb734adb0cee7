/**
 * Connects with a peer for files. Where the address leads through a relay, the two meet there, and the peer then dials us:
 * what it has is sent over that connection and never through the relay, which cuts everything off after some kilobytes.
 */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Cancel, PeerAddress } from '../ports.ts'
import { defer } from './pull/wait.ts'
import { orAborted } from './store/abort.ts'

/** Two peers behind NAT: they meet, and neither can dial the other. */
export class RelayedOnlyError extends Error {
  override readonly name = 'RelayedOnlyError'
}

/** Throws RelayedOnlyError when the peer was met but has not dialled back before the signal, and else what the library throws. */
export async function dialDirect(libp2p: Libp2p, peer: PeerAddress, { signal }: Cancel): Promise<Connection> {
  const { id, addresses } = targetOf(peer)
  const open = libp2p.getConnections(id).filter(({ status }) => status === 'open')
  const known = open.find(({ limits }) => limits === undefined)
  if (known !== undefined) return known
  const { promise: direct, resolve } = defer<Connection>()
  const hear = ({ detail }: CustomEvent<Connection>): void => {
    if (detail.remotePeer.equals(id) && detail.limits === undefined) resolve(detail)
  }
  libp2p.addEventListener('connection:open', hear)
  try {
    // Several lanes are opened at once, and one meeting is enough for all.
    const dialled = open[0] ?? (await libp2p.dial(addresses.length > 0 ? addresses : id, { signal }))
    if (dialled.limits === undefined) return dialled
    // Where it has an address of its own, nobody has to be dialled back: who comes first is heard.
    const own = addresses.filter((address) => !address.getComponents().some(({ name }) => name === 'p2p-circuit'))
    if (own.length > 0) libp2p.dial(own, { signal }).catch(() => undefined)
    return await orAborted(direct, signal).catch((cause) => {
      throw new RelayedOnlyError('it is met through a relay, and neither side can dial the other', { cause })
    })
  } finally {
    libp2p.removeEventListener('connection:open', hear)
  }
}

/** Addresses with the peer's id at their end: whoever answers there with another key is not the one we were told of. */
export function targetOf({ peerId, addresses }: PeerAddress): { readonly id: PeerId; readonly addresses: Multiaddr[] } {
  const id = peerIdFromString(peerId)
  const named = addresses.map((address) => {
    const parsed = multiaddr(address)
    return parsed.getComponents().at(-1)?.name === 'p2p' ? parsed : parsed.encapsulate(`/p2p/${peerId}`)
  })
  return { id, addresses: named }
}
