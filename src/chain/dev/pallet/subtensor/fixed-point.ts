/**
 * The runtime's fixed-point numbers for money (U96F32) on bigints: a number is a whole count of 2^-32.
 *
 * Products and quotients round down, as the runtime's do. Values are never negative.
 */
import { U16_MAX } from '../../../yuma/fixed.ts'

const BITS = 32n
export const ONE = 1n << BITS
/** What shares in a u64 are parts of. */
export const U64_MAX = 2n ** 64n - 1n
/** What shares in a u16 are parts of. */
export const U16_WHOLE = BigInt(U16_MAX)

export const fixed = (whole: bigint | number): bigint => BigInt(whole) << BITS
export const floor = (value: bigint): bigint => value >> BITS
export const times = (a: bigint, b: bigint): bigint => (a * b) >> BITS
/** Zero where the runtime's checked division says nothing. */
export const over = (a: bigint, b: bigint): bigint => (b === 0n ? 0n : (a << BITS) / b)
export const less = (a: bigint, b: bigint): bigint => (a > b ? a - b : 0n)
export const min = (a: bigint, b: bigint): bigint => (a < b ? a : b)
export const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
