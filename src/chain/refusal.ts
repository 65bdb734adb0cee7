/**
 * Why the chain refused: pool errors and dispatch errors in our words, and whether trying again makes sense.
 */
import type { ApiPromise } from '@polkadot/api'
import { type ErrorCode, type ErrorData, NodeError } from '../errors.ts'
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
  const custom = /custom[^0-9]{1,12}(\d+)/i.exec(text)?.[1]
  const why = custom === undefined ? text : (CUSTOM[custom] ?? `the chain's own code ${custom}`)
  const isPoor = /inability to pay|payment/i.test(text)
  const advice = CUSTOM_ADVICE[custom ?? ''] ?? (isPoor ? { code: 'WRITE_REFUSED', remedy: PAY } : NO_ADVICE)
  const facts = { kind, rpc: code, custom: custom ?? null }
  return { is: 'failed', error: refused(advice, `the chain refused a write (${kind})`, why, facts) }
}

type Advice = { readonly code: ErrorCode; readonly remedy?: string }
const REGISTER = 'Register the hotkey in the subnet first: `wheelwright chain register`.'
const STAKE = 'Stake more behind the hotkey; permits are given anew with each epoch.'
const PAY = 'Send TAO to the coldkey that signs.'

/** What to do about the chain's errors, by their names; what is not here is passed on with the chain's own words. */
const ADVICE: readonly (readonly [RegExp, Advice])[] = [
  [/SubnetNotExists|SubNetworkDoesNotExist|MechanismDoesNotExist/, { code: 'SUBNET_UNKNOWN' }],
  [
    /SpaceLimitExceeded/,
    {
      code: 'RATE_LIMITED',
      remedy: 'The space for commitments of this epoch is used up: wait for the next, or write less.',
    },
  ],
  [/TooFast|RateLimit/, { code: 'RATE_LIMITED' }],
  [/AccountNotAllowedCommit|HotKeyNotRegistered|HotKeyAccountNotExists/, { code: 'WRITE_REFUSED', remedy: REGISTER }],
  [/NoValidatorPermit|NotEnoughStake/, { code: 'WRITE_REFUSED', remedy: STAKE }],
  [/NotEnoughBalance|BalanceTooLow|InsufficientBalance|BalanceWithdrawalError/, { code: 'WRITE_REFUSED', remedy: PAY }],
]
/** The same for refusals at the pool. */
const CUSTOM_ADVICE: { readonly [code: string]: Advice } = {
  '1': { code: 'WRITE_REFUSED', remedy: STAKE },
  '2': { code: 'WRITE_REFUSED', remedy: PAY },
  '3': { code: 'SUBNET_UNKNOWN' },
  '4': { code: 'WRITE_REFUSED', remedy: REGISTER },
  '6': { code: 'RATE_LIMITED' },
  '10': { code: 'WRITE_REFUSED', remedy: REGISTER },
  '12': { code: 'RATE_LIMITED' },
}
const NO_ADVICE: Advice = { code: 'WRITE_REFUSED' }

/** The error of an extrinsic that was included and failed, or `null`. */
export async function explainDispatch(api: ApiPromise, hash: string, index: number): Promise<NodeError | null> {
  const at = await api.at(`0x${hash}`)
  const events = await at.query['system']?.['events']?.()
  for (const record of (events ?? []) as unknown as Iterable<EventRecord>) {
    if (!record.phase.isApplyExtrinsic || record.phase.asApplyExtrinsic.toNumber() !== index) continue
    if (record.event.section !== 'system' || record.event.method !== 'ExtrinsicFailed') continue
    const why = nameOf(api, record.event.data[0])
    const advice = ADVICE.find(([names]) => names.test(why))?.[1] ?? NO_ADVICE
    return refused(advice, 'a transaction was included and failed', why, { error: why })
  }
  return null
}

const refused = ({ code, remedy }: Advice, what: string, why: string, data: ErrorData): NodeError =>
  new NodeError(code, { what, why, ...(remedy === undefined ? {} : { remedy }), data })

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
