/** Peers over loopback, stores in memory, and files: what the tests of the bulk path need. */
import { hash } from 'node:crypto'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import { CID as Cid } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import type { PullStore } from '../../../src/p2p/pull/job.ts'
import type { Misdeed } from '../../../src/p2p/pull/lane.ts'
import { PULL_PROTOCOL } from '../../../src/p2p/pull/limits.ts'
import { createPull, type Pull } from '../../../src/p2p/pull/pull.ts'
import { type PullServer, type ServedStore, servePull } from '../../../src/p2p/pull/serve.ts'
import type { Cancel, Clock, Log, PeerAddress } from '../../../src/ports.ts'

export const MIB = 1024 * 1024
export const clock: Clock = { now: () => performance.now(), setTimeout, clearTimeout }
export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}
export const never: Cancel = { signal: new AbortController().signal }

export type MemoryStore = PullStore & ServedStore & { readonly blocks: Map<string, Uint8Array>; puts: number }

const keyOf = ({ multihash }: CID): string => Buffer.from(multihash.digest).toString('latin1')

export function createMemoryStore(): MemoryStore {
  const blocks = new Map<string, Uint8Array>()
  const store: MemoryStore = {
    blocks,
    puts: 0,
    has: async (cid) => blocks.has(keyOf(cid)),
    get: async (cid) => blocks.get(keyOf(cid)) ?? null,
    put: async (cid, bytes) => {
      store.puts += 1
      blocks.set(keyOf(cid), bytes)
    },
  }
  return store
}

export function cidOf(bytes: Uint8Array, codec = 0x55): CID {
  return Cid.createV1(codec, Digest.create(0x12, new Uint8Array(hash('sha256', bytes, 'buffer'))))
}

/** Bytes that differ in every leaf, quickly made. */
export function fileOf(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  const words = new Uint32Array(bytes.buffer, 0, length >> 2)
  let state = seed >>> 0 || 1
  for (let i = 0; i < words.length; i += 16) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    words[i] = state
  }
  return bytes
}

/** In the profile's form, with the library that other nodes of IPFS use. */
export async function addFile(
  store: Pick<PullStore, 'put'>,
  bytes: Uint8Array,
  { leafBytes = MIB }: { readonly leafBytes?: number } = {},
): Promise<CID> {
  const put = async (cid: CID, block: Uint8Array): Promise<CID> => {
    await store.put(cid, block, { ...never, verified: true })
    return cid
  }
  const chunker = async function* () {
    // A file without bytes is one leaf without bytes.
    for (let at = 0; at < Math.max(1, bytes.length); at += leafBytes) yield bytes.subarray(at, at + leafBytes)
  }
  // The importer only writes.
  const blockstore = { put } as unknown as Parameters<typeof unixfs>[0]['blockstore']
  return unixfs({ blockstore }).addBytes(bytes, { chunker })
}

const WINDOWS = { initialStreamWindowSize: MIB, maxStreamWindowSize: 8 * MIB, maxReadBufferLength: 32 * MIB }

/** As our nodes have it, without the services that nothing here needs. */
export const hostOptions = () => ({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [tls()],
  streamMuxers: [yamux({ streamOptions: WINDOWS })],
  connectionManager: { inboundConnectionThreshold: 1_000, maxIncomingPendingConnections: 100 },
  connectionMonitor: { enabled: false },
  services: { identify: identify() },
})

export const createHost = (): Promise<Libp2p> => createLibp2p(hostOptions())

export const addressOf = (host: Libp2p): PeerAddress => ({
  peerId: host.peerId.toString(),
  addresses: host.getMultiaddrs().map(String),
})

export type Peer = {
  readonly host: Libp2p
  readonly address: PeerAddress
  readonly store: MemoryStore
  readonly pull: Pull
  readonly server: PullServer
  readonly misdeeds: { readonly peerId: string; readonly misdeed: Misdeed }[]
}
export type Peers = {
  peer(store?: MemoryStore): Promise<Peer>
  /** A peer that answers each stream as it likes. */
  rogue(handle: (stream: Stream) => void): Promise<PeerAddress>
  end(): Promise<void>
}

export function createPeers(): Peers {
  const hosts: Libp2p[] = []
  const host = async (): Promise<Libp2p> => {
    const made = await createHost()
    hosts.push(made)
    return made
  }
  return {
    peer: async (store = createMemoryStore()) => {
      const libp2p = await host()
      const misdeeds: Peer['misdeeds'] = []
      const misbehaved = (peerId: string, misdeed: Misdeed) => misdeeds.push({ peerId, misdeed })
      const deps = { libp2p, store, clock, log: SILENT }
      const server = await servePull(deps)
      const pull = createPull({ ...deps, misbehaved: (peerId, misdeed) => void misbehaved(peerId, misdeed) })
      return { host: libp2p, address: addressOf(libp2p), store, pull, server, misdeeds }
    },
    rogue: async (handle) => {
      const libp2p = await host()
      await libp2p.handle(PULL_PROTOCOL, (stream) => handle(stream), { maxInboundStreams: 32 })
      return addressOf(libp2p)
    },
    end: async () => {
      await Promise.all(hosts.map((each) => each.stop()))
    },
  }
}
