/**
 * The port `Blobs` over the store: documents and raw content by CID, from here or else fetched. What was fetched is read
 * back from the store, where every block is checked; the fetching itself is somebody else's, who brings content once for all
 * that ask for it at the same time.
 */
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import type { Blobs, Cancel, PeerAddress } from '../../ports.ts'
import { parseCid } from './cid.ts'
import type { Whole } from './file-read.ts'
import type { Store } from './store.ts'

export type FetchOptions = { readonly bytesMax: number; readonly from: readonly PeerAddress[] } & Cancel

/** Brings all blocks of this CID into the store. Throws BLOB_UNAVAILABLE or BLOB_TOO_LARGE. */
export type Fetch = (cid: string, opts: FetchOptions) => Promise<void>

/** A block that is damaged right after it was fetched is fetched once more, and then the disk is to blame. */
const FETCHES_MAX = 2

export function createBlobs({ store, fetch }: { readonly store: Store; readonly fetch: Fetch }): Blobs {
  const bring = async (cid: CID, options: FetchOptions): Promise<void> => {
    const hold = store.hold(cid)
    try {
      await fetch(cid.toString(), options)
    } finally {
      hold.close()
    }
  }

  return {
    put: async (bytes, { codec, withheld, signal }) => {
      signal.throwIfAborted()
      return (await store.put(bytes.slice(), { codec, withheld, signal })).toString()
    },
    release: async (text) => {
      const cid = parseCid(text)
      if (cid !== null) await store.release(cid)
    },
    get: async (text, options) => {
      options.signal.throwIfAborted()
      const cid = parseCid(text)
      if (cid === null) throw unavailable(text, 'it is no CID of a file or a document')
      for (let fetches = 0; ; fetches++) {
        const found = await store.readWhole(cid, options.bytesMax, options)
        if (found.kind === 'whole') return found.bytes
        if (found.kind !== 'missing') throw refusal(text, found, options.bytesMax)
        if (fetches === FETCHES_MAX) throw unavailable(text, `its block ${found.cid} does not stay sound on this disk`)
        await bring(cid, options)
      }
    },
    has: async (text) => {
      const cid = parseCid(text)
      return cid !== null && store.has(cid)
    },
    retain: (cids, opts) => store.retain(cids, opts),
  }
}

function refusal(cid: string, found: Exclude<Whole, { kind: 'whole' | 'missing' }>, bytesMax: number): NodeError {
  if (found.kind === 'malformed') return unavailable(cid, `what has this CID is no file: ${found.why}`)
  const why = `it has ${found.bytes} bytes, at most ${bytesMax} were agreed`
  return new NodeError('BLOB_TOO_LARGE', { what: `${cid} was not read`, why, data: { cid, bytes: found.bytes } })
}

const unavailable = (cid: string, why: string): NodeError =>
  new NodeError('BLOB_UNAVAILABLE', { what: `${cid} could not be fetched`, why, data: { cid } })
