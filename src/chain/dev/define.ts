/**
 * How a pallet of the development chain is written down: storage, calls, events, errors and constants as data.
 *
 * The same tables author the metadata that clients read and drive the chain itself, so that the two cannot differ.
 * Types are SCALE types as text (`Vec<(u16,u16)>`, `AccountId32`), see type-text.ts. Values in JavaScript: integers up to
 * 32 bits are numbers, larger ones bigint, byte strings Uint8Array, `AccountId32` and `H256` lower-case hex without 0x,
 * tuples and vectors arrays, structs objects with the names of their fields, enums `{ type, value }`, an option the value
 * or `null`.
 */

export type Hasher = 'Identity' | 'Twox64Concat' | 'Blake2_128Concat'

export type StorageItem<K extends readonly unknown[], V> = {
  readonly pallet: string
  readonly name: string
  /** One per key, in order; none for a plain value. */
  readonly keys: readonly { readonly hasher: Hasher; readonly type: string }[]
  readonly type: string
  /** What an absent entry reads as: a default, or `null` for an optional one. */
  readonly fallback: V
  readonly optional: boolean
  /** Never present: carries the types of the keys. */
  readonly of?: K
}

/** `'Identity u16, Blake2_128Concat AccountId32'`, or an empty text for a plain value. */
export type KeySpec = string

const parseKeys = (spec: KeySpec): StorageItem<[], unknown>['keys'] =>
  spec === ''
    ? []
    : spec.split(', ').map((key) => {
        const [hasher = '', ...type] = key.split(' ')
        return { hasher: hasher as Hasher, type: type.join(' ') }
      })

export const item = <K extends readonly unknown[], V>(
  pallet: string,
  name: string,
  keys: KeySpec,
  type: string,
  fallback: V,
): StorageItem<K, V> => ({ pallet, name, keys: parseKeys(keys), type, fallback, optional: false })

export const optional = <K extends readonly unknown[], V>(
  pallet: string,
  name: string,
  keys: KeySpec,
  type: string,
): StorageItem<K, V | null> => ({ pallet, name, keys: parseKeys(keys), type, fallback: null, optional: true })

/** Who signed: a public key as hex, or the chain's own root. */
export type Origin = { readonly kind: 'signed'; readonly account: string } | { readonly kind: 'root' }

export type Fields = { readonly [name: string]: unknown }

/** What a pallet sees while a block is executed. Writes of a call that fails are taken back. */
export type Context = {
  readonly block: number
  /** Milliseconds of the block's timestamp. */
  readonly nowMs: number
  get<K extends readonly unknown[], V>(item: StorageItem<K, V>, ...keys: K): V
  /** Values that were handed over are never changed afterwards. */
  set<K extends readonly unknown[], V>(item: StorageItem<K, V>, keys: K, value: V): void
  remove<K extends readonly unknown[], V>(item: StorageItem<K, V>, keys: K): void
  /** Present entries whose first keys are these, in no particular order. */
  entries<K extends readonly unknown[], V>(item: StorageItem<K, V>, ...prefix: unknown[]): Iterable<readonly [K, V]>
  emit(pallet: string, event: string, fields: Fields): void
  /** Runs another call (Utility, Sudo). When it fails, what it wrote and told is taken back before the failure is thrown. */
  dispatch(origin: Origin, call: DecodedCall): void
}

export type DecodedCall = { readonly pallet: string; readonly name: string; readonly args: Fields }

/**
 * A call's way to fail: becomes a dispatch error of the pallet, as a real runtime reports it. For errors of the framework,
 * such as `BadOrigin`, see `refuse` in dispatch-error.ts.
 */
export class DispatchFailure extends Error {
  readonly pallet: string
  readonly error: string
  constructor(pallet: string, error: string) {
    super(`${pallet}.${error}`)
    this.pallet = pallet
    this.error = error
  }
}

/** `need(condition, 'SubtensorModule', 'NotEnoughStake')`. */
export function need(condition: boolean, pallet: string, error: string): asserts condition {
  if (!condition) throw new DispatchFailure(pallet, error)
}

export type CallSpec = {
  readonly index: number
  readonly name: string
  /** `'netuid: u16, dests: Vec<u16>'`. */
  readonly args: string
  readonly paysFee: boolean
  /** `null` for a call that exists in the metadata and is filtered here (`System.CallFiltered`). */
  readonly run: ((context: Context, origin: Origin, args: Fields) => void) | null
  /**
   * Asked before a transaction enters the pool, and again in its turn in a block: a number is refused as `1010 custom:N`.
   * The context is for looking; a write is a bug.
   */
  readonly reject?: (context: Context, origin: Origin, args: Fields) => number | null
}

/** Fields as in calls. Those without a name (`'u16, AccountId32'`) take the values in the order in which they are emitted. */
export type EventSpec = { readonly index: number; readonly name: string; readonly fields: string }
export type ErrorSpec = { readonly index: number; readonly name: string }
export type ConstantSpec = { readonly name: string; readonly type: string; readonly value: unknown }

export type Pallet = {
  readonly index: number
  readonly name: string
  readonly storage: readonly StorageItem<readonly unknown[], unknown>[]
  readonly calls: readonly CallSpec[]
  readonly events: readonly EventSpec[]
  readonly errors: readonly ErrorSpec[]
  readonly constants: readonly ConstantSpec[]
  /** Before the extrinsics of every block. */
  readonly onInitialize?: (context: Context) => void
}

/** A runtime API method: `SubnetInfoRuntimeApi`, `get_metagraph`, `'netuid: u16'`, `Option<Metagraph>`. */
export type RuntimeApi = {
  readonly api: string
  readonly method: string
  readonly inputs: string
  readonly output: string
  readonly answer: (context: Pick<Context, 'block' | 'nowMs' | 'get' | 'entries'>, args: Fields) => unknown
}

/** Named types of all pallets: `AxonInfo` → `{block: u64, version: u32, …}` or `enum {0 None, 1 Some(u8)}`; see type-text.ts. */
export type TypeTable = { readonly [name: string]: { readonly path: string; readonly type: string } }
