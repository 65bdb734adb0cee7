/**
 * Seats on the root, the network where TAO is staked. A seat costs nothing; when all are taken, it is taken from whoever
 * has the least stake there, by somebody who has more.
 */
import { compareNumber } from '../../../../util/compare.ts'
import type { CallSpec, Context, Fields } from '../../define.ts'
import { must, PALLET } from './error.ts'
import { signed } from './guard.ts'
import { appendNeuron, claimHotkey, replaceNeuron } from './registration.ts'
import * as s from './storage.ts'
import { hotkeysOf, isRegistered, ROOT, type View } from './subnet.ts'

/** How many times its target an interval may have of registrations. */
const TARGETS_PER_INTERVAL = 3

const stakeOn = (view: View, hotkey: string): bigint => view.get(s.TotalHotkeyAlpha, hotkey, ROOT)

/** Also for a hotkey of somebody else: it gives the hotkey nothing that its owner could not want. */
function register(context: Context, coldkey: string, args: Fields): void {
  const hotkey = args['hotkey'] as string
  const inBlock = context.get(s.RegistrationsThisBlock, ROOT)
  const inInterval = context.get(s.RegistrationsThisInterval, ROOT)
  must(inBlock < context.get(s.MaxRegistrationsPerBlock, ROOT), 'TooManyRegistrationsThisBlock')
  const intervalMax = TARGETS_PER_INTERVAL * context.get(s.TargetRegistrationsPerInterval, ROOT)
  must(inInterval < intervalMax, 'TooManyRegistrationsThisInterval')
  must(!isRegistered(context, ROOT, hotkey), 'HotKeyAlreadyRegisteredInSubNet')
  claimHotkey(context, coldkey, hotkey)
  const uid = takeSeat(context, hotkey)
  context.set(s.Delegates, [hotkey], context.get(s.Delegates, hotkey)) // written down, though it be the default
  context.set(s.RegistrationsThisInterval, [ROOT], inInterval + 1)
  context.set(s.RegistrationsThisBlock, [ROOT], inBlock + 1)
  context.emit(PALLET, 'NeuronRegistered', { netuid: ROOT, uid, hotkey })
}

function takeSeat(context: Context, hotkey: string): number {
  if (context.get(s.SubnetworkN, ROOT) < context.get(s.MaxAllowedUids, ROOT)) {
    return appendNeuron(context, ROOT, hotkey)
  }
  const [least] = hotkeysOf(context, ROOT)
    .map((seated, uid) => ({ uid, stake: stakeOn(context, seated) }))
    .sort((a, b) => compareNumber(a.stake, b.stake) || a.uid - b.uid)
  must(least !== undefined && least.stake < stakeOn(context, hotkey), 'StakeTooLowForRoot')
  replaceNeuron(context, ROOT, least.uid, hotkey)
  return least.uid
}

export const ROOT_CALLS: readonly CallSpec[] = [
  { index: 62, name: 'root_register', args: 'hotkey: AccountId32', paysFee: true, ...signed(register) },
]
