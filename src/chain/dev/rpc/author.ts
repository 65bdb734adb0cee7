/** `author_*`: transactions on their way in, and what becomes of them. */
import { hexBytes, toHex } from '../../../util/bytes.ts'
import { hex0x } from '../block.ts'
import type { Chain } from '../chain.ts'
import { type ArmedFaults, refusalOf } from '../fault.ts'
import type { PoolTx, TxStatus } from '../pool.ts'
import { poolError } from '../rpc-error.ts'
import { ScaleError } from '../scale-io.ts'
import { blake2 } from '../storage-key.ts'
import { type Methods, type Params, Unanswered } from './method.ts'

export function authorMethods(chain: Chain, faults: ArmedFaults): Methods {
  /** `null` for a transaction that was swallowed. */
  const submit = (bytes: Uint8Array): PoolTx | null => {
    const refusal = faults.take('refuse')
    if (refusal !== null) throw refusalOf(refusal.code)
    if (faults.take('swallow') !== null) return null
    const tx = submitTo(chain, bytes)
    if (faults.take('unanswered') !== null) throw new Unanswered()
    return tx
  }
  const open = (params: Params) => {
    const tx = submit(hexBytes(params.hex(0)))
    return {
      notification: 'author_extrinsicUpdate',
      start: (send: (result: unknown) => void) => {
        send(tx === null || chain.pool.isReady(tx) ? 'ready' : 'future')
        const watcher = (status: TxStatus) => send(status)
        tx?.watchers.add(watcher)
        return () => {
          tx?.watchers.delete(watcher)
        }
      },
    }
  }
  return {
    calls: {
      author_submitExtrinsic: (params) => {
        const bytes = hexBytes(params.hex(0))
        submit(bytes)
        return hex0x(toHex(blake2(bytes)))
      },
      author_pendingExtrinsics: () => chain.pool.pending().map((tx) => hex0x(tx.extrinsic.bytes)),
    },
    subscriptions: { author_submitAndWatchExtrinsic: { end: 'author_unwatchExtrinsic', open } },
  }
}

function submitTo(chain: Chain, bytes: Uint8Array): PoolTx {
  try {
    return chain.submit(bytes)
  } catch (error) {
    if (error instanceof ScaleError) throw poolError.badFormat(error.message)
    throw error
  }
}
