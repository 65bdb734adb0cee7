/** `chain_*`: blocks, headers and heads. */
import { headerJson, hex0x } from '../block.ts'
import type { Chain, ChainEvent } from '../chain.ts'
import { rpcError } from '../rpc-error.ts'
import { type Methods, numberOf, type Params, type Subscribe } from './method.ts'

export function chainMethods(chain: Chain): Methods {
  const { codecs } = chain.runtime
  const header = (block: Parameters<typeof headerJson>[0]) => headerJson(block, codecs)
  const blockOf = (params: Params) => {
    const hash = params.optionalHex(0)
    return hash === null ? chain.head() : chain.blockByHash(hash)
  }
  const hashAt = (value: unknown): string | null => {
    const number = numberOf(value)
    if (number === null) throw rpcError.params('a block number is a number, or hex with 0x')
    const hash = chain.hashOf(number)
    return hash === null ? null : hex0x(hash)
  }
  const heads =
    (notification: string, type: Exclude<ChainEvent['type'], 'upgraded'>): Subscribe =>
    () => ({
      notification,
      start: (send) => {
        send(header((type === 'finalised' ? chain.finalised() : chain.head()).header))
        return chain.listen((event) => {
          if (event.type === type) send(header(event.block.header))
        })
      },
    })
  const newHeads = { end: 'chain_unsubscribeNewHeads', open: heads('chain_newHead', 'best') }
  const finalised = { end: 'chain_unsubscribeFinalizedHeads', open: heads('chain_finalizedHead', 'finalised') }
  return {
    calls: {
      chain_getBlock: (params) => {
        const block = blockOf(params)
        if (block === null) return null
        return {
          block: { header: header(block.header), extrinsics: block.body.map(hex0x) },
          justifications: null,
        }
      },
      chain_getBlockHash: ({ raw, isAbsent }) => {
        if (isAbsent(0)) return hex0x(chain.head().hash)
        return Array.isArray(raw[0]) ? raw[0].map(hashAt) : hashAt(raw[0])
      },
      chain_getHead: () => hex0x(chain.head().hash),
      chain_getFinalizedHead: () => hex0x(chain.finalised().hash),
      chain_getFinalisedHead: () => hex0x(chain.finalised().hash),
      chain_getHeader: (params) => {
        const block = blockOf(params)
        return block === null ? null : header(block.header)
      },
    },
    subscriptions: {
      chain_subscribeNewHeads: newHeads,
      chain_subscribeNewHead: { ...newHeads, end: 'chain_unsubscribeNewHead' },
      chain_subscribeAllHeads: { end: 'chain_unsubscribeAllHeads', open: heads('chain_allHead', 'imported') },
      chain_subscribeFinalizedHeads: finalised,
      chain_subscribeFinalisedHeads: { ...finalised, end: 'chain_unsubscribeFinalisedHeads' },
    },
  }
}
