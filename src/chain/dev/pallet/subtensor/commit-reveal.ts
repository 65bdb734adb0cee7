/**
 * Classic commit-reveal: a validator publishes the hash of its weights in one epoch and the weights themselves some epochs
 * later, in exactly the epoch that the subnet's reveal period names, so that nobody can copy them in time.
 */

import { toHex } from '../../../../util/bytes.ts'
import { CORE_TYPES } from '../../core-type.ts'
import type { CallSpec, Context, Fields } from '../../define.ts'
import { createCodecs } from '../../scale.ts'
import { blake2 } from '../../storage-key.ts'
import { attemptAll } from './batch.ts'
import { must, PALLET } from './error.ts'
import { equalLengths, type Guard, signed } from './guard.ts'
import * as s from './storage.ts'
import { currentEpoch, isExpired, isRegistered, isRevealEpoch, mustHaveMechanism, now, type View } from './subnet.ts'
import {
  enoughStake,
  enoughStakeEverywhere,
  indexOf,
  inTime,
  mechanismOf,
  passesRateLimit,
  setLastUpdate,
  setWeights,
} from './weight.ts'

export const COMMITS_MAX = 10

type Commit = readonly [hash: string, epoch: bigint, block: bigint, unused: bigint]
type Reveal = {
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly salt: readonly number[]
  readonly versionKey: bigint
}

const codecs = createCodecs(CORE_TYPES)
const HASHED = '(AccountId32,u16,Vec<u16>,Vec<u16>,Vec<u16>,u64)'

/** What a validator commits to. `index` is the storage index of the mechanism. */
export function commitHash(who: string, index: number, { uids, values, salt, versionKey }: Reveal): string {
  return toHex(blake2(codecs.encode(HASHED, [who, index, uids, values, salt, versionKey])))
}

/** The uid of a hotkey that may commit now. */
export function mustBeAbleToCommit(context: Context, who: string, args: Fields): number {
  const netuid = args['netuid'] as number
  must(isRegistered(context, netuid, who), 'HotKeyNotRegisteredInSubNet')
  const uid = context.get(s.Uids, netuid, who) as number
  must(passesRateLimit(context, netuid, mechanismOf(args), uid), 'CommittingWeightsTooFast')
  return uid
}

function commit(context: Context, who: string, args: Fields): void {
  const netuid = args['netuid'] as number
  mustHaveMechanism(context, netuid, mechanismOf(args))
  must(context.get(s.CommitRevealWeightsEnabled, netuid), 'CommitRevealDisabled')
  const uid = mustBeAbleToCommit(context, who, args)
  const index = indexOf(args)
  const hash = args['commit_hash'] as string
  const { alive } = sortOut(context, netuid, context.get(s.WeightCommits, index, who) ?? [])
  must(alive.length < COMMITS_MAX, 'TooManyUnrevealedCommits')
  context.set(s.WeightCommits, [index, who], [...alive, [hash, currentEpoch(context, netuid), now(context), 0n]])
  context.emit(PALLET, 'WeightsCommitted', { who, index, hash })
  setLastUpdate(context, index, uid)
}

/** Commits are in the order of their epochs: the expired ones come first. */
function sortOut(view: View, netuid: number, commits: readonly Commit[]) {
  const firstAlive = commits.findIndex(([, epoch]) => !isExpired(view, netuid, epoch))
  const count = firstAlive === -1 ? commits.length : firstAlive
  return { alive: commits.slice(count), expired: commits.slice(0, count).map(([hash]) => hash) }
}

function keep(context: Context, index: number, who: string, commits: readonly Commit[]): void {
  if (commits.length === 0) context.remove(s.WeightCommits, [index, who])
  else context.set(s.WeightCommits, [index, who], commits)
}

function commitBatch(context: Context, who: string, args: Fields): void {
  const hashes = args['commit_hashes'] as readonly string[]
  attemptAll(context, who, args['netuids'] as readonly number[], (netuid, i) =>
    commit(context, who, { netuid, commit_hash: hashes[i] }),
  )
}

const revealOf = (args: Fields): Reveal => ({
  uids: args['uids'] as readonly number[],
  values: args['values'] as readonly number[],
  salt: args['salt'] as readonly number[],
  versionKey: args['version_key'] as bigint,
})

function reveal(context: Context, who: string, args: Fields): void {
  const netuid = args['netuid'] as number
  must(context.get(s.CommitRevealWeightsEnabled, netuid), 'CommitRevealDisabled')
  const index = indexOf(args)
  const commits = context.get(s.WeightCommits, index, who)
  must(commits !== null, 'NoWeightsCommitFound')
  const { alive, expired } = sortOut(context, netuid, commits)
  const given = revealOf(args)
  const hash = commitHash(who, index, given)
  const position = alive.findIndex((each) => each[0] === hash)
  if (position === -1) {
    must(!expired.includes(hash), 'ExpiredWeightCommit')
    must(alive.length > 0, 'NoWeightsCommitFound')
  }
  must(position !== -1, 'InvalidRevealCommitHashNotMatch')
  must(isRevealEpoch(context, netuid, (alive[position] as Commit)[1]), 'RevealTooEarly')
  // Whoever reveals a commit gives up those before it.
  keep(context, index, who, alive.slice(position + 1))
  setWeights(context, who, { netuid, mechanism: mechanismOf(args), ...given })
  context.emit(PALLET, 'WeightsRevealed', { who, index, hash })
}

