/**
 * Square matrices of fixed-point numbers, row by row in one array, and the few sums that an epoch takes of them.
 *
 * Additions of fixed-point numbers are exact, so the order of a sum never matters.
 */
import { divide, multiply } from './fixed.ts'

/** The cell of row i and column j is at i × size + j. */
export type Matrix = { readonly size: number; readonly cells: Float64Array }

export const zeroMatrix = (size: number): Matrix => ({ size, cells: new Float64Array(size * size) })

export function rowSums({ size, cells }: Matrix): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => {
    let sum = 0
    for (let at = i * size; at < (i + 1) * size; at++) sum += cells[at] as number
    return sum
  })
}

/** Every cell times the factor of its row. */
export function scaleRows({ size, cells }: Matrix, rowFactors: Float64Array): Matrix {
  const scaled = zeroMatrix(size)
  for (let i = 0, at = 0; i < size; i++) {
    const factor = rowFactors[i] as number
    for (let j = 0; j < size; j++, at++) scaled.cells[at] = multiply(factor, cells[at] as number)
  }
  return scaled
}

/** By column: the sum of its cells, each times the factor of its row. */
export function columnProducts({ size, cells }: Matrix, rowFactors: Float64Array): Float64Array {
  const sums = new Float64Array(size)
  for (let i = 0, at = 0; i < size; i++) {
    const factor = rowFactors[i] as number
    for (let j = 0; j < size; j++, at++) sums[j] = (sums[j] as number) + multiply(factor, cells[at] as number)
  }
  return sums
}

/** By row: the sum of its cells, each times the factor of its column. */
export function rowProducts({ size, cells }: Matrix, columnFactors: Float64Array): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => {
    let sum = 0
    for (let j = 0; j < size; j++) sum += multiply(columnFactors[j] as number, cells[i * size + j] as number)
    return sum
  })
}

/** Every column sums to 1, or is zero. */
export const normaliseColumns = (matrix: Matrix): Matrix =>
  divideColumns(
    matrix,
    foldColumns(matrix, (sum, value) => sum + value),
  )

/** The greatest cell of every column is 1, or the column is zero. */
export const upscaleColumns = (matrix: Matrix): Matrix =>
  divideColumns(
    matrix,
    foldColumns(matrix, (greatest, value) => (value > greatest ? value : greatest)),
  )

function foldColumns({ size, cells }: Matrix, fold: (folded: number, value: number) => number): Float64Array {
  const folded = new Float64Array(size)
  for (let i = 0, at = 0; i < size; i++) {
    for (let j = 0; j < size; j++, at++) folded[j] = fold(folded[j] as number, cells[at] as number)
  }
  return folded
}

function divideColumns({ size, cells }: Matrix, divisors: Float64Array): Matrix {
  const divided = zeroMatrix(size)
  for (let i = 0, at = 0; i < size; i++) {
    for (let j = 0; j < size; j++, at++) {
      const cell = cells[at] as number
      if (cell > 0) divided.cells[at] = divide(cell, divisors[j] as number)
    }
  }
  return divided
}
