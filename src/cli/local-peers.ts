/**
 * The peers of a local network: a libp2p host and a store on disk for every node, and an entry peer through which they meet,
 * which serves what the founder has made. The entry peer lets everybody in, the others whom the metagraph names.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NodeError } from '../errors.ts'
import type { Census } from '../p2p/directory.ts'
import type { Membership } from '../p2p/members.ts'
import { type Peer, type PeerOptions, startPeer } from '../p2p/peer.ts'
import { createBlobs, openStore, type Store } from '../p2p/store/index.ts'
import { type Constitution, constitutionCid, networkOf } from '../protocol/constitution.ts'
import { verifySr25519 } from '../protocol/envelope.ts'
import type { Ground } from '../sim/ground.ts'
import type { SimKeys } from '../sim/keys.ts'
import { createMemory } from '../sim/world.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'

type Peers = Pick<Ground, 'founder' | 'join' | 'peek' | 'verdicts'> & { readonly stop: () => Promise<void> }
type Known = { readonly peer: Peer; readonly store: Store }

const SECRET_BYTES = 32
const LISTEN = ['/ip4/127.0.0.1/tcp/0']
/** Of one node; its model is a toy. */
const QUOTA_BYTES = 1024 ** 3
const FREE_BYTES_MIN = 256 * 1024 ** 2

/** In a directory of its own that is gone when the network ends. */
export async function createLocalPeers(census: Census): Promise<Peers> {
  const dir = await mkdtemp(join(tmpdir(), 'wheelwright-up-'))
  const open = (name: string): Promise<Store> =>
    openStore({ dir: join(dir, name), quotaBytes: QUOTA_BYTES, freeBytesMin: FREE_BYTES_MIN }, { log: SILENT })
  const start = (options: Pick<PeerOptions, 'network' | 'secret' | 'entries' | 'membership'>, store: Store) =>
    startPeer(
      { ...options, listen: LISTEN, announce: [], privateAllowed: true, relay: options.entries.length === 0 },
      { store, clock: CLOCK, log: SILENT },
    )
  const verify = createMemory(verifySr25519)
  const membershipOf = (keys: SimKeys, constitution: Constitution): Membership => ({
    network: networkOf(constitution),
    cardBlocksMax: constitution.limits.cardBlocks,
    allow: new Set(),
    deny: new Set(),
    path: null,
    keys,
    census,
    verify,
  })

  const founded = await open('founder')
  const known = new Map<string, Known>()
  let entry: Promise<Peer> | null = null
  return {
    founder: createBlobs({ store: founded, fetch: refuse }),
    join: async (keys, constitution) => {
      const { peerId, peerSecret } = keys
      const network = constitutionCid(constitution)
      entry ??= start({ network, secret: RANDOM.bytes(SECRET_BYTES), entries: [] }, founded)
      const entries = (await entry).host.getMultiaddrs().map(String)
      const store = known.get(peerId)?.store ?? (await open(peerId))
      const membership = membershipOf(keys, constitution)
      const peer = known.get(peerId)?.peer ?? (await start({ network, secret: peerSecret, entries, membership }, store))
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
