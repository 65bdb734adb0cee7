/**
 * What every operation makes of the kinds of its inputs: one total table. A rule asserts what the operation demands, so a
 * graph that cannot be computed cannot be built.
 */
import { assert } from '../../util/assert.ts'
import { type Dim, type Dtype, fixed, type Kind, printKind, type Shape, sizeOf } from './graph.ts'
import type { Attrs, Op } from './op.ts'

type ShapeRule<K extends Op> = (inputs: readonly Kind[], attrs: Attrs[K]) => readonly Kind[]

const f32 = (shape: Shape): Kind => ({ dtype: 'f32', shape })
const i64 = (shape: Shape): Kind => ({ dtype: 'i64', shape })

const last = (shape: Shape): Dim => {
  const dim = shape.at(-1)
  assert(dim !== undefined, 'a scalar has no last axis')
  return dim
}

const at = (kinds: readonly Kind[], place: number): Kind => {
  const kind = kinds[place]
  assert(kind !== undefined, `an operation has an input ${place}`)
  return kind
}

const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, axis) => dim === b[axis])

function demand(kind: Kind, dtype: Dtype, rank?: number): Shape {
  assert(kind.dtype === dtype, `${printKind(kind)} is of ${dtype}`)
  assert(rank === undefined || kind.shape.length === rank, `${printKind(kind)} has rank ${rank}`)
  return kind.shape
}

/** The shape of a and b together: aligned at the end, where a 1 gives way. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1
    const y = b[b.length - rank + i] ?? 1
    assert(x === y || x === 1 || y === 1, `${x} and ${y} broadcast`)
    return x === 1 ? y : x
  })
}

const binary = (inputs: readonly Kind[]): readonly Kind[] => {
  const [a, b] = [at(inputs, 0), at(inputs, 1)]
  assert(a.dtype === b.dtype, `${printKind(a)} and ${printKind(b)} have one dtype`)
  return [{ dtype: a.dtype, shape: broadcast(a.shape, b.shape) }]
}
const unary = (inputs: readonly Kind[]): readonly Kind[] => [f32(demand(at(inputs, 0), 'f32'))]

/** Axes count from the front: a pass that compares attributes then sees equal ones as equal. */
function reduce(inputs: readonly Kind[], { axes, keep }: Attrs['Sum']): readonly Kind[] {
  const shape = demand(at(inputs, 0), 'f32')
  assert(
    axes.every((axis) => axis >= 0 && axis < shape.length),
    'axes are within the rank',
  )
  const reduced = shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
  return [f32(keep ? reduced : reduced.filter((_, axis) => !axes.includes(axis)))]
}

function matrices(a: Kind, b: Kind, transA: boolean, transB: boolean): Shape {
  const [x, y] = [demand(a, 'f32'), demand(b, 'f32')]
  assert(x.length >= 2 && x.length === y.length, `${printKind(a)} and ${printKind(b)} are matrices, as many`)
  assert(sameShape(x.slice(0, -2), y.slice(0, -2)), `${printKind(a)} and ${printKind(b)} have equal leading axes`)
  const [rows, inner] = transA ? [x.at(-1), x.at(-2)] : [x.at(-2), x.at(-1)]
  const [inner2, columns] = transB ? [y.at(-1), y.at(-2)] : [y.at(-2), y.at(-1)]
  assert(inner === inner2, `the inner axes of ${printKind(a)} and ${printKind(b)} agree`)
  return [...x.slice(0, -2), rows as Dim, columns as Dim]
}

const sum = (dims: readonly Dim[]): number => fixed(dims).reduce((a, b) => a + b, 0)
const replaced = (shape: Shape, axis: number, dim: Dim): Shape => shape.map((old, i) => (i === axis ? dim : old))

