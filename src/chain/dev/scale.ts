/**
 * SCALE codecs, compiled once from the text of a type (type-text.ts) and kept.
 *
 * How values look in JavaScript is said in define.ts. Decoding is strict: what is not canonical is a `ScaleError`, because
 * it comes from strangers. Encoding a value that does not fit its type is a bug of ours, and an assertion.
 */
import { assert } from '../../util/assert.ts'
import { hexBytes, toHex, utf8 } from '../../util/bytes.ts'
import type { TypeTable } from './define.ts'
import { Reader, ScaleError, Writer } from './scale-io.ts'
import { type Field, INTEGER_BITS, type IntegerName, itemOf, parseType, type Shape, type Variant } from './type-text.ts'

export type Codec = {
  readonly encode: (writer: Writer, value: unknown) => void
  readonly decode: (reader: Reader) => unknown
}

export type Codecs = {
  /** The codec of a type; the same object for the same text. */
  codec(type: string): Codec
  encode(type: string, value: unknown): Uint8Array
  /** Throws `ScaleError`, also when bytes are left over. */
  decode(type: string, bytes: Uint8Array): unknown
}

export type EnumValue = { readonly type: string; readonly value: unknown }

/** `special` are types whose values look other than their shape would have them. */
export function createCodecs(types: TypeTable, special: ReadonlyMap<string, Codec> = new Map()): Codecs {
  const known = new Map<string, Codec>([...HEX_CODECS, ...special])
  const codec = (type: string): Codec => {
    const found = known.get(type)
    if (found !== undefined) return found
    // A type may contain itself (a call within a call), so its name is known before its codec is.
    let made: Codec | null = null
    const later = () => {
      assert(made !== null, 'a codec is used only after it was made')
      return made
    }
    known.set(type, { encode: (writer, value) => later().encode(writer, value), decode: (r) => later().decode(r) })
    made = compile(parseType(type), codec, types)
    known.set(type, made)
    return made
  }
  return {
    codec,
    encode: (type, value) => {
      const writer = new Writer()
      codec(type).encode(writer, value)
      return writer.done()
    },
    decode: (type, bytes) => {
      const reader = new Reader(bytes)
      const value = codec(type).decode(reader)
      if (reader.left > 0) throw new ScaleError('bytes are left over')
      return value
    },
  }
}

type Compiler = (type: string) => Codec

function compile(shape: Shape, codec: Compiler, types: TypeTable): Codec {
  switch (shape.kind) {
    case 'integer':
      return integerCodec(shape.name)
    case 'bool':
      return boolCodec
    case 'str':
      return strCodec
    case 'compact':
      return compactCodec(resolveInteger(shape.of, types))
    case 'option':
      return optionCodec(codec(shape.of))
    case 'sequence':
      return itemsCodec(shape.of, shape.itemsMax, codec)
    case 'collection':
      return itemsCodec(itemOf(shape.of), shape.itemsMax, codec)
    case 'array':
      return shape.of === 'u8' ? rawCodec(shape.length) : arrayCodec(codec(shape.of), shape.length)
    case 'tuple':
      return tupleCodec(shape.of.map(codec))
    case 'result':
      return enumCodec(
        [
          { index: 0, name: 'Ok', fields: [{ name: null, type: shape.ok }] },
          { index: 1, name: 'Err', fields: [{ name: null, type: shape.error }] },
        ],
        codec,
      )
    case 'struct':
      return fieldsCodec(shape.fields, codec)
    case 'enum':
      return enumCodec(shape.variants, codec)
    case 'named': {
      const named = types[shape.name]
      assert(named !== undefined, `a type is in the table: ${shape.name}`)
      return codec(named.type)
    }
    default:
      return shape satisfies never
  }
}

const hexCodec = (length: number): Codec => ({
  encode: (writer, value) => {
    const bytes = hexBytes(value as string)
    assert(bytes.length === length, `hex of ${length} bytes`)
    writer.raw(bytes)
  },
  decode: (reader) => toHex(reader.raw(length)),
})

