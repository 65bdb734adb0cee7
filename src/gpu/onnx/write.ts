/**
 * ONNX → bytes. Protocol buffers are a tag, a length and the bytes, so the writer is shorter than a library's adapter.
 * Field numbers are those of onnx.proto3.
 */
import { utf8 } from '../../util/bytes.ts'
import {
  ONNX_TYPES,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model.ts'

const [VARINT, LENGTH, FIXED32] = [0, 2, 5]
/** AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const
/** TensorProto.DataLocation.EXTERNAL. */
export const EXTERNAL = 1

export function writeOnnx({ irVersion, producer, opsets, graph }: OnnxModel): Uint8Array {
  const writer = new Writer()
  writer.integer(1, irVersion)
  writer.text(2, producer)
  writer.message(7, (w) => writeGraph(w, graph))
  for (const [domain, version] of opsets) {
    writer.message(8, (w) => {
      w.text(1, domain)
      w.integer(2, version)
    })
  }
  return writer.bytes()
}

function writeGraph(writer: Writer, { name, nodes, initializers, inputs, outputs }: OnnxGraph): void {
  for (const node of nodes) writer.message(1, (w) => writeNode(w, node))
  writer.text(2, name)
  for (const tensor of initializers) writer.message(5, (w) => writeTensor(w, tensor))
  for (const value of inputs) writer.message(11, (w) => writeValue(w, value))
  for (const value of outputs) writer.message(12, (w) => writeValue(w, value))
}

function writeNode(writer: Writer, { opType, domain, name, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) writer.text(1, input)
  for (const output of outputs) writer.text(2, output)
  writer.text(3, name)
  writer.text(4, opType)
  for (const [key, attribute] of attributes) writer.message(5, (w) => writeAttribute(w, key, attribute))
  if (domain !== '') writer.text(7, domain)
}

function writeAttribute(writer: Writer, name: string, attribute: OnnxAttribute): void {
  writer.text(1, name)
  if (attribute.kind === 'float') writer.float(2, attribute.value)
  else if (attribute.kind === 'int') writer.integer(3, attribute.value)
  else if (attribute.kind === 'string') writer.text(4, attribute.value)
  else if (attribute.kind === 'graph') writer.message(6, (w) => writeGraph(w, attribute.value))
  else for (const value of attribute.value) writer.integer(8, value)
  writer.integer(20, ATTRIBUTE_TYPES[attribute.kind])
}

function writeTensor(writer: Writer, { name, type, dims, data }: OnnxTensor): void {
  for (const dim of dims) writer.integer(1, dim)
  writer.integer(2, ONNX_TYPES[type])
  writer.text(8, name)
  if (data.at === 'here') {
    writer.blob(9, data.bytes)
    return
  }
  const entries = { location: data.location, offset: `${data.offset}`, length: `${data.length}` }
  for (const [key, value] of Object.entries(entries)) {
    writer.message(13, (w) => {
      w.text(1, key)
      w.text(2, value)
    })
  }
  writer.integer(14, EXTERNAL)
}

function writeValue(writer: Writer, { name, type, dims }: OnnxValue): void {
  writer.text(1, name)
  writer.message(2, (typeProto) =>
    typeProto.message(1, (tensorType) => {
      tensorType.integer(1, ONNX_TYPES[type])
      tensorType.message(2, (shape) => {
        for (const dim of dims) {
          shape.message(1, (w) => (typeof dim === 'number' ? w.integer(1, dim) : w.text(2, dim)))
        }
      })
    }),
  )
}

/** Grows as it is written; a message inside a message is written aside first, because its length comes before it. */
class Writer {
  #bytes = new Uint8Array(256)
  #length = 0

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
  integer(field: number, value: number): void {
    this.#tag(field, VARINT)
    this.#varint(BigInt(value))
  }
  float(field: number, value: number): void {
    this.#tag(field, FIXED32)
    this.#append(new Uint8Array(Float32Array.of(value).buffer))
  }
  text(field: number, value: string): void {
    this.blob(field, utf8(value))
  }
  message(field: number, write: (writer: Writer) => void): void {
    const inner = new Writer()
    write(inner)
    this.blob(field, inner.bytes())
  }
  blob(field: number, bytes: Uint8Array): void {
    this.#tag(field, LENGTH)
    this.#varint(BigInt(bytes.length))
    this.#append(bytes)
  }
  #tag(field: number, wire: number): void {
    this.#varint(BigInt(field * 8 + wire))
  }
  /** Seven bits at a time, the lowest first; a negative number as its two's complement of 64 bits. */
  #varint(value: bigint): void {
    let rest = BigInt.asUintN(64, value)
    const out: number[] = []
    for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128)
    this.#append(Uint8Array.of(...out, Number(rest)))
  }
  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length))
      larger.set(this.bytes())
      this.#bytes = larger
    }
    this.#bytes.set(bytes, this.#length)
    this.#length = needed
  }
}
