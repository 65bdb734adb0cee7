/**
 * Graph → ONNX: how every operation is said in ONNX, in one total table. Standard operators, so that every backend of
 * onnxruntime runs them; where the CPU has a faster one of its own, measured, it is used there.
 */
import { posix } from 'node:path'
import type { Dim, Graph, Node, Value } from '../graph/graph.ts'
import type { Op } from '../graph/op.ts'
import {
  ONNX_TYPES,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValue,
} from './model.ts'

export type Dialect = {
  /** onnxruntime's own operators, which its CPU backend has, and others only in part. */
  readonly contrib: boolean
}

/** ReduceSum and Split with sizes as inputs, ScatterElements that adds: 18 has all. 21 is what every backend knows. */
const OPSETS: ReadonlyMap<string, number> = new Map([
  ['', 21],
  ['com.microsoft', 1],
])
const IR_VERSION = 10

/** Files are named relative to one folder, the only one that onnxruntime is told to read from. */
export function emit(graph: Graph, { contrib }: Dialect): OnnxModel {
  const emitter = createEmitter(graph, contrib)
  for (const node of graph.nodes) (emitRules[node.op] as EmitRule<Op>)(emitter, node as Node<never>)
  const values = (named: Graph['inputs']): readonly OnnxValue[] =>
    named.map(({ name, value }) => ({ name, type: value.dtype, dims: value.shape }))
  const { nodes, initializers } = emitter.finish()
  return {
    irVersion: IR_VERSION,
    producer: 'wheelwright',
    opsets: OPSETS,
    graph: { name: 'main', nodes, initializers, inputs: values(graph.inputs), outputs: values(graph.outputs) },
  }
}

type Attributes = Readonly<Record<string, OnnxAttribute>>
type Emitter = ReturnType<typeof createEmitter>
type EmitRule<K extends Op> = (e: Emitter, node: Node<K>) => void

const int = (value: number): OnnxAttribute => ({ kind: 'int', value })
const float = (value: number): OnnxAttribute => ({ kind: 'float', value: Math.fround(value) })
const ints = (value: readonly number[]): OnnxAttribute => ({ kind: 'ints', value })
const flag = (value: boolean): OnnxAttribute => int(value ? 1 : 0)

function createEmitter(graph: Graph, contrib: boolean) {
  const names = new Map<Value, string>()
  const nodes: OnnxNode[] = []
  const initializers = new Map<string, OnnxTensor>()
  let made = 0

  const fresh = (): string => `v${made++}`
  const given = new Set([...graph.inputs, ...graph.constants].map(({ value }) => value))
  for (const { name, value } of graph.inputs) names.set(value, name)
  for (const constant of graph.constants) {
    names.set(constant.value, constant.name)
    initializers.set(constant.name, initializerOf(constant))
  }
  // A value takes the name of its output; one that is fed, or asked for twice, is copied at the end.
  const copies = graph.outputs.filter(({ name, value }) => {
    if (given.has(value) || names.has(value)) return true
    names.set(value, name)
    return false
  })
  const nameOf = (value: Value): string => {
    const name = names.get(value) ?? fresh()
    names.set(value, name)
    return name
  }
  const add = (
    opType: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Attributes = {},
    domain = '',
  ) => {
    nodes.push({
      opType,
      domain,
      name: `${opType}.${nodes.length}`,
      inputs,
      outputs,
      attributes: new Map(Object.entries(attributes)),
    })
  }
  /** One node with one output, named by itself. */
  const step = (opType: string, inputs: readonly string[], attributes: Attributes = {}, domain = ''): string => {
    const output = fresh()
    add(opType, inputs, [output], attributes, domain)
    return output
  }
  const constant = (type: OnnxType, dims: readonly number[], array: Float32Array | BigInt64Array): string => {
    const name = `${type}[${dims}](${array.length > 64 ? `#${initializers.size}` : array})`
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    initializers.set(name, { name, type, dims, data: { at: 'here', bytes } })
    return name
  }
  return {
    contrib,
    fresh,
    nameOf,
    add,
    step,
    ...numbersOf(constant),
    finish: () => {
      for (const { name, value } of copies) add('Identity', [nameOf(value)], [name])
      return { nodes, initializers: [...initializers.values()] }
    },
  }
}

