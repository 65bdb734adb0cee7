/** A block in a Map: enough of a chain to call pallets without one. Failed calls leave nothing behind. */
import {
  type Context,
  type DecodedCall,
  DispatchFailure,
  type Fields,
  type Origin,
  type Pallet,
  type StorageItem,
} from '../../../src/chain/dev/define.ts'
import { adminUtils } from '../../../src/chain/dev/pallet/admin-utils.ts'
import { balances, endow } from '../../../src/chain/dev/pallet/balances.ts'
import { commitments } from '../../../src/chain/dev/pallet/commitments.ts'
import { drand } from '../../../src/chain/dev/pallet/drand.ts'
import { foundRoot, foundSubnet, type SubnetSpec } from '../../../src/chain/dev/pallet/subtensor/found.ts'
import { subtensor } from '../../../src/chain/dev/pallet/subtensor/index.ts'
import { SudoKey, sudoPallet } from '../../../src/chain/dev/pallet/sudo.ts'
import { utility } from '../../../src/chain/dev/pallet/utility.ts'

const PALLETS: readonly Pallet[] = [balances, subtensor, utility, sudoPallet, commitments, adminUtils, drand]

export type FakeEvent = { readonly pallet: string; readonly name: string; readonly fields: Fields }

export type FakeChain = {
  readonly context: Context
  readonly events: FakeEvent[]
  /** The names of this pallet's events since the last look, in their order. */
  told(pallet?: string): readonly string[]
  get<K extends readonly unknown[], V>(item: StorageItem<K, V>, ...keys: K): V
  put<V>(item: StorageItem<[netuid: number], V>, value: V): void
  /** `'ok'`, or the error as `Pallet.Name`. */
  call(who: string | 'root', pallet: string, name: string, args: Fields): string
  /** What the pool would say: `null`, or the N of `custom:N`. */
  pool(who: string, pallet: string, name: string, args: Fields): number | null
  /** So many blocks further. */
  pass(blocks: number): void
}

/** Public keys that are not anybody's: `key(1)` is the first. */
export const key = (n: number): string => n.toString(16).padStart(4, '0').repeat(16)

const keyText = (keys: readonly unknown[]) =>
  JSON.stringify(keys, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

export function createFakeChain(options: {
  readonly subnets?: readonly SubnetSpec[]
  readonly rich?: readonly string[]
}) {
  const stores = new Map<string, Map<string, { readonly keys: readonly unknown[]; readonly value: unknown }>>()
  const events: FakeEvent[] = []
  let undo: (() => void)[] = []
  let seen = 0
  const storeOf = (item: { readonly pallet: string; readonly name: string }) => {
    const name = `${item.pallet}.${item.name}`
    const store = stores.get(name) ?? new Map()
    stores.set(name, store)
    return store as NonNullable<ReturnType<typeof stores.get>>
  }
  const write = (
    item: StorageItem<never, never>,
    keys: readonly unknown[],
    entry: { readonly value: unknown } | null,
  ) => {
    const store = storeOf(item)
    const text = keyText(keys)
    const before = store.get(text)
    undo.push(() => (before === undefined ? store.delete(text) : store.set(text, before)))
    if (entry === null) store.delete(text)
    else store.set(text, { keys, value: entry.value })
  }
  const spec = (pallet: string, name: string) => {
    const found = PALLETS.find((each) => each.name === pallet)?.calls.find((each) => each.name === name)
    if (found === undefined) throw new Error(`no call ${pallet}.${name}`)
    return found
  }
  const clock = { block: 0 }
  const context: Context = {
    get block() {
      return clock.block
    },
    get nowMs() {
      return clock.block * 12_000
    },
    get: (item, ...keys) => {
      const entry = storeOf(item).get(keyText(keys))
      return (entry === undefined ? item.fallback : entry.value) as never
    },
    set: (item, keys, value) => write(item as never, keys, { value }),
    remove: (item, keys) => write(item as never, keys, null),
    *entries(item, ...prefix) {
      for (const { keys, value } of [...storeOf(item).values()])
        if (prefix.every((each, i) => each === keys[i])) yield [keys, value] as never
    },
    emit: (pallet, name, fields) => {
      const known = PALLETS.find((each) => each.name === pallet)?.events.some((each) => each.name === name)
      if (known === false) throw new Error(`no event ${pallet}.${name}`)
      events.push({ pallet, name, fields })
    },
    dispatch: (origin: Origin, call: DecodedCall) => {
      const outer = undo
      const count = events.length
      undo = []
      try {
        spec(call.pallet, call.name).run?.(context, origin, call.args)
        outer.push(...undo)
      } catch (error) {
        for (const back of undo.reverse()) back()
        events.length = count
        throw error
      } finally {
        undo = outer
      }
    },
  }
  foundRoot(context)
  for (const account of options.rich ?? []) endow(context, account, 10n ** 15n)
  for (const subnet of options.subnets ?? []) foundSubnet(context, subnet)
  context.set(SudoKey, [], key(0xa11ce))
  const chain: FakeChain = {
    context,
    events,
    told: (pallet = 'SubtensorModule') => {
      const fresh = events.slice(seen).filter((event) => event.pallet === pallet)
      seen = events.length
      return fresh.map(({ name }) => name)
    },
    get: context.get,
    put: (item, value) => context.set(item, [1], value),
    call: (who, pallet, name, args) => {
      const origin: Origin = who === 'root' ? { kind: 'root' } : { kind: 'signed', account: who }
      try {
        context.dispatch(origin, { pallet, name, args })
        return 'ok'
      } catch (error) {
        if (error instanceof DispatchFailure) return `${error.pallet}.${error.error}`
        throw error
      }
    },
    pool: (who, pallet, name, args) =>
      spec(pallet, name).reject?.(context, { kind: 'signed', account: who }, args) ?? null,
    pass: (blocks) => {
      for (let i = 0; i < blocks; i++) {
        clock.block++
        for (const pallet of PALLETS) pallet.onInitialize?.(context)
      }
    },
  }
  return chain
}

export const OWNER = { coldkey: key(0x0c), hotkey: key(0x0f) }

/** Subnet 1 with its owner at uid 0, then `validators` with 100 alpha each, then `miners`. Hotkeys are `key(uid)`. */
export const subnetOf = (validators: number, miners: number, more: Partial<SubnetSpec> = {}): SubnetSpec => ({
  owner: OWNER,
  tempo: 20,
  weightsRateLimit: 5,
  commitReveal: false,
  ...more,
  neurons: Array.from({ length: validators + miners }, (_, i) => ({
    coldkey: key(0x1000 + i + 1),
    hotkey: key(i + 1),
    ...(i < validators ? { stake: 100n * 10n ** 9n } : {}),
  })),
})
