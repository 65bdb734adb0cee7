/**
 * Who may connect: whom the network knows and the operator has not denied.
 *
 * Asked when a peer has proven its key, before anything else is said on its connection, in both directions.
 */
import type { ConnectionGater } from '@libp2p/interface'
import { isDialable } from '../protocol/address.ts'

export type Admission = {
  readonly admits: (peerId: string) => boolean
}

/** For checkpoints that are served to everybody, for entry peers, and for a laptop. */
export const OPEN_TO_ALL: Admission = { admits: () => true }

export type AdmissionLists = {
  /** Peers that may connect whatever the chain says. */
  readonly allow: ReadonlySet<string>
  /** Peers that may not, whatever the chain says. */
  readonly deny: ReadonlySet<string>
}

/** `isKnown`: the peer of a card whose hotkey is registered. */
export function createAdmission({ allow, deny }: AdmissionLists, isKnown: (peerId: string) => boolean): Admission {
  return { admits: (peerId) => !deny.has(peerId) && (allow.has(peerId) || isKnown(peerId)) }
}

/** Cards name the relay; who is behind it is added by whoever dials. */
const BEHIND_RELAY = /(\/p2p-circuit)\/p2p\/[^/]+$/

export function gaterOf({ admits }: Admission, privateAllowed: boolean): ConnectionGater {
  return {
    denyDialMultiaddr: (address) => !isDialable(address.toString().replace(BEHIND_RELAY, '$1'), privateAllowed),
    denyInboundEncryptedConnection: (peer) => !admits(peer.toString()),
    denyOutboundEncryptedConnection: (peer) => !admits(peer.toString()),
  }
}