type MakeConstant = (type: OnnxType, dims: readonly number[], array: Float32Array | BigInt64Array) => string

const numbersOf = (constant: MakeConstant) => ({
  ints: (values: readonly number[]) => constant('i64', [values.length], BigInt64Array.from(values, BigInt)),
  int: (value: number) => constant('i64', [], BigInt64Array.of(BigInt(value))),
  float: (value: number) => constant('f32', [], Float32Array.of(value)),
  range: (size: number) =>
    constant(
      'i64',
      [size],
      BigInt64Array.from({ length: size }, (_, i) => BigInt(i)),
    ),
})

function initializerOf({ name, value, data }: Graph['constants'][number]): OnnxTensor {
  const dims = value.shape as readonly number[]
  if (data.at === 'file') {
    const file = { at: 'file', location: posix.basename(data.path), offset: data.offset, length: data.bytes } as const
    return { name, type: value.dtype, dims, data: file }
  }
  const { buffer, byteOffset, byteLength } = data.values
  return { name, type: value.dtype, dims, data: { at: 'here', bytes: new Uint8Array(buffer, byteOffset, byteLength) } }
}

const names = (e: Emitter, values: readonly Value[]): readonly string[] => values.map(e.nameOf)
const inputsOf = (e: Emitter, node: Node): readonly string[] => names(e, node.inputs)
const outputsOf = (e: Emitter, node: Node): readonly string[] => names(e, node.outputs)

/** An operator of the same name and meaning. */
const plain =
  (opType: string, attributes: Attributes = {}) =>
  (e: Emitter, node: Node): void =>
    e.add(opType, inputsOf(e, node), outputsOf(e, node), attributes)

const reduction =
  (opType: string) =>
  (e: Emitter, node: Node<'Sum'> | Node<'Mean'> | Node<'Max'>): void => {
    const inputs = [...inputsOf(e, node), e.ints(node.attrs.axes)]
    e.add(opType, inputs, outputsOf(e, node), { keepdims: flag(node.attrs.keep) })
  }

/** −1 is "what is left": the one dimension that a run tells. */
const sizes = (e: Emitter, shape: readonly Dim[]): string =>
  e.ints(shape.map((dim) => (typeof dim === 'number' ? dim : -1)))

function emitMatMul(e: Emitter, node: Node<'MatMul'>): void {
  const { transA, transB, alpha } = node.attrs
  const factors = inputsOf(e, node) as [string, string]
  const outputs = outputsOf(e, node)
  const turns = { transA: flag(transA), transB: flag(transB), alpha: float(alpha) }
  const rank = (node.inputs[0] as Value).shape.length
  if (rank === 2) e.add('Gemm', factors, outputs, turns)
  else if (e.contrib) e.add('FusedMatMul', factors, outputs, turns, 'com.microsoft')
  else {
    const perm = ints([...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2])
    const turned = [transA, transB].map((isTurned, i) => {
      const factor = factors[i] as string
      return isTurned ? e.step('Transpose', [factor], { perm }) : factor
    })
    if (alpha === 1) e.add('MatMul', turned, outputs)
    else e.add('Mul', [e.step('MatMul', turned), e.float(alpha)], outputs)
  }
}

/** The CPU's own operator gives the factor as a second output; on other backends that output is not to be trusted. */
function emitRmsNorm(e: Emitter, node: Node<'RmsNorm'>): void {
  const [x, scale] = inputsOf(e, node) as [string, string]
  const [y, factor] = outputsOf(e, node) as [string, string]
  if (e.contrib) {
    const told = { axis: int(-1), epsilon: float(node.attrs.eps), stash_type: int(1) }
    e.add('SimplifiedLayerNormalization', [x, scale], [y, factor], told)
    return
  }
  const axis = (node.inputs[0] as Value).shape.length - 1
  const mean = e.step('ReduceMean', [e.step('Mul', [x, x]), e.ints([axis])], { keepdims: int(1) })
  e.add('Reciprocal', [e.step('Sqrt', [e.step('Add', [mean, e.float(node.attrs.eps)])])], [factor])
  e.add('Mul', [e.step('Mul', [x, factor]), scale], [y])
}

