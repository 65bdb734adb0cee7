/**
 * Timelocked commit-reveal: a validator encrypts its weights to a round of the drand beacon, and the chain reveals them
 * itself, in every block of the epoch that the reveal period names, once it has stored that round's pulse.
 */
import { toHex } from '../../../../util/bytes.ts'
import type { CallSpec, Context, Fields } from '../../define.ts'
import { DispatchFailure } from '../../define.ts'
import { blake2 } from '../../storage-key.ts'
import { LastStoredRound, Pulses } from '../drand.ts'
import { COMMITS_MAX, mustBeAbleToCommit } from './commit-reveal.ts'
import { deferredEpochs } from './emission.ts'
import { must, PALLET } from './error.ts'
import { type Guard, signed } from './guard.ts'
import * as s from './storage.ts'
import { currentEpoch, mustHaveMechanism, netuids, now, ROOT, storageIndex } from './subnet.ts'
import { openWeights } from './timelock-open.ts'
import { enoughStake, indexOf, mechanismOf, setLastUpdate, setWeights } from './weight.ts'

type Commit = readonly [who: string, block: bigint, commit: Uint8Array, round: bigint]

/** What `commit_crv3_mechanism_weights` means by a commit. */
const VERSION = 4

function commit(context: Context, who: string, args: Fields): void {
  const netuid = args['netuid'] as number
  mustHaveMechanism(context, netuid, mechanismOf(args))
  must(context.get(s.CommitRevealWeightsEnabled, netuid), 'CommitRevealDisabled')
  const version = (args['commit_reveal_version'] as number | undefined) ?? VERSION
  must(version === context.get(s.CommitRevealWeightsVersion), 'IncorrectCommitRevealVersion')
  const uid = mustBeAbleToCommit(context, who, args)
  const index = indexOf(args)
  const epoch = currentEpoch(context, netuid)
  const commits = context.get(s.TimelockedWeightCommits, index, epoch)
  must(commits.filter(([account]) => account === who).length < COMMITS_MAX, 'TooManyUnrevealedCommits')
  const bytes = args['commit'] as Uint8Array
  const round = args['reveal_round'] as bigint
  context.set(s.TimelockedWeightCommits, [index, epoch], [...commits, [who, now(context), bytes, round]])
  context.emit(PALLET, 'TimelockedWeightsCommitted', { who, index, hash: toHex(blake2(bytes)), round })
  setLastUpdate(context, index, uid)
}

/** A round that is over would reveal at once. */
const roundIsAhead: Guard = (context, _who, args) =>
  must((args['reveal_round'] as bigint) >= context.get(LastStoredRound), 'InvalidRevealRound')

/** Before the epochs of a block, but not of those that are put off. */
export function revealTimelocked(context: Context): void {
  const deferred = deferredEpochs(context)
  for (const netuid of netuids(context)) {
    if (netuid !== ROOT && !deferred.includes(netuid)) revealSubnet(context, netuid)
  }
}

function revealSubnet(context: Context, netuid: number): void {
  const epoch = currentEpoch(context, netuid)
  const period = context.get(s.RevealPeriodEpochs, netuid)
  const revealed = epoch > period ? epoch - period : 0n
  for (let mechanism = 0; mechanism < context.get(s.MechanismCountCurrent, netuid); mechanism++) {
    const index = storageIndex(netuid, mechanism)
    for (const [[, committed]] of [...context.entries(s.TimelockedWeightCommits, index)]) {
      if (committed < revealed) context.remove(s.TimelockedWeightCommits, [index, committed])
    }
    if (epoch < period) return
    const commits = context.get(s.TimelockedWeightCommits, index, revealed)
    // Those whose pulse is missing are tried again in every block of this epoch; all others had their one try.
    const waiting = commits.filter((each) => !revealOne(context, netuid, mechanism, each))
    if (waiting.length === commits.length) continue
    if (waiting.length === 0) context.remove(s.TimelockedWeightCommits, [index, revealed])
    else context.set(s.TimelockedWeightCommits, [index, revealed], waiting)
  }
}

/** `false` while the pulse of its round is missing. What cannot be opened or set is dropped without a word. */
function revealOne(context: Context, netuid: number, mechanism: number, [who, , bytes, round]: Commit): boolean {
  const pulse = context.get(Pulses, round)
  if (pulse === null) return false
  const weights = openWeights(bytes, pulse.signature, who)
  if (weights === null) return true
  try {
    setWeights(context, who, { netuid, mechanism, ...weights })
    context.emit(PALLET, 'TimelockedWeightsRevealed', { index: storageIndex(netuid, mechanism), who })
  } catch (error) {
    if (!(error instanceof DispatchFailure)) throw error
  }
  return true
}

const ARGS = 'commit: BoundedVec<u8,5000>, reveal_round: u64'
const COMMIT = signed(commit, enoughStake, roundIsAhead)

export const TIMELOCK_CALLS: readonly CallSpec[] = [
  {
    index: 113,
    name: 'commit_timelocked_weights',
    args: `netuid: u16, ${ARGS}, commit_reveal_version: u16`,
    paysFee: false,
    ...COMMIT,
  },
  {
    index: 118,
    name: 'commit_timelocked_mechanism_weights',
    args: `netuid: u16, mecid: u8, ${ARGS}, commit_reveal_version: u16`,
    paysFee: false,
    ...COMMIT,
  },
  {
    index: 117,
    name: 'commit_crv3_mechanism_weights',
    args: `netuid: u16, mecid: u8, ${ARGS}`,
    paysFee: false,
    ...COMMIT,
  },
]