export const shapeRules: { readonly [K in Op]: ShapeRule<K> } = {
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  Neg: unary,
  Exp: unary,
  Sqrt: unary,
  Reciprocal: unary,
  Sigmoid: unary,
  Silu: unary,
  Clip: unary,
  MatMul: ([a, b], { transA, transB }) => [f32(matrices(a as Kind, b as Kind, transA, transB))],
  MatMulAdd: ([a, b, c], { transA, transB }) => {
    const shape = matrices(a as Kind, b as Kind, transA, transB)
    assert(
      shape.length === 2 && sameShape(shape, demand(c as Kind, 'f32')),
      'what is added has the shape of the product',
    )
    return [f32(shape)]
  },
  Sum: reduce,
  Mean: reduce,
  Max: reduce,
  Softmax: unary,
  LogSoftmax: unary,
  Reshape: ([x], { shape }) => {
    const kind = x as Kind
    const [from, to] = [kind.shape, shape].map((dims) => dims.filter((dim) => typeof dim === 'string'))
    assert(sameShape(from as Shape, to as Shape), 'a reshape keeps what only a run can tell')
    const count = (dims: Shape) => sizeOf(dims.filter((dim) => typeof dim === 'number'))
    assert(count(kind.shape) === count(shape), `${printKind(kind)} has as many elements as [${shape.join(', ')}]`)
    return [{ dtype: kind.dtype, shape }]
  },
  Expand: ([x], { shape }) => {
    const kind = x as Kind
    assert(sameShape(broadcast(kind.shape, shape), shape), `${printKind(kind)} expands to [${shape.join(', ')}]`)
    return [{ dtype: kind.dtype, shape }]
  },
  Transpose: ([x], { perm }) => {
    const { dtype, shape } = x as Kind
    assert(
      sameShape(
        perm.toSorted((a, b) => a - b),
        shape.map((_, i) => i),
      ),
      'a transpose permutes all axes',
    )
    return [{ dtype, shape: perm.map((axis) => shape[axis] as Dim) }]
  },
  Split: ([x], { axis, sizes }) => {
    const { dtype, shape } = x as Kind
    assert(sum(sizes) === shape[axis], `the parts make up axis ${axis} of ${printKind(x as Kind)}`)
    return sizes.map((size) => ({ dtype, shape: replaced(shape, axis, size) }))
  },
  Concat: (inputs, { axis }) => {
    const { dtype, shape } = at(inputs, 0)
    for (const kind of inputs) {
      assert(kind.dtype === dtype && sameShape(replaced(kind.shape, axis, 0), replaced(shape, axis, 0)), 'parts fit')
    }
    return [{ dtype, shape: replaced(shape, axis, sum(inputs.map((kind) => kind.shape[axis] as Dim))) }]
  },
  Cast: ([x], { to }) => [{ dtype: to, shape: (x as Kind).shape }],
  // Of any dtype, so that only the rows that are wanted are widened.
  Gather: ([table, index]) => {
    const { dtype, shape } = table as Kind
    assert(shape.length === 2, 'a table has rows')
    return [{ dtype, shape: [...demand(index as Kind, 'i64'), ...shape.slice(1)] }]
  },
  ScatterAdd: ([index, rows], { size }) => {
    const [n, [m, width]] = [demand(index as Kind, 'i64', 1)[0], demand(rows as Kind, 'f32', 2)]
    assert(n === m, 'every row has its index')
    return [f32([size, width as Dim])]
  },
  TakeAlong: ([x, index]) => {
    const [from, places] = [demand(x as Kind, 'f32'), demand(index as Kind, 'i64')]
    assert(sameShape(from.slice(0, -1), places.slice(0, -1)), 'every row has its indices')
    return [f32(places)]
  },
  PutAlong: ([index, values], { size }) => {
    assert(sameShape(demand(index as Kind, 'i64'), demand(values as Kind, 'f32')), 'every value has its index')
    return [f32([...(index as Kind).shape.slice(0, -1), size])]
  },
  TopK: ([x], { k }) => {
    const shape = demand(x as Kind, 'f32')
    assert(typeof last(shape) === 'string' || k <= (last(shape) as number), 'no more than there are')
    const picked = [...shape.slice(0, -1), k]
    return [f32(picked), i64(picked)]
  },
  Equal: (inputs) => [{ dtype: 'bool', shape: (binary(inputs)[0] as Kind).shape }],
  Order: ([ids]) => [i64(demand(ids as Kind, 'i64', 1)), i64((ids as Kind).shape)],
  Count: ([ids], { size }) => {
    demand(ids as Kind, 'i64', 1)
    return [i64([size])]
  },
  Route: ([x, order, place], { copies }) => {
    const [rows, width] = demand(x as Kind, 'f32', 2)
    const [slots] = demand(order as Kind, 'i64', 1)
    assert(sameShape((order as Kind).shape, demand(place as Kind, 'i64', 1)), 'an order and its inverse are as long')
    assert(slots === (rows as number) * copies, 'every copy has its slot')
    return [f32([slots as Dim, width as Dim])]
  },
  SplitRows: ([x, counts], { names }) => {
    const [, width] = demand(x as Kind, 'f32', 2)
    assert(demand(counts as Kind, 'i64', 1)[0] === names.length, 'every part has its count')
    return names.map((name) => f32([name, width as Dim]))
  },
  JoinRows: ([counts, ...parts], { rows }) => {
    assert(demand(counts as Kind, 'i64', 1)[0] === parts.length, 'every part has its count')
    const [, width] = demand(parts[0] as Kind, 'f32', 2)
    for (const part of parts) assert(demand(part, 'f32', 2)[1] === width, 'parts are equally wide')
    return [f32([rows, width as Dim])]
  },
  RmsNorm: ([x, scale]) => {
    const shape = demand(x as Kind, 'f32')
    assert(sameShape(demand(scale as Kind, 'f32', 1), [last(shape)]), 'a scale is as wide as what it scales')
    return [f32(shape), f32([...shape.slice(0, -1), 1])]
  },
  Rope: ([x, cos, sin]) => {
    const [, , places, width] = demand(x as Kind, 'f32', 4)
    const angles = [places as Dim, (width as number) / 2]
    assert(sameShape(demand(cos as Kind, 'f32'), angles) && sameShape(demand(sin as Kind, 'f32'), angles), 'angles fit')
    return [f32((x as Kind).shape)]
  },
  CrossEntropy: ([logits, targets]) => {
    const [rows, words] = demand(logits as Kind, 'f32', 2)
    assert(sameShape(demand(targets as Kind, 'i64'), [rows as Dim]), 'every row has its target')
    return [f32([rows as Dim]), f32([rows as Dim, words as Dim])]
  },
}