function revealsOf(args: Fields): readonly Reveal[] {
  const values = args['values_list'] as readonly (readonly number[])[]
  const salts = args['salts_list'] as readonly (readonly number[])[]
  const keys = args['version_keys'] as readonly bigint[]
  return (args['uids_list'] as readonly (readonly number[])[]).map((uids, i) => ({
    uids,
    values: values[i] ?? [],
    salt: salts[i] ?? [],
    versionKey: keys[i] ?? 0n,
  }))
}

function revealBatch(context: Context, who: string, args: Fields): void {
  const netuid = args['netuid'] as number
  must(context.get(s.CommitRevealWeightsEnabled, netuid), 'CommitRevealDisabled')
  const commits = context.get(s.WeightCommits, netuid, who)
  must(commits !== null, 'NoWeightsCommitFound')
  const { alive, expired } = sortOut(context, netuid, commits)
  const reveals = revealsOf(args).map((each) => ({ ...each, hash: commitHash(who, netuid, each) }))
  for (const { hash } of reveals) {
    const found = alive.find((each) => each[0] === hash)
    if (found === undefined) must(!expired.includes(hash), 'ExpiredWeightCommit')
    must(found !== undefined, 'InvalidRevealCommitHashNotMatch')
    must(isRevealEpoch(context, netuid, found[1]), 'RevealTooEarly')
  }
  let left = alive
  for (const { hash, ...given } of reveals) {
    const position = left.findIndex((each) => each[0] === hash)
    must(position !== -1, 'InvalidRevealCommitHashNotMatch') // the same reveal twice
    left = left.filter((_, i) => i !== position)
    setWeights(context, who, { netuid, mechanism: 0, ...given })
  }
  keep(context, netuid, who, left)
  context.emit(PALLET, 'WeightsBatchRevealed', { who, netuid, hashes: reveals.map(({ hash }) => hash) })
}

/** A reveal that cannot be right does not enter the pool. Expired commits are still looked at here, as in the runtime. */
const mayReveal =
  (of: (args: Fields) => readonly Reveal[]): Guard =>
  (context, who, args) => {
    const index = indexOf(args)
    const commits = context.get(s.WeightCommits, index, who)
    must(commits !== null, 'NoWeightsCommitFound')
    for (const each of of(args)) {
      const hash = commitHash(who, index, each)
      const found = commits.find(([committed]) => committed === hash)
      must(found !== undefined, 'NoWeightsCommitFound')
      must(isRevealEpoch(context, args['netuid'] as number, found[1]), 'RevealTooEarly')
    }
  }

const COMMIT = signed(commit, enoughStake, inTime('CommittingWeightsTooFast'))
const REVEAL = signed(
  reveal,
  enoughStake,
  mayReveal((args) => [revealOf(args)]),
)
const REVEAL_ARGS = 'uids: Vec<u16>, values: Vec<u16>, salt: Vec<u16>, version_key: u64'

export const COMMIT_REVEAL_CALLS: readonly CallSpec[] = [
  { index: 96, name: 'commit_weights', args: 'netuid: u16, commit_hash: H256', paysFee: false, ...COMMIT },
  {
    index: 115,
    name: 'commit_mechanism_weights',
    args: 'netuid: u16, mecid: u8, commit_hash: H256',
    paysFee: false,
    ...COMMIT,
  },
  {
    index: 100,
    name: 'batch_commit_weights',
    args: 'netuids: Vec<Compact<u16>>, commit_hashes: Vec<H256>',
    paysFee: false,
    ...signed(commitBatch, equalLengths('netuids', 'commit_hashes'), enoughStakeEverywhere),
  },
  { index: 97, name: 'reveal_weights', args: `netuid: u16, ${REVEAL_ARGS}`, paysFee: false, ...REVEAL },
  {
    index: 116,
    name: 'reveal_mechanism_weights',
    args: `netuid: u16, mecid: u8, ${REVEAL_ARGS}`,
    paysFee: false,
    ...REVEAL,
  },
  {
    index: 98,
    name: 'batch_reveal_weights',
    args: `netuid: u16, uids_list: Vec<Vec<u16>>, values_list: Vec<Vec<u16>>, salts_list: Vec<Vec<u16>>,
      version_keys: Vec<u64>`,
    paysFee: false,
    ...signed(
      revealBatch,
      equalLengths('uids_list', 'values_list', 'salts_list', 'version_keys'),
      enoughStake,
      mayReveal(revealsOf),
    ),
  },
]
