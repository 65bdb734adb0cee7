/**
 * Reverse-mode differentiation: what every operation hands back to its inputs, in one total table, and the walk that
 * chains it. Gradients are built from the same operations, so they are checked, printed and optimised like everything else.
 *
 * A rule gives a function for each input, called only when that gradient is wanted: what is frozen costs nothing, because
 * nothing of it is ever built.
 */
import { assert } from '../../util/assert.ts'
import type { Builder } from './build.ts'
import { fixed, type Node, type Shape, type Value } from './graph.ts'
import type { Op } from './op.ts'

type Wanted = (() => Value) | null
/** `dy` are the gradients of the outputs, `null` where nothing flows back; of the first one unless a rule says more. */
type GradRule<K extends Op> = (b: Builder, node: Node<K>, dy: readonly (Value | null)[]) => readonly Wanted[]

/** Whole numbers and choices: nothing flows through them. */
const none = (): readonly Wanted[] => []

/** Of the first output. What `RmsNorm` and `CrossEntropy` put out besides is for their gradients, and for nobody else. */
const first = ([value, ...others]: readonly (Value | null)[]): Value => {
  assert(value !== undefined && value !== null, 'a gradient flows into the first output')
  assert(
    others.every((other) => other === null),
    'a gradient flows into the first output alone',
  )
  return value
}
const input = (node: Node, place: number): Value => node.inputs[place] as Value
const output = (node: Node, place: number): Value => node.outputs[place] as Value
const lastAxis = ({ shape }: Value): number => shape.length - 1

/** Undoes a broadcast: sums over the axes that were stretched. */
function sumTo(b: Builder, dy: Value, shape: Shape): Value {
  const extra = dy.shape.length - shape.length
  const stretched = dy.shape.flatMap((dim, axis) => (axis < extra || shape[axis - extra] !== dim ? [axis] : []))
  if (stretched.length === 0) return dy
  return b.reshape(b.sum(dy, stretched, true), ...shape)
}

/** dx = y · (dy − Σ dy · y): the gradient of a softmax, also of one over the chosen few. */
function softmaxGrad(b: Builder, y: Value, dy: Value): Value {
  const flow = b.mul(dy, y)
  return b.sub(flow, b.mul(y, b.sum(flow, [lastAxis(y)], true)))
}

/** y = α op(a) op(b): the product with the other one, turned so that the transposes come out right. */
function matmulGrad(
  b: Builder,
  [x, w]: readonly [Value, Value],
  { transA, transB, alpha }: { transA: boolean; transB: boolean; alpha: number },
  dy: Value,
): readonly Wanted[] {
  return [
    () =>
      transA ? b.matmul(w, dy, { transA: transB, transB: true, alpha }) : b.matmul(dy, w, { transB: !transB, alpha }),
    () =>
      transB ? b.matmul(dy, x, { transA: true, transB: transA, alpha }) : b.matmul(x, dy, { transA: !transA, alpha }),
  ]
}

/** Σ spreads what comes back over what was added up. */
function spread(b: Builder, { inputs, attrs }: Node<'Sum'> | Node<'Mean'>, dy: Value): Value {
  const { shape } = inputs[0] as Value
  const kept = shape.map((dim, axis) => (attrs.axes.includes(axis) ? 1 : dim))
  return b.expand(b.reshape(dy, ...kept), shape)
}

function rmsNormGrad(b: Builder, node: Node<'RmsNorm'>, dy: Value): readonly Wanted[] {
  const [x, scale] = [input(node, 0), input(node, 1)]
  const factor = output(node, 1)
  const normal = (): Value => b.mul(x, factor)
  return [
    // x̂ = x·f: dx = f · (g − x̂ · mean(g · x̂)), g = dy · scale.
    () => {
      const [g, unit] = [b.mul(dy, scale), normal()]
      const along = b.mean(b.mul(g, unit), [lastAxis(x)], true)
      return b.mul(factor, b.sub(g, b.mul(unit, along)))
    },
    () => sumTo(b, b.mul(dy, normal()), scale.shape),
  ]
}

