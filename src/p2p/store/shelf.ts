/**
 * Where blocks lie: in memory, in a directory (`disk-shelf.ts`), or in any blockstore of the IPFS world. A shelf believes
 * what it is given and gives what it has; `block-store.ts` is what checks.
 */
import type { Blockstore } from 'interface-blockstore'
import type { CID } from 'multiformats/cid'
import { assert } from '../../util/assert.ts'
import { concat } from '../../util/bytes.ts'
import { keyOf } from './cid.ts'

export type Shelved = { readonly key: string; readonly bytes: number }

export type Shelf = {
  /** Fresh memory, `null` when there is nothing, `unreadable` when the disk fails under it. */
  read(cid: CID): Promise<Uint8Array | null | 'unreadable'>
  /** All of it or nothing. `durable` when it must survive that the machine loses power, after `sync`. */
  write(cid: CID, bytes: Uint8Array, durable: boolean): Promise<void>
  remove(cid: CID): Promise<void>
  /** Moves a block here from another shelf of the same kind; a crash leaves it in one of the two. False: it had none. */
  take(cid: CID, from: Shelf): Promise<boolean>
  /** Every block and its length; what is no block is passed over. */
  list(): AsyncIterable<Shelved>
  sync(): Promise<void>
  /** The file of a block, where blocks are files. */
  path?(cid: CID): string
}

/** For tests and benches. */
export function createMemoryShelf(): Shelf {
  const blocks = new Map<string, Uint8Array>()
  const key = (cid: CID): string => {
    const found = keyOf(cid)
    assert(found !== null, 'only checked CIDs reach a shelf')
    return found
  }
  const shelf: Shelf = {
    read: async (cid) => blocks.get(key(cid))?.slice() ?? null,
    write: async (cid, bytes) => void blocks.set(key(cid), bytes.slice()),
    remove: async (cid) => void blocks.delete(key(cid)),
    take: (cid, from) => copyOver(cid, from, shelf),
    list: async function* () {
      for (const [held, { length }] of blocks) yield { key: held, bytes: length }
    },
    sync: async () => {},
  }
  return shelf
}

/** Over a blockstore that somebody else wrote: its lengths are only found by reading everything once. */
export function createShelfOver(blockstore: Blockstore): Shelf {
  const shelf: Shelf = {
    read: async (cid) => ((await blockstore.has(cid)) ? gather(blockstore.get(cid)) : null),
    write: async (cid, bytes) => void (await blockstore.put(cid, bytes.slice())),
    remove: async (cid) => void (await blockstore.delete(cid)),
    take: (cid, from) => copyOver(cid, from, shelf),
    list: async function* () {
      for await (const { cid, bytes } of blockstore.getAll()) {
        const held = keyOf(cid)
        if (held !== null) yield { key: held, bytes: (await gather(bytes)).length }
      }
    },
    sync: async () => {},
  }
  return shelf
}

/** A copy even of one piece: stores in memory hand out what they hold. */
export async function gather(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const piece of pieces) parts.push(piece)
  return concat(...parts)
}

async function copyOver(cid: CID, from: Shelf, to: Shelf): Promise<boolean> {
  const bytes = await from.read(cid)
  if (!(bytes instanceof Uint8Array)) return false
  await to.write(cid, bytes, true)
  await from.remove(cid)
  return true
}