/** Identifiers are hex in the whole program: they are map keys and print well. */
const HEX_CODECS: readonly [string, Codec][] = [
  ['AccountId32', hexCodec(32)],
  ['H256', hexCodec(32)],
]

function integerCodec(name: IntegerName): Codec {
  const bits = INTEGER_BITS[name]
  const signed = name.startsWith('i')
  if (bits > 32) return bigIntegerCodec(bits, signed)
  const [min, max] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1]
  const write = `u${bits}` as 'u8' | 'u16' | 'u32'
  return {
    encode: (writer, value) => {
      assert(Number.isInteger(value) && (value as number) >= min && (value as number) <= max, `${value} is a ${name}`)
      writer[write](value as number)
    },
    decode: (reader) => {
      const value = reader[write]()
      return signed && value > max ? value - 2 ** bits : value
    },
  }
}

function bigIntegerCodec(bits: number, signed: boolean): Codec {
  const fits = (value: bigint) => (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) === value
  return {
    encode: (writer, value) => {
      assert(typeof value === 'bigint' && fits(value), `${value} has ${bits} bits`)
      const raw = BigInt.asUintN(bits, value)
      writer.u64(BigInt.asUintN(64, raw))
      if (bits === 128) writer.u64(raw >> 64n)
    },
    decode: (reader) => {
      const low = reader.u64()
      const value = bits === 128 ? low | (reader.u64() << 64n) : low
      return signed ? BigInt.asIntN(bits, value) : value
    },
  }
}

/** `Compact<AlphaBalance>` is the compact form of the integer under the name. `Compact<()>` is nothing at all. */
function resolveInteger(type: string, types: TypeTable): IntegerName | null {
  const shape = parseType(type)
  if (shape.kind === 'named') return resolveInteger(types[shape.name]?.type ?? '', types)
  if (shape.kind === 'tuple' && shape.of.length === 0) return null
  assert(shape.kind === 'integer' && shape.name.startsWith('u'), `a compact integer is unsigned: ${type}`)
  return shape.name
}

function compactCodec(name: IntegerName | null): Codec {
  if (name === null) return { encode: () => {}, decode: () => null }
  const bits = INTEGER_BITS[name]
  const limit = 1n << BigInt(bits)
  return {
    encode: (writer, value) => {
      const fits = bits > 32 ? typeof value === 'bigint' : Number.isInteger(value)
      assert(fits && (value as number) >= 0 && (value as number) < limit, `${value} is a ${name}`)
      writer.compact(value as number | bigint)
    },
    decode: (reader) => {
      const value = reader.compact()
      if (value >= limit) throw new ScaleError('a compact integer is out of range')
      return bits > 32 ? value : Number(value)
    },
  }
}

const boolCodec: Codec = {
  encode: (writer, value) => {
    assert(typeof value === 'boolean', 'a bool is a boolean')
    writer.u8(value ? 1 : 0)
  },
  decode: (reader) => {
    const byte = reader.u8()
    if (byte > 1) throw new ScaleError('a bool is neither 0 nor 1')
    return byte === 1
  },
}

const strCodec: Codec = {
  encode: (writer, value) => {
    const bytes = utf8(value as string)
    writer.compact(bytes.length)
    writer.raw(bytes)
  },
  decode: (reader) => {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(reader.raw(reader.length()))
    } catch (error) {
      throw error instanceof ScaleError ? error : new ScaleError('a text is not UTF-8')
    }
  },
}

const itemsCodec = (of: string, itemsMax: number | null, codec: Compiler): Codec =>
  of === 'u8' ? bytesCodec(itemsMax) : sequenceCodec(codec(of), itemsMax)

const bytesCodec = (itemsMax: number | null): Codec => ({
  encode: (writer, value) => {
    assert(value instanceof Uint8Array && value.length <= (itemsMax ?? Number.POSITIVE_INFINITY), 'bytes within bounds')
    writer.compact(value.length)
    writer.raw(value)
  },
  decode: (reader) => {
    const length = reader.length()
    if (itemsMax !== null && length > itemsMax) throw new ScaleError('a bounded vector is too long')
    return reader.raw(length).slice()
  },
})

