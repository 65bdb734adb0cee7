/** `state_call`: the runtime's own methods by name, with SCALE arguments and a SCALE answer. */
import type { Chain } from './chain.ts'
import type { Fields, RuntimeApi } from './define.ts'
import { CALL_WEIGHT } from './executor.ts'
import { decodeExtrinsic } from './extrinsic.ts'
import { Account } from './pallet/system.ts'
import { feeOf } from './pallet/transaction-payment.ts'
import { rpcError } from './rpc-error.ts'
import { ScaleError } from './scale-io.ts'

type Answer = (chain: Chain, block: number, args: Uint8Array) => Uint8Array

const BUILT_IN: { readonly [method: string]: Answer } = {
  Core_version: (chain, block) =>
    chain.runtime.codecs.encode('RuntimeVersion', chain.runtime.version(chain.specVersionAt(block))),
  Metadata_metadata: (chain, block) => chain.runtime.codecs.encode('Vec<u8>', metadataAt(chain, block).v14),
  Metadata_metadata_versions: ({ runtime }) => runtime.codecs.encode('Vec<u32>', [14, 15]),
  Metadata_metadata_at_version: (chain, block, args) => {
    const { codecs } = chain.runtime
    const version = codecs.decode('u32', args)
    const { v14, v15 } = metadataAt(chain, block)
    return codecs.encode('Option<Vec<u8>>', version === 15 ? v15 : version === 14 ? v14 : null)
  },
  AccountNonceApi_account_nonce: ({ runtime, state }, block, args) => {
    const account = runtime.codecs.decode('AccountId32', args) as string
    return runtime.codecs.encode('u32', state.at(block).get(Account, account).nonce)
  },
  TransactionPaymentApi_query_info: (chain, _block, args) => {
    const fee = feeOfArgs(chain, args)
    const info = { weight: CALL_WEIGHT, class: { type: 'Normal', value: null }, partial_fee: fee.base + fee.length }
    return chain.runtime.codecs.encode('RuntimeDispatchInfo', info)
  },
  TransactionPaymentApi_query_fee_details: (chain, _block, args) => {
    const fee = feeOfArgs(chain, args)
    const inclusion = { base_fee: fee.base, len_fee: fee.length, adjusted_weight_fee: 0n }
    return chain.runtime.codecs.encode('FeeDetails', { inclusion_fee: inclusion, tip: 0n })
  },
}

export const metadataAt = (chain: Chain, block: number) => chain.runtime.metadata(chain.specVersionAt(block))

/** Throws an `RpcError` for a method that is not there and arguments that do not fit. */
export function runtimeCall(chain: Chain, method: string, args: Uint8Array, block: number): Uint8Array {
  const builtIn = BUILT_IN[method]
  const api = chain.runtime.api(method)
  try {
    if (Object.hasOwn(BUILT_IN, method) && builtIn !== undefined) return builtIn(chain, block, args)
    if (api !== null) return answer(chain, api, args, block)
  } catch (error) {
    if (error instanceof ScaleError) throw rpcError.execution(`Bad input data provided to ${method}: ${error.message}`)
    throw error
  }
  throw rpcError.execution(`Other: Exported method ${method} is not found`)
}

function answer(chain: Chain, { inputs, output, answer }: RuntimeApi, args: Uint8Array, block: number): Uint8Array {
  const { codecs } = chain.runtime
  const view = chain.viewAt(block)
  if (view === null) throw rpcError.discarded(String(block))
  const fields = inputs === '' ? {} : (codecs.decode(`{${inputs}}`, args) as Fields)
  return codecs.encode(output, answer(view, fields))
}

/** The transaction comes with its own length before it, then the length once more as a u32. */
function feeOfArgs({ runtime }: Chain, args: Uint8Array) {
  const [inside] = runtime.codecs.decode('(Vec<u8>,u32)', args) as [Uint8Array, number]
  const bytes = runtime.codecs.encode('Vec<u8>', inside)
  return feeOf(bytes.length, runtime.callSpec(decodeExtrinsic(bytes, runtime).call).paysFee)
}
