/**
 * Blocks that are what their CID says, on the way in and on the way out, over any shelf.
 *
 * A block that is damaged where it lies is named, removed, and then absent, so that whoever wants it fetches it again; it
 * is never handed out. The lengths of all blocks are held in memory: what is here is known without asking the disk.
 */
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import type { Cancel } from '../../ports.ts'
import type { Budget } from './budget.ts'
import { cidOfKey, isKeyOf, keyOf } from './cid.ts'
import type { Holds } from './hold.ts'
import { createKeyLock } from './key-lock.ts'
import { BLOCK_BYTES_MAX } from './limits.ts'
import type { Shelf } from './shelf.ts'

/** What a transfer needs: blocks that may be served, and where fetched ones go. */
export type BlockStore = {
  get(cid: CID, opts: Cancel): Promise<Uint8Array | null>
  has(cid: CID): Promise<boolean>
  /**
   * Throws BLOB_FOREIGN when the bytes are not the CID's, DISK_QUOTA when there is no room. `verified` says that they were
   * hashed a moment ago, to tell a bad peer from a bad disk, and need not be again.
   */
  put(cid: CID, bytes: Uint8Array, opts: Cancel & { readonly verified?: true }): Promise<void>
  delete(cid: CID): Promise<void>
  /** Raw CIDs, because only hashes are known of blocks that lie here. */
  cids(): AsyncIterable<{ readonly cid: CID; readonly bytes: number }>
  usedBytes(): number
}

export type PutOptions = Cancel & {
  readonly verified?: true
  /** Survives the loss of power after `sync`. What is fetched need not, because it can be fetched again. */
  readonly durable?: boolean
}

/** Only what is open is ever served. */
export type PartName = 'open' | 'sealed'

/** For the log and for metrics. */
export type Damage = { readonly cid: string; readonly part: PartName; readonly bytes: number }

export type PartDeps = {
  readonly budget: Budget
  readonly holds: Holds
  readonly onDamaged: (damage: Damage) => void
}

/** One of the two parts of a store. */
export class Part implements BlockStore {
  readonly #name: PartName
  readonly #shelf: Shelf
  readonly #deps: PartDeps
  readonly #exclusively = createKeyLock()
  readonly #index = new Map<string, number>()
  #usedBytes = 0

  private constructor(name: PartName, shelf: Shelf, deps: PartDeps) {
    this.#name = name
    this.#shelf = shelf
    this.#deps = deps
  }

  static async open(name: PartName, shelf: Shelf, deps: PartDeps): Promise<Part> {
    const part = new Part(name, shelf, deps)
    for await (const { key, bytes } of shelf.list()) {
      part.#enter(key, bytes)
      deps.budget.count(bytes)
    }
    return part
  }

  async get(cid: CID, { signal }: Cancel): Promise<Uint8Array | null> {
    signal.throwIfAborted()
    const key = keyOf(cid)
    if (key === null || !this.#index.has(key)) return null
    const bytes = await this.#readSound(key)
    const found = bytes ?? (await this.#exclusively(key, () => this.#mend(key)))
    signal.throwIfAborted()
    return found
  }

  async has(cid: CID): Promise<boolean> {
    return this.#index.has(keyOf(cid) ?? '')
  }

  async put(cid: CID, bytes: Uint8Array, { signal, verified, durable = false }: PutOptions): Promise<void> {
    signal.throwIfAborted()
    const key = judgeBlock(cid, bytes, verified === true)
    this.#deps.holds.note(key)
    await this.#exclusively(key, async () => {
      if (this.#index.has(key) && (await this.#mend(key)) !== null) return
      const write = () => this.#shelf.write(cid, bytes, durable)
      await this.#deps.budget.spend(bytes.length, write, this.#shelf.freeBytes)
      this.#enter(key, bytes.length)
    })
  }

  async delete(cid: CID): Promise<void> {
    await this.drop(keyOf(cid) ?? '', () => false)
  }

  async *cids(): AsyncIterable<{ readonly cid: CID; readonly bytes: number }> {
    for (const [key, bytes] of this.#index) yield { cid: cidOfKey(key), bytes }
  }

  usedBytes(): number {
    return this.#usedBytes
  }

  keys(): Iterable<string> {
    return this.#index.keys()
  }

  bytesOf(key: string): number | null {
    return this.#index.get(key) ?? null
  }

  /** Frees a block unless it is wanted in that very moment. Returns how many bytes that gave back. */
  drop(key: string, isWanted: () => boolean): Promise<number> {
    return this.#exclusively(key, async () => (isWanted() ? 0 : this.#remove(key)))
  }

  /** Moves a block into another part of the same store. It needs no room, so it cannot fail for want of any. */
  async moveTo(cid: CID, to: Part): Promise<void> {
    const key = keyOf(cid) ?? ''
    await this.#exclusively(key, async () => {
      const bytes = this.#index.get(key)
      if (bytes === undefined) return
      if (await to.#adopt(key, bytes, this.#shelf)) this.#forget(key)
      else await this.#remove(key)
    })
  }

  /** False when it has the block already, and sound, or when there is nothing to move. */
  #adopt(key: string, bytes: number, from: Shelf): Promise<boolean> {
    return this.#exclusively(key, async () => {
      if (this.#index.has(key) && (await this.#mend(key)) !== null) return false
      if (!(await this.#shelf.take(cidOfKey(key), from))) return false
      this.#enter(key, bytes)
      return true
    })
  }

  sync(): Promise<void> {
    return this.#shelf.sync()
  }

  async #readSound(key: string): Promise<Uint8Array | null> {
    const bytes = await this.#shelf.read(cidOfKey(key))
    return bytes instanceof Uint8Array && isKeyOf(key, bytes) ? bytes : null
  }

  /** Looks while nobody writes: it is sound after all, or it is damaged or gone and leaves the store. */
  async #mend(key: string): Promise<Uint8Array | null> {
    const bytes = await this.#readSound(key)
    if (bytes !== null || !this.#index.has(key)) return bytes
    const lost = await this.#remove(key)
    this.#deps.onDamaged({ cid: cidOfKey(key).toString(), part: this.#name, bytes: lost })
    return null
  }

  async #remove(key: string): Promise<number> {
    const bytes = this.#index.get(key)
    if (bytes === undefined) return 0
    await this.#shelf.remove(cidOfKey(key))
    this.#forget(key)
    this.#deps.budget.release(bytes)
    return bytes
  }

  #enter(key: string, bytes: number): void {
    this.#index.set(key, bytes)
    this.#usedBytes += bytes
  }

  #forget(key: string): void {
    this.#usedBytes -= this.#index.get(key) ?? 0
    this.#index.delete(key)
  }
}

/** The key of sound bytes. */
function judgeBlock(cid: CID, bytes: Uint8Array, isVerified: boolean): string {
  const key = keyOf(cid)
  if (key === null) throw foreign(cid, 'its hash is not SHA-256')
  if (bytes.length > BLOCK_BYTES_MAX) throw foreign(cid, `a block has at most ${BLOCK_BYTES_MAX} bytes`)
  if (!isVerified && !isKeyOf(key, bytes)) throw foreign(cid, 'the bytes have another hash')
  return key
}

const foreign = (cid: CID, why: string): NodeError =>
  new NodeError('BLOB_FOREIGN', { what: `a block was not stored as ${cid}`, why, data: { cid: cid.toString() } })
