/**
 * Bonds: what each validator holds of each neuron over time, and the dividends it draws from that neuron's incentive.
 *
 * One rule per mode. They differ in what a stored bond is, in how fast it follows the weights, and in what it earns.
 */
import { multiply, normalise, ONE, ratio, U16_MAX } from './fixed.ts'
import type { YumaInput, YumaMode, YumaRow } from './input.ts'
import { createLiquidAlpha } from './liquid-alpha.ts'
import { type Matrix, normaliseColumns, rowProducts, scaleRows, upscaleColumns, zeroMatrix } from './matrix.ts'
import type { Weights } from './weight.ts'

export type Bonding = {
  /** As they are to be stored, before they become u16. */
  readonly bonds: Matrix
  /** They sum to 1, or are all zero. */
  readonly dividends: Float64Array
  /** Where the runtime builds rows by walking those of the weights, stored bonds keep their order. */
  readonly order: 'byUid' | 'asWeights'
}

type BondInput = {
  readonly input: YumaInput
  readonly activeStake: Float64Array
  readonly consensus: Float64Array
  readonly incentive: Float64Array
  /** The weights that bonds follow. */
  readonly weights: Weights
}

const PER_MILLION = 1_000_000

export function bond(epoch: BondInput): Bonding {
  const rules: Record<YumaMode, (epoch: BondInput) => Bonding> = { yuma2: bondShares, yuma3: bondOwn, liquid: bondOwn }
  return rules[epoch.input.mode](epoch)
}

/** Yuma 2: a bond is a share of its column, bought with stake. Stored so that the greatest of a column is 1. */
function bondShares({ input, activeStake, incentive, weights }: BondInput): Bonding {
  const old = normaliseColumns(readBonds(input, 1))
  const bought = normaliseColumns(scaleRows(weights, activeStake))
  const bonds = normaliseColumns(follow(bought, old, fixedAlpha(input)))
  return {
    bonds: upscaleColumns(bonds),
    dividends: normalise(rowProducts(bonds, incentive)),
    order: 'byUid',
  }
}

/** Yuma 3: a bond is the validator's own, from 0 to 1, and stake counts only when it pays out. */
function bondOwn({ input, activeStake, consensus, incentive, weights }: BondInput): Bonding {
  const old = readBonds(input, U16_MAX)
  // With no consensus on anybody, the runtime falls back on the fixed alpha.
  const isLiquid = input.mode === 'liquid' && consensus.some((value) => value > 0)
  const bonds = isLiquid ? followLiquid(input, consensus, weights, old) : follow(weights, old, fixedAlpha(input))
  const earned = rowProducts(normaliseColumns(bonds), incentive)
  return {
    bonds,
    dividends: normalise(earned.map((value, i) => multiply(value, activeStake[i] as number))),
    order: isLiquid && !isMixed(input) ? 'asWeights' : 'byUid',
  }
}

/** The stored integers over `unit`. A bond with a neuron that has left does not pass to its uid's next owner. */
function readBonds(input: YumaInput, unit: number): Matrix {
  const matrix = zeroMatrix(input.stake.length)
  input.bonds.forEach((row, i) => {
    for (const entry of row) {
      if (!isOutdated(input, entry[0])) matrix.cells[i * matrix.size + entry[0]] = ratio(entry[1], unit)
    }
  })
  return matrix
}

const isOutdated = ({ lastStepBlock, registeredAt }: YumaInput, j: number): boolean =>
  lastStepBlock !== undefined && lastStepBlock + 1 <= (registeredAt[j] as number)

/** Mixing the weights as set with the clipped ones puts their rows into order. */
const isMixed = ({ bondsPenalty }: YumaInput): boolean => bondsPenalty > 0 && bondsPenalty < U16_MAX

const fixedAlpha = (input: YumaInput): number => ONE - ratio(input.bondsMovingAverage, PER_MILLION)

function follow(next: Matrix, old: Matrix, alpha: number): Matrix {
  const matrix = zeroMatrix(next.size)
  for (let at = 0; at < matrix.cells.length; at++) {
    matrix.cells[at] = multiply(alpha, next.cells[at] as number) + multiply(ONE - alpha, old.cells[at] as number)
  }
  return matrix
}

/** A bond lives only where there is a weight to follow, even if that is a stored zero: no entry, no bond. */
function followLiquid(input: YumaInput, consensus: Float64Array, weights: Weights, old: Matrix): Matrix {
  const { size, cells, present } = weights
  const alphaOf = createLiquidAlpha(input)
  const seenWeights = isMixed(input) ? weights : seenCells(weights, input.weights, (at) => present[at] === 1)
  const seenBonds = seenCells(old, input.bonds, (_, j) => !isOutdated(input, j))
  const matrix = zeroMatrix(size)
  for (let i = 0, at = 0; i < size; i++) {
    for (let j = 0; j < size; j++, at++) {
      if (present[at] === 0) continue
      const alpha = alphaOf(seenWeights.cells[at] as number, seenBonds.cells[at] as number, consensus[j] as number)
      const kept = multiply(ONE - alpha, old.cells[at] as number)
      matrix.cells[at] = kept + multiply(alpha, cells[at] as number)
    }
  }
  return matrix
}

/**
 * What the runtime finds when it looks up alpha's weights and bonds. It walks each row as if its uids ascended, so in a
 * row that was sent in another order it misses whatever stands behind a greater uid, and takes it for zero.
 */
function seenCells(matrix: Matrix, rows: readonly YumaRow[], isPresent: (at: number, j: number) => boolean): Matrix {
  if (rows.every(isAscending)) return matrix
  const seen = zeroMatrix(matrix.size)
  rows.forEach((row, i) => {
    let greatest = -1
    for (const [j] of row) {
      const at = i * matrix.size + j
      if (j <= greatest || !isPresent(at, j)) continue
      seen.cells[at] = matrix.cells[at] as number
      greatest = j
    }
  })
  return seen
}

function isAscending(row: YumaRow): boolean {
  let last = -1
  for (const entry of row) {
    if (entry[0] < last) return false
    last = entry[0]
  }
  return true
}