export const gradRules: { readonly [K in Op]: GradRule<K> } = {
  Add: (b, node, dy) => [
    () => sumTo(b, first(dy), input(node, 0).shape),
    () => sumTo(b, first(dy), input(node, 1).shape),
  ],
  Sub: (b, node, dy) => [
    () => sumTo(b, first(dy), input(node, 0).shape),
    () => sumTo(b, b.neg(first(dy)), input(node, 1).shape),
  ],
  Mul: (b, node, dy) => [
    () => sumTo(b, b.mul(first(dy), input(node, 1)), input(node, 0).shape),
    () => sumTo(b, b.mul(first(dy), input(node, 0)), input(node, 1).shape),
  ],
  // y = p / q: dp = dy / q, dq = −dy · y / q.
  Div: (b, node, dy) => [
    () => sumTo(b, b.div(first(dy), input(node, 1)), input(node, 0).shape),
    () => sumTo(b, b.neg(b.div(b.mul(first(dy), output(node, 0)), input(node, 1))), input(node, 1).shape),
  ],
  Neg: (b, _node, dy) => [() => b.neg(first(dy))],
  Exp: (b, node, dy) => [() => b.mul(first(dy), output(node, 0))],
  // y = √x: dx = dy / 2y.
  Sqrt: (b, node, dy) => [() => b.div(first(dy), b.mul(b.scalar(2), output(node, 0)))],
  Reciprocal: (b, node, dy) => [() => b.neg(b.mul(first(dy), b.mul(output(node, 0), output(node, 0))))],
  // σ' = σ (1 − σ).
  Sigmoid: (b, node, dy) => [() => b.mul(first(dy), b.mul(output(node, 0), b.sub(b.scalar(1), output(node, 0))))],
  // y = x·σ(x): y' = σ + y · (1 − σ).
  Silu: (b, node, dy) => [
    () => {
      const gate = b.sigmoid(input(node, 0))
      return b.mul(first(dy), b.add(gate, b.mul(output(node, 0), b.sub(b.scalar(1), gate))))
    },
  ],
  // What was cut off moves nothing.
  Clip: (b, node, dy) => [() => b.mul(first(dy), b.cast(b.equal(input(node, 0), output(node, 0)), 'f32'))],
  MatMul: (b, node, dy) => matmulGrad(b, [input(node, 0), input(node, 1)], node.attrs, first(dy)),
  MatMulAdd: (b, node, dy) => [
    ...matmulGrad(b, [input(node, 0), input(node, 1)], { ...node.attrs, alpha: 1 }, first(dy)),
    () => first(dy),
  ],
  Sum: (b, node, dy) => [() => spread(b, node, first(dy))],
  Mean: (b, node, dy) => {
    const { shape } = input(node, 0)
    const count = fixed(node.attrs.axes.map((axis) => shape[axis] as number)).reduce((n, dim) => n * dim, 1)
    return [() => b.mul(spread(b, node, first(dy)), b.scalar(1 / count))]
  },
  // Used to choose, never to compute: only indices are taken of it.
  Max: none,
  Softmax: (b, node, dy) => [() => softmaxGrad(b, output(node, 0), first(dy))],
  // y = log softmax x: dx = dy − softmax · Σ dy.
  LogSoftmax: (b, node, dy) => [
    () => {
      const y = output(node, 0)
      return b.sub(first(dy), b.mul(b.exp(y), b.sum(first(dy), [lastAxis(y)], true)))
    },
  ],
  Reshape: (b, node, dy) => [() => b.reshape(first(dy), ...input(node, 0).shape)],
  Expand: (b, node, dy) => [() => sumTo(b, first(dy), input(node, 0).shape)],
  Transpose: (b, node, dy) => [
    () => b.transpose(first(dy), ...node.attrs.perm.map((_, axis) => node.attrs.perm.indexOf(axis))),
  ],
  Split: (b, node, dy) => [
    () => b.concat(node.attrs.axis, ...node.outputs.map((part, i) => dy[i] ?? zeros(b, part.shape))),
  ],
  Concat: (b, node, dy) => {
    const { axis } = node.attrs
    const sizes = fixed(node.inputs.map((part) => part.shape[axis] as number))
    const parts = b.split(first(dy), axis, ...sizes)
    return parts.map((part) => () => part)
  },
  Cast: (b, node, dy) => [() => b.cast(first(dy), input(node, 0).dtype)],
  Gather: (b, node, dy) => {
    const [table, index] = [input(node, 0), input(node, 1)]
    const [size, width] = fixed(table.shape) as [number, number]
    const flat = (): readonly [Value, Value] => {
      const rows = fixed(index.shape).reduce((n, dim) => n * dim, 1)
      return [b.reshape(index, rows), b.reshape(first(dy), rows, width)]
    }
    return [() => b.one('ScatterAdd', flat(), { size })]
  },
  ScatterAdd: (b, node, dy) => [null, () => b.gather(first(dy), input(node, 0))],
  // No index occurs twice in a row, here and below: they come from TopK or there is one of them.
  TakeAlong: (b, node, dy) => [
    () => b.putAlong(input(node, 1), first(dy), fixed(input(node, 0).shape).at(-1) as number),
  ],
  PutAlong: (b, node, dy) => [null, () => b.takeAlong(first(dy), input(node, 0))],
  TopK: (b, node, dy) => [
    () => b.putAlong(output(node, 1), first(dy), fixed(input(node, 0).shape.slice(-1))[0] as number),
  ],
  Equal: none,
  Order: none,
  Count: none,
  // A permutation goes back by its inverse; copies of a row add up.
  Route: (b, node, dy) => {
    const [x, order, place] = [input(node, 0), input(node, 1), input(node, 2)]
    const { copies } = node.attrs
    const [rows, width] = fixed(x.shape) as [number, number]
    return [
      () => {
        const back = b.route(first(dy), place, order, 1)
        return copies === 1 ? back : b.sum(b.reshape(back, rows, copies, width), [1])
      },
    ]
  },
  SplitRows: (b, node, dy) => {
    const rows = fixed(input(node, 0).shape)[0] as number
    return [
      () => {
        const parts = node.outputs.map((part, i) => dy[i] ?? b.mul(part, b.scalar(0)))
        return b.joinRows(input(node, 1), parts, rows)
      },
    ]
  },
  JoinRows: (b, node, dy) => {
    const [counts, ...parts] = node.inputs as readonly [Value, ...Value[]]
    const names = parts.map(({ shape }) => shape[0] as string)
    const back = b.splitRows(first(dy), counts, names)
    return [null, ...back.map((part) => () => part)]
  },
  RmsNorm: (b, node, dy) => rmsNormGrad(b, node, first(dy)),
  Rope: (b, node, dy) => [
    () =>
      b.one('Rope', [first(dy), input(node, 1), input(node, 2)], {
        ...node.attrs,
        inverse: !node.attrs.inverse,
      }),
  ],
  // −log p(target): dlogits = dy · (p − 1 at the target).
  CrossEntropy: (b, node, dy) => {
    const logP = output(node, 1)
    const [rows, words] = fixed(logP.shape) as [number, number]
    return [
      () => {
        const weight = b.reshape(first(dy), rows, 1)
        const target = b.putAlong(b.reshape(input(node, 1), rows, 1), weight, words)
        return b.sub(b.mul(b.exp(logP), weight), target)
      },
    ]
  },
}

