/**
 * The state of the chain: decoded values with their history.
 *
 * Pallets read and write JavaScript values; the bytes that clients ask for are encoded when they are asked for. Every
 * entry keeps one version per block that changed it, for as many blocks as the history is long, and a journal of the
 * block in the making takes back what a failed call wrote. Nothing grows but with the state itself.
 */
import { assert } from '../../util/assert.ts'
import { compareText } from '../../util/compare.ts'
import type { StorageItem } from './define.ts'
import type { Codecs } from './scale.ts'
import { type AnyItem, decodeKeys, encodeKeys, PREFIX_DIGITS, prefixOf } from './storage-key.ts'

export type ReadView = {
  get<K extends readonly unknown[], V>(item: StorageItem<K, V>, ...keys: K): V
  entries<K extends readonly unknown[], V>(item: StorageItem<K, V>, ...prefix: unknown[]): Iterable<readonly [K, V]>
}

/** An entry as clients and the disk see it: hex without 0x, `null` for one that is gone. */
export type Change = { readonly key: string; readonly value: string | null }

const ABSENT = Symbol('absent')
const ENCODED = Symbol('encoded')

/** One of the two forms may be missing; it is made from the other when it is needed. */
type Version = { readonly block: number; value: unknown; hex: string | null }
type Cell = { readonly store: Store; readonly keys: readonly unknown[]; readonly key: string; versions: Version[] }
/** All entries of an item, by the text of their keys. */
type Store = {
  readonly item: AnyItem
  readonly prefix: string
  readonly cells: Map<string, Cell>
  /** In the order of their keys; `null` when that is to be found out again. */
  sorted: readonly Cell[] | null
}
type Undo = { readonly cell: Cell; readonly previous: Version | null }

const LATEST = Number.POSITIVE_INFINITY

export class State implements ReadView {
  readonly #codecs: Codecs
  readonly #historyBlocks: number
  /** In the order of their prefixes. */
  readonly #stores: readonly Store[]
  readonly #byPrefix: ReadonlyMap<string, Store>
  readonly #byItem = new Map<unknown, Store>()
  readonly #changed = new Map<number, Cell[]>()
  #journal: Undo[] = []
  #current = 0

  constructor(items: readonly AnyItem[], codecs: Codecs, historyBlocks: number) {
    this.#codecs = codecs
    this.#historyBlocks = historyBlocks
    this.#stores = items
      .map((item): Store => ({ item, prefix: prefixOf(item), cells: new Map(), sorted: null }))
      .sort((a, b) => compareText(a.prefix, b.prefix))
    this.#byPrefix = new Map(this.#stores.map((store) => [store.prefix, store]))
  }

  get<K extends readonly unknown[], V>(item: StorageItem<K, V>, ...keys: K): V {
    return this.#get(item, keys, LATEST)
  }

  entries<K extends readonly unknown[], V>(item: StorageItem<K, V>, ...prefix: unknown[]): Iterable<readonly [K, V]> {
    return this.#entries(item, prefix, LATEST)
  }

  /** As it was after this block, which must be within the history. */
  at(block: number): ReadView {
    return {
      get: (item, ...keys) => this.#get(item, keys, block),
      entries: (item, ...prefix) => this.#entries(item, prefix, block),
    }
  }

  set<K extends readonly unknown[], V>(item: StorageItem<K, V>, keys: K, value: V): void {
    this.#write(this.#cellOf(this.#storeOf(item), keys), value)
  }

