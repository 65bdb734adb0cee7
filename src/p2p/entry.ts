/**
 * The entry peer: always on, known by its address, and nothing else. Newcomers find others through it, and who has no
 * address of its own is reached through it.
 *
 * It judges nothing, so it hears no gossip: a peer that passes on what it cannot judge would be a hole in the mesh.
 */
import { NodeError } from '../errors.ts'
import type { Cancel, Clock, Log } from '../ports.ts'
import { type AdmissionLists, createListed } from './admission.ts'
import { keepConnected } from './connect.ts'
import { checkEntry, type HostOptions, startHost } from './host.ts'

export type EntryOptions = Pick<HostOptions, 'network' | 'secret' | 'listen' | 'announce' | 'privateAllowed'> & {
  /** Other entry peers of the same network. */
  readonly entries: readonly string[]
  /** Everybody, when absent. */
  readonly lists?: AdmissionLists
}
const NO_LISTS: AdmissionLists = { allow: new Set(), deny: new Set() }
export type EntryPeer = {
  readonly peerId: string
  /** With the peer id behind each: what newcomers are told. */
  readonly addresses: readonly string[]
  readonly peerCount: () => number
  readonly stop: () => Promise<void>
}

type Deps = { readonly clock: Clock; readonly log: Log }

/** Until the signal is aborted. */
export async function runEntryPeer(
  options: EntryOptions,
  { signal, started, ...deps }: Deps & Cancel & { readonly started: (entry: EntryPeer) => void },
): Promise<void> {
  const entry = await startEntryPeer(options, deps)
  started(entry)
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  await entry.stop()
}

/** Throws ADDRESS_INVALID, also when nobody could dial it. */
export async function startEntryPeer(
  { entries, lists = NO_LISTS, ...options }: EntryOptions,
  { clock, log }: Deps,
): Promise<EntryPeer> {
  for (const entry of entries) checkEntry(entry)
  const host = await startHost({ ...options, relay: true, admission: createListed(lists) })
  const addresses = host.getMultiaddrs().map(String)
  if (addresses.length === 0) {
    await host.stop()
    throw unknownPlace(options.listen)
  }
  const disconnect = keepConnected({ entries }, { host, clock, log })
  return {
    peerId: host.peerId.toString(),
    addresses,
    peerCount: () => host.getPeers().length,
    stop: async () => {
      disconnect()
      await host.stop()
    },
  }
}

const unknownPlace = (listen: readonly string[]): NodeError =>
  new NodeError('ADDRESS_INVALID', {
    what: 'nobody could dial this entry peer',
    why: `it listens on ${listen.join(', ') || 'nothing'}, and this machine has no public address there`,
    remedy: 'Name the address by which others reach it with --announce, or say --private on a test bench.',
  })
