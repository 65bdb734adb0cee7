/** Dials a peer that was named, and hears what it speaks. */
import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Cancel, PeerAddress } from '../ports.ts'
import { defer } from './pull/wait.ts'
import { orAborted } from './store/abort.ts'

/** The protocols of the peer. Throws what the library throws when it does not answer, or is somebody else. */
export async function meet(
  host: Libp2p,
  { peerId, addresses }: PeerAddress,
  { signal }: Cancel,
): Promise<readonly string[]> {
  const { promise, resolve, reject } = defer<readonly string[]>()
  const hear = ({ detail }: CustomEvent<IdentifyResult>): void => {
    if (detail.peerId.toString() === peerId) resolve(detail.protocols)
  }
  // Who does not admit us says so by hanging up.
  const leave = ({ detail }: CustomEvent<PeerId>): void => {
    if (detail.toString() === peerId) reject(new Error('the peer hangs up: it may not admit this one'))
  }
  promise.catch(() => undefined)
  // Before it is dialled, because the host asks by itself as soon as they are connected, and only once.
  host.addEventListener('peer:identify', hear)
  host.addEventListener('peer:disconnect', leave)
  try {
    await host.dial(
      addresses.map((address) => multiaddr(address)),
      { signal },
    )
    return await orAborted(promise, signal)
  } finally {
    host.removeEventListener('peer:identify', hear)
    host.removeEventListener('peer:disconnect', leave)
  }
}
