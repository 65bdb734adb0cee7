/**
 * The kinds of writes: how each becomes a call, and how its effect is found on chain.
 *
 * A write is known by its effect, not by its transaction: after a restart nobody remembers why a transaction was sent, but
 * the journal has what it was for, and the chain shows whether that stands. A total table: a new kind owes its call,
 * and `stands` where the state shows the effect.
 */
import type { ApiPromise } from '@polkadot/api'
import type { SubmittableExtrinsic } from '@polkadot/api/types'
import { NodeError } from '../errors.ts'
import { type UidWeight, WEIGHT_U16_MAX } from '../protocol/weight.ts'
import { readCommitEpoch, readSealed, readSlot, readWeightsRow, type State, TIMELOCK_VERSION } from './read.ts'

export type Effects = {
  /** The slot of a hotkey holds these bytes. */
  readonly slot: { readonly netuid: number; readonly hotkey: string; readonly bytes: string }
  /** The row of weights of a hotkey is this, set within the rate limit. */
  readonly weights: WeightsEffect
  /** Classic commit-reveal: the hash is among the open commits of a hotkey. */
  readonly 'weights-commit': { readonly netuid: number; readonly hotkey: string; readonly hash: string }
  /** The row stands, and the hash is not open any more: a row of before may be equal. */
  readonly 'weights-reveal': RevealEffect
  /** Timelocked commit-reveal: the ciphertext is among the commits of a hotkey that wait for their round. */
  readonly 'weights-timelocked': {
    readonly netuid: number
    readonly hotkey: string
    readonly commit: string
    /** Decimal: it may be beyond 2^53 as any u64. */
    readonly round: string
  }
  /** Any other call, by pallet, name and arguments: it landed when its transaction did. */
  readonly call: { readonly pallet: string; readonly name: string; readonly args: readonly unknown[] }
}
type RowEffect = {
  readonly netuid: number
  readonly hotkey: string
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly versionKey: string
}
type WeightsEffect = RowEffect & {
  /** Rows set before this block are older ones that happen to be equal. */
  readonly since: number
}
type RevealEffect = RowEffect & { readonly salt: readonly number[]; readonly hash: string }
export type WriteKind = keyof Effects
export type Write = { [K in WriteKind]: { readonly kind: K; readonly effect: Effects[K] } }[WriteKind]

export type Tx = SubmittableExtrinsic<'promise'>

type Rule<E> = {
  readonly call: (api: ApiPromise, effect: E) => Tx
  /** Since which block the effect stands in this state, or `null`. Absent: only the transaction itself can tell. */
  readonly stands?: (state: State, effect: E) => Promise<number | null>
}

const WRITE_RULES: { readonly [K in WriteKind]: Rule<Effects[K]> } = {
  slot: {
    call: (api, { netuid, bytes }) => {
      const length = bytes.length / 2
      const info = { fields: [{ [`Raw${length}`]: `0x${bytes}` }] }
      return txOf(api, 'commitments', 'setCommitment')(netuid, info)
    },
    stands: async (state, { netuid, hotkey, bytes }) => {
      const slot = await readSlot(state, netuid, hotkey)
      return slot?.bytes === bytes ? slot.block : null
    },
  },
  weights: {
    call: (api, { netuid, uids, values, versionKey }) =>
      txOf(api, 'subtensorModule', 'setWeights')(netuid, uids, values, versionKey),
    stands: standsAsRow,
  },
  'weights-commit': {
    call: (api, { netuid, hash }) => txOf(api, 'subtensorModule', 'commitWeights')(netuid, `0x${hash}`),
  },
  'weights-reveal': {
    call: (api, { netuid, uids, values, salt, versionKey }) =>
      txOf(api, 'subtensorModule', 'revealWeights')(netuid, uids, values, salt, versionKey),
    stands: async (state, effect) => {
      if ((await readCommitEpoch(state, effect)) !== null) return null
      const { row, updated } = await readWeightsRow(state, effect.netuid, effect.hotkey)
      return isRowOf(row, effect) ? updated : null
    },
  },
  'weights-timelocked': {
    call: (api, { netuid, commit, round }) =>
      txOf(api, 'subtensorModule', 'commitTimelockedWeights')(netuid, `0x${commit}`, round, TIMELOCK_VERSION),
    stands: async (state, { netuid, hotkey, commit }) => {
      const sealed = await readSealed(state, netuid, hotkey)
      return sealed.find((each) => each.commit === commit)?.block ?? null
    },
  },
  call: {
    call: (api, { pallet, name, args }) => txOf(api, pallet, name)(...args),
  },
}

async function standsAsRow(state: State, effect: WeightsEffect): Promise<number | null> {
  const { row, updated } = await readWeightsRow(state, effect.netuid, effect.hotkey)
  const isSame = isRowOf(row, effect)
  return isSame && updated >= effect.since ? updated : null
}

/** The chain scales a row so that its greatest weight is 65535; how it rounds is its own business. */
export function isRowOf(row: readonly UidWeight[], { uids, values }: Pick<RowEffect, 'uids' | 'values'>): boolean {
  const greatest = Math.max(0, ...values)
  const scale = greatest === 0 ? 1 : WEIGHT_U16_MAX / greatest
  const slack = scale === 1 ? 0 : 1
  const wanted = new Map(uids.map((uid, i) => [uid, scale * (values[i] ?? 0)]))
  const isNear = ([uid, value]: UidWeight): boolean =>
    Math.abs(value - (wanted.get(uid) ?? Number.POSITIVE_INFINITY)) <= slack
  return row.length === wanted.size && row.every(isNear)
}

/** A call of this chain's own metadata: nothing is assumed from a version number. */
function txOf(api: ApiPromise, pallet: string, name: string): (...args: unknown[]) => Tx {
  const call = api.tx[pallet]?.[name]
  if (call !== undefined) return (...args) => call(...args) as Tx
  throw new NodeError('CHAIN_FOREIGN', {
    what: `this chain has no call ${pallet}.${name}`,
    why: 'it is no subtensor, or one of a version that has dropped it',
  })
}

/** The library throws on arguments that do not fit the chain's types: those would be refused again. */
export function callOf(api: ApiPromise, { kind, effect }: Write): Tx {
  try {
    return (WRITE_RULES[kind] as Rule<typeof effect>).call(api, effect)
  } catch (cause) {
    if (cause instanceof NodeError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NodeError('WRITE_REFUSED', { what: `a write (${kind}) does not fit the chain's types`, why, cause })
  }
}

/** Does the state show whether it was done? Else its transaction alone can tell. */
export const isSeenInState = ({ kind }: Write): boolean => 'stands' in WRITE_RULES[kind]

/** Since which block the effect stands, or `null`; a transaction that landed is all that can be asked of some. */
export async function standsIn(state: State, { kind, effect }: Write): Promise<number | null> {
  const { stands } = WRITE_RULES[kind] as Rule<typeof effect>
  return stands === undefined ? 0 : stands(state, effect)
}
