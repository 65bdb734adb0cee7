/** `state_*`: storage at a block, read and watched. */
import { hexBytes } from '../../../util/bytes.ts'
import { type Block, hex0x } from '../block.ts'
import type { Chain } from '../chain.ts'
import { rpcError } from '../rpc-error.ts'
import { blake2 } from '../storage-key.ts'
import { hexOf, type Methods, type Params, type Subscription } from './method.ts'

/** Of Substrate: no page is longer. */
const PAGE_KEYS_MAX = 1000
/** Every key of a subscription is looked at with every block. */
const SUBSCRIBED_KEYS_MAX = 4096

/** The block that a parameter names, with its state still there; the best one when it is absent. */
export function blockWithState(chain: Chain, params: Params, index: number): Block {
  const hash = params.optionalHex(index)
  const block = hash === null ? chain.head() : chain.blockByHash(hash)
  if (block === null) throw rpcError.unknownBlock(hex0x(hash ?? ''))
  if (chain.viewAt(block.number) === null) throw rpcError.discarded(hex0x(block.hash))
  return block
}

export function stateMethods(chain: Chain): Methods {
  const { state } = chain
  const at = (params: Params, index: number) => blockWithState(chain, params, index)
  const valueIn = (params: Params) => state.bytesAt(params.hex(0), at(params, 1).number)
  const keysAt = (prefix: string, block: number) => state.keysAt(prefix, block, '', Number.POSITIVE_INFINITY)
  const storage = (params: Params) => read(chain, params.hex(0), at(params, 1).number)
  const keysPaged = (params: Params) => {
    const prefix = params.optionalHex(0) ?? ''
    const count = params.number(1)
    if (count > PAGE_KEYS_MAX) throw rpcError.params(`a page has at most ${PAGE_KEYS_MAX} keys`)
    return state.keysAt(prefix, at(params, 3).number, params.optionalHex(2) ?? '', count).map(hex0x)
  }
  return {
    calls: {
      state_getStorage: storage,
      state_getStorageAt: storage,
      state_getStorageSize: (params) => {
        const value = valueIn(params)
        return value === null ? null : value.length / 2
      },
      state_getStorageHash: (params) => {
        const value = valueIn(params)
        return value === null ? null : hex0x(blake2(hexBytes(value)))
      },
      state_queryStorageAt: (params) => {
        const block = at(params, 1)
        const changes = keysOf(params).map((key) => [hex0x(key), read(chain, key, block.number)])
        return [{ block: hex0x(block.hash), changes }]
      },
      state_getKeysPaged: keysPaged,
      state_getKeysPagedAt: keysPaged,
      state_getKeys: (params) => keysAt(params.hex(0), at(params, 1).number).map(hex0x),
      state_getPairs: (params) => {
        const { number } = at(params, 1)
        return keysAt(params.hex(0), number).map((key) => [hex0x(key), read(chain, key, number)])
      },
    },
    subscriptions: {
      state_subscribeStorage: {
        end: 'state_unsubscribeStorage',
        open: (params) => subscription(chain, params.isAbsent(0) ? [] : keysOf(params)),
      },
    },
  }
}

function read(chain: Chain, key: string, block: number): string | null {
  const value = chain.state.bytesAt(key, block)
  return value === null ? null : hex0x(value)
}

function keysOf(params: Params): readonly string[] {
  return params.list(0).map((key) => {
    const hex = hexOf(key)
    if (hex === null) throw rpcError.params('a key is hex with 0x')
    return hex
  })
}

/** All values at first, then with each best block those that are other than before. */
function subscription(chain: Chain, keys: readonly string[]): Subscription {
  if (keys.length > SUBSCRIBED_KEYS_MAX) throw rpcError.params(`at most ${SUBSCRIBED_KEYS_MAX} keys`)
  const valuesAt = ({ number }: Block) => new Map(keys.map((key) => [key, read(chain, key, number)]))
  return {
    notification: 'state_storage',
    start: (send) => {
      const tell = ({ hash }: Block, values: readonly (readonly [key: string, value: string | null])[]) => {
        if (values.length === 0) return
        send({ block: hex0x(hash), changes: values.map(([key, value]) => [hex0x(key), value]) })
      }
      let told = valuesAt(chain.head())
      tell(chain.head(), [...told])
      return chain.listen((event) => {
        if (event.type !== 'best') return
        const before = told
        told = valuesAt(event.block)
        const changes = [...told].filter(([key, value]) => before.get(key) !== value)
        tell(event.block, changes)
      })
    },
  }
}
