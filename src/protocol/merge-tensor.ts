/**
 * The arithmetic of a merge, one tensor at a time: Φ' = Φ + η Σ ŵ_i Δ_i (protocol §7).
 *
 * The same bytes on every machine: plain JavaScript, a fixed order, and `Math.fround` after every difference, product
 * and sum. The language rounds to float64 first, which never changes the float32 result: for one +, − or × of float32
 * operands, 53 bits are at least 2 · 24 + 2, so rounding twice is rounding once. No fused multiply-add can appear.
 *
 * A tensor may be given in consecutive slices; their results are the slices of the whole result.
 */
import { assert } from '../util/assert.ts'
import { f32ToBf16, f32ToF16, HALF_VALUES } from './float.ts'
import { DTYPES, type Dtype, type TrainableDtype } from './tensor.ts'

export type MergeUpdate = {
  /** The whole tensor as submitted, not the difference. For a submission that leaves it out, pass `base`. */
  readonly values: Uint8Array
  /** The certified score, a positive integer. */
  readonly weight: number
}

export type Merge = {
  readonly dtype: TrainableDtype
  readonly base: Uint8Array
  /** In the order of hotkey bytes: sums of floats depend on their order. */
  readonly updates: readonly MergeUpdate[]
  /** The step η in millionths. */
  readonly etaPpm: number
}

/** Sums of squares, accumulated over the slices of one tensor. */
export type NormSquares = { readonly delta: number; readonly base: number }
export type NormVerdict = { readonly kind: 'accept' } | { readonly kind: 'reject'; readonly code: 'NORM_TOO_LARGE' }

/** No group has more seats than a subnet has UIDs. */
export const MERGE_UPDATES_MAX = 256
/** A step beyond 10 is no merge any more. */
export const ETA_PPM_MAX = 10_000_000
/** Ninety thousand times its norm is no bound any more; squared in thousandths it is still exact. */
export const NORM_RATIO_MILLI_MAX = 90_000_000

/** Elements per pass. The blocks of four updates, base and sum together stay inside a second-level cache. */
const BLOCK = 8192
const PPM = 1_000_000

const fround = Math.fround

type Half = Exclude<TrainableDtype, 'F32'>
/** A summand in one block; the values are bit patterns of half floats, or float32. */
type Term<Values> = { readonly values: Values; readonly weight: number }

/**
 * The merged bytes. All inputs are finite, which the guards have judged before (protocol §5). A sum of finite values may
 * still overflow to infinity: it is returned as computed, alike on every machine, and `allFinite` tells.
 * Σ starts at +0, so an element of −0 that nobody moved becomes +0; also this is the same everywhere.
 */
export function mergeTensor({ dtype, base, updates, etaPpm }: Merge): Uint8Array {
  const width = DTYPES[dtype].bytes
  assert(base.length % width === 0, 'a slice holds whole elements')
  assert(updates.length > 0 && updates.length <= MERGE_UPDATES_MAX, 'a merge has at least one update and a bound')
  assert(Number.isInteger(etaPpm) && etaPpm >= 0 && etaPpm <= ETA_PPM_MAX, 'the step is an integer of millionths')
  for (const { values } of updates) assert(values.length === base.length, 'updates are as long as the base')

  const weights = sharesOf(updates)
  const eta = fround(etaPpm / PPM)
  const merged = new Uint8Array(base.length)
  const scratch = { base: new Float64Array(BLOCK), sum: new Float64Array(BLOCK), single: new Float32Array(BLOCK) }
  for (let begin = 0; begin < base.length; begin += BLOCK * width) {
    const end = Math.min(begin + BLOCK * width, base.length)
    const terms = updates.map(({ values }, i) => ({
      values: values.subarray(begin, end),
      weight: weights[i] as number,
    }))
    mergeBlock(dtype, base.subarray(begin, end), terms, eta, scratch, merged.subarray(begin, end))
  }
  return merged
}

type Scratch = { readonly base: Float64Array; readonly sum: Float64Array; readonly single: Float32Array }

