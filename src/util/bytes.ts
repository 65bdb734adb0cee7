/**
 * Bytes and their hexadecimal text.
 *
 * Identifiers live as lower-case hex inside the program: they can be map keys, they print, and the order of the strings
 * is the order of the bytes.
 */
import { assert } from './assert.ts'

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** NaN for what is no lower-case digit, so that a byte made of it is NaN too. */
const digitOf = (char: number): number =>
  char >= 0x30 && char <= 0x39 ? char - 0x30 : char >= 0x61 && char <= 0x66 ? char - 0x57 : Number.NaN

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** `null` when the text is not lower-case hexadecimal of whole bytes. */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0) return null
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const byte = 16 * digitOf(text.charCodeAt(2 * i)) + digitOf(text.charCodeAt(2 * i + 1))
    if (Number.isNaN(byte)) return null
    bytes[i] = byte
  }
  return bytes
}

/** For text that this program made: anything else is a bug of ours. */
export function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text)
  assert(bytes !== null, 'our own hex is lower-case and even')
  return bytes
}

/** Substrate writes hex with 0x in front. */
export const withoutPrefix = (text: string): string => (text.startsWith('0x') ? text.slice(2) : text)

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
  if (a.length !== b.length) return false
  // A plain loop: every document that is decoded is compared with its canonical form, and `every` takes seven times as long.
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Eight bytes, most significant first: a number inside something that is hashed has one width and one order. */
export function u64(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, 'a hashed number is a safe natural number')
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}
