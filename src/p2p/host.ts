/**
 * The libp2p host of a node: which transports, which services, and what it does never.
 *
 * It listens where it is told, dials whom it is told, and speaks to nobody else: no public bootstrap list, no discovery in
 * the local network, no gateway. Names of protocols carry the network's name, so that nodes of other rules do not meet.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { dcutr } from '@libp2p/dcutr'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey, ServiceMap } from '@libp2p/interface'
import { type KadDHT, passthroughMapper, removePrivateAddressesMapper } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { ed25519 } from '@noble/curves/ed25519.js'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { NodeError } from '../errors.ts'
import { isDialable } from '../protocol/address.ts'
import { concat } from '../util/bytes.ts'
import { type Admission, gaterOf } from './admission.ts'
import { limitCrowds } from './crowd.ts'
import { gossipOptions } from './gossip-options.ts'
import { guardService } from './guard.ts'
import { CONNECTIONS_MAX, READ_BUFFER_BYTES, RELAY_CIRCUITS_PER_PEER, WINDOW_BYTES } from './limits.ts'
import { publicNames } from './lookup.ts'
import { cardForm, ownAddresses, relayService } from './relay.ts'
import { NO_RECORDS, type RecordRules, recordsOnly } from './table.ts'

export type HostOptions = {
  /** The network's name: the CID of its constitution. */
  readonly network: string
  /** The peer's Ed25519 secret, 32 bytes. */
  readonly secret: Uint8Array
  /** Multiaddrs. Empty for a peer that only dials; `/p2p-circuit` for one that nobody can dial: it waits at a relay. */
  readonly listen: readonly string[]
  /** What others shall dial, where that differs from what we listen on. */
  readonly announce: readonly string[]
  /** True only where all peers live on one machine or test bench. */
  readonly privateAllowed: boolean
  /** Entry peers and others with a good address carry those who have none. */
  readonly relay: boolean
  readonly admission: Admission
  /** What it stores for others; nothing, where it can judge nothing. */
  readonly records?: RecordRules
}

export type HostServices = {
  readonly identify: Identify
  readonly ping: Ping
  readonly pubsub: GossipSub
  readonly dht: KadDHT
}
export type Host = Libp2p<HostServices & Record<string, unknown>>

/** A public host takes so many new connections a second from one address; a laptop network starts all at once. */
const INBOUND_PER_SECOND = 20
const INBOUND_PER_SECOND_PRIVATE = 1_000

/** Throws ADDRESS_INVALID and LISTEN_FAILED. */
export const startHost = async (options: HostOptions): Promise<Host> =>
  (await startLibp2p(hostConfig(options), options)) as Host

/** Throws the same. */
export async function startLibp2p<T extends ServiceMap>(
  config: Libp2pOptions<T>,
  { listen, announce, privateAllowed }: Pick<HostOptions, 'listen' | 'announce' | 'privateAllowed'>,
): Promise<Libp2p<T>> {
  for (const address of [...listen, ...announce]) checkAddress(address)
  try {
    const host = await createLibp2p(config)
    if (!privateAllowed) limitCrowds(host)
    return host
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    // The library tells all addresses with their stacks.
    const why = /Error: ([^\n]+)/.exec(text)?.[1] ?? text
    throw new NodeError('LISTEN_FAILED', { what: `no peer can listen on ${listen.join(', ')}`, why, cause })
  }
}

export function checkAddress(address: string): void {
  try {
    multiaddr(address)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NodeError('ADDRESS_INVALID', { what: `'${address.slice(0, 100)}' is no address of a peer`, why, cause })
  }
}

/** Of an entry peer: with its id at the end, or whoever answers there would be it. */
export function checkEntry(address: string): void {
  checkAddress(address)
  if (multiaddr(address).getComponents().at(-1)?.name === 'p2p') return
  throw new NodeError('ADDRESS_INVALID', {
    what: `'${address.slice(0, 100)}' is no address of an entry peer`,
    why: 'it does not end with /p2p/ and the peer id that must answer there',
  })
}

export const privateKeyOf = (secret: Uint8Array): PrivateKey =>
  privateKeyFromRaw(concat(secret, ed25519.getPublicKey(secret)))

export function hostConfig(options: HostOptions): Libp2pOptions<HostServices & Record<string, unknown>> {
  const { network, secret, listen, announce, privateAllowed, relay, admission, records = NO_RECORDS } = options
  return {
    privateKey: privateKeyOf(secret),
    addresses: {
      listen: [...listen],
      announce: [...announce],
      // What nobody else may dial is nobody else's business, and a card that names it is refused.
      announceFilter: (all) => all.filter((address) => isDialable(cardForm(address.toString()), privateAllowed)),
    },
    // The gater sees a name alone: what it means is judged when it is known.
    transports: [
      tcp(privateAllowed ? {} : { dialOpts: publicNames() }),
      circuitRelayTransport({ maxOutboundStopStreams: RELAY_CIRCUITS_PER_PEER }),
    ],
    // The first that both know: TLS moves half as much again as noise.
    connectionEncrypters: [tls(), noise()],
    streamMuxers: [
      yamux({
        streamOptions: {
          maxStreamWindowSize: WINDOW_BYTES,
          maxReadBufferLength: READ_BUFFER_BYTES,
        },
      }),
    ],
    connectionGater: gaterOf(admission, privateAllowed),
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      inboundConnectionThreshold: privateAllowed ? INBOUND_PER_SECOND_PRIVATE : INBOUND_PER_SECOND,
      maxIncomingPendingConnections: CONNECTIONS_MAX,
    },
    services: {
      guard: guardService(admission),
      // Under its usual name, by which other software learns what we speak.
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub(gossipOptions(network, privateAllowed)),
      dht: recordsOnly({
        ...records,
        protocol: `/wheelwright/kad/1/${network}`,
        // Who cannot be dialled looks others up, and is no place to look.
        clientMode: listen.length === 0 || listen.includes('/p2p-circuit'),
        peerInfoMapper: privateAllowed ? passthroughMapper : removePrivateAddressesMapper,
      }),
      addresses: ownAddresses,
      // Where every peer can dial every other, nobody has to be dialled back.
      ...(privateAllowed ? {} : { dcutr: dcutr() }),
      ...(relay ? { relay: relayService } : {}),
    },
  }
}