function mergeBlock(
  dtype: TrainableDtype,
  base: Uint8Array,
  terms: readonly Term<Uint8Array>[],
  eta: number,
  scratch: Scratch,
  target: Uint8Array,
): void {
  const length = base.length / DTYPES[dtype].bytes
  const baseValues = scratch.base.subarray(0, length)
  const sum = scratch.sum.subarray(0, length).fill(0)
  const single = scratch.single.subarray(0, length)
  widen(dtype, base, baseValues)
  if (dtype === 'F32') addSingles(sum, baseValues, terms)
  else addHalves(dtype, sum, baseValues, terms)
  // A value that is not finite stays so through every step, so the inputs need a look only when the result has one.
  const finite = step(single, baseValues, sum, eta)
  assert(finite || inputsFinite(dtype, base, terms), 'the inputs of a merge are finite')
  narrow(dtype, single, target)
}

/** ŵ_i: the quotient of two integers, rounded to float64 as the language does and then to float32. */
export function sharesOf(updates: readonly MergeUpdate[]): readonly number[] {
  let total = 0
  for (const { weight } of updates) {
    assert(Number.isSafeInteger(weight) && weight > 0, 'a weight is a positive integer')
    total += weight
    assert(Number.isSafeInteger(total), 'the sum of the weights is exact')
  }
  return updates.map(({ weight }) => fround(weight / total))
}

function inputsFinite(dtype: TrainableDtype, base: Uint8Array, terms: readonly Term<Uint8Array>[]): boolean {
  return allFinite(dtype, base) && terms.every(({ values }) => allFinite(dtype, values))
}

/** Typed arrays need an aligned buffer; a slice of a larger message may lie anywhere. */
const halves = (bytes: Uint8Array): Uint16Array =>
  bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(bytes.slice().buffer)

const words = (bytes: Uint8Array): Uint32Array =>
  bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Uint32Array(bytes.slice().buffer)

const singles = (bytes: Uint8Array): Float32Array => {
  const bits = words(bytes)
  return new Float32Array(bits.buffer, bits.byteOffset, bits.length)
}

function widen(dtype: TrainableDtype, bytes: Uint8Array, target: Float64Array): void {
  if (dtype === 'F32') {
    target.set(singles(bytes))
    return
  }
  const table = HALF_VALUES[dtype]
  const patterns = halves(bytes)
  for (let i = 0; i < patterns.length; i++) target[i] = table[patterns[i] as number] as number
}

function narrow(dtype: TrainableDtype, source: Float32Array, target: Uint8Array): void {
  if (dtype === 'F32') target.set(new Uint8Array(source.buffer, source.byteOffset, target.length))
  else if (dtype === 'BF16') f32ToBf16(source, halves(target))
  else f32ToF16(source, halves(target))
}

function addSingles(sum: Float64Array, base: Float64Array, terms: readonly Term<Uint8Array>[]): void {
  for (const { values, weight } of terms) addSingle(sum, base, singles(values), weight)
}

/** In the given order, four at a time while there are four: a sum that stays in a register is faster. */
function addHalves(dtype: Half, sum: Float64Array, base: Float64Array, terms: readonly Term<Uint8Array>[]): void {
  const table = HALF_VALUES[dtype]
  const summands = terms.map(({ values, weight }) => ({ values: halves(values), weight }))
  let next = 0
  for (; next + 4 <= summands.length; next += 4) {
    addFourHalves(sum, base, table, summands.slice(next, next + 4) as unknown as Four)
  }
  for (const { values, weight } of summands.slice(next)) addHalf(sum, base, table, values, weight)
}

function addSingle(sum: Float64Array, base: Float64Array, values: Float32Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) {
    const delta = fround((values[i] as number) - (base[i] as number))
    sum[i] = fround((sum[i] as number) + fround(weight * delta))
  }
}

function addHalf(sum: Float64Array, base: Float64Array, table: Float64Array, v: Uint16Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) {
    const delta = fround((table[v[i] as number] as number) - (base[i] as number))
    sum[i] = fround((sum[i] as number) + fround(weight * delta))
  }
}

type Four = readonly [Term<Uint16Array>, Term<Uint16Array>, Term<Uint16Array>, Term<Uint16Array>]

function addFourHalves(sum: Float64Array, base: Float64Array, table: Float64Array, [a, b, c, d]: Four): void {
  const [va, vb, vc, vd] = [a.values, b.values, c.values, d.values]
  const [wa, wb, wc, wd] = [a.weight, b.weight, c.weight, d.weight]
  for (let i = 0; i < sum.length; i++) {
    const x = base[i] as number
    let s = sum[i] as number
    s = fround(s + fround(wa * fround((table[va[i] as number] as number) - x)))
    s = fround(s + fround(wb * fround((table[vb[i] as number] as number) - x)))
    s = fround(s + fround(wc * fround((table[vc[i] as number] as number) - x)))
    sum[i] = fround(s + fround(wd * fround((table[vd[i] as number] as number) - x)))
  }
}