const zeros = (b: Builder, shape: Shape): Value => b.expand(b.scalar(0), shape)

/** Adds the gradient of a scalar to the graph, with respect to inputs of it, in their order. */
export function backward(b: Builder, loss: Value, wrt: readonly Value[]): readonly Value[] {
  assert(loss.dtype === 'f32' && loss.shape.length === 0, 'a loss is one number')
  const forward = [...b.nodes]
  const moving = new Set<Value>(wrt)
  for (const { inputs, outputs } of forward) {
    if (!inputs.some((value) => moving.has(value))) continue
    for (const value of outputs) if (value.dtype === 'f32') moving.add(value)
  }
  const gradients = new Map<Value, Value>([[loss, b.scalar(1)]])
  for (const node of forward.toReversed()) {
    const dy = node.outputs.map((value) => gradients.get(value) ?? null)
    if (dy.every((value) => value === null) || !node.inputs.some((value) => moving.has(value))) continue
    const rule = gradRules[node.op] as GradRule<Op>
    const wanted = rule(b, node as Node<never>, dy)
    for (const [i, value] of node.inputs.entries()) {
      const make = wanted[i]
      if (!moving.has(value)) continue
      assert(make !== undefined && make !== null, `${node.op} hands a gradient to its input ${i}`)
      const before = gradients.get(value)
      const part = make()
      gradients.set(value, before === undefined ? part : b.add(before, part))
    }
  }
  return wrt.map((value) => gradients.get(value) ?? zeros(b, value.shape))
}
