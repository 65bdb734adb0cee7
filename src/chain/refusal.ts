/**
 * Why the chain refused: pool errors and dispatch errors in our words, and whether trying again makes sense.
 */
import type { ApiPromise } from '@polkadot/api'
import { NodeError } from '../errors.ts'
import type { RpcError } from './socket.ts'

/** Before the pool: `1010 {"invalid": {"custom": N}}` of SubtensorTransactionExtension. */
const CUSTOM: { readonly [code: string]: string } = {
  '1': 'the hotkey has not enough stake to set weights',
  '2': 'the balance is too low',
  '3': 'the subnet does not exist',
  '4': 'the hotkey is not known to the chain',
  '6': 'the rate limit is not over yet',
  '10': 'the hotkey is not registered in the subnet',
  '11': 'the IP address is not allowed',
  '12': 'the rate limit for serving is not over yet',
  '13': 'the port is not allowed',
  '15': 'the reveal round is not valid',
  '16': 'there is no such commit',
  '17': 'the commit cannot be revealed in this epoch',
  '18': 'the lists have different lengths',
  '19': 'a uid does not exist',
}
const RATE_LIMITS = ['6', '12']

type Refusal = { readonly is: 'failed'; readonly error: NodeError } | { readonly is: 'dead' | 'banned' } | null

/**
 * What a refusal at the pool means for a transaction that may have been sent before. `null`: it may still land. A stale
 * nonce or a known transaction is no failure: it may be ours that was included, and the search decides.
 */
export function explainRefusal({ code, message, data }: RpcError, kind: string): Refusal {
  // Some node has seen these bytes before and takes them no more, wherever they went: a fork, for instance, lost them.
  if (code === 1012) return { is: 'banned' }
  if (code === 1013 || code === 1014) return null
  const text = `${message} ${data}`
  if (/outdated|stale/i.test(text)) return null
  if (/ancient birth block|bad signature|bad proof/i.test(text)) return { is: 'dead' }
  const custom = /custom[^0-9]{1,4}(\d+)/i.exec(text)?.[1]
  const why = custom === undefined ? text : (CUSTOM[custom] ?? `the chain's own code ${custom}`)
  const isLimit = custom !== undefined && RATE_LIMITS.includes(custom)
  const options = {
    what: `the chain refused a write (${kind})`,
    why,
    data: { kind, rpc: code, custom: custom ?? null },
  }
  return { is: 'failed', error: new NodeError(isLimit ? 'RATE_LIMITED' : 'WRITE_REFUSED', options) }
}

const LIMIT_ERRORS = /TooFast|RateLimit|SpaceLimitExceeded/

/** The error of an extrinsic that was included and failed, or `null`. */
export async function explainDispatch(api: ApiPromise, hash: string, index: number): Promise<NodeError | null> {
  const at = await api.at(`0x${hash}`)
  const events = await at.query['system']?.['events']?.()
  for (const record of (events ?? []) as unknown as Iterable<EventRecord>) {
    if (!record.phase.isApplyExtrinsic || record.phase.asApplyExtrinsic.toNumber() !== index) continue
    if (record.event.section !== 'system' || record.event.method !== 'ExtrinsicFailed') continue
    const why = nameOf(api, record.event.data[0])
    const code = LIMIT_ERRORS.test(why) ? 'RATE_LIMITED' : 'WRITE_REFUSED'
    return new NodeError(code, { what: 'a transaction was included and failed', why, data: { error: why } })
  }
  return null
}

type EventRecord = {
  readonly phase: { readonly isApplyExtrinsic: boolean; readonly asApplyExtrinsic: { toNumber(): number } }
  readonly event: { readonly section: string; readonly method: string; readonly data: readonly unknown[] }
}

function nameOf(api: ApiPromise, error: unknown): string {
  const dispatch = error as { isModule?: boolean; asModule?: never; toString(): string }
  if (dispatch.isModule !== true || dispatch.asModule === undefined) return dispatch.toString()
  const { section, name, docs } = api.registry.findMetaError(dispatch.asModule)
  return docs.length === 0 ? `${section}.${name}` : `${section}.${name}: ${docs.join(' ').trim()}`
}
