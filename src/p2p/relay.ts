/**
 * Peers without an address of their own: what a relay does for them and how much of it, and which addresses are one's own.
 *
 * A relay introduces: through it two peers hear of one another, and then the one behind NAT dials the other, who has an
 * address. No files go through it (dial.ts), so that being an entry peer costs little.
 */
import {
  type CircuitRelayServerComponents,
  type CircuitRelayService,
  circuitRelayServer,
  RELAY_V2_HOP_CODEC,
} from '@libp2p/circuit-relay-v2'
import type { Libp2pEvents, TypedEventTarget } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import {
  RELAY_BYTES_MAX,
  RELAY_CIRCUITS_PER_PEER,
  RELAY_MS_MAX,
  RELAY_RESERVATION_MS,
  RELAY_RESERVATIONS_MAX,
} from './limits.ts'

type Events = { readonly events: TypedEventTarget<Libp2pEvents> }
type Addresses = {
  readonly addressManager: { confirmObservedAddr(address: Multiaddr, options: { readonly type: 'transport' }): void }
}

export function relayService(components: CircuitRelayServerComponents & Events): CircuitRelayService {
  const service = circuitRelayServer({
    maxInboundHopStreams: RELAY_CIRCUITS_PER_PEER,
    reservations: {
      maxReservations: RELAY_RESERVATIONS_MAX,
      reservationTtl: RELAY_RESERVATION_MS,
      defaultDurationLimit: RELAY_MS_MAX,
      defaultDataLimit: BigInt(RELAY_BYTES_MAX),
    },
  })(components)
  // The library counts the streams of a connection, and a peer may have several of those.
  components.connectionGater.denyOutboundRelayedConnection = (source) =>
    components.connectionManager
      .getConnections(source)
      .flatMap(({ streams }) => streams)
      .filter(({ protocol, direction }) => protocol === RELAY_V2_HOP_CODEC && direction === 'inbound').length >
    RELAY_CIRCUITS_PER_PEER
  // The library keeps the place of who has left until its time is over.
  components.events.addEventListener('peer:disconnect', ({ detail: peer }) => {
    service.reservations.get(peer)?.signal.clear()
    service.reservations.delete(peer)
  })
  return service
}

/**
 * Takes what is listened on for an address of one's own, where the library waits until other peers have confirmed it.
 * The one way of theirs, autonat, was tried: who is asked to confirm ends the connection on which it was asked.
 */
export function ownAddresses({ events, addressManager }: Events & Addresses): object {
  events.addEventListener('transport:listening', ({ detail: listener }) => {
    for (const address of listener.getAddrs()) addressManager.confirmObservedAddr(address, { type: 'transport' })
  })
  return {}
}

/** Cards name the relay; who is behind it is added by whoever dials. */
const BEHIND_RELAY = /(\/p2p-circuit)\/p2p\/[^/]+$/

export const cardForm = (address: string): string => address.replace(BEHIND_RELAY, '$1')
