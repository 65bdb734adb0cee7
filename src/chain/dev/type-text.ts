/**
 * SCALE types as text, parsed: `Vec<(u16,u16)>`, `{block: u64, ip: u128}`, `enum {0 None, 1 Some(u8), 4 At{x: u8}}`.
 *
 * One parser for both readers of such texts: scale.ts makes codecs of the shapes, metadata.ts describes them to clients.
 * The texts are ours, so a malformed one is a bug and an assertion.
 */
import { assert } from '../../util/assert.ts'

export const INTEGER_BITS = {
  u8: 8,
  u16: 16,
  u32: 32,
  u64: 64,
  u128: 128,
  i8: 8,
  i16: 16,
  i32: 32,
  i64: 64,
  i128: 128,
} as const
export type IntegerName = keyof typeof INTEGER_BITS

export type CollectionName = 'BTreeSet' | 'BTreeMap' | 'BoundedVec'

export type Field = { readonly name: string | null; readonly type: string }
export type Variant = { readonly index: number; readonly name: string; readonly fields: readonly Field[] }

export type Shape =
  | { readonly kind: 'integer'; readonly name: IntegerName }
  | { readonly kind: 'bool' | 'str' }
  | { readonly kind: 'compact'; readonly of: string }
  | { readonly kind: 'option'; readonly of: string }
  | { readonly kind: 'sequence'; readonly of: string; readonly itemsMax: number | null }
  /** The same bytes as a sequence, under a name of its own. */
  | {
      readonly kind: 'collection'
      readonly name: CollectionName
      readonly of: readonly string[]
      readonly itemsMax: number | null
    }
  | { readonly kind: 'array'; readonly of: string; readonly length: number }
  | { readonly kind: 'tuple'; readonly of: readonly string[] }
  | { readonly kind: 'result'; readonly ok: string; readonly error: string }
  | { readonly kind: 'struct'; readonly fields: readonly Field[] }
  | { readonly kind: 'enum'; readonly variants: readonly Variant[] }
  | { readonly kind: 'named'; readonly name: string }

export function parseType(text: string): Shape {
  const type = text.trim()
  if (Object.hasOwn(INTEGER_BITS, type)) return { kind: 'integer', name: type as IntegerName }
  if (type === 'bool' || type === 'str') return { kind: type }
  if (type.startsWith('enum '))
    return { kind: 'enum', variants: splitTop(inner(type.slice(5).trim())).map(parseVariant) }
  if (type.startsWith('{')) return { kind: 'struct', fields: parseFields(inner(type)) }
  if (type.startsWith('(')) return { kind: 'tuple', of: splitTop(inner(type)) }
  if (type.startsWith('[')) return parseArray(inner(type))
  return type.endsWith('>') ? parseGeneric(type) : parseName(type)
}

/** What is in a collection, one after the other. */
export const itemOf = (of: readonly string[]): string => (of.length === 1 ? (of[0] as string) : `(${of.join(',')})`)

/** `'netuid: u16, dests: Vec<u16>'`; a field without a name is a type alone. */
export const parseFields = (text: string): readonly Field[] =>
  splitTop(text).map((field) => {
    const named = /^(\w+)\s*:(?!:)\s*(.*)$/s.exec(field)
    return named === null
      ? { name: null, type: field }
      : { name: named[1] as string, type: (named[2] as string).trim() }
  })

/** The parts between the commas that no bracket encloses. */
export function splitTop(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string
    if ('<([{'.includes(char)) depth++
    else if ('>)]}'.includes(char)) depth--
    assert(depth >= 0, `the brackets of a type match: ${text}`)
    if (char !== ',' || depth > 0) continue
    parts.push(text.slice(start, i).trim())
    start = i + 1
  }
  assert(depth === 0, `the brackets of a type match: ${text}`)
  parts.push(text.slice(start).trim())
  return parts.filter((part) => part !== '')
}

const inner = (text: string) => text.slice(1, -1)

function parseArray(text: string): Shape {
  const at = text.lastIndexOf(';')
  const length = Number(text.slice(at + 1))
  assert(at > 0 && Number.isSafeInteger(length), `an array has a length: [${text}]`)
  return { kind: 'array', of: text.slice(0, at).trim(), length }
}

function parseGeneric(type: string): Shape {
  const at = type.indexOf('<')
  const parts = splitTop(type.slice(at + 1, -1))
  const [first = '', second = ''] = parts
  switch (type.slice(0, at)) {
    case 'Vec':
      return { kind: 'sequence', of: first, itemsMax: null }
    case 'BTreeSet':
      return { kind: 'collection', name: 'BTreeSet', of: [first], itemsMax: null }
    case 'BTreeMap':
      return { kind: 'collection', name: 'BTreeMap', of: [first, second], itemsMax: null }
    case 'BoundedVec':
      return { kind: 'collection', name: 'BoundedVec', of: [first], itemsMax: Number(second) }
    case 'Compact':
      return { kind: 'compact', of: first }
    case 'Option':
      return { kind: 'option', of: first }
    case 'Result':
      return { kind: 'result', ok: first, error: second }
    default:
      return parseName(type)
  }
}

function parseName(name: string): Shape {
  assert(/^[A-Za-z][\w.]*$/.test(name), `a type is a name: ${name}`)
  return { kind: 'named', name }
}

function parseVariant(text: string): Variant {
  const match = /^(\d+)\s+(\w+)\s*(.*)$/s.exec(text)
  assert(match !== null, `a variant has an index and a name: ${text}`)
  const [, index = '', name = '', fields = ''] = match
  return { index: Number(index), name, fields: fields === '' ? [] : parseFields(inner(fields)) }
}
