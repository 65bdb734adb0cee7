/**
 * The chain itself: blocks, heads, the pool and who listens. Everything here is synchronous.
 *
 * `seal` makes the next block of what waits. The finalised head trails the best one by a fixed number of blocks, and what
 * is final is told with a later block than what is best. `fork` replaces the last blocks, as a network does that changes its
 * mind.
 */
import type { Unsubscribe } from '../../ports.ts'
import { assert } from '../../util/assert.ts'
import { type Block, hex0x } from './block.ts'
import { BlockList } from './block-list.ts'
import type { Context } from './define.ts'
import { type ExecutorDeps, OpenBlock } from './executor.ts'
import { decodeExtrinsic } from './extrinsic.ts'
import { Account, LastRuntimeUpgrade } from './pallet/system.ts'
import { Now } from './pallet/timestamp.ts'
import { Pool, type PoolLimits, type PoolTx, tell } from './pool.ts'
import type { Runtime } from './runtime.ts'
import type { Change, ReadView, State } from './state.ts'
import { type ValidityFacts, validate } from './validity.ts'

export type ChainEvent =
  /** Every block, also one on a branch that is not best yet. */
  | { readonly type: 'imported'; readonly block: Block }
  | { readonly type: 'best'; readonly block: Block }
  | { readonly type: 'finalised'; readonly block: Block }
  | { readonly type: 'upgraded'; readonly specVersion: number }

/** A block with what it changed, or with all that is present after it. */
export type Stored = { readonly block: Block; readonly changes: readonly Change[] }
/** The state after a final block, all hashes up to it, one after the other, and the blocks after it. */
export type Snapshot = {
  readonly hashes: Uint8Array
  readonly base: Stored
  readonly tail: readonly Stored[]
}

/** Where blocks are kept across restarts. */
export type Store = {
  append(stored: Stored): void
  /** All blocks after this one are void. */
  revert(block: number): void
  wantsSnapshot(): boolean
  snapshot(snapshot: Snapshot): void
}

export type ChainOptions = {
  readonly slotMs: number
  readonly finalityBlocks: number
  readonly historyBlocks: number
  readonly specVersion: number
  readonly genesis: (context: Context) => void
  readonly poolLimits: PoolLimits
}

export type ChainDeps = ExecutorDeps & {
  readonly nowMs: () => number
  readonly store: Store | null
}

/** Blocks outlive their state, as on a real node, which keeps them for ever. */
const BLOCKS_PER_HISTORY = 2

/** What runtime APIs and tests read of a block. */
export type BlockView = ReadView & Pick<Context, 'block' | 'nowMs'>

export class Chain {
  readonly runtime: Runtime
  readonly state: State
  readonly pool: Pool
  readonly #options: ChainOptions
  readonly #deps: ChainDeps
  readonly #blocks: BlockList
  /** Until they are final, because they are given back when their block is taken back. */
  readonly #included = new Map<number, readonly PoolTx[]>()
  readonly #listeners = new Set<(event: ChainEvent) => void>()
  #finalised = 0
  /** The first block whose state we have. */
  #oldest = 0
  #wantsUpgrade = false

