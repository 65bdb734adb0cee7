/**
 * Why the chain refused: pool errors and dispatch errors in our words, and whether trying again makes sense.
 */
import type { ApiPromise } from '@polkadot/api'
import { type ErrorCode, type ErrorData, NodeError } from '../errors.ts'
import type { RpcError } from './socket.ts'

type Refusal = { readonly is: 'failed'; readonly error: NodeError } | { readonly is: 'banned' } | null

/** Of the codes of a pool the one that judges the transaction; the others speak of the pool. */
const INVALID = 1010

/**
 * What a refusal at the pool means for a transaction that may have been sent before. `null`: it may still land. A stale
 * nonce or a known transaction is no failure: it may be ours that was included, and the search decides.
 */
export function explainRefusal({ code, message }: RpcError, kind: string): Refusal {
  // Some node has seen these bytes before and takes them no more, wherever they went: a fork, for instance, lost them.
  if (code === 1012) return { is: 'banned' }
  if (code !== INVALID) return null
  const text = message // with its data behind it
  if (/outdated|stale/i.test(text)) return null
  // So says a node on another fork too, or one of another version, while others have the bytes in their pools.
  if (/ancient birth block|bad signature|bad proof/i.test(text)) return { is: 'banned' }
  const custom = /custom[^0-9]{1,12}(\d+)/i.exec(text)?.[1]
  const known = custom === undefined ? undefined : CUSTOM[custom]
  const why = known?.why ?? (custom === undefined ? text : `the chain's own code ${custom}`)
  const isPoor = /inability to pay|payment/i.test(text)
  const advice = known ?? (isPoor ? { code: 'WRITE_REFUSED', remedy: PAY } : NO_ADVICE)
  const facts = { kind, rpc: code, custom: custom ?? null }
  return { is: 'failed', error: refused(advice, `the chain refused a write (${kind})`, why, facts) }
}

type Advice = { readonly code: ErrorCode; readonly remedy?: string }
export const REGISTER = 'Register the hotkey in the subnet first: `wheelwright chain register`.'
export const STAKE = 'Stake more behind the hotkey; permits are given anew with each epoch.'
const PAY =
  'Send TAO to the coldkey that signs: `wheelwright wallet show` prints its address, `wheelwright chain transfer` sends.'

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
  [
    /HotKeyAlreadyRegistered/,
    { code: 'WRITE_REFUSED', remedy: 'Nothing is to be done: `wheelwright chain metagraph` shows its uid.' },
  ],
  [/NoValidatorPermit|NotEnoughStake/, { code: 'WRITE_REFUSED', remedy: STAKE }],
  [/NotEnoughBalance|BalanceTooLow|InsufficientBalance|BalanceWithdrawalError/, { code: 'WRITE_REFUSED', remedy: PAY }],
]
/** Before the pool: `1010 {"invalid": {"custom": N}}` of SubtensorTransactionExtension. */
const CUSTOM: { readonly [code: string]: Advice & { readonly why: string } } = {
  '1': { why: 'the hotkey has not enough stake to set weights', code: 'WRITE_REFUSED', remedy: STAKE },
  '2': { why: 'the balance is too low', code: 'WRITE_REFUSED', remedy: PAY },
  '3': { why: 'the subnet does not exist', code: 'SUBNET_UNKNOWN' },
  '4': { why: 'the hotkey is not known to the chain', code: 'WRITE_REFUSED', remedy: REGISTER },
  '6': { why: 'the rate limit is not over yet', code: 'RATE_LIMITED' },
  '10': { why: 'the hotkey is not registered in the subnet', code: 'WRITE_REFUSED', remedy: REGISTER },
  '11': { why: 'the IP address is not allowed', code: 'WRITE_REFUSED' },
  '12': { why: 'the rate limit for serving is not over yet', code: 'RATE_LIMITED' },
  '13': { why: 'the port is not allowed', code: 'WRITE_REFUSED' },
  '15': { why: 'the reveal round is not valid', code: 'WRITE_REFUSED' },
  '16': { why: 'there is no such commit', code: 'WRITE_REFUSED' },
  '17': { why: 'the commit cannot be revealed in this epoch', code: 'WRITE_REFUSED' },
  '18': { why: 'the lists have different lengths', code: 'WRITE_REFUSED' },
  '19': { why: 'a uid does not exist', code: 'WRITE_REFUSED' },
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
