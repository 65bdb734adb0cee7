/** Content-addressed storage in memory. Peers fetch from one another; what is withheld is not served. */
import { NodeError } from '../errors.ts'
import type { Blobs } from '../ports.ts'
import { cidOf, rawCidOf } from '../protocol/codec.ts'

type Entry = { readonly bytes: Uint8Array; withheld: boolean }
type Store = Map<string, Entry>

export type SimBlobs = {
  readonly join: (peerId: string) => Blobs
  /** What any peer has stored, withheld or not: for those who look at the simulation from outside. */
  readonly peek: (cid: string) => Uint8Array | undefined
}

export function createSimBlobs(): SimBlobs {
  const stores = new Map<string, Store>()
  const served = (peerId: string, cid: string): Uint8Array | undefined => {
    const entry = stores.get(peerId)?.get(cid)
    return entry === undefined || entry.withheld ? undefined : entry.bytes
  }
  return {
    peek: (cid) => [...stores.values()].find((store) => store.has(cid))?.get(cid)?.bytes,
    join: (peerId) => {
      const own: Store = stores.get(peerId) ?? new Map()
      stores.set(peerId, own)
      return {
        put: async (bytes, { codec, withheld, signal }) => {
          signal.throwIfAborted()
          const cid = codec === 'raw' ? rawCidOf(bytes) : cidOf(bytes)
          const held = own.get(cid)
          // What peers may have already is not taken back.
          if (held === undefined) own.set(cid, { bytes: bytes.slice(), withheld })
          else if (!withheld) held.withheld = false
          return cid
        },
        release: async (cid) => {
          const entry = own.get(cid)
          if (entry !== undefined) entry.withheld = false
        },
        get: async (cid, { bytesMax, from, signal }) => {
          signal.throwIfAborted()
          const here = own.get(cid)?.bytes
          const holders = [...from.map((peer) => peer.peerId), ...stores.keys()]
          const holder = here === undefined ? holders.find((id) => served(id, cid) !== undefined) : undefined
          const bytes = here ?? (holder === undefined ? undefined : served(holder, cid))
          if (bytes === undefined) {
            throw new NodeError('BLOB_UNAVAILABLE', { what: `${cid} could not be fetched`, why: 'no peer serves it' })
          }
          if (bytes.length > bytesMax) {
            const why = `it has ${bytes.length} bytes, at most ${bytesMax} were asked for`
            throw new NodeError('BLOB_TOO_LARGE', { what: `${cid} was not fetched`, why })
          }
          if (here === undefined) own.set(cid, { bytes, withheld: false })
          return bytes.slice()
        },
        has: async (cid) => own.has(cid),
        retain: async (cids) => {
          let freedBytes = 0
          for (const [cid, { bytes }] of own) {
            if (cids.has(cid)) continue
            freedBytes += bytes.length
            own.delete(cid)
          }
          return { freedBytes }
        },
      }
    },
  }
}
