/**
 * Where blocks lie: in memory, in a directory (`disk-shelf.ts`) or in a bucket (`s3-shelf.ts`). A shelf believes what it is
 * given and gives what it has; `block-store.ts` is what checks.
 */
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
  /** Moves a block here from another shelf; a crash leaves it in one of the two at least. False: it had none. */
  take(cid: CID, from: Shelf): Promise<boolean>
  /** Every block and its length; what is no block is passed over. */
  list(): AsyncIterable<Shelved>
  sync(): Promise<void>
  /** Of the disk that it fills, where it fills one of this machine. */
  freeBytes?(): Promise<number>
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

/** A copy even of one piece: stores in memory hand out what they hold. */
export async function gather(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const piece of pieces) parts.push(piece)
  return concat(...parts)
}

/** Between shelves that are not of one kind, or have no quicker way. */
export async function copyOver(cid: CID, from: Shelf, to: Shelf): Promise<boolean> {
  const bytes = await from.read(cid)
  if (!(bytes instanceof Uint8Array)) return false
  await to.write(cid, bytes, true)
  await from.remove(cid)
  return true
}