/** Storing into a Float32Array rounds the last sum. Answers whether all of the results are finite. */
function step(target: Float32Array, base: Float64Array, sum: Float64Array, eta: number): boolean {
  const bits = new Int32Array(target.buffer, target.byteOffset, target.length)
  let seen = 0
  for (let i = 0; i < target.length; i++) {
    target[i] = (base[i] as number) + fround(eta * (sum[i] as number))
    seen |= ((bits[i] as number) & 0x7fff_ffff) + 0x0080_0000 // Carries into the sign bit only when the exponent is full.
  }
  return seen >= 0
}

/** Whether no element is NaN or infinite. Types without such values always pass. */
export function allFinite(dtype: Dtype, bytes: Uint8Array): boolean {
  const width = DTYPES[dtype].bytes
  assert(bytes.length % width === 0, 'a slice holds whole elements')
  const exponent = EXPONENTS[dtype]
  if (exponent === undefined) return true
  for (let begin = 0; begin < bytes.length; begin += BLOCK * width) {
    const block = bytes.subarray(begin, begin + BLOCK * width)
    if (
      width === 2
        ? hasAllBits(halves(block), exponent, 1, 0)
        : hasAllBits(words(block), exponent, width / 4, width / 4 - 1)
    )
      return false
  }
  return true
}

/** The bits of an exponent that are all set in NaN and infinity alone, in the word that holds them. */
const EXPONENTS: { readonly [D in Dtype]?: number } = { BF16: 0x7f80, F16: 0x7c00, F32: 0x7f80_0000, F64: 0x7ff0_0000 }

function hasAllBits(words: Uint16Array | Uint32Array, mask: number, stride: number, first: number): boolean {
  for (let i = first; i < words.length; i += stride) if (((words[i] as number) & mask) === mask) return true
  return false
}

/**
 * ‖Δ‖² and ‖base‖² in float64, added up in the order of the elements. For the next slice of a tensor, hand in the sums
 * so far: the result does not depend on where the slices were cut. Only ever compared by `judgeNorm`, inside a report.
 */
export function normSquares(
  { dtype, base, values }: Pick<Merge, 'dtype' | 'base'> & { readonly values: Uint8Array },
  before: NormSquares = { delta: 0, base: 0 },
): NormSquares {
  const width = DTYPES[dtype].bytes
  assert(base.length === values.length && base.length % width === 0, 'slices are of one length, in whole elements')
  const [a, b] = [new Float64Array(BLOCK), new Float64Array(BLOCK)]
  let squares = before
  for (let begin = 0; begin < base.length; begin += BLOCK * width) {
    const end = Math.min(begin + BLOCK * width, base.length)
    widen(dtype, base.subarray(begin, end), a)
    widen(dtype, values.subarray(begin, end), b)
    squares = addSquares(a, b, (end - begin) / width, squares)
  }
  return squares
}

function addSquares(base: Float64Array, values: Float64Array, length: number, before: NormSquares): NormSquares {
  let { delta: deltaSum, base: baseSum } = before
  for (let i = 0; i < length; i++) {
    const x = base[i] as number
    const delta = (values[i] as number) - x
    deltaSum += delta * delta
    baseSum += x * x
  }
  return { delta: deltaSum, base: baseSum }
}

/**
 * ‖Δ‖ ≤ r ‖base‖ for each tensor on its own, with r in thousandths: bounding each one also refuses (W_up · c, W_down / c),
 * which leaves the outputs and the loss as they were and ruins training (security notes). Squares are compared, so
 * no root is taken. A base of zeros allows no change at all, and NaN allows nothing.
 */
export function judgeNorm({ delta, base }: NormSquares, ratioMilli: number): NormVerdict {
  assert(Number.isInteger(ratioMilli) && ratioMilli >= 0, 'a ratio is an integer of thousandths')
  assert(ratioMilli <= NORM_RATIO_MILLI_MAX, 'the square of a ratio is exact')
  return delta * PPM <= ratioMilli * ratioMilli * base ? { kind: 'accept' } : { kind: 'reject', code: 'NORM_TOO_LARGE' }
}