const rawCodec = (length: number): Codec => ({
  encode: (writer, value) => {
    assert(value instanceof Uint8Array && value.length === length, `${length} bytes`)
    writer.raw(value)
  },
  decode: (reader) => reader.raw(length).slice(),
})

const optionCodec = (of: Codec): Codec => ({
  encode: (writer, value) => {
    writer.u8(value === null ? 0 : 1)
    if (value !== null) of.encode(writer, value)
  },
  decode: (reader) => {
    const byte = reader.u8()
    if (byte > 1) throw new ScaleError('an option is neither 0 nor 1')
    return byte === 0 ? null : of.decode(reader)
  },
})

const sequenceCodec = (of: Codec, itemsMax: number | null): Codec => ({
  encode: (writer, value) => {
    const items = value as readonly unknown[]
    assert(Array.isArray(items) && items.length <= (itemsMax ?? Number.POSITIVE_INFINITY), 'a vector within bounds')
    writer.compact(items.length)
    for (const each of items) of.encode(writer, each)
  },
  decode: (reader) => {
    const length = reader.length()
    if (itemsMax !== null && length > itemsMax) throw new ScaleError('a bounded vector is too long')
    return Array.from({ length }, () => of.decode(reader))
  },
})

const arrayCodec = (of: Codec, length: number): Codec => ({
  encode: (writer, value) => {
    const items = value as readonly unknown[]
    assert(items.length === length, `an array of ${length}`)
    for (const each of items) of.encode(writer, each)
  },
  decode: (reader) => Array.from({ length }, () => of.decode(reader)),
})

function tupleCodec(parts: readonly Codec[]): Codec {
  if (parts.length === 0) return { encode: () => {}, decode: () => null }
  return {
    encode: (writer, value) => {
      const items = value as readonly unknown[]
      assert(items.length === parts.length, `a tuple of ${parts.length}`)
      for (let i = 0; i < parts.length; i++) (parts[i] as Codec).encode(writer, items[i])
    },
    decode: (reader) => parts.map((part) => part.decode(reader)),
  }
}

/** Of a struct or a variant. A single field without a name is its value, several are a tuple. */
function fieldsCodec(fields: readonly Field[], codec: Compiler): Codec {
  const codecs = fields.map((field) => codec(field.type))
  if (fields.every((field) => field.name === null)) {
    return codecs.length === 1 ? (codecs[0] as Codec) : tupleCodec(codecs)
  }
  const names = fields.map((field) => field.name ?? '')
  return {
    encode: (writer, value) => {
      const object = value as { readonly [name: string]: unknown }
      for (const [i, name] of names.entries()) {
        assert(object[name] !== undefined, `a struct has its field ${name}`)
        ;(codecs[i] as Codec).encode(writer, object[name])
      }
    },
    decode: (reader) => {
      const object: { [name: string]: unknown } = {}
      for (const [i, name] of names.entries()) object[name] = (codecs[i] as Codec).decode(reader)
      return object
    },
  }
}

/** Variants without fields have the value `null`. */
function enumCodec(variants: readonly Variant[], codec: Compiler): Codec {
  const made = variants.map(({ index, name, fields }) => ({ index, name, codec: fieldsCodec(fields, codec) }))
  const byName = new Map(made.map((variant) => [variant.name, variant]))
  const byIndex = new Map(made.map((variant) => [variant.index, variant]))
  return {
    encode: (writer, value) => {
      const { type, value: inside } = value as EnumValue
      const variant = byName.get(type)
      assert(variant !== undefined, `an enum has the variant ${type}`)
      writer.u8(variant.index)
      variant.codec.encode(writer, inside)
    },
    decode: (reader): EnumValue => {
      const variant = byIndex.get(reader.u8())
      if (variant === undefined) throw new ScaleError('an enum has no such variant')
      return { type: variant.name, value: variant.codec.decode(reader) }
    },
  }
}
