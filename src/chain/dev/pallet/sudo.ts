/** One key that may do everything: on a development chain, Alice's. */
import { type Context, type DecodedCall, type Fields, need, type Origin, optional, type Pallet } from '../define.ts'
import { lookup } from './balances.ts'
import { signer } from './system.ts'
import { attempt } from './utility.ts'

const P = 'Sudo'
export const SudoKey = optional<[], string>(P, 'Key', '', 'AccountId32')

function requireSudo(context: Context, origin: Origin): void {
  need(signer(origin) === context.get(SudoKey), P, 'RequireSudo')
}

/** Sudo itself succeeds even when the call does not; the event tells. */
function runAs(context: Context, origin: Origin, args: Fields, event: string): void {
  const error = attempt(context, origin, args['call'] as DecodedCall)
  const result = error === null ? { type: 'Ok', value: null } : { type: 'Err', value: error }
  context.emit(P, event, { sudo_result: result })
}

function sudo(context: Context, origin: Origin, args: Fields): void {
  requireSudo(context, origin)
  runAs(context, { kind: 'root' }, args, 'Sudid')
}

function sudoAs(context: Context, origin: Origin, args: Fields): void {
  requireSudo(context, origin)
  runAs(context, { kind: 'signed', account: lookup(args['who']) }, args, 'SudoAsDone')
}

function setKey(context: Context, origin: Origin, args: Fields): void {
  requireSudo(context, origin)
  const old = context.get(SudoKey)
  const fresh = lookup(args['new'])
  context.set(SudoKey, [], fresh)
  context.emit(P, 'KeyChanged', { old, new: fresh })
}

const RESULT = 'sudo_result: Result<(), DispatchError>'

export const sudoPallet: Pallet = {
  index: 12,
  name: P,
  storage: [SudoKey],
  calls: [
    { index: 0, name: 'sudo', args: 'call: RuntimeCall', paysFee: false, run: sudo },
    { index: 1, name: 'sudo_unchecked_weight', args: 'call: RuntimeCall, weight: Weight', paysFee: false, run: sudo },
    { index: 2, name: 'set_key', args: 'new: MultiAddress', paysFee: false, run: setKey },
    { index: 3, name: 'sudo_as', args: 'who: MultiAddress, call: RuntimeCall', paysFee: false, run: sudoAs },
  ],
  events: [
    { index: 0, name: 'Sudid', fields: RESULT },
    { index: 1, name: 'KeyChanged', fields: 'old: Option<AccountId32>, new: AccountId32' },
    { index: 2, name: 'KeyRemoved', fields: '' },
    { index: 3, name: 'SudoAsDone', fields: RESULT },
  ],
  errors: [{ index: 0, name: 'RequireSudo' }],
  constants: [],
}
