/**
 * One epoch of a Bittensor subnet, so that a validator can see what its weights would earn before it sets them.
 *
 * The runtime's own arithmetic, to the last bit, in the order in which it takes its steps (subtensor, spec 425): the
 * weights that count, consensus, trust and incentive, then bonds and dividends. Nothing here knows of a chain's client.
 */
import { type Bonding, bond } from './yuma/bond.ts'
import { normalise, ONE, toU16 } from './yuma/fixed.ts'
import { checkInput, type YumaInput, type YumaRow } from './yuma/input.ts'
import { columnProducts, rowSums } from './yuma/matrix.ts'
import { bondWeights, clipWeights, consensusOf, readWeights } from './yuma/weight.ts'

export type { YumaInput, YumaMode, YumaRow } from './yuma/input.ts'

/** Lists are by uid, and u16 as the chain stores them: 65535 is 1. */
export type YumaEpoch = {
  readonly consensus: readonly number[]
  readonly incentive: readonly number[]
  readonly dividends: readonly number[]
  readonly validatorTrust: readonly number[]
  /** Rows of the next epoch's `bonds`. A neuron without permit or without stake has none. */
  readonly bonds: readonly YumaRow[]
}

/** Throws a `TypeError` or `RangeError` that names the field where `input` could not be the state of a subnet. */
export function yumaEpoch(input: YumaInput): YumaEpoch {
  checkInput(input)
  const permits = input.permits.map((permit, uid) => permit || uid === input.ownerUid)
  const stake = normaliseStake(input.stake)
  const activeStake = normalise(stake.map((share, uid) => (input.active[uid] && permits[uid] ? share : 0)))

  const weights = readWeights(input, permits)
  const consensus = consensusOf(weights, activeStake, input.kappa)
  const clipped = clipWeights(weights, consensus)
  const incentive = normalise(columnProducts(clipped, activeStake))
  const followed = bondWeights(weights, clipped, input.bondsPenalty)
  const bonding = bond({ input, activeStake, consensus, incentive, weights: followed })

  // The runtime gives permits anew in each epoch, never to a neuron without stake but the owner, and stores no others.
  const holds = (uid: number) => uid === input.ownerUid || (permits[uid] === true && stake[uid] !== 0)
  return {
    consensus: Array.from(consensus, toU16),
    incentive: Array.from(incentive, toU16),
    dividends: Array.from(bonding.dividends, toU16),
    validatorTrust: Array.from(rowSums(clipped), toU16),
    bonds: input.stake.map((_, uid) => (holds(uid) ? storedRow(input, bonding, uid) : [])),
  }
}

/** Shares of 1, cut off after 32 bits. In bigints, because stakes in rao pass 2^53 in sum. */
function normaliseStake(stake: readonly number[]): Float64Array {
  const bits = stake.map((value) => {
    const whole = Math.floor(value)
    return (BigInt(whole) << 64n) + BigInt(Math.floor((value - whole) * 2 ** 64))
  })
  const total = bits.reduce((sum, value) => sum + value, 0n)
  return Float64Array.from(bits, (value) => (total === 0n ? 0 : Number((value * BigInt(ONE)) / total)))
}

/** Bonds above zero, though the u16 may be zero: the chain stores those too. */
function storedRow(input: YumaInput, { bonds, order }: Bonding, uid: number): YumaRow {
  const row: [uid: number, value: number][] = []
  const store = (j: number) => {
    const cell = bonds.cells[uid * bonds.size + j] as number
    if (cell > 0) row.push([j, toU16(cell)])
  }
  if (order === 'asWeights') for (const entry of input.weights[uid] ?? []) store(entry[0])
  else for (let j = 0; j < bonds.size; j++) store(j)
  return row
}
