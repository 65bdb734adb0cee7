/** Content-addressed storage in memory. Peers fetch from one another; what is withheld is not served. */
import { NodeError } from '../errors.ts'
import type { Blobs, PeerAddress } from '../ports.ts'
import { cidOf, rawCidOf } from '../protocol/codec.ts'

type Entry = { bytes: Uint8Array; readonly codec: 'dag-cbor' | 'raw'; withheld: boolean }
type Store = Map<string, Entry>
type Stores = Map<string, Store>

export type SimBlobs = {
  /** A peer's store; the same one again after a restart. */
  readonly join: (peerId: string) => Blobs
  /** What any peer has stored, withheld or not: for those who look at the simulation from outside. */
  readonly peek: (cid: string) => Uint8Array | undefined
  /** Flips a bit of what a peer has stored, as a bad disk does. */
  readonly damage: (peerId: string, cid: string) => void
}

export function createSimBlobs(): SimBlobs {
  const stores: Stores = new Map()
  return {
    peek: (cid) => [...stores.values()].find((store) => store.has(cid))?.get(cid)?.bytes,
    damage: (peerId, cid) => {
      const entry = stores.get(peerId)?.get(cid)
      if (entry !== undefined) entry.bytes = entry.bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
    },
    join: (peerId) => {
      const own: Store = stores.get(peerId) ?? new Map()
      stores.set(peerId, own)
      return storeOf(own, stores)
    },
  }
}

const addressOf = (bytes: Uint8Array, codec: Entry['codec']): string =>
  codec === 'raw' ? rawCidOf(bytes) : cidOf(bytes)

function storeOf(own: Store, stores: Stores): Blobs {
  return {
    put: async (bytes, { codec, withheld, signal }) => {
      signal.throwIfAborted()
      const copy = bytes.slice()
      const cid = addressOf(copy, codec)
      // What peers may have already is not taken back.
      own.set(cid, { bytes: copy, codec, withheld: withheld && own.get(cid)?.withheld !== false })
      return cid
    },
    release: async (cid) => {
      const entry = own.get(cid)
      if (entry !== undefined) entry.withheld = false
    },
    get: async (cid, { bytesMax, from, signal }) => {
      signal.throwIfAborted()
      const held = soundIn(own, cid)
      const entry = held ?? servedBy(stores, cid, from)
      if (entry === undefined) {
        throw new NodeError('BLOB_UNAVAILABLE', { what: `${cid} could not be fetched`, why: 'no peer serves it' })
      }
      if (entry.bytes.length > bytesMax) {
        const why = `it has ${entry.bytes.length} bytes, at most ${bytesMax} were asked for`
        throw new NodeError('BLOB_TOO_LARGE', { what: `${cid} was not fetched`, why })
      }
      if (held === undefined) own.set(cid, { ...entry, withheld: false })
      return entry.bytes.slice()
    },
    has: async (cid) => own.has(cid),
    retain: async (cids, { signal }) => {
      signal.throwIfAborted()
      let freedBytes = 0
      for (const [cid, { bytes }] of own) {
        if (cids.has(cid)) continue
        freedBytes += bytes.length
        own.delete(cid)
      }
      return { freedBytes }
    },
  }
}

/** Whatever was damaged is as good as not there. */
function soundIn(store: Store | undefined, cid: string): Entry | undefined {
  const entry = store?.get(cid)
  return entry !== undefined && addressOf(entry.bytes, entry.codec) === cid ? entry : undefined
}

function servedBy(stores: Stores, cid: string, from: readonly PeerAddress[]): Entry | undefined {
  for (const peerId of [...from.map((peer) => peer.peerId), ...stores.keys()]) {
    const entry = stores.get(peerId)?.get(cid)
    if (entry?.withheld === false && soundIn(stores.get(peerId), cid) !== undefined) return entry
  }
  return undefined
}