  remove<K extends readonly unknown[], V>(item: StorageItem<K, V>, keys: K): void {
    const cell = this.#find(item, keys)
    if (cell !== undefined && this.#valueOf(cell, LATEST) !== ABSENT) this.#write(cell, ABSENT)
  }

  /** All writes from now on belong to this block. Forgets what is older than the history. */
  begin(block: number): void {
    this.#current = block
    this.#journal = []
    this.#changed.set(block, [])
    this.#forget(block - this.#historyBlocks)
  }

  /** A point in the block in the making to which `rollback` can go back. */
  mark(): number {
    return this.#journal.length
  }

  rollback(mark: number): void {
    const changed = this.#changed.get(this.#current) ?? []
    for (const { cell, previous } of this.#journal.splice(mark).reverse()) {
      cell.versions.pop()
      if (previous !== null) cell.versions.push(previous)
      else changed.splice(changed.lastIndexOf(cell), 1)
      if (cell.versions.length === 0) this.#drop(cell)
    }
  }

  /** Takes back all blocks after this one. */
  revert(block: number): void {
    for (let last = this.#current; last > block; last--) {
      for (const cell of this.#changed.get(last) ?? []) {
        while ((cell.versions.at(-1)?.block ?? 0) > block) cell.versions.pop()
        if (cell.versions.length === 0) this.#drop(cell)
      }
      this.#changed.delete(last)
    }
    this.#current = block
    this.#journal = []
  }

  /** The bytes of an entry after this block. */
  bytesAt(key: string, block: number): string | null {
    const cell = this.#cellAt(key)
    return cell === null ? null : this.#hexOf(cell, versionAt(cell, block))
  }

  /** The keys that begin with this, in their order, after `start`. */
  keysAt(prefix: string, block: number, start: string, countMax: number): readonly string[] {
    const found: string[] = []
    for (const store of this.#stores) {
      if (!store.prefix.startsWith(prefix.slice(0, PREFIX_DIGITS))) continue
      if (store.prefix < start.slice(0, PREFIX_DIGITS)) continue
      for (const cell of sortedCells(store)) {
        if (found.length >= countMax) return found
        const isWanted = cell.key > start && cell.key.startsWith(prefix)
        if (isWanted && (versionAt(cell, block)?.value ?? ABSENT) !== ABSENT) found.push(cell.key)
      }
    }
    return found
  }

  /** What this block changed, with the values that it left. */
  changesOf(block: number): readonly Change[] {
    const cells = this.#changed.get(block) ?? []
    return cells.map((cell) => ({ key: cell.key, value: this.#hexOf(cell, versionAt(cell, block)) }))
  }

  /** Everything that is present after this block. */
  allAt(block: number): readonly Change[] {
    const cells = this.#stores.flatMap((store) => [...store.cells.values()])
    const all = cells.map((cell) => ({ key: cell.key, value: this.#hexOf(cell, versionAt(cell, block)) }))
    return all.filter((change) => change.value !== null)
  }

  /** Entries of the current block as they were written to disk. `false` when one is of no item of this runtime. */
  load(changes: readonly Change[]): boolean {
    for (const { key, value } of changes) {
      const store = this.#byPrefix.get(key.slice(0, PREFIX_DIGITS))
      if (store === undefined) return false
      const keys = decodeKeys(store.item, key.slice(PREFIX_DIGITS), this.#codecs)
      const cell = this.#cellOf(store, keys)
      this.#write(cell, value === null ? ABSENT : ENCODED, value)
    }
    this.#journal = []
    return true
  }

  #get<V>(
    item: StorageItem<never, V> | StorageItem<readonly unknown[], V>,
    keys: readonly unknown[],
    block: number,
  ): V {
    const cell = this.#find(item, keys)
    const value = cell === undefined ? ABSENT : this.#valueOf(cell, block)
    return value === ABSENT ? item.fallback : (value as V)
  }

  *#entries<K, V>(item: unknown, prefix: readonly unknown[], block: number): Iterable<readonly [K, V]> {
    for (const cell of this.#storeOf(item).cells.values()) {
      if (prefix.some((key, i) => cell.keys[i] !== key)) continue
      const value = this.#valueOf(cell, block)
      if (value !== ABSENT) yield [cell.keys as K, value as V]
    }
  }

  #storeOf(given: unknown): Store {
    const found = this.#byItem.get(given)
    if (found !== undefined) return found
    // Another pallet may have written the same item down for itself.
    const item = given as AnyItem
    const store = this.#byPrefix.get(prefixOf(item))
    assert(store !== undefined, `storage is in the table of its pallet: ${item.pallet}.${item.name}`)
    this.#byItem.set(given, store)
    return store
  }

  #find(item: unknown, keys: readonly unknown[]): Cell | undefined {
    const store = this.#storeOf(item)
    return store.cells.get(this.#textOf(store, keys))
  }

  /** What tells the entries of an item apart. Numbers, hex and bytes have texts without a slash; the rest is encoded. */
  #textOf({ item }: Store, keys: readonly unknown[]): string {
    if (keys.length === 1 && typeof keys[0] !== 'object') return String(keys[0])
    const isPlain = keys.every((key) => typeof key !== 'object' || key instanceof Uint8Array)
    return isPlain ? keys.join('/') : encodeKeys(item, keys, this.#codecs)
  }

  #cellOf(store: Store, keys: readonly unknown[]): Cell {
    const text = this.#textOf(store, keys)
    const found = store.cells.get(text)
    if (found !== undefined) return found
    const cell = { store, keys, key: store.prefix + encodeKeys(store.item, keys, this.#codecs), versions: [] }
    store.cells.set(text, cell)
    store.sorted = null
    return cell
  }

  #cellAt(key: string): Cell | null {
    const store = this.#byPrefix.get(key.slice(0, PREFIX_DIGITS))
    if (store === undefined) return null
    try {
      const keys = decodeKeys(store.item, key.slice(PREFIX_DIGITS), this.#codecs)
      const cell = store.cells.get(this.#textOf(store, keys))
      return cell?.key === key ? cell : null
    } catch {
      return null // not a key of this item, so there is nothing
    }
  }

  #drop(cell: Cell): void {
    cell.store.cells.delete(this.#textOf(cell.store, cell.keys))
    cell.store.sorted = null
  }

  #write(cell: Cell, value: unknown, hex: string | null = null): void {
    const last = cell.versions.at(-1)
    const isRewrite = last?.block === this.#current
    this.#journal.push({ cell, previous: isRewrite ? last : null })
    if (isRewrite) cell.versions.pop()
    else {
      if (last !== undefined) this.#pack(cell, last)
      this.#changed.get(this.#current)?.push(cell)
    }
    addVersion(cell, { block: this.#current, value, hex })
  }

  /** What is no longer the latest is seldom read again, and takes a tenth of the memory as bytes. */
  #pack(cell: Cell, version: Version): void {
    if (typeof version.value !== 'object' || version.value === null) return
    version.hex = this.#hexOf(cell, version)
    version.value = ENCODED
  }

  /** Keeps the newest version that is not above the horizon, and those above it. */
  #forget(horizon: number): void {
    for (const cell of this.#changed.get(horizon) ?? []) {
      const keep = cell.versions.findLastIndex((version) => version.block <= horizon)
      if (keep > 0) cell.versions.splice(0, keep)
      if (cell.versions.length === 1 && cell.versions[0]?.value === ABSENT) this.#drop(cell)
    }
    this.#changed.delete(horizon)
  }

  #valueOf(cell: Cell, block: number): unknown {
    const version = versionAt(cell, block)
    if (version === null) return ABSENT
    if (version.value === ENCODED) {
      version.value = this.#codecs.decode(cell.store.item.type, Buffer.from(version.hex as string, 'hex'))
    }
    return version.value
  }

  #hexOf(cell: Cell, version: Version | null): string | null {
    if (version === null || version.value === ABSENT) return null
    version.hex ??= Buffer.from(this.#codecs.encode(cell.store.item.type, version.value)).toString('hex')
    return version.hex
  }
}

const FEW_VERSIONS = 4

/** Most entries have few versions, and an array that is pushed to takes room for sixteen more. */
function addVersion(cell: Cell, version: Version): void {
  if (cell.versions.length < FEW_VERSIONS) cell.versions = [...cell.versions, version]
  else cell.versions.push(version)
}

function sortedCells(store: Store): readonly Cell[] {
  store.sorted ??= [...store.cells.values()].sort((a, b) => compareText(a.key, b.key))
  return store.sorted
}

/** Nearly always the last one; else found by halving, because a clock has a version in every block. */
function versionAt({ versions }: Cell, block: number): Version | null {
  let high = versions.length
  if (high > 0 && (versions[high - 1] as Version).block <= block) return versions[high - 1] as Version
  let low = 0
  while (low < high) {
    const middle = (low + high) >> 1
    if ((versions[middle] as Version).block <= block) low = middle + 1
    else high = middle
  }
  return low === 0 ? null : (versions[low - 1] as Version)
}
