/**
 * Who may connect: whom the network knows and the operator has not denied, and for some seconds who may turn out to be known.
 *
 * Asked when a peer has proven its key, before anything else is said on its connection, in both directions.
 */
import type { Connection, ConnectionGater } from '@libp2p/interface'
import { isDialable } from '../protocol/address.ts'
import type { Knocks } from './knocks.ts'
import { originOf } from './origin.ts'
import { cardForm } from './relay.ts'

export type Admission = {
  /** True for who may stay. */
  readonly admits: (peerId: string) => boolean
  /** True for who may connect, if only to show its card. */
  readonly lets: (peerId: string, origin: string | null) => boolean
  /** The same as `admits`, when it is known of who has connected: who was let in may have a card to show. */
  readonly stays: (connection: Connection) => Promise<boolean>
}

/** For checkpoints that are served to everybody, for entry peers, and for a laptop. */
export const OPEN_TO_ALL: Admission = { admits: () => true, lets: () => true, stays: async () => true }

export type AdmissionLists = {
  /** Peers that may connect, whatever the chain says. */
  readonly allow: ReadonlySet<string>
  /** Peers that may not, whatever else is said of them. */
  readonly deny: ReadonlySet<string>
}

/** Who is on the list of those who may, and everybody where that is empty. */
export const createListed = (lists: AdmissionLists): Admission => createAdmission(lists, () => lists.allow.size === 0)

/** `isKnown`: the peer of a card whose hotkey is registered. Without `knocks` there is no way in for strangers. */
export function createAdmission(
  { allow, deny }: AdmissionLists,
  isKnown: (peerId: string) => boolean,
  knocks: Pick<Knocks, 'lets'> | null = null,
): Admission {
  const admits = (peerId: string): boolean => !deny.has(peerId) && (allow.has(peerId) || isKnown(peerId))
  return {
    admits,
    lets: (peerId, origin) => admits(peerId) || (!deny.has(peerId) && knocks !== null && knocks.lets(peerId, origin)),
    stays: async ({ remotePeer }) => admits(remotePeer.toString()),
  }
}

export function gaterOf({ lets }: Admission, privateAllowed: boolean): ConnectionGater {
  return {
    denyDialMultiaddr: (address) => !isDialable(cardForm(address.toString()), privateAllowed),
    denyInboundEncryptedConnection: (peer, { remoteAddr }) => !lets(peer.toString(), originOf(remoteAddr)),
    denyOutboundEncryptedConnection: (peer, { remoteAddr }) => !lets(peer.toString(), originOf(remoteAddr)),
  }
}
