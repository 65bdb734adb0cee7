/**
 * The checkpoint store: blocks, files, what is withheld, what is kept, in one directory.
 *
 *   open/ sealed/   blocks, and blocks that are not served yet
 *   pins.json       what is kept for good
 *
 * One process has the directory at a time; whoever opens it sees to that (`lock`). With a bucket, `open/` and `pins.json`
 * are there instead, so that another machine finds all of it; what is withheld is never where others may read.
 */
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import type { Cancel, Log } from '../../ports.ts'
import { assert } from '../../util/assert.ts'
import { createQueue } from '../../util/queue.ts'
import type { BlockStore, Damage } from './block-store.ts'
import { type BudgetOptions, createBudget } from './budget.ts'
import { exportCar, type Sink } from './car-export.ts'
import { type CarVerdict, importCar } from './car-import.ts'
import { cidOfBlock, DAG_CBOR, parseCid, RAW } from './cid.ts'
import { onDisk } from './disk-file.ts'
import { openDiskShelf } from './disk-shelf.ts'
import { type AddedFile, type AddOptions, addFile } from './file-add.ts'
import type { Malformed } from './file-node.ts'
import { type Missing, readRange, readWhole, type Whole } from './file-read.ts'
import { type FileLayout, layoutOf } from './file-walk.ts'
import { createHeliaOver, type StoreHelia } from './helia.ts'
import { createHolds, type Hold, type Holds } from './hold.ts'
import { BLOCK_BYTES_MAX, LEAF_BYTES_MAX } from './limits.ts'
import { createMemoryPinFile, createPinFile, openPins, type Pin, type PinFile, type Pins } from './pins.ts'
import { type Freed, isComplete, reach, retain, type Share, shareHere } from './retention.ts'
import type { S3Place } from './s3-shelf.ts'
import { createMemoryShelf, type Shelf } from './shelf.ts'
import { openVault, type Vault } from './vault.ts'

export type StoreOptions = BudgetOptions & {
  readonly dir: string
  /** Where the blocks go instead of into the directory. One machine has the place at a time. */
  readonly s3?: S3Place | undefined
}

export type StoreDeps = {
  readonly log: Log
  /** For metrics. */
  readonly onDamaged?: (damage: Damage) => void
  /** Keeps other processes away from the directory; gives back how to let them in again. */
  readonly lock?: (dir: string) => Promise<() => Promise<void>>
  /** Instead of asking the disk. */
  readonly freeBytes?: () => Promise<number>
}

export type Store = {
  /** What may be served, and where fetched blocks go. Nothing withheld is in it. */
  readonly blocks: BlockStore
  /** One raw block, a file when it is more than a leaf, or one document. When it resolves, it is on the disk. */
  put(
    bytes: Uint8Array,
    opts: { readonly codec: 'dag-cbor' | 'raw'; readonly withheld: boolean } & Cancel,
  ): Promise<CID>
  addFile(from: string | AsyncIterable<Uint8Array>, opts: AddOptions): Promise<AddedFile>
  /** Throws BLOB_UNAVAILABLE where a block is missing, or is not what its node says. */
  readFile(cid: CID, opts: { readonly offset?: number; readonly length?: number } & Cancel): AsyncIterable<Uint8Array>
  readWhole(cid: CID, bytesMax: number, opts: Cancel): Promise<Whole>
  /** Knows withheld files too: an answer to ourselves, never to a peer. */
  fileLayout(cid: CID, opts: Cancel): Promise<FileLayout>
  /** Whether all its blocks are here, served or not. */
  has(cid: CID): Promise<boolean>
  /** Serves what was withheld, all blocks of it. Nothing happens when it was not, or is not here. */
  release(cid: CID): Promise<void>
  /** Until it is closed, nothing of this and nothing that is stored meanwhile is freed. */
  hold(cid: CID): Hold
  /** Frees every block that neither these nor a pin need, and nobody is writing. */
  retain(cids: ReadonlySet<string>, opts: Cancel): Promise<Freed>
  /** The same with the pins alone. */
  gc(opts: Cancel): Promise<Freed>
  pin(cid: CID, opts: { readonly name: string; readonly cycle: number }): Promise<void>
  unpin(cid: CID, name: string): Promise<void>
  /** Each with what is here of it. */
  ls(opts: Cancel): Promise<readonly (Pin & Share)[]>
  exportCar(cid: CID, sink: Sink, opts: Cancel): Promise<void>
  importCar(source: AsyncIterable<Uint8Array>, opts: Cancel): Promise<CarVerdict>
  /** Open and sealed blocks together. */
  usedBytes(): number
  createHelia(): StoreHelia
  close(): Promise<void>
}

export async function openStore({ dir, s3, ...options }: StoreOptions, deps: StoreDeps): Promise<Store> {
  const unlock = await deps.lock?.(dir)
  const ends = [async () => unlock?.()]
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    const sealed = await openDirectory(dir, 'sealed', deps.freeBytes)
    if (s3 !== undefined) {
      const remote = (await loadBuckets()).openBucket(s3)
      ends.push(async () => remote.close())
      const place = { shelves: { open: remote.shelf('open'), sealed }, pinFile: remote.pinFile }
      return await createStore(place, options, deps, close)
    }
    const shelves = { open: await openDirectory(dir, 'open', deps.freeBytes), sealed }
    const place = { shelves, pinFile: createPinFile(join(dir, 'pins.json')) }
    return await onDisk(dir, () => createStore(place, options, deps, close))
  } catch (error) {
    await close()
    throw error
  }
}

