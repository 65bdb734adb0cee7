/**
 * Orders that do not depend on the machine: `localeCompare` and the default sort of numbers do.
 */

/** By UTF-16 code unit. For lower-case hex of equal length this is the order of the bytes. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Ascending, for numbers and big integers alike; mixed pairs compare exactly. */
export function compareNumber(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1
  return a > b ? 1 : 0
}
