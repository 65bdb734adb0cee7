/** One or more examples of every operation: what the interpreter, gradients and backends are tested on. */
import type { Kind, Value } from '../../../src/gpu/graph/graph.ts'
import type { Tensor } from '../../../src/gpu/graph/interpret.ts'
import type { Attrs, Op } from '../../../src/gpu/graph/op.ts'

export type OpCase<K extends Op = Op> = { readonly inputs: readonly Tensor[]; readonly attrs: Attrs[K] }

/** A fixed sequence of numbers in −1..1: the same on every run. */
export function numbersOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

const size = (shape: readonly number[]): number => shape.reduce((n, dim) => n * dim, 1)
let seeds = 1
export const floats = (...shape: number[]): Tensor => {
  const next = numbersOf(seeds++)
  return { dtype: 'f32', shape, data: Float32Array.from({ length: size(shape) }, next) }
}
const positive = (...shape: number[]): Tensor => {
  const { data } = floats(...shape)
  return { dtype: 'f32', shape, data: (data as Float32Array).map((x) => 0.5 + Math.abs(x)) }
}
export const integers = (shape: readonly number[], ...values: number[]): Tensor => ({
  dtype: 'i64',
  shape,
  data: BigInt64Array.from(values, BigInt),
})

const unary = [{ inputs: [floats(3, 4)], attrs: {} }]
const ids = integers([8], 2, 0, 3, 3, 2, 0, 2, 5)
const order = integers([6], 1, 4, 0, 5, 2, 3)
const place = integers([6], 2, 0, 4, 5, 1, 3)
const turns = [false, true]

export const OP_CASES: { readonly [K in Op]: readonly OpCase<K>[] } = {
  Add: [
    { inputs: [floats(2, 3), floats(2, 3)], attrs: {} },
    { inputs: [floats(2, 1, 3), floats(4, 1)], attrs: {} },
  ],
  Sub: [
    { inputs: [floats(2, 3), floats(2, 3)], attrs: {} },
    { inputs: [floats(), floats(2, 3)], attrs: {} },
  ],
  Mul: [
    { inputs: [floats(2, 3), floats(3)], attrs: {} },
    { inputs: [floats(2, 3, 1), floats(2, 3, 4)], attrs: {} },
  ],
  Div: [{ inputs: [floats(2, 3), positive(2, 1)], attrs: {} }],
  Neg: unary,
  Exp: unary,
  Sqrt: [{ inputs: [positive(5)], attrs: {} }],
  Reciprocal: [{ inputs: [positive(5)], attrs: {} }],
  Sigmoid: unary,
  Silu: unary,
  Clip: [{ inputs: [floats(4, 4)], attrs: { min: -0.4, max: 0.6 } }],
  MatMul: [
    ...turns.flatMap((transA) =>
      turns.flatMap((transB) => [
        {
          inputs: [transA ? floats(3, 2) : floats(2, 3), transB ? floats(4, 3) : floats(3, 4)],
          attrs: { transA, transB, alpha: 1 },
        },
        {
          inputs: [transA ? floats(2, 2, 3, 2) : floats(2, 2, 2, 3), transB ? floats(2, 2, 4, 3) : floats(2, 2, 3, 4)],
          attrs: { transA, transB, alpha: 0.5 },
        },
      ]),
    ),
  ],
  MatMulAdd: [{ inputs: [floats(2, 3), floats(4, 3), floats(2, 4)], attrs: { transA: false, transB: true } }],
  Sum: [
    { inputs: [floats(2, 3, 4)], attrs: { axes: [1], keep: false } },
    { inputs: [floats(2, 3, 4)], attrs: { axes: [0, 2], keep: true } },
  ],
  Mean: [{ inputs: [floats(2, 3, 4)], attrs: { axes: [2], keep: true } }],
  Max: [{ inputs: [floats(2, 3, 4)], attrs: { axes: [2], keep: false } }],
  Softmax: [{ inputs: [floats(2, 3, 5)], attrs: {} }],
  LogSoftmax: [{ inputs: [floats(3, 5)], attrs: {} }],
  Reshape: [{ inputs: [floats(2, 6)], attrs: { shape: [3, 4] } }],
  Expand: [{ inputs: [floats(2, 1, 3)], attrs: { shape: [2, 4, 3] } }],
  Transpose: [{ inputs: [floats(2, 3, 4)], attrs: { perm: [2, 0, 1] } }],
  Split: [{ inputs: [floats(2, 5, 2)], attrs: { axis: 1, sizes: [2, 3] } }],
  Concat: [{ inputs: [floats(2, 2, 2), floats(2, 3, 2)], attrs: { axis: 1 } }],
  Cast: [{ inputs: [integers([3], 4, 0, -2)], attrs: { to: 'f32' } }],
  Gather: [{ inputs: [floats(5, 3), integers([2, 2], 4, 0, 4, 2)], attrs: {} }],
  ScatterAdd: [{ inputs: [integers([4], 1, 0, 1, 3), floats(4, 2)], attrs: { size: 5 } }],
  TakeAlong: [{ inputs: [floats(2, 4), integers([2, 2], 3, 1, 0, 2)], attrs: {} }],
  PutAlong: [{ inputs: [integers([2, 2], 3, 1, 0, 2), floats(2, 2)], attrs: { size: 5 } }],
  TopK: [{ inputs: [floats(3, 6)], attrs: { k: 2 } }],
  Equal: [{ inputs: [integers([4], 1, 2, 3, 4), integers([4], 1, 0, 3, 5)], attrs: {} }],
  Order: [{ inputs: [ids], attrs: {} }],
  Count: [{ inputs: [ids], attrs: { size: 6 } }],
  Route: [
    { inputs: [floats(3, 2), order, place], attrs: { copies: 2 } },
    { inputs: [floats(6, 2), order, place], attrs: { copies: 1 } },
  ],
  SplitRows: [{ inputs: [floats(6, 2), integers([3], 2, 0, 4)], attrs: { names: ['a', 'b', 'c'] } }],
  // Its parts have sizes that only a run can tell, so it is tested behind a SplitRows.
  JoinRows: [],
  RmsNorm: [{ inputs: [floats(2, 3, 4), positive(4)], attrs: { eps: 1e-5 } }],
  Rope: [true, false].flatMap((interleaved) =>
    [true, false].map((inverse) => ({
      inputs: [floats(2, 2, 3, 4), floats(3, 2), floats(3, 2)],
      attrs: { interleaved, inverse },
    })),
  ),
  CrossEntropy: [{ inputs: [floats(3, 5), integers([3], 4, 0, 2)], attrs: {} }],
}

/** Every case with its name, for `test.each`. */
export const allCases = (): readonly (readonly [string, Op, OpCase])[] =>
  (Object.keys(OP_CASES) as Op[]).flatMap((op) =>
    OP_CASES[op].map((example, i) => [`${op} ${i + 1}`, op, example as OpCase] as const),
  )

export const kindOf = ({ dtype, shape }: Tensor): Kind => ({ dtype, shape })
export const isFloat = ({ dtype }: Value): boolean => dtype === 'f32'
