/**
 * Exact integer arithmetic that the language leaves out: division that rounds to a named side, and square roots.
 *
 * BigInt division truncates towards zero, which is neither floor nor ceiling for negative numbers.
 */
import { assert } from './assert.ts'

/** The greatest integer not above a / b, also for negative a. */
export function floorDiv(a: bigint, b: bigint): bigint {
  assert(b > 0n, 'the divisor is positive')
  const quotient = a / b
  return quotient * b > a ? quotient - 1n : quotient
}

/** The smallest integer not below a / b, also for negative a. */
export function ceilDiv(a: bigint, b: bigint): bigint {
  return -floorDiv(-a, b)
}

/** The greatest integer whose square is not above n. Newton's method from above: it falls until it stops falling. */
export function isqrt(n: bigint): bigint {
  assert(n >= 0n, 'a square root needs a number that is not negative')
  if (n < 2n) return n
  let root = 1n << BigInt((n.toString(2).length + 1) >> 1)
  for (;;) {
    const next = (root + n / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/** The smallest integer whose square is not below n. */
export function ceilSqrt(n: bigint): bigint {
  const root = isqrt(n)
  return root * root === n ? root : root + 1n
}