function emitRope(e: Emitter, node: Node<'Rope'>): void {
  const { interleaved, inverse } = node.attrs
  const [x, cos, sin] = inputsOf(e, node) as [string, string, string]
  const [batch, heads, places, width] = (node.inputs[0] as Value).shape as readonly [number, number, number, number]
  const angle = inverse ? e.step('Neg', [sin]) : sin
  if (e.contrib) {
    const from = e.step('Reshape', [e.range(places), e.ints([1, places])])
    const position = e.step('Expand', [from, e.ints([batch, places])])
    const told = { interleaved: flag(interleaved) }
    e.add('RotaryEmbedding', [x, position, cos, angle], outputsOf(e, node), told, 'com.microsoft')
    return
  }
  // The two of a pair lie along an axis of their own: [.., half, 2] when interleaved, else [.., 2, half].
  const half = width / 2
  const along = { axis: int(interleaved ? 4 : 3) }
  const paired = e.step('Reshape', [x, e.ints([batch, heads, places, ...(interleaved ? [half, 2] : [2, half])])])
  const [p, q] = [e.fresh(), e.fresh()]
  e.add('Split', [paired, e.ints([1, 1])], [p, q], along)
  const wide = e.ints([1, 1, places, ...(interleaved ? [half, 1] : [1, half])])
  const [c, s] = [e.step('Reshape', [cos, wide]), e.step('Reshape', [angle, wide])]
  const first = e.step('Sub', [e.step('Mul', [p, c]), e.step('Mul', [q, s])])
  const second = e.step('Add', [e.step('Mul', [q, c]), e.step('Mul', [p, s])])
  const joined = e.step('Concat', [first, second], along)
  e.add('Reshape', [joined, e.ints([batch, heads, places, width])], outputsOf(e, node))
}

const zeros = (e: Emitter, shape: readonly number[]): string => e.step('Expand', [e.float(0), e.ints(shape)])

const fixedShape = (value: Value): readonly number[] => value.shape as readonly number[]

