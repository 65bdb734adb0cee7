/**
 * The peers of a local network: a libp2p host and a store on disk for every node, and an entry peer through which they meet,
 * which serves what the founder has made.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NodeError } from '../errors.ts'
import { type Peer, startPeer } from '../p2p/peer.ts'
import { createBlobs, openStore, type Store } from '../p2p/store/index.ts'
import type { Ground } from '../sim/ground.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'

type Peers = Pick<Ground, 'founder' | 'join' | 'peek' | 'verdicts'> & { readonly stop: () => Promise<void> }
type Known = { readonly peer: Peer; readonly store: Store }

const SECRET_BYTES = 32
const LISTEN = ['/ip4/127.0.0.1/tcp/0']
/** Of one node; its model is a toy. */
const QUOTA_BYTES = 1024 ** 3
const FREE_BYTES_MIN = 256 * 1024 ** 2

/** In a directory of its own that is gone when the network ends. */
export async function createLocalPeers(): Promise<Peers> {
  const dir = await mkdtemp(join(tmpdir(), 'wheelwright-up-'))
  const open = (name: string): Promise<Store> =>
    openStore({ dir: join(dir, name), quotaBytes: QUOTA_BYTES, freeBytesMin: FREE_BYTES_MIN }, { log: SILENT })
  const start = (network: string, secret: Uint8Array, store: Store, entries: readonly string[]): Promise<Peer> =>
    startPeer(
      { network, secret, listen: LISTEN, announce: [], privateAllowed: true, relay: entries.length === 0, entries },
      { store, clock: CLOCK, log: SILENT },
    )

  const founded = await open('founder')
  const known = new Map<string, Known>()
  let entry: Promise<Peer> | null = null
  return {
    founder: createBlobs({ store: founded, fetch: refuse }),
    join: async ({ peerId, peerSecret }, network) => {
      entry ??= start(network, RANDOM.bytes(SECRET_BYTES), founded, [])
      const entries = (await entry).host.getMultiaddrs().map(String)
      const store = known.get(peerId)?.store ?? (await open(peerId))
      const peer = known.get(peerId)?.peer ?? (await start(network, peerSecret, store, entries))
      known.set(peerId, { peer, store })
      return peer
    },
    peek: async (cid) => {
      const never = new AbortController().signal
      for (const { peer } of known.values()) {
        if (await peer.blobs.has(cid)) return peer.blobs.get(cid, { bytesMax: QUOTA_BYTES, from: [], signal: never })
      }
      return null
    },
    verdicts: () => {
      const sum = new Map<string, number>()
      for (const { peer } of known.values()) {
        for (const [label, count] of peer.network.verdicts) sum.set(label, (sum.get(label) ?? 0) + count)
      }
      return sum
    },
    stop: async () => {
      await Promise.all([...known.values()].map(({ peer }) => peer.stop()))
      await (await entry)?.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const refuse = (): Promise<never> =>
  Promise.reject(new NodeError('BLOB_UNAVAILABLE', { what: 'nothing is fetched yet', why: 'there is no network yet' }))