const openDirectory = (dir: string, name: string, freeBytes: StoreDeps['freeBytes']) =>
  onDisk(dir, () => openDiskShelf(join(dir, name), freeBytes))

/** The packages behind it are larger than all of ours, and few need them. */
async function loadBuckets(): Promise<typeof import('./s3-shelf.ts')> {
  try {
    return await import('./s3-shelf.ts')
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND')) throw cause
    throw new NodeError('STORE_UNAVAILABLE', {
      what: 'a store in a bucket cannot be used',
      why: 'the packages for it are not installed',
      remedy: 'Run `npm install @aws-sdk/client-s3 blockstore-s3` where wheelwright is installed.',
      cause,
    })
  }
}

/** The same in memory, for tests and benches. */
export function openMemoryStore(options: BudgetOptions, deps: StoreDeps): Promise<Store> {
  const shelves = { open: createMemoryShelf(), sealed: createMemoryShelf() }
  const place = { shelves, pinFile: createMemoryPinFile() }
  return createStore(place, options, deps)
}

type Place = {
  readonly shelves: { readonly open: Shelf; readonly sealed: Shelf }
  readonly pinFile: PinFile
}

async function createStore(
  { shelves, pinFile }: Place,
  options: BudgetOptions,
  deps: StoreDeps,
  unlock: () => Promise<void> = async () => {},
): Promise<Store> {
  const { log } = deps
  const onDamaged = (damage: Damage): void => {
    log.error('a block was damaged on disk and is removed', damage)
    deps.onDamaged?.(damage)
  }
  const budget = createBudget(options)
  const holds = createHolds()
  const vault = await openVault(shelves, { budget, holds, onDamaged })
  return {
    blocks: vault.open,
    ...createContent(vault, holds),
    ...createKeeping(vault, holds, await openPins(pinFile)),
    exportCar: (cid, sink, opts) => exportCar(vault, cid, sink, opts),
    importCar: (source, opts) => importCar(vault, holds, source, opts),
    usedBytes: () => budget.usedBytes(),
    createHelia: () => createHeliaOver(vault.open, log),
    close: unlock,
  }
}

const never = new AbortController().signal

type Content = 'put' | 'addFile' | 'readFile' | 'readWhole' | 'fileLayout' | 'has' | 'release'

function createContent(vault: Vault, holds: Holds): Pick<Store, Content> {
  return {
    put: async (bytes, { codec, withheld, signal }) => {
      if (codec === 'raw' && bytes.length > LEAF_BYTES_MAX) {
        return (await addFile(vault, holds, once(bytes), { withheld, signal })).cid
      }
      assert(bytes.length <= BLOCK_BYTES_MAX, 'our own documents keep the limits of the protocol')
      const cid = cidOfBlock(codec === 'raw' ? RAW : DAG_CBOR, bytes)
      await vault.put(cid, bytes, { withheld, signal, durable: true })
      await vault.sync()
      return cid
    },
    addFile: (from, opts) => addFile(vault, holds, from, opts),
    readFile: async function* (cid, { offset = 0, length = Number.MAX_SAFE_INTEGER - offset, signal }) {
      for await (const reading of readRange(vault, cid, { begin: offset, end: offset + length }, { signal })) {
        if (reading.kind !== 'bytes') throw unreadable(cid, reading)
        yield reading.bytes
      }
    },
    readWhole: (cid, bytesMax, opts) => readWhole(vault, cid, bytesMax, opts),
    fileLayout: (cid, opts) => layoutOf(vault, cid, opts),
    has: (cid) => isComplete(vault, cid, { signal: never }),
    release: async (cid) => {
      const cids: CID[] = []
      for await (const one of reach(vault, [cid], { signal: never })) cids.push(one)
      // The root comes last: who asks for it early finds nothing instead of half.
      for (const one of cids.reverse()) await vault.release(one)
      await vault.sync()
    },
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

type Keeping = 'hold' | 'retain' | 'gc' | 'pin' | 'unpin' | 'ls'

function createKeeping(vault: Vault, holds: Holds, pins: Pins): Pick<Store, Keeping> {
  const inTurn = createQueue()
  const free = (keep: Iterable<string>, opts: Cancel) =>
    inTurn(() => retain(vault, holds, [...keep, ...pins.list().map(({ cid }) => cid)], opts))
  return {
    hold: (cid) => holds.open(cid),
    retain: (cids, opts) => free(cids, opts),
    gc: (opts) => free([], opts),
    pin: (cid, { name, cycle }) => pins.add({ cid: cid.toString(), name, cycle }),
    unpin: (cid, name) => pins.remove({ cid: cid.toString(), name }),
    ls: async (opts) => {
      const listed: (Pin & Share)[] = []
      for (const pin of pins.list()) {
        const root = parseCid(pin.cid)
        assert(root !== null, 'what is pinned has a CID')
        listed.push({ ...pin, ...(await shareHere(vault, root, opts)) })
      }
      return listed
    },
  }
}

function unreadable(cid: CID, reading: Missing | Malformed): NodeError {
  const why = reading.kind === 'missing' ? `its block ${reading.cid} is not here` : reading.why
  return new NodeError('BLOB_UNAVAILABLE', { what: `${cid} was not read to its end`, why, data: { cid: `${cid}` } })
}
