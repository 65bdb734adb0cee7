/**
 * Executes blocks: what every pallet does at the start of one, the time, then one transaction after the other.
 *
 * A transaction that got here was validated (validity.ts): its nonce counts and its fee is kept even if its call fails. What
 * a failed call wrote and told is taken back.
 */
import type { Log } from '../../ports.ts'
import { concat, toHex } from '../../util/bytes.ts'
import { type Block, type Header, hashHeader } from './block.ts'
import { type Context, type DecodedCall, DispatchFailure, type Fields, type Origin } from './define.ts'
import { refuse } from './dispatch-error.ts'
import { type Extrinsic, encodeInherent } from './extrinsic.ts'
import * as system from './pallet/system.ts'
import { charge, feeOf } from './pallet/transaction-payment.ts'
import type { Runtime } from './runtime.ts'
import type { EnumValue } from './scale.ts'
import type { State } from './state.ts'
import { blake2 } from './storage-key.ts'

export type BlockInput = {
  readonly number: number
  /** `null` for genesis. */
  readonly parent: Pick<Block, 'hash' | 'header'> | null
  readonly nowMs: number
  readonly slotMs: number
  /** A runtime upgrade takes effect with this block. */
  readonly newSpecVersion: number | null
}

export type ExecutorDeps = { readonly runtime: Runtime; readonly state: State; readonly log: Log }

/** What a call weighs: the same for each, because nothing here depends on it. */
export const CALL_WEIGHT = { ref_time: 200_000_000n, proof_size: 4_000n }

const AURA = Uint8Array.from(Buffer.from('aura'))

/** A block in the making. */
export class OpenBlock {
  readonly context: Context
  readonly #input: BlockInput
  readonly #deps: ExecutorDeps
  readonly #logs: readonly EnumValue[]
  readonly #events: system.EventRecord[] = []
  readonly #body: Uint8Array[] = []
  #phase: EnumValue = { type: 'Initialization', value: null }

  constructor(input: BlockInput, deps: ExecutorDeps) {
    const { state } = deps
    this.#input = input
    this.#deps = deps
    this.#logs = digestOf(input)
    this.context = {
      block: input.number,
      nowMs: input.nowMs,
      get: (item, ...keys) => state.get(item, ...keys),
      entries: (item, ...prefix) => state.entries(item, ...prefix),
      set: (item, keys, value) => state.set(item, keys, value),
      remove: (item, keys) => state.remove(item, keys),
      emit: (pallet, name, fields) => this.#emit(pallet, name, fields),
      dispatch: (origin, call) => this.#dispatch(origin, call),
    }
    state.begin(input.number)
    this.#initialise()
  }

  #initialise(): void {
    const { context } = this
    const { number, parent, nowMs, newSpecVersion } = this.#input
    context.set(system.BlockNumber, [], number)
    context.set(system.Digest, [], { logs: this.#logs })
    if (newSpecVersion !== null) {
      context.set(system.LastRuntimeUpgrade, [], { spec_version: newSpecVersion, spec_name: system.SPEC_NAME })
    }
    if (parent === null) return
    if (newSpecVersion !== null) context.emit('System', 'CodeUpdated', {})
    context.set(system.ParentHash, [], parent.hash)
    for (const pallet of this.#deps.runtime.pallets) pallet.onInitialize?.(context)
    const setTime = { pallet: 'Timestamp', name: 'set', args: { now: BigInt(nowMs) } }
    this.#include(encodeInherent(setTime, this.#deps.runtime))
    this.#run({ kind: 'root' }, setTime, 'Mandatory', () => {})
  }

  /** `account` is the signer, as validity.ts found it. */
  apply(extrinsic: Extrinsic, account: string): void {
    const { context } = this
    this.#include(extrinsic.bytes)
    const info = context.get(system.Account, account)
    context.set(system.Account, [account], { ...info, nonce: info.nonce + 1 })
    const { base, length } = feeOf(extrinsic.bytes.length, this.#deps.runtime.callSpec(extrinsic.call).paysFee)
    const tip = extrinsic.signed?.tip ?? 0n
    const paid = base + length + tip
    charge(context, account, paid)
    this.#run({ kind: 'signed', account }, extrinsic.call, 'Normal', () => {
      if (paid > 0n) this.#emit('TransactionPayment', 'TransactionFeePaid', { who: account, actual_fee: paid, tip })
    })
  }

  close(): Block {
    const { context } = this
    const { runtime, state } = this.#deps
    const { number, parent } = this.#input
    context.set(system.Events, [], this.#events)
    context.set(system.EventCount, [], this.#events.length)
    const body = this.#body
    const header: Header = {
      parent_hash: parent?.hash ?? system.HASH_NONE,
      number,
      state_root: stateRoot(this.#input, body, state),
      extrinsics_root: toHex(blake2(concat(...body.map(blake2)))),
      digest: { logs: this.#logs },
    }
    return { number, hash: hashHeader(header, runtime.codecs), header, body }
  }

  #include(bytes: Uint8Array): void {
    this.#phase = { type: 'ApplyExtrinsic', value: this.#body.length }
    this.#body.push(bytes)
  }

  #emit(pallet: string, name: string, fields: Fields): void {
    this.#events.push({ phase: this.#phase, event: { pallet, name, fields }, topics: [] })
  }

  #run(origin: Origin, call: DecodedCall, kind: 'Normal' | 'Mandatory', tellFee: () => void): void {
    const info = {
      weight: CALL_WEIGHT,
      class: { type: kind, value: null },
      pays_fee: { type: this.#deps.runtime.callSpec(call).paysFee ? 'Yes' : 'No', value: null },
    }
    try {
      this.#dispatch(origin, call)
      tellFee()
      this.#emit('System', 'ExtrinsicSuccess', { dispatch_info: info })
    } catch (error) {
      tellFee()
      this.#emit('System', 'ExtrinsicFailed', { dispatch_error: error, dispatch_info: info })
    }
  }

  #dispatch(origin: Origin, call: DecodedCall): void {
    const { state, log } = this.#deps
    const mark = state.mark()
    const eventCount = this.#events.length
    try {
      const { run } = this.#deps.runtime.callSpec(call)
      if (run === null) throw new DispatchFailure('System', 'CallFiltered')
      run(this.context, origin, call.args)
    } catch (error) {
      state.rollback(mark)
      this.#events.length = eventCount
      if (error instanceof DispatchFailure) throw error
      // A bug in one call must not stop the chain for everybody.
      log.error('a call crashed', { call: `${call.pallet}.${call.name}`, why: String(error) })
      throw refuse('Other')
    }
  }
}

function digestOf({ number, nowMs, slotMs, newSpecVersion }: BlockInput): readonly EnumValue[] {
  if (number === 0) return []
  const slot = new DataView(new ArrayBuffer(8))
  slot.setBigUint64(0, BigInt(Math.floor(nowMs / slotMs)), true)
  const author: EnumValue = { type: 'PreRuntime', value: [AURA, new Uint8Array(slot.buffer)] }
  return newSpecVersion === null ? [author] : [author, { type: 'RuntimeEnvironmentUpdated', value: null }]
}

/**
 * The state is a function of genesis and of all that happened since, so a hash over that chain of causes commits to it.
 * There is no trie: nobody here asks for proofs.
 */
function stateRoot({ number, parent, nowMs }: BlockInput, body: readonly Uint8Array[], state: State): string {
  const causes =
    parent === null
      ? state.changesOf(number).map(({ key, value }) => `${key}=${value}`)
      : [parent.header.state_root, String(nowMs), ...body.map(toHex)]
  return toHex(blake2(Buffer.from(causes.join(' '))))
}