export const emitRules: { readonly [K in Op]: EmitRule<K> } = {
  Add: plain('Add'),
  Sub: plain('Sub'),
  Mul: plain('Mul'),
  Div: plain('Div'),
  Neg: plain('Neg'),
  Exp: plain('Exp'),
  Sqrt: plain('Sqrt'),
  Reciprocal: plain('Reciprocal'),
  Sigmoid: plain('Sigmoid'),
  Silu: (e, node) => {
    const [x] = inputsOf(e, node) as [string]
    if (e.contrib) e.add('QuickGelu', [x], outputsOf(e, node), { alpha: float(1) }, 'com.microsoft')
    else e.add('Mul', [x, e.step('Sigmoid', [x])], outputsOf(e, node))
  },
  Clip: (e, node) => {
    const [x] = inputsOf(e, node) as [string]
    e.add('Clip', [x, e.float(node.attrs.min), e.float(node.attrs.max)], outputsOf(e, node))
  },
  MatMul: emitMatMul,
  MatMulAdd: (e, node) => {
    const { transA, transB } = node.attrs
    e.add('Gemm', inputsOf(e, node), outputsOf(e, node), { transA: flag(transA), transB: flag(transB) })
  },
  Sum: reduction('ReduceSum'),
  Mean: reduction('ReduceMean'),
  Max: reduction('ReduceMax'),
  Softmax: plain('Softmax', { axis: int(-1) }),
  LogSoftmax: plain('LogSoftmax', { axis: int(-1) }),
  Reshape: (e, node) => e.add('Reshape', [...inputsOf(e, node), sizes(e, node.attrs.shape)], outputsOf(e, node)),
  Expand: (e, node) => e.add('Expand', [...inputsOf(e, node), sizes(e, node.attrs.shape)], outputsOf(e, node)),
  Transpose: (e, node) => e.add('Transpose', inputsOf(e, node), outputsOf(e, node), { perm: ints(node.attrs.perm) }),
  Split: (e, node) => {
    const { axis, sizes: parts } = node.attrs
    e.add('Split', [...inputsOf(e, node), e.ints(parts)], outputsOf(e, node), { axis: int(axis) })
  },
  Concat: (e, node) => e.add('Concat', inputsOf(e, node), outputsOf(e, node), { axis: int(node.attrs.axis) }),
  Cast: (e, node) => {
    e.add('Cast', inputsOf(e, node), outputsOf(e, node), { to: int(ONNX_TYPES[node.attrs.to]) })
  },
  Gather: plain('Gather', { axis: int(0) }),
  ScatterAdd: (e, node) => {
    const [index, rows] = inputsOf(e, node) as [string, string]
    const [count] = fixedShape(node.inputs[0] as Value) as [number]
    const into = zeros(e, fixedShape(node.outputs[0] as Value))
    const places = e.step('Reshape', [index, e.ints([count, 1])])
    e.add('ScatterND', [into, places, rows], outputsOf(e, node), { reduction: { kind: 'string', value: 'add' } })
  },
  TakeAlong: plain('GatherElements', { axis: int(-1) }),
  PutAlong: (e, node) => {
    const into = zeros(e, fixedShape(node.outputs[0] as Value))
    e.add('ScatterElements', [into, ...inputsOf(e, node)], outputsOf(e, node), { axis: int(-1) })
  },
  TopK: (e, node) =>
    e.add('TopK', [...inputsOf(e, node), e.ints([node.attrs.k])], outputsOf(e, node), { axis: int(-1) }),
  Equal: plain('Equal'),
  Order: (e, node) => {
    const [ids] = inputsOf(e, node) as [string]
    const [order, place] = outputsOf(e, node) as [string, string]
    const [size] = fixedShape(node.inputs[0] as Value) as [number]
    const sorted = `${order}.sorted`
    // Of equals the first comes first: that makes it stable.
    e.add('TopK', [ids, e.ints([size])], [sorted, order], { axis: int(0), largest: int(0), sorted: int(1) })
    e.add('ScatterElements', [e.range(size), order, e.range(size)], [place], { axis: int(0) })
  },
  Count: (e, node) => {
    const [ids] = inputsOf(e, node) as [string]
    const [length] = fixedShape(node.inputs[0] as Value) as [number]
    const row = e.step('Reshape', [e.range(node.attrs.size), e.ints([1, node.attrs.size])])
    const same = e.step('Equal', [e.step('Reshape', [ids, e.ints([length, 1])]), row])
    e.add('ReduceSum', [e.step('Cast', [same], { to: int(ONNX_TYPES.i64) }), e.ints([0])], outputsOf(e, node), {
      keepdims: int(0),
    })
  },
  Route: (e, node) => {
    const [x, order] = inputsOf(e, node) as [string, string]
    const rows = node.attrs.copies === 1 ? order : e.step('Div', [order, e.int(node.attrs.copies)])
    e.add('Gather', [x, rows], outputsOf(e, node), { axis: int(0) })
  },
  SplitRows: plain('Split', { axis: int(0) }),
  JoinRows: (e, node) => e.add('Concat', inputsOf(e, node).slice(1), outputsOf(e, node), { axis: int(0) }),
  RmsNorm: emitRmsNorm,
  Rope: emitRope,
  CrossEntropy: (e, node) => {
    const [logits, targets] = inputsOf(e, node) as [string, string]
    const [loss, logP] = outputsOf(e, node) as [string, string]
    e.add('LogSoftmax', [logits], [logP], { axis: int(-1) })
    const at = e.step('GatherElements', [logP, e.step('Reshape', [targets, e.ints([-1, 1])])], { axis: int(-1) })
    e.add('Neg', [e.step('Reshape', [at, e.ints([-1])])], [loss])
  },
}
