/**
 * Transactions that wait for a block: ready ones in the order of their nonces, future ones until the gap before them is
 * filled.
 *
 * As in Substrate, whatever was refused or included is banned for half an hour, so that sending it again says "banned" and
 * not why. Priorities are flat in subtensor: nothing replaces a transaction of the same account and nonce.
 */
import type { Extrinsic } from './extrinsic.ts'
import { poolError, type RpcError } from './rpc-error.ts'
import type { ProofCache, Validity } from './validity.ts'

/** What a watcher is told, as JSON-RPC writes it. */
export type TxStatus =
  | 'ready'
  | 'future'
  | 'invalid'
  | { readonly inBlock: string }
  | { readonly finalized: string }
  | { readonly retracted: string }
export type Watcher = (status: TxStatus) => void

export type PoolTx = {
  readonly extrinsic: Extrinsic
  readonly account: string
  readonly nonce: number
  /** The first block in which it is too late. */
  readonly deathBlock: number
  readonly proof: ProofCache
  readonly watchers: Set<Watcher>
}

export type PoolLimits = { readonly readyMax: number; readonly futureMax: number; readonly bytesMax: number }

export type PoolDeps = {
  readonly nowMs: () => number
  readonly validate: (extrinsic: Extrinsic, proof: ProofCache) => Validity
  readonly nonceOf: (account: string) => number
}

/** Of a Substrate node: 8,192 transactions of 20 MiB, a tenth of it for the future. */
export const POOL_LIMITS: PoolLimits = { readyMax: 8192, futureMax: 819, bytesMax: 20 * 1024 * 1024 }
const PRIORITY = 1

export class Pool {
  readonly #deps: PoolDeps
  readonly #limits: PoolLimits
  readonly #bans: Bans
  readonly #known = new Map<string, PoolTx>()
  /** In the order in which they became ready. */
  readonly #ready = new Map<string, PoolTx>()
  readonly #byAccount = new Map<string, Map<number, PoolTx>>()
  #bytes = 0

  constructor(limits: PoolLimits, deps: PoolDeps) {
    this.#limits = limits
    this.#deps = deps
    this.#bans = new Bans(deps.nowMs)
  }

  /** Throws an `RpcError`. */
  submit(extrinsic: Extrinsic): PoolTx {
    if (this.#bans.has(extrinsic.hash)) throw poolError.banned()
    if (this.#known.has(extrinsic.hash)) throw poolError.alreadyImported()
    const tx = this.#admit(extrinsic)
    this.#add(tx)
    this.#sort(tx.account)
    return tx
  }

  /** In the order in which a block should take them. */
  ready(): readonly PoolTx[] {
    return [...this.#ready.values()]
  }

  isReady(tx: PoolTx): boolean {
    return this.#ready.has(tx.extrinsic.hash)
  }

  pending(): readonly PoolTx[] {
    return [...this.#known.values()]
  }

  /** How many transactions of the account follow one another from its nonce on. */
  readyCount(account: string): number {
    const siblings = this.#byAccount.get(account)
    const first = this.#deps.nonceOf(account)
    let nonce = first
    while (siblings?.has(nonce) === true) nonce++
    return nonce - first
  }

  /** It is in a block, or will never be in one. */
  remove(tx: PoolTx, why: 'included' | 'invalid'): void {
    this.#known.delete(tx.extrinsic.hash)
    this.#ready.delete(tx.extrinsic.hash)
    this.#bytes -= tx.extrinsic.bytes.length
    const siblings = this.#byAccount.get(tx.account)
    siblings?.delete(tx.nonce)
    if (siblings?.size === 0) this.#byAccount.delete(tx.account)
    this.#bans.add(tx.extrinsic.hash)
    if (why === 'invalid') tell(tx, 'invalid')
  }

  /** After a block or a fork: what is too late goes, and gaps may be closed or open again. */
  refresh(headNumber: number): void {
    for (const tx of this.pending()) {
      const isLate = tx.nonce < this.#deps.nonceOf(tx.account) || headNumber + 1 >= tx.deathBlock
      if (isLate) this.remove(tx, 'invalid')
    }
    for (const account of this.#byAccount.keys()) this.#sort(account)
  }

  /** From a block that was taken back: no ban holds it off. */
  giveBack(tx: PoolTx): void {
    this.#bans.remove(tx.extrinsic.hash)
    this.#add(tx)
  }

  #admit(extrinsic: Extrinsic): PoolTx {
    const proof: ProofCache = { proven: null }
    const validity = this.#deps.validate(extrinsic, proof)
    if (validity.kind === 'unknown') throw poolError.unknown(validity.reason)
    if (validity.kind === 'custom') throw this.#refuse(extrinsic, poolError.custom(validity.code))
    if (validity.kind === 'invalid') throw this.#refuse(extrinsic, poolError.invalid(validity.reason))
    const { account, nonceAhead, deathBlock } = validity
    const nonce = this.#deps.nonceOf(account) + nonceAhead
    if (this.#byAccount.get(account)?.has(nonce) === true) throw poolError.lowPriority(PRIORITY, PRIORITY)
    const { readyMax, futureMax, bytesMax } = this.#limits
    const isFuture = nonceAhead > this.readyCount(account)
    const isFull = isFuture ? this.#known.size - this.#ready.size >= futureMax : this.#ready.size >= readyMax
    if (isFull || this.#bytes + extrinsic.bytes.length > bytesMax) throw poolError.immediatelyDropped()
    return { extrinsic, account, nonce, deathBlock, proof, watchers: new Set() }
  }

  #refuse(extrinsic: Extrinsic, error: RpcError): RpcError {
    this.#bans.add(extrinsic.hash)
    return error
  }

  #add(tx: PoolTx): void {
    this.#known.set(tx.extrinsic.hash, tx)
    this.#bytes += tx.extrinsic.bytes.length
    const siblings = this.#byAccount.get(tx.account) ?? new Map<number, PoolTx>()
    this.#byAccount.set(tx.account, siblings.set(tx.nonce, tx))
  }

  /** Moves the account's transactions to where their nonces put them now. */
  #sort(account: string): void {
    const first = this.#deps.nonceOf(account)
    const end = first + this.readyCount(account)
    const siblings = this.#byAccount.get(account)
    for (let nonce = first; nonce < end; nonce++) {
      const tx = siblings?.get(nonce) as PoolTx
      if (this.isReady(tx)) continue
      this.#ready.set(tx.extrinsic.hash, tx)
      tell(tx, 'ready')
    }
    for (const tx of siblings?.values() ?? []) {
      if (tx.nonce >= end && this.#ready.delete(tx.extrinsic.hash)) tell(tx, 'future')
    }
  }
}

export function tell(tx: PoolTx, status: TxStatus): void {
  for (const watcher of tx.watchers) watcher(status)
}

/** Both of Substrate; beyond the count the oldest bans are forgotten. */
const BAN_MS = 30 * 60_000
const BANS_MAX = 4096

class Bans {
  readonly #nowMs: () => number
  readonly #untilMs = new Map<string, number>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  add(hash: string): void {
    this.#untilMs.delete(hash) // so that the order stays the order of time
    this.#untilMs.set(hash, this.#nowMs() + BAN_MS)
    for (const oldest of this.#untilMs.keys()) {
      if (this.#untilMs.size <= BANS_MAX) break
      this.#untilMs.delete(oldest)
    }
  }

  remove(hash: string): void {
    this.#untilMs.delete(hash)
  }

  has(hash: string): boolean {
    return (this.#untilMs.get(hash) ?? Number.NEGATIVE_INFINITY) > this.#nowMs()
  }
}
