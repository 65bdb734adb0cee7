/**
 * Helia over the open part of the store: other IPFS software reads our blocks through it, and what it fetches lands here,
 * verified. Nothing of its defaults is used, because they talk to the public network: who wants a network adds it.
 *
 * Blocks leave the store by `retain` alone. Helia's own collector knows its own pins only and would free everything else,
 * so what it deletes stays.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { createHeliaLight } from 'helia'
import type { Blockstore, InputPair, Pair } from 'interface-blockstore'
import { NotFoundError } from 'interface-store'
import type { CID } from 'multiformats/cid'
import type { Log } from '../../ports.ts'
import type { BlockStore } from './block-store.ts'
import { gather } from './shelf.ts'

export type StoreHelia = ReturnType<typeof createHeliaLight>

/**
 * Not started yet: libp2p, our transfer and bitswap are added to it first. It remembers nothing: its only notes are of pins,
 * and those are the store's own.
 */
export const createHeliaOver = (blocks: BlockStore, log: Log): StoreHelia =>
  createHeliaLight({ blockstore: createBlockstore(blocks, log), codecs: [dagCbor], routers: [], blockBrokers: [] })

type Options = { readonly signal?: AbortSignal | undefined } | undefined

/** Our blocks in the shape that Helia asks for. */
export function createBlockstore(blocks: BlockStore, log: Log): Blockstore {
  const never = new AbortController().signal
  const cancel = (options: Options) => ({ signal: options?.signal ?? never })

  const put = async (cid: CID, bytes: InputPair['bytes'], options?: Options): Promise<CID> => {
    await blocks.put(cid, bytes instanceof Uint8Array ? bytes : await gather(bytes), cancel(options))
    return cid
  }
  async function* get(cid: CID, options?: Options): AsyncGenerator<Uint8Array> {
    const bytes = await blocks.get(cid, cancel(options))
    if (bytes === null) throw new NotFoundError(`${cid} is not here`)
    yield bytes
  }
  const remove = async (cid: CID): Promise<void> => {
    log.warn('a block was not deleted: only retain frees blocks', { cid: cid.toString() })
  }
  return {
    has: (cid) => blocks.has(cid),
    put,
    get,
    delete: remove,
    putMany: async function* (source, options) {
      for await (const { cid, bytes } of source) yield put(cid, bytes, options)
    },
    getMany: async function* (source, options) {
      for await (const cid of source) yield { cid, bytes: get(cid, options) }
    },
    deleteMany: async function* (source) {
      for await (const cid of source) {
        await remove(cid)
        yield cid
      }
    },
    getAll: async function* (options): AsyncGenerator<Pair> {
      for await (const { cid } of blocks.cids()) yield { cid, bytes: get(cid, options) }
    },
  }
}
