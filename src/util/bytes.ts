/**
 * Bytes and their hexadecimal text.
 *
 * Identifiers live as lower-case hex inside the program: they can be map keys, they print, and the order of the strings
 * is the order of the bytes.
 */
import { assert } from './assert.ts'

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const HEX_TEXT = /^(?:[0-9a-f]{2})*$/

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** `null` when the text is not lower-case hexadecimal of whole bytes. */
export function fromHex(text: string): Uint8Array | null {
  if (!HEX_TEXT.test(text)) return null
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** For text that this program made: anything else is a bug of ours. */
export function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text)
  assert(bytes !== null, 'our own hex is lower-case and even')
  return bytes
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Eight bytes, most significant first: a number inside something that is hashed has one width and one order. */
export function u64(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, 'a hashed number is a safe natural number')
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}
