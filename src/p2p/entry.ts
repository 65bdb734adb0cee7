/**
 * The entry peer: always on, known by its address, and nothing else. Newcomers find others through it, and who has no
 * address of its own is reached through it.
 *
 * It judges nothing, so it hears no gossip: a peer that passes on what it cannot judge would be a hole in the mesh.
 */
import type { Clock, Log } from '../ports.ts'
import { OPEN_TO_ALL } from './admission.ts'
import { keepConnected } from './connect.ts'
import { checkAddress, type HostOptions, startHost } from './host.ts'

export type EntryOptions = Pick<HostOptions, 'network' | 'secret' | 'listen' | 'announce' | 'privateAllowed'> & {
  /** Other entry peers of the same network. */
  readonly entries: readonly string[]
}
export type EntryPeer = {
  readonly peerId: string
  /** With the peer id behind each: what newcomers are told. */
  readonly addresses: readonly string[]
  readonly peerCount: () => number
  readonly stop: () => Promise<void>
}

export async function startEntryPeer(
  { entries, ...options }: EntryOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<EntryPeer> {
  for (const entry of entries) checkAddress(entry)
  const host = await startHost({ ...options, relay: true, admission: OPEN_TO_ALL })
  const disconnect = keepConnected({ entries }, { host, clock, log })
  return {
    peerId: host.peerId.toString(),
    addresses: host.getMultiaddrs().map(String),
    peerCount: () => host.getPeers().length,
    stop: async () => {
      disconnect()
      await host.stop()
    },
  }
}
