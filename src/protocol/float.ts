/**
 * Exact conversions between the three trainable float types: BF16, F16 and F32.
 *
 * Everything is done on bit patterns with 32-bit integers, so every machine computes the same bytes, NaN included:
 * a NaN keeps its sign and the upper bits of its payload and becomes quiet. Narrowing rounds to nearest, ties to even.
 * Protocol §7 and §9.
 */
import { assert } from '../util/assert.ts'

// Tensors are little-endian on the wire and on disk, and typed arrays have the byte order of the machine.
assert(new Uint8Array(new Uint16Array([1]).buffer)[0] === 1, 'typed arrays are little-endian')

const HALF_PATTERNS = 0x1_0000

/** The 32 bits of an F32 as an unsigned integer, from the 16 bits of a BF16. Exact. */
export function bf16ToF32Bits(half: number): number {
  const bits = (half << 16) >>> 0
  return (half & 0x7fff) > 0x7f80 ? (bits | 0x0040_0000) >>> 0 : bits
}

/** The nearest BF16 of an F32 given by its bits (signed or unsigned). A carry out of the fraction reaches infinity. */
export function f32BitsToBf16(bits: number): number {
  // All ones for NaN, else zero: a mask instead of a branch makes the loop over an array twice as fast.
  const nan = (0x7f80_0000 - (bits & 0x7fff_ffff)) >> 31
  // Adding 0x7fff, or 0x8000 when the last kept bit is odd, carries exactly when rounding goes up.
  const carry = (0x7fff + ((bits >>> 16) & 1)) & ~nan
  return ((bits + carry) >>> 16) | (nan & 0x0040)
}

/** The 32 bits of an F32 as an unsigned integer, from the 16 bits of an F16. Exact. */
export function f16ToF32Bits(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x03ff
  if (exponent === 0x1f) return (sign | (fraction === 0 ? 0x7f80_0000 : 0x7fc0_0000 | (fraction << 13))) >>> 0
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0
  if (fraction === 0) return sign >>> 0
  // A subnormal F16 is a normal F32: its leading one, at bit 31 - zeros, becomes the hidden bit 23.
  const zeros = Math.clz32(fraction)
  return (sign | ((134 - zeros) << 23) | ((fraction << (zeros - 8)) & 0x007f_ffff)) >>> 0
}

/** The nearest F16 of an F32 given by its bits (signed or unsigned). */
export function f32BitsToF16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fff_ffff
  if (magnitude > 0x7f80_0000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x03ff)
  if (magnitude >= 0x477f_f000) return sign | 0x7c00 // 65,520 is halfway between the largest F16 and 2^16.
  if (magnitude <= 0x3300_0000) return sign // 2^-25 is halfway between zero and the smallest subnormal.
  if (magnitude >= 0x3880_0000) {
    return sign | ((magnitude - 0x3800_0000 + 0x0fff + ((magnitude >>> 13) & 1)) >>> 13)
  }
  // Below 2^-14 the result counts units of 2^-24. A carry into 0x0400 is the smallest normal, which is right.
  const significand = (magnitude & 0x007f_ffff) | 0x0080_0000
  const shift = 126 - (magnitude >>> 23)
  return sign | ((significand + (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1)) >>> shift)
}

const tableOf = (toF32Bits: (half: number) => number): Float64Array => {
  const bits = Uint32Array.from({ length: HALF_PATTERNS }, (_, half) => toF32Bits(half))
  return Float64Array.from(new Float32Array(bits.buffer))
}

/**
 * The value of each of the 65,536 patterns, for loops that compute: one load instead of a bit cast. They are float64
 * (512 KiB each) because a load then needs no conversion; the patterns that weights really use fit a first-level cache.
 */
export const HALF_VALUES: { readonly BF16: Float64Array; readonly F16: Float64Array } = {
  BF16: tableOf(bf16ToF32Bits),
  F16: tableOf(f16ToF32Bits),
}

const bitsOf = (floats: Float32Array): Int32Array => new Int32Array(floats.buffer, floats.byteOffset, floats.length)

export function bf16ToF32(source: Uint16Array, target: Float32Array): void {
  assert(source.length === target.length, 'as many targets as sources')
  const bits = bitsOf(target)
  for (let i = 0; i < source.length; i++) bits[i] = bf16ToF32Bits(source[i] as number)
}

export function f16ToF32(source: Uint16Array, target: Float32Array): void {
  assert(source.length === target.length, 'as many targets as sources')
  const bits = bitsOf(target)
  for (let i = 0; i < source.length; i++) bits[i] = f16ToF32Bits(source[i] as number)
}

export function f32ToBf16(source: Float32Array, target: Uint16Array): void {
  assert(source.length === target.length, 'as many targets as sources')
  const bits = bitsOf(source)
  for (let i = 0; i < bits.length; i++) target[i] = f32BitsToBf16(bits[i] as number)
}

export function f32ToF16(source: Float32Array, target: Uint16Array): void {
  assert(source.length === target.length, 'as many targets as sources')
  const bits = bitsOf(source)
  for (let i = 0; i < bits.length; i++) target[i] = f32BitsToF16(bits[i] as number)
}
