/**
 * The runtime's fixed-point numbers (I32F32) on doubles: a number is a whole count of 2^-32, as the chain stores it.
 *
 * Every operation ends on the same integer as the chain's, rounding included. Plain floats do not: a bond of a small
 * weight has few bits left, and dividing a column by its sum turns the lost ones into several u16 units. BigInt would be
 * exact too, and too slow for 256 neurons. The limits below hold for 4,096 of them, sixteen times what the chain admits.
 */

/** The number 1. */
export const ONE = 2 ** 32

export const U16_MAX = 65_535

/** Beyond ±20 the runtime takes e^20 and e^-20. */
const EXPONENT_MAX = 20 * ONE

/** The runtime's series ends with the term x^31 / 31!, whatever is left of it. */
const SERIES_TERMS = 31

/** The runtime answers e^1 from a constant of 23 fractional bits, where the series would give more. */
const EULER = Math.floor(Math.E * 2 ** 23) * 2 ** 9

/**
 * a × b, rounded down; negative factors too. Exact while the product is below 2^18.
 *
 * The double a × b has lost its low bits. `imul` knows the low 32 of them; without these the product is a multiple of
 * 2^32, and the double is near enough to tell which one.
 */
export function multiply(a: number, b: number): number {
  return Math.round((a * b - (Math.imul(a, b) >>> 0)) / ONE)
}

/**
 * a / b, rounded down, for b >= a >= 0, both below 2^13 or both whole numbers.
 *
 * Rounding to a double never passes an integer, but it can reach one from below. Only then is there anything to check.
 */
export function divide(a: number, b: number): number {
  const quotient = (a * ONE) / b
  const floor = Math.floor(quotient)
  return floor === quotient && a !== 0 ? divideByDigits(a, b) : floor
}

/** The same by four digits of eight bits: a remainder is below 2^45, so that each step is exact in a double's 53 bits. */
function divideByDigits(a: number, b: number): number {
  let quotient = 0
  let remainder = a
  for (let digit = 0; digit < 4; digit++) {
    remainder *= 256
    const part = Math.floor(remainder / b)
    quotient = quotient * 256 + part
    remainder -= part * b
  }
  return quotient
}

/** The fixed-point quotient of two integers: exact because part × 2^32 stays below 2^53 for parts below 2^21. */
export function ratio(part: number, whole: number): number {
  return Math.floor((part * ONE) / whole)
}

/** As the chain stores a number of 0 to 1: 65535 is 1, and fractions are cut off. */
export function toU16(value: number): number {
  return Math.min(U16_MAX, Math.floor((value * U16_MAX) / ONE))
}

/** Every number by the sum of all; a sum of zero changes nothing. */
export function normalise(vector: Float64Array): Float64Array {
  const sum = vector.reduce((total, value) => total + value, 0)
  return sum === 0 ? vector.slice() : vector.map((value) => divide(value, sum))
}

/**
 * e^x as the runtime's series has it, with what the rounding of each term costs.
 *
 * To the last bit for |x| <= 12, a steepness of 2,400. Above, terms pass what `multiply` can hold and the last digits
 * of e^x are off, which moves the sigmoid made of it by 2^-32 at most.
 */
export function exponential(x: number): number {
  if (x === 0) return ONE
  if (x === ONE) return EULER
  const operand = Math.min(Math.abs(x), EXPONENT_MAX)
  let sum = ONE + operand
  let term = operand
  for (let i = 2; i <= SERIES_TERMS && term > 0; i++) {
    const previous = term
    const estimate = previous * (operand / (i * ONE))
    const slack = estimate * 2 ** -50 // four times what the rounding of doubles can have moved it
    term = Math.floor(estimate)
    const isSafe = estimate - term >= slack && term + 1 - estimate > slack
    if (!isSafe) term = Math.floor(multiply(previous, operand) / i)
    sum += term
  }
  return x < 0 ? divide(ONE, sum) : sum
}
