/**
 * Shapes: one definition gives a type, its reader and its writer.
 *
 * A shape reads a decoded value into a plain JSON-able object and writes it back. Every key must be known and present,
 * every number in range, every list bounded. Reading never throws: it returns the value or a `Flaw` that names the field.
 * Two forms differ in their leaves only: on the wire a CID is a link and an identifier is bytes, in a file that a person
 * writes both are text.
 */
import { CID } from 'multiformats/cid'
import { fromHex, hexBytes, toHex } from '../util/bytes.ts'

export type Form = 'wire' | 'json'

/** What is wrong with an input, and where: `tracks[0].groups[2].domain`. */
export class Flaw {
  readonly field: string
  readonly problem: string
  constructor(field: string, problem: string) {
    this.field = field
    this.problem = problem
  }
}

export type Shape<T> = {
  read(value: unknown, field: string, form: Form): T | Flaw
  write(value: T): unknown
}
export type TypeOf<S> = S extends Shape<infer T> ? T : never

/** For values whose JSON and wire forms are the same. */
const plain = <T>(read: (value: unknown, field: string) => T | Flaw): Shape<T> => ({ read, write: (value) => value })

export const integer = (min: number, max: number): Shape<number> =>
  plain((value, field) =>
    typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0) && value >= min && value <= max
      ? value
      : new Flaw(field, `must be a whole number from ${min} to ${max}`),
  )

export const text = (pattern: RegExp, means: string): Shape<string> =>
  plain((value, field) =>
    typeof value === 'string' && pattern.test(value) ? value : new Flaw(field, `must be ${means}`),
  )

export const literal = <const T extends string | number>(expected: T): Shape<T> =>
  plain((value, field) => (value === expected ? expected : new Flaw(field, `must be ${JSON.stringify(expected)}`)))

/** A word of a closed list, as text. */
export const word = <const T extends string>(words: readonly T[]): Shape<T> =>
  plain((value, field) => words.find((w) => w === value) ?? new Flaw(field, `must be one of ${words.join(', ')}`))

/** A word of a closed list: text in files, its place in the list on the wire. */
export const code = <const T extends string>(words: readonly T[]): Shape<T> => ({
  read: (value, field, form) => {
    const found = words.find((w, place) => (form === 'wire' ? place : w) === value)
    return found ?? new Flaw(field, form === 'wire' ? `must be a code below ${words.length}` : 'must be a known word')
  },
  write: (value) => words.indexOf(value),
})

/** An identifier of a fixed number of bytes: hex inside the program and in files, bytes on the wire. */
export const id = (bytesLength: number): Shape<string> => ({
  read: (value, field, form) => {
    const bytes = form === 'wire' ? value : typeof value === 'string' ? fromHex(value) : null
    if (bytes instanceof Uint8Array && bytes.length === bytesLength) return toHex(bytes)
    return new Flaw(field, form === 'wire' ? `must be ${bytesLength} bytes` : `must be ${2 * bytesLength} hex digits`)
  },
  write: hexBytes,
})

/** Bytes that stay bytes: a signature's message, a bag of tokens. */
export const blob = (bytesMax: number): Shape<Uint8Array> =>
  plain((value, field) =>
    value instanceof Uint8Array && value.length <= bytesMax
      ? value
      : new Flaw(field, `must be at most ${bytesMax} bytes`),
  )

const SHA2_256 = 0x12
/** raw, dag-pb (UnixFS) and dag-cbor: what the store can follow. */
const CODECS: readonly number[] = [0x55, 0x70, 0x71]
const parseLink = (value: string): CID | null => {
  try {
    return CID.parse(value)
  } catch {
    return null
  }
}

/** A CIDv1 with SHA-256 in base32: text inside the program, a link on the wire, so that a pin keeps what it points to. */
export const link: Shape<string> = {
  read: (value, field, form) => {
    // Not `CID.asCID`: it takes a map that looks like a CID for one, and the next line would throw on what is missing.
    const wired = form === 'wire' && value instanceof CID ? value : null
    const cid = form === 'json' && typeof value === 'string' && value.length < 128 ? parseLink(value) : wired
    const known = cid?.version === 1 && CODECS.includes(cid.code) && cid.multihash.code === SHA2_256
    if (cid === null || !known || cid.multihash.digest.length !== 32)
      return new Flaw(field, 'must be a CIDv1 with SHA-256')
    const canonical = cid.toString()
    return form === 'json' && canonical !== value ? new Flaw(field, 'must be a CID in base32') : canonical
  },
  write: (value) => CID.parse(value),
}

