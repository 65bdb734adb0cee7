/** The few SCALE encodings of bytes that are hashed or encrypted before the chain sees them. */
import { concat } from '../util/bytes.ts'

export function scaleU64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}

export function u16s(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(2 * values.length)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) view.setUint16(2 * i, value, true)
  return bytes
}

export const scaleU16s = (values: readonly number[]): Uint8Array => concat(scaleLength(values.length), u16s(values))

/** SCALE's compact length: one byte below 64, two below 16,384. A row has at most as many entries as there are uids. */
export const scaleLength = (length: number): Uint8Array =>
  length < 64 ? Uint8Array.of(4 * length) : Uint8Array.of(((length & 63) << 2) | 1, length >> 6)
