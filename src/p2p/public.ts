/**
 * A peer that stands for itself, in no network: it serves what is in its store, and fetches from peers that were named.
 *
 * It speaks two languages: our pull protocol, and the bitswap of every other IPFS software. No gossip, no table of peers:
 * whom it does not know by address it never meets.
 */
import type { Identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ServiceFactoryMap } from 'libp2p'
import type { Clock, Log } from '../ports.ts'
import { startBitswap } from './bitswap-serve.ts'
import { limitCrowds } from './crowd.ts'
import { selfOf } from './gossip.ts'
import { speakHello } from './hello.ts'
import { type HostOptions, hostConfig, startLibp2p } from './host.ts'
import type { Members } from './members.ts'
import { createPull, type Misdeed, type Pull, servePull } from './pull/index.ts'
import type { Store, StoreHelia } from './store/index.ts'

export type PublicOptions = Omit<HostOptions, 'network' | 'relay' | 'records'> & {
  /** Our own card as it is now, for who admits members alone and asks again when one has ended. */
  readonly card?: () => Uint8Array
  /** One address gets a part of the room alone, though private addresses may be dialled. */
  readonly limitsCrowds?: boolean
}
export type PublicDeps = {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** Hears of every peer that is not asked any more because of what it did. */
  readonly misbehaved?: (peerId: string, misdeed: Misdeed) => void
  /** Whose admission it has, when it serves members alone. */
  readonly members?: Members
}
export type PublicHost = Libp2p<{ readonly identify: Identify; readonly ping: Ping }>
export type PublicPeer = {
  readonly host: PublicHost
  readonly pull: Pull
  /** Its blocks are the store's, and what is not there it asks connected peers for. */
  readonly helia: StoreHelia
  readonly stop: () => Promise<void>
}

/** Throws ADDRESS_INVALID and LISTEN_FAILED. */
export async function startPublicPeer(
  options: PublicOptions,
  { store, members, ...deps }: PublicDeps,
): Promise<PublicPeer> {
  const { card, limitsCrowds = false, privateAllowed } = options
  const config = hostConfig({ ...options, network: 'public', relay: false })
  const { pubsub, dht, ...services } = config.services as unknown as ServiceFactoryMap
  // It is in nobody's card: whoever named an address may name one of a laptop.
  const addresses = { ...config.addresses, announceFilter: (all: Multiaddr[]) => all }
  const host = (await startLibp2p({ ...config, addresses, services }, options)) as unknown as PublicHost
  // In the order in which they began; the last ends first.
  const ends: (() => unknown)[] = [() => host.stop()]
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    if (limitsCrowds && privateAllowed) limitCrowds(host)
    // Before anything is served.
    const guard = await members?.guard(host, () => selfOf(host))
    ends.push(async () => guard?.close())
    if (card !== undefined) await speakHello({ host, clock: deps.clock, own: card, heard: () => undefined })
    const pull = createPull({ ...deps, libp2p: host, store: store.blocks })
    const helia = Object.assign(store.createHelia(), { libp2p: host })
    await startBitswap(helia, deps.clock)
    ends.push(() => helia.stop())
    const server = await servePull({ ...deps, libp2p: host, store: store.blocks })
    ends.push(() => server.close())
    return { host, pull, helia, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