export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  read: (value, field, form) => (value === null ? null : shape.read(value, field, form)),
  write: (value) => (value === null ? null : shape.write(value)),
})

export const list = <T>(shape: Shape<T>, min: number, max: number): Shape<readonly T[]> => ({
  read: (value, field, form) => {
    if (!Array.isArray(value)) return new Flaw(field, 'must be a list')
    if (value.length < min || value.length > max) {
      return new Flaw(field, `must have ${min} to ${max} entries, not ${value.length}`)
    }
    const entries: T[] = []
    for (let i = 0; i < value.length; i++) {
      const entry = shape.read(value[i], `${field}[${i}]`, form)
      if (entry instanceof Flaw) return entry
      entries.push(entry)
    }
    return entries
  },
  write: (entries) => entries.map((entry) => shape.write(entry)),
})

/** A list whose entries ascend strictly by `key`: one order, no duplicates, so that equal content is equal bytes. */
export const ascending = <T>(shape: Shape<T>, min: number, max: number, key: (entry: T) => string | number) => {
  const whole = list(shape, min, max)
  return {
    write: whole.write,
    read: (value, field, form) => {
      const entries = whole.read(value, field, form)
      if (entries instanceof Flaw) return entries
      for (let i = 1; i < entries.length; i++) {
        const ordered = key(entries[i - 1] as T) < key(entries[i] as T)
        if (!ordered) return new Flaw(`${field}[${i}]`, 'must come after its predecessor and differ from it')
      }
      return entries
    },
  } satisfies Shape<readonly T[]>
}

type Fields = { readonly [name: string]: Shape<unknown> }
type RecordOf<F extends Fields> = { readonly [K in keyof F]: TypeOf<F[K]> }

const readFields = <F extends Fields>(
  fields: F,
  field: string,
  form: Form,
  pick: (key: string, index: number) => unknown,
): RecordOf<F> | Flaw => {
  const result: { [name: string]: unknown } = {}
  let index = 0
  for (const key of Object.keys(fields)) {
    const at = field === '' ? key : `${field}.${key}`
    const entry = pick(key, index++)
    if (entry === undefined) return new Flaw(at, 'is missing')
    const read = (fields[key] as Shape<unknown>).read(entry, at, form)
    if (read instanceof Flaw) return read
    result[key] = read
  }
  return result as RecordOf<F>
}

/** A map with exactly these keys. */
export const record = <F extends Fields>(fields: F): Shape<RecordOf<F>> => {
  const keys = Object.keys(fields)
  return {
    read: (value, field, form) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
        return new Flaw(field === '' ? 'document' : field, 'must be a map')
      }
      const map = value as { readonly [key: string]: unknown }
      const stranger = Object.keys(map).find((key) => !Object.hasOwn(fields, key))
      if (stranger !== undefined) {
        // A peer chose this text: it is bounded before it is repeated.
        const name = stranger.slice(0, 40)
        return new Flaw(field === '' ? name : `${field}.${name}`, `is unknown here; known are ${keys.join(', ')}`)
      }
      return readFields(fields, field, form, (key) => (Object.hasOwn(map, key) ? map[key] : undefined))
    },
    write: (value) => Object.fromEntries(keys.map((key) => [key, fields[key]?.write(value[key])])),
  }
}

/** A record written as a list in this order of fields: for rows, where repeating the keys would double the bytes. */
export const row = <F extends Fields>(fields: F): Shape<RecordOf<F>> => {
  const keys = Object.keys(fields)
  const named = record(fields)
  return {
    read: (value, field, form) => {
      if (form === 'json') return named.read(value, field, form)
      if (!Array.isArray(value) || value.length !== keys.length)
        return new Flaw(field, `must have ${keys.length} columns`)
      return readFields(fields, field, form, (_, index) => value[index])
    },
    write: (value) => keys.map((key) => fields[key]?.write(value[key])),
  }
}
