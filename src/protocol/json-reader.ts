/**
 * The part of JSON that a safetensors header needs, read strictly and in one pass; and what `JSON.parse` does not tell of
 * a text that it reads.
 *
 * `JSON.parse` keeps the last of two equal keys in silence and builds whatever a peer nests. Here the caller reads every
 * value itself and knows what may come, so nothing recurses, no key is lost, and nothing unexpected is ever built.
 * A reader answers null (or false) when the text does not continue as it must; it never throws.
 */

import { assert } from '../util/assert.ts'

/** Where a reader stands in a text that was valid UTF-8. */
export type Cursor = { readonly text: string; at: number }

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a] as const
const [BRACE_OPEN, BRACE_CLOSE, BRACKET_OPEN, BRACKET_CLOSE] = [0x7b, 0x7d, 0x5b, 0x5d] as const
const [DIGIT_0, DIGIT_9] = [0x30, 0x39] as const
/** 2^53 has 16 digits. */
const DIGITS_MAX = 16
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const LONE_SURROGATE = /\p{Surrogate}/u

/** Half of a surrogate pair has no UTF-8: two programs would write it differently. */
export const isUnicode = (text: string): boolean => !LONE_SURROGATE.test(text)

export const atEnd = (cursor: Cursor): boolean => Number.isNaN(peek(cursor))

/** The next character that is not JSON's white space; NaN at the end. */
function peek(cursor: Cursor): number {
  for (;;) {
    const char = cursor.text.charCodeAt(cursor.at)
    if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return char
    cursor.at++
  }
}

function take(cursor: Cursor, char: number): boolean {
  if (peek(cursor) !== char) return false
  cursor.at++
  return true
}

export function readString(cursor: Cursor): string | null {
  if (!take(cursor, QUOTE)) return null
  const { text, at: start } = cursor
  let escaped = false
  for (;;) {
    const char = text.charCodeAt(cursor.at)
    if (char === QUOTE) break
    if (!(char >= 0x20)) return null // A control character, or NaN: the end.
    if (char === BACKSLASH) {
      ESCAPE.lastIndex = cursor.at
      if (!ESCAPE.test(text)) return null
      escaped = true
      cursor.at = ESCAPE.lastIndex
    } else cursor.at++
  }
  cursor.at++
  if (!escaped) return text.slice(start, cursor.at - 1)
  // Every escape has been checked above, so this is a string literal and cannot throw.
  const value: string = JSON.parse(text.slice(start - 1, cursor.at))
  return isUnicode(value) ? value : null
}

/** Plain digits only: no sign, no fraction, no exponent, no leading zero, so no two readers can disagree. */
function readNatural(cursor: Cursor, max: number): number | null {
  const first = peek(cursor)
  const start = cursor.at
  let value = 0
  for (;;) {
    const char = cursor.text.charCodeAt(cursor.at)
    if (!(char >= DIGIT_0 && char <= DIGIT_9)) break
    if (cursor.at - start === DIGITS_MAX) return null
    value = value * 10 + (char - DIGIT_0)
    cursor.at++
  }
  const digits = cursor.at - start
  if (digits === 0 || (first === DIGIT_0 && digits > 1)) return null
  return value <= max ? value : null
}

export function readNaturals(cursor: Cursor, countMax: number, max: number): readonly number[] | null {
  if (!take(cursor, BRACKET_OPEN)) return null
  const values: number[] = []
  if (take(cursor, BRACKET_CLOSE)) return values
  while (values.length < countMax) {
    const value = readNatural(cursor, max)
    if (value === null) return null
    values.push(value)
    if (take(cursor, BRACKET_CLOSE)) return values
    if (!take(cursor, COMMA)) return null
  }
  return null
}

/** Calls `readValue` for every key of an object, which reads the value; false where it or the grammar says no. */
export function readObject(cursor: Cursor, readValue: (key: string) => boolean | null): boolean {
  if (!take(cursor, BRACE_OPEN)) return false
  if (take(cursor, BRACE_CLOSE)) return true
  for (;;) {
    const key = readString(cursor)
    if (key === null || !take(cursor, COLON) || readValue(key) !== true) return false
    if (take(cursor, BRACE_CLOSE)) return true
    if (!take(cursor, COMMA)) return false
  }
}

/** Keys with their colon, braces, and other strings, in which nothing is either. */
const KEYS = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g

/** The first key that comes twice in one object of a text that `JSON.parse` has read: it kept the last in silence. */
export function repeatedKey(text: string): string | null {
  const objects: Set<string>[] = []
  for (const [token, colon] of text.matchAll(KEYS)) {
    if (token === '{') objects.push(new Set())
    else if (token === '}') objects.pop()
    if (colon === undefined) continue
    const key: string = JSON.parse(token.slice(0, -colon.length))
    const keys = objects.at(-1)
    assert(keys !== undefined, 'a key stands in an object')
    if (keys.has(key)) return key
    keys.add(key)
  }
  return null
}
