/**
 * Builds graphs: every operation as a method, shapes worked out and checked on the way, one node for equal constants.
 */
import { assert } from '../../util/assert.ts'
import type { Constant, Data, Dim, Dtype, Graph, Kind, Named, Node, Shape, Value } from './graph.ts'
import { sizeOf } from './graph.ts'
import type { Attrs, Op } from './op.ts'
import { shapeRules } from './shape.ts'

export type Builder = ReturnType<typeof createBuilder>
type Core = ReturnType<typeof createCore>

type MatMulOptions = Partial<Attrs['MatMul']>

export function createBuilder() {
  const core = createCore()
  return { ...core, ...formsOf(core), ...arithmeticOf(core), ...routingOf(core) }
}

function createCore() {
  const inputs: Named[] = []
  const constants: Constant[] = []
  const nodes: Node[] = []
  const outputs: Named[] = []
  const known = new Map<string, Value>()

  /** All outputs of an operation. */
  function op<K extends Op>(name: K, given: readonly Value[], attrs: Attrs[K]): readonly Value[] {
    const made: readonly Value[] = shapeRules[name](given, attrs).map((kind) => ({ ...kind }))
    nodes.push({ op: name, inputs: given, outputs: made, attrs } as unknown as Node)
    return made
  }
  /** Its first output, which is all that most have. */
  function one<K extends Op>(name: K, given: readonly Value[], attrs: Attrs[K]): Value {
    return op(name, given, attrs)[0] as Value
  }
  function constant(name: string, kind: Kind, data: Data): Value {
    const value: Value = { dtype: kind.dtype, shape: kind.shape }
    constants.push({ name, value, data })
    return value
  }
  /** Numbers that are part of the graph itself. */
  function numbers(values: Float32Array | BigInt64Array, shape: readonly number[]): Value {
    assert(values.length === sizeOf(shape), 'a constant fills its shape')
    const dtype: Dtype = values instanceof Float32Array ? 'f32' : 'i64'
    // Long ones are not compared: each is made once by whoever needs it.
    const key = values.length <= 64 ? `${dtype} ${shape} ${values}` : null
    const same = key === null ? undefined : known.get(key)
    if (same !== undefined) return same
    const value = constant(`constant.${constants.length}`, { dtype, shape }, { at: 'memory', values })
    if (key !== null) known.set(key, value)
    return value
  }

  return {
    op,
    one,
    constant,
    numbers,
    /** What was added so far; `backward` reads it. */
    nodes: nodes as readonly Node[],
    input: (name: string, kind: Kind): Value => {
      const value: Value = { dtype: kind.dtype, shape: kind.shape }
      inputs.push({ name, value })
      return value
    },
    output: (name: string, value: Value): void => void outputs.push({ name, value }),
    finish: (): Graph => ({ inputs, constants, nodes, outputs }),
  }
}

const arithmeticOf = ({ one, numbers }: Core) => ({
  scalar: (x: number) => numbers(Float32Array.of(x), []),
  integers: (...values: readonly number[]) => numbers(BigInt64Array.from(values, BigInt), [values.length]),
  add: (a: Value, b: Value) => one('Add', [a, b], {}),
  sub: (a: Value, b: Value) => one('Sub', [a, b], {}),
  mul: (a: Value, b: Value) => one('Mul', [a, b], {}),
  div: (a: Value, b: Value) => one('Div', [a, b], {}),
  neg: (x: Value) => one('Neg', [x], {}),
  exp: (x: Value) => one('Exp', [x], {}),
  sqrt: (x: Value) => one('Sqrt', [x], {}),
  reciprocal: (x: Value) => one('Reciprocal', [x], {}),
  sigmoid: (x: Value) => one('Sigmoid', [x], {}),
  silu: (x: Value) => one('Silu', [x], {}),
  clip: (x: Value, min: number, max: number) => one('Clip', [x], { min, max }),
  matmul: (a: Value, b: Value, { transA = false, transB = false, alpha = 1 }: MatMulOptions = {}) =>
    one('MatMul', [a, b], { transA, transB, alpha }),
  /** Weights of a linear layer are stored [out, in]. */
  linear: (x: Value, weight: Value) => one('MatMul', [x, weight], { transA: false, transB: true, alpha: 1 }),
  sum: (x: Value, axes: readonly number[], keep = false) => one('Sum', [x], { axes, keep }),
  mean: (x: Value, axes: readonly number[], keep = false) => one('Mean', [x], { axes, keep }),
  max: (x: Value, axes: readonly number[], keep = false) => one('Max', [x], { axes, keep }),
  softmax: (x: Value) => one('Softmax', [x], {}),
})

const formsOf = ({ op, one }: Core) => ({
  reshape: (x: Value, ...shape: readonly Dim[]) => one('Reshape', [x], { shape }),
  expand: (x: Value, shape: Shape) => one('Expand', [x], { shape }),
  transpose: (x: Value, ...perm: readonly number[]) => one('Transpose', [x], { perm }),
  split: (x: Value, axis: number, ...sizes: readonly number[]) => op('Split', [x], { axis, sizes }),
  concat: (axis: number, ...parts: readonly Value[]) => one('Concat', parts, { axis }),
  cast: (x: Value, to: Dtype) => (x.dtype === to ? x : one('Cast', [x], { to })),
})

const routingOf = ({ op, one, numbers }: Core) => ({
  /** The place of each id in `listed`, or `otherwise`. */
  lookUp: (otherwise: number, listed: readonly number[], size: number, ids: Value): Value => {
    const places = Array.from({ length: size }, (_, id) => (listed.includes(id) ? listed.indexOf(id) : otherwise))
    const table = numbers(BigInt64Array.from(places, BigInt), [size, 1])
    return one('Reshape', [one('Gather', [table, ids], {})], { shape: ids.shape })
  },
  gather: (table: Value, index: Value) => one('Gather', [table, index], {}),
  takeAlong: (x: Value, index: Value) => one('TakeAlong', [x, index], {}),
  putAlong: (index: Value, values: Value, size: number) => one('PutAlong', [index, values], { size }),
  topK: (x: Value, k: number) => op('TopK', [x], { k }) as readonly [Value, Value],
  equal: (a: Value, b: Value) => one('Equal', [a, b], {}),
  order: (ids: Value) => op('Order', [ids], {}) as readonly [Value, Value],
  count: (ids: Value, size: number) => one('Count', [ids], { size }),
  route: (x: Value, order: Value, place: Value, copies: number) => one('Route', [x, order, place], { copies }),
  splitRows: (x: Value, counts: Value, names: readonly string[]) => op('SplitRows', [x, counts], { names }),
  joinRows: (counts: Value, parts: readonly Value[], rows: number) => one('JoinRows', [counts, ...parts], { rows }),
  rmsNorm: (x: Value, scale: Value, eps: number) => one('RmsNorm', [x, scale], { eps }),
  rope: (x: Value, cos: Value, sin: Value, interleaved: boolean) =>
    one('Rope', [x, cos, sin], { interleaved, inverse: false }),
  crossEntropy: (logits: Value, targets: Value) => one('CrossEntropy', [logits, targets], {}),
})
