/**
 * Bytes → ONNX: for tests, for people who look into what was compiled, and for graphs of others. Reads what the writer
 * writes, in any order of fields; fields that it does not know are skipped, as the format demands.
 */
import { assert } from '../../util/assert.ts'
import {
  ONNX_TYPES,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValue,
} from './model.ts'
import { ATTRIBUTE_TYPES, EXTERNAL } from './write.ts'

export function readOnnx(bytes: Uint8Array): OnnxModel {
  const model = fieldsOf(bytes)
  const opsets = messages(model, 8).map((entry) => [text(entry, 1), integer(entry, 2)] as const)
  const [graph] = messages(model, 7)
  assert(graph !== undefined, 'a model has a graph')
  return { irVersion: integer(model, 1), producer: text(model, 2), opsets: new Map(opsets), graph: readGraph(graph) }
}

function readGraph(graph: Fields): OnnxGraph {
  return {
    name: text(graph, 2),
    nodes: messages(graph, 1).map(readNode),
    initializers: messages(graph, 5).map(readTensor),
    inputs: messages(graph, 11).map(readValue),
    outputs: messages(graph, 12).map(readValue),
  }
}

function readNode(node: Fields): OnnxNode {
  return {
    opType: text(node, 4),
    domain: text(node, 7),
    name: text(node, 3),
    inputs: texts(node, 1),
    outputs: texts(node, 2),
    attributes: new Map(messages(node, 5).map((entry) => [text(entry, 1), readAttribute(entry)])),
  }
}

function readAttribute(entry: Fields): OnnxAttribute {
  const type = integer(entry, 20)
  const [kind] = Object.entries(ATTRIBUTE_TYPES).find(([, code]) => code === type) ?? []
  if (kind === 'float') return { kind, value: floatOf(entry, 2) }
  if (kind === 'int') return { kind, value: integer(entry, 3) }
  if (kind === 'string') return { kind, value: text(entry, 4) }
  if (kind === 'ints') return { kind, value: integers(entry, 8) }
  assert(kind === 'graph', `an attribute is of a known type, not ${type}`)
  return { kind: 'graph', value: readGraph(messages(entry, 6)[0] as Fields) }
}

const typeOf = (code: number): OnnxType => {
  const [type] = Object.entries(ONNX_TYPES).find(([, value]) => value === code) ?? []
  assert(type !== undefined, `a tensor is of a known type, not ${code}`)
  return type as OnnxType
}

function readTensor(tensor: Fields): OnnxTensor {
  const head = { name: text(tensor, 8), type: typeOf(integer(tensor, 2)), dims: integers(tensor, 1) }
  if (integer(tensor, 14) !== EXTERNAL)
    return { ...head, data: { at: 'here', bytes: blobs(tensor, 9)[0] ?? new Uint8Array() } }
  const entries = new Map(messages(tensor, 13).map((entry) => [text(entry, 1), text(entry, 2)]))
  const number = (key: string): number => Number(entries.get(key) ?? 0)
  const data = {
    at: 'file',
    location: entries.get('location') ?? '',
    offset: number('offset'),
    length: number('length'),
  } as const
  return { ...head, data }
}

function readValue(value: Fields): OnnxValue {
  const tensorType = messages(messages(value, 2)[0] as Fields, 1)[0] as Fields
  const dims = messages(tensorType, 2).flatMap((shape) =>
    messages(shape, 1).map((dim) => (dim.has(2) ? text(dim, 2) : integer(dim, 1))),
  )
  return { name: text(value, 1), type: typeOf(integer(tensorType, 1)), dims }
}

type Field = bigint | Uint8Array
type Fields = ReadonlyMap<number, readonly Field[]>

const NONE: readonly Field[] = []
const blobs = (fields: Fields, field: number): readonly Uint8Array[] =>
  (fields.get(field) ?? NONE).filter((value) => value instanceof Uint8Array)
const messages = (fields: Fields, field: number): readonly Fields[] => blobs(fields, field).map(fieldsOf)
const texts = (fields: Fields, field: number): readonly string[] =>
  blobs(fields, field).map((bytes) => new TextDecoder().decode(bytes))
const text = (fields: Fields, field: number): string => texts(fields, field).at(-1) ?? ''

const signed = (value: bigint): number => Number(BigInt.asIntN(64, value))
const integer = (fields: Fields, field: number): number => integers(fields, field).at(-1) ?? 0

/** One by one, or packed: writers may do either. */
function integers(fields: Fields, field: number): readonly number[] {
  return (fields.get(field) ?? NONE).flatMap((value) => {
    if (!(value instanceof Uint8Array)) return [signed(value)]
    const packed: number[] = []
    for (let at = 0; at < value.length; ) {
      const [number, next] = varint(value, at)
      packed.push(signed(number))
      at = next
    }
    return packed
  })
}

function floatOf(fields: Fields, field: number): number {
  const [bytes] = blobs(fields, field)
  return bytes === undefined ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true)
}

/** Every field with its values in order; those of fixed width stay bytes. */
function fieldsOf(bytes: Uint8Array): Fields {
  const fields = new Map<number, Field[]>()
  const keep = (field: number, value: Field): void => {
    const values = fields.get(field)
    if (values === undefined) fields.set(field, [value])
    else values.push(value)
  }
  for (let at = 0; at < bytes.length; ) {
    const [tag, begin] = varint(bytes, at)
    const [field, wire] = [Number(tag >> 3n), Number(tag & 7n)]
    if (wire === 0) {
      const [value, next] = varint(bytes, begin)
      keep(field, value)
      at = next
      continue
    }
    const [length, start] = wire === 2 ? varint(bytes, begin) : [wire === 5 ? 4n : 8n, begin]
    assert(wire === 1 || wire === 2 || wire === 5, 'a field has a known wire type')
    at = start + Number(length)
    assert(at <= bytes.length, 'a field ends within its message')
    keep(field, bytes.subarray(start, at))
  }
  return fields
}

function varint(bytes: Uint8Array, begin: number): readonly [bigint, number] {
  let value = 0n
  for (let at = begin; at < begin + 10; at++) {
    const byte = bytes[at]
    assert(byte !== undefined, 'a number ends within its message')
    value |= BigInt(byte & 127) << BigInt(7 * (at - begin))
    if (byte < 128) return [value, at + 1]
  }
  throw new Error('broken invariant: a number has at most ten bytes')
}
