/**
 * The steps of an epoch in fixed point, in the order in which the runtime takes them: the weights that count, consensus,
 * trust and incentive, then bonds and dividends.
 */
import { type Bonding, bond } from './bond.ts'
import { normalise, ONE, toU16 } from './fixed.ts'
import type { YumaInput, YumaRow } from './input.ts'
import { columnProducts, rowSums } from './matrix.ts'
import { bondWeights, clipWeights, consensusOf, readWeights } from './weight.ts'

/** Counts of 2^-32 by uid. What the chain stores of them is `toU16`; what it pays by is these. */
export type EpochTerms = {
  /** Shares of all stake, and of the stake that votes. */
  readonly stake: Float64Array
  readonly activeStake: Float64Array
  readonly consensus: Float64Array
  readonly incentive: Float64Array
  readonly dividends: Float64Array
  readonly validatorTrust: Float64Array
  /** Rows of the next epoch's `bonds`, as u16. A neuron without permit or without stake has none. */
  readonly bonds: readonly YumaRow[]
}

/** The input was checked. */
export function epochTerms(input: YumaInput): EpochTerms {
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
    stake,
    activeStake,
    consensus,
    incentive,
    dividends: bonding.dividends,
    validatorTrust: rowSums(clipped),
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