  constructor(options: ChainOptions, deps: ChainDeps) {
    assert(options.finalityBlocks >= 1, 'what is final is told with a later block')
    assert(options.historyBlocks > options.finalityBlocks, 'blocks that may be taken back are kept')
    this.#options = options
    this.#deps = deps
    this.runtime = deps.runtime
    this.state = deps.state
    this.#blocks = new BlockList(BLOCKS_PER_HISTORY * options.historyBlocks, deps.runtime.codecs)
    this.pool = new Pool(options.poolLimits, {
      nowMs: deps.nowMs,
      nonceOf: (account) => this.state.get(Account, account).nonce,
      validate: (extrinsic, proof) => {
        const context = lookOnly(this.state, this.#blocks.length, deps.nowMs())
        return validate(extrinsic, this.#facts(context), proof)
      },
    })
  }

  /** Block 0. Either this or `resume` comes first. */
  begin(): void {
    const { slotMs, specVersion, genesis } = this.#options
    const input = { number: 0, parent: null, nowMs: 0, slotMs, newSpecVersion: specVersion }
    const open = new OpenBlock(input, this.#deps)
    genesis(open.context)
    this.#keep(open.close())
    this.#saveSnapshot()
  }

  /** Goes on from what was stored. `false` when it is of another runtime. */
  resume({ hashes, base, tail }: Snapshot): boolean {
    this.#blocks.skip(hashes, base.block.number)
    this.#oldest = base.block.number
    for (const { block, changes } of [base, ...tail]) {
      this.state.begin(block.number)
      if (!this.state.load(changes)) return false
      this.#blocks.push(block)
    }
    this.#finalised = Math.max(base.block.number, this.#blocks.length - 1 - this.#options.finalityBlocks)
    return true
  }

  head(): Block {
    return this.#blocks.at(this.#blocks.length - 1)
  }

  finalised(): Block {
    return this.#blocks.at(this.#finalised)
  }

  /** `null` for a block that is not there, or no longer. */
  blockByHash(hash: string): Block | null {
    return this.#blocks.withHash(hash)
  }

  hashOf(number: number): string | null {
    return this.#blocks.hashOf(number)
  }

  /** `null` when the state after this block was forgotten. */
  viewAt(block: number): BlockView | null {
    const { number: head } = this.head()
    if (block < this.#oldest || block <= head - this.#options.historyBlocks || block > head) return null
    const view = this.state.at(block)
    return { ...view, block, nowMs: Number(view.get(Now)) }
  }

  specVersionAt(block: number): number {
    return this.state.at(block).get(LastRuntimeUpgrade)?.spec_version ?? this.#options.specVersion
  }

  /** Throws an `RpcError` when the pool refuses, a `ScaleError` when it is no transaction. */
  submit(bytes: Uint8Array): PoolTx {
    return this.pool.submit(decodeExtrinsic(bytes, this.runtime))
  }

  listen(listener: (event: ChainEvent) => void): Unsubscribe {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** With the next block the runtime's version is one higher. */
  upgrade(): void {
    this.#wantsUpgrade = true
  }

  /** The next block: of all that is ready, or of nothing, as when the author of a block did not hear of it. */
  seal(fill: 'ready' | 'empty' = 'ready'): Block {
    const block = this.#make(this.#deps.nowMs(), fill === 'ready' ? this.pool.ready() : [])
    this.#becomeBest(block)
    if (this.#deps.store?.wantsSnapshot() === true) this.#saveSnapshot()
    return block
  }

  /** Replaces up to so many last blocks that are not final. Their transactions come again, or are lost. */
  fork(count: number, fate: 'again' | 'lost'): Block {
    const gone = this.#takeBack(count, fate)
    // The other branch was made at about the same times, and is longer, or nobody would have changed to it.
    for (const old of gone) this.#make(this.#timeOf(old) + 1, this.pool.ready())
    const best = this.#make(this.#deps.nowMs(), this.pool.ready())
    for (const { number } of gone) this.#tellIncluded(this.#blocks.at(number))
    this.#becomeBest(best)
    return best
  }

  #takeBack(count: number, fate: 'again' | 'lost'): readonly Block[] {
    const base = Math.max(this.#finalised, this.#blocks.length - 1 - count)
    const gone = this.#blocks.cut(base + 1)
    this.state.revert(base)
    this.#deps.store?.revert(base)
    for (const { number, hash } of gone) {
      for (const tx of this.#included.get(number) ?? []) {
        tell(tx, { retracted: hex0x(hash) })
        if (fate === 'again') this.pool.giveBack(tx)
      }
      this.#included.delete(number)
    }
    this.pool.refresh(base)
    return gone
  }

  /** Takes what is valid in its turn. Time never stands still between blocks. */
  #make(timeMs: number, waiting: readonly PoolTx[]): Block {
    const parent = this.head()
    const number = parent.number + 1
    const newSpecVersion = this.#wantsUpgrade ? this.specVersionAt(parent.number) + 1 : null
    this.#wantsUpgrade = false
    const nowMs = Math.max(timeMs, Number(this.state.get(Now)) + 1)
    const open = new OpenBlock({ number, parent, nowMs, slotMs: this.#options.slotMs, newSpecVersion }, this.#deps)
    const facts = this.#facts(open.context)
    const taken: PoolTx[] = []
    for (const tx of waiting) {
      const validity = validate(tx.extrinsic, facts, tx.proof)
      if (validity.kind !== 'valid') this.pool.remove(tx, 'invalid')
      else if (validity.nonceAhead === 0) {
        open.apply(tx.extrinsic, tx.account)
        taken.push(tx)
      }
    }
    const block = open.close()
    for (const tx of taken) this.pool.remove(tx, 'included')
    this.#included.set(number, taken)
    this.#keep(block)
    if (newSpecVersion !== null) this.#announce({ type: 'upgraded', specVersion: newSpecVersion })
    return block
  }

  #becomeBest(block: Block): void {
    this.pool.refresh(block.number)
    this.#announce({ type: 'best', block })
    this.#tellIncluded(block)
    while (this.#finalised < block.number - this.#options.finalityBlocks) {
      this.#finalised++
      const final = this.finalised()
      this.#announce({ type: 'finalised', block: final })
      for (const tx of this.#included.get(final.number) ?? []) tell(tx, { finalized: hex0x(final.hash) })
      this.#included.delete(final.number)
    }
  }

  #tellIncluded({ number, hash }: Block): void {
    for (const tx of this.#included.get(number) ?? []) tell(tx, { inBlock: hex0x(hash) })
  }

  #keep(block: Block): void {
    this.#blocks.push(block)
    this.#deps.store?.append({ block, changes: this.state.changesOf(block.number) })
    this.#announce({ type: 'imported', block })
  }

  #saveSnapshot(): void {
    const number = this.#finalised
    const stored = (at: number): Stored => ({ block: this.#blocks.at(at), changes: this.state.changesOf(at) })
    this.#deps.store?.snapshot({
      hashes: this.#blocks.hashesTo(number),
      base: { block: this.finalised(), changes: this.state.allAt(number) },
      tail: Array.from({ length: this.head().number - number }, (_, i) => stored(number + 1 + i)),
    })
  }

  /** From the inherent that every block but genesis begins with. */
  #timeOf({ body }: Block): number {
    return Number(decodeExtrinsic(body[0] ?? new Uint8Array(), this.runtime).call.args['now'])
  }

  #facts(context: Context): ValidityFacts {
    const specVersion = this.specVersionAt(this.#blocks.length - 1)
    return { runtime: this.runtime, specVersion, context, hashOf: (number) => this.hashOf(number) }
  }

  #announce(event: ChainEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

/** What a transaction is judged by before it is in a block: it may look and not touch. */
function lookOnly(state: ReadView, block: number, nowMs: number): Context {
  const touch = () => assert(false, 'judging a transaction changes nothing')
  return {
    block,
    nowMs,
    get: (item, ...keys) => state.get(item, ...keys),
    entries: (item, ...prefix) => state.entries(item, ...prefix),
    set: touch,
    remove: touch,
    emit: touch,
    dispatch: touch,
  }
}
