/**
 * The interpreter's table: every operation in plain loops, the way a textbook has it.
 */
import { assert } from '../../util/assert.ts'
import { type Node, sizeOf } from './graph.ts'
import type { Tensor } from './interpret.ts'
import type { Attrs, Op } from './op.ts'
import { broadcast } from './shape.ts'

type Kernel<K extends Op> = (inputs: readonly Tensor[], attrs: Attrs[K], node: Node<K>) => readonly Tensor[]

const f32 = (shape: readonly number[], data: Float32Array): Tensor => ({ dtype: 'f32', shape, data })
const i64 = (shape: readonly number[], data: BigInt64Array): Tensor => ({ dtype: 'i64', shape, data })

const tensor = (inputs: readonly Tensor[], place: number): Tensor => inputs[place] as Tensor
const floats = ({ data }: Tensor): Float32Array => data as Float32Array
const integers = ({ data }: Tensor): readonly number[] => Array.from(data as BigInt64Array, Number)
const get = (data: ArrayLike<number>, i: number): number => data[i] as number

/** Elements between neighbours on each axis. */
function strides(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
}

/** The places of all elements of `shape` in a tensor that was broadcast to it. */
function placesIn(shape: readonly number[], source: readonly number[]): readonly number[] {
  const extra = shape.length - source.length
  const steps = strides(source).map((step, axis) => (source[axis] === 1 ? 0 : step))
  const full = strides(shape)
  return Array.from({ length: sizeOf(shape) }, (_, place) =>
    steps.reduce((at, step, axis) => {
      const index = Math.floor(place / get(full, axis + extra)) % get(shape, axis + extra)
      return at + index * step
    }, 0),
  )
}

const map =
  (fn: (x: number) => number) =>
  (inputs: readonly Tensor[]): readonly Tensor[] => {
    const x = tensor(inputs, 0)
    return [f32(x.shape, floats(x).map(fn))]
  }

const zip =
  (fn: (x: number, y: number) => number) =>
  (inputs: readonly Tensor[]): readonly Tensor[] => {
    const [a, b] = [tensor(inputs, 0), tensor(inputs, 1)]
    const shape = broadcast(a.shape, b.shape) as readonly number[]
    const [inA, inB] = [placesIn(shape, a.shape), placesIn(shape, b.shape)]
    return [
      f32(
        shape,
        Float32Array.from(inA, (at, i) => fn(get(floats(a), at), get(floats(b), get(inB, i)))),
      ),
    ]
  }

/** Folds over some axes: start, fold, and what becomes of the result given how many there were. */
function fold(start: number, step: (sum: number, x: number) => number, end = (sum: number, _count: number) => sum) {
  return (inputs: readonly Tensor[], { axes, keep }: Attrs['Sum']): readonly Tensor[] => {
    const x = tensor(inputs, 0)
    const reduced = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    const sums = new Array<number>(sizeOf(reduced)).fill(start)
    for (const [i, place] of placesIn(x.shape, reduced).entries())
      sums[place] = step(get(sums, place), get(floats(x), i))
    const count = sizeOf(x.shape) / sums.length
    const shape = keep ? reduced : reduced.filter((_, axis) => !axes.includes(axis))
    return [
      f32(
        shape,
        Float32Array.from(sums, (sum) => end(sum, count)),
      ),
    ]
  }
}

/** A function of every row of the last axis. */
function alongLast(x: Tensor, fn: (row: readonly number[]) => readonly number[]): Tensor {
  const width = x.shape.at(-1) as number
  const data = floats(x)
  const rows = Array.from({ length: data.length / width }, (_, row) =>
    fn(Array.from(data.subarray(row * width, (row + 1) * width))),
  )
  const size = rows[0]?.length ?? width
  return f32([...x.shape.slice(0, -1), size], Float32Array.from(rows.flat()))
}

function logSoftmax(row: readonly number[]): readonly number[] {
  const top = Math.max(...row)
  const log = Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top
  return row.map((x) => x - log)
}

function matmul(a: Tensor, b: Tensor, { transA, transB, alpha }: Attrs['MatMul']): Tensor {
  const [aRows, aColumns, bRows, bColumns] = [
    a.shape.at(-2),
    a.shape.at(-1),
    b.shape.at(-2),
    b.shape.at(-1),
  ] as number[]
  const [m, k] = transA ? [aColumns, aRows] : [aRows, aColumns]
  const n = transB ? bRows : bColumns
  const [rows, inner, columns] = [m as number, k as number, n as number]
  const batch = sizeOf(a.shape.slice(0, -2))
  const out = new Float32Array(batch * rows * columns)
  const [x, y] = [floats(a), floats(b)]
  for (let t = 0; t < batch; t++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0
        for (let p = 0; p < inner; p++) {
          const left = transA ? p * rows + i : i * inner + p
          const right = transB ? j * inner + p : p * columns + j
          sum += get(x, t * rows * inner + left) * get(y, t * inner * columns + right)
        }
        out[(t * rows + i) * columns + j] = alpha * sum
      }
    }
  }
  return f32([...a.shape.slice(0, -2), rows, columns], out)
}

/** Of any dtype: elements by their places in the source. */
function pick(x: Tensor, shape: readonly number[], places: readonly number[]): Tensor {
  const data = x.data.slice(0, 0).constructor as new (n: number) => Tensor['data']
  const out = new data(places.length)
  for (const [i, place] of places.entries()) out[i] = x.data[place] as never
  return { dtype: x.dtype, shape, data: out }
}

function split(x: Tensor, axis: number, sizes: readonly number[]): readonly Tensor[] {
  const all = placesOf(x.shape)
  let begin = 0
  return sizes.map((size) => {
    const shape = x.shape.map((dim, i) => (i === axis ? size : dim))
    const [from, step] = [begin, get(strides(x.shape), axis)]
    begin += size
    const inside = all.filter((place) => {
      const index = Math.floor(place / step) % get(x.shape, axis)
      return index >= from && index < from + size
    })
    return pick(x, shape, inside)
  })
}
const placesOf = (shape: readonly number[]): readonly number[] => Array.from({ length: sizeOf(shape) }, (_, i) => i)

function concat(parts: readonly Tensor[], axis: number): Tensor {
  const { shape, dtype, data } = tensor(parts, 0)
  const total = parts.reduce((sum, part) => sum + get(part.shape, axis), 0)
  const out = shape.map((dim, i) => (i === axis ? total : dim))
  const inner = sizeOf(shape.slice(axis + 1))
  const joined = new (data.constructor as new (n: number) => Tensor['data'])(sizeOf(out))
  let before = 0
  for (const part of parts) {
    const width = get(part.shape, axis) * inner
    for (let i = 0; i < part.data.length; i++) {
      joined[Math.floor(i / width) * total * inner + before + (i % width)] = part.data[i] as never
    }
    before += width
  }
  return { dtype, shape: out, data: joined }
}

function cast(x: Tensor, to: Attrs['Cast']['to']): Tensor {
  if (to === 'f32') return f32(x.shape, Float32Array.from(x.data as ArrayLike<number | bigint>, Number))
  assert(to === 'i64', 'the interpreter casts to f32 and i64')
  return i64(
    x.shape,
    BigInt64Array.from(x.data as ArrayLike<number>, (n) => BigInt(Math.trunc(Number(n)))),
  )
}

/** Largest first; of equals the first. */
function topK(x: Tensor, k: number): readonly [Tensor, Tensor] {
  const picked: number[] = []
  const values = alongLast(x, (row) => {
    const order = row.map((_, i) => i).sort((i, j) => get(row, j) - get(row, i) || i - j)
    picked.push(...order.slice(0, k))
    return order.slice(0, k).map((i) => get(row, i))
  })
  return [values, i64(values.shape, BigInt64Array.from(picked, BigInt))]
}

function rope(x: Tensor, cos: Tensor, sin: Tensor, { interleaved, inverse }: Attrs['Rope']): Tensor {
  const [, , places, width] = x.shape as readonly [number, number, number, number]
  const half = width / 2
  const data = floats(x)
  const out = new Float32Array(data.length)
  for (let begin = 0; begin < data.length; begin += width) {
    const place = (begin / width) % places
    for (let i = 0; i < half; i++) {
      const [p, q] = interleaved ? [begin + 2 * i, begin + 2 * i + 1] : [begin + i, begin + i + half]
      const c = get(floats(cos), place * half + i)
      const s = (inverse ? -1 : 1) * get(floats(sin), place * half + i)
      out[p] = get(data, p) * c - get(data, q) * s
      out[q] = get(data, q) * c + get(data, p) * s
    }
  }
  return f32(x.shape, out)
}

export const kernels: { readonly [K in Op]: Kernel<K> } = {
  Add: zip((x, y) => x + y),
  Sub: zip((x, y) => x - y),
  Mul: zip((x, y) => x * y),
  Div: zip((x, y) => x / y),
  Neg: map((x) => -x),
  Exp: map(Math.exp),
  Sqrt: map(Math.sqrt),
  Reciprocal: map((x) => 1 / x),
  Sigmoid: map((x) => 1 / (1 + Math.exp(-x))),
  Silu: map((x) => x / (1 + Math.exp(-x))),
  Clip: ([x], { min, max }) => map((value) => Math.min(max, Math.max(min, value)))([x as Tensor]),
  MatMul: (inputs, attrs) => [matmul(tensor(inputs, 0), tensor(inputs, 1), attrs)],
  MatMulAdd: (inputs, attrs) =>
    zip((x, y) => x + y)([matmul(tensor(inputs, 0), tensor(inputs, 1), { ...attrs, alpha: 1 }), tensor(inputs, 2)]),
  Sum: fold(0, (sum, x) => sum + x),
  Mean: fold(
    0,
    (sum, x) => sum + x,
    (sum, count) => sum / count,
  ),
  Max: fold(Number.NEGATIVE_INFINITY, Math.max),
  Softmax: ([x]) => [alongLast(x as Tensor, (row) => logSoftmax(row).map(Math.exp))],
  LogSoftmax: ([x]) => [alongLast(x as Tensor, logSoftmax)],
  Reshape: ([x], { shape }) => {
    const { dtype, data } = x as Tensor
    const known = sizeOf(shape.filter((dim) => typeof dim === 'number'))
    return [{ dtype, data, shape: shape.map((dim) => (typeof dim === 'number' ? dim : data.length / known)) }]
  },
  Expand: ([x], { shape }) => {
    const to = shape as readonly number[]
    return [pick(x as Tensor, to, placesIn(to, (x as Tensor).shape))]
  },
  Transpose: ([x], { perm }) => {
    const { shape } = x as Tensor
    const [from, to] = [strides(shape), perm.map((axis) => get(shape, axis))]
    const steps = strides(to)
    const places = placesOf(to).map((place) =>
      perm.reduce((at, axis, i) => at + (Math.floor(place / get(steps, i)) % get(to, i)) * get(from, axis), 0),
    )
    return [pick(x as Tensor, to, places)]
  },
  Split: ([x], { axis, sizes }) => split(x as Tensor, axis, sizes),
  Concat: (inputs, { axis }) => [concat(inputs, axis)],
  Cast: ([x], { to }) => [cast(x as Tensor, to)],
  Gather: ([table, index]) => {
    const width = get((table as Tensor).shape, 1)
    const places = integers(index as Tensor).flatMap((row) => Array.from({ length: width }, (_, i) => row * width + i))
    return [pick(table as Tensor, [...(index as Tensor).shape, width], places)]
  },
  ScatterAdd: ([index, rows], { size }) => {
    const width = get((rows as Tensor).shape, 1)
    const sums = new Array<number>(size * width).fill(0)
    for (const [row, to] of integers(index as Tensor).entries()) {
      for (let i = 0; i < width; i++)
        sums[to * width + i] = get(sums, to * width + i) + get(floats(rows as Tensor), row * width + i)
    }
    return [f32([size, width], Float32Array.from(sums))]
  },
  TakeAlong: ([x, index]) => {
    const [width, picks] = [(x as Tensor).shape.at(-1), (index as Tensor).shape.at(-1)] as readonly [number, number]
    const places = integers(index as Tensor).map((at, i) => Math.floor(i / picks) * width + at)
    return [pick(x as Tensor, (index as Tensor).shape, places)]
  },
  PutAlong: ([index, values], { size }) => {
    const { shape } = index as Tensor
    const picks = shape.at(-1) as number
    const out = new Float32Array((sizeOf(shape) / picks) * size)
    for (const [i, at] of integers(index as Tensor).entries()) {
      out[Math.floor(i / picks) * size + at] = get(floats(values as Tensor), i)
    }
    return [f32([...shape.slice(0, -1), size], out)]
  },
  TopK: ([x], { k }) => topK(x as Tensor, k),
  Equal: (inputs) => {
    const [a, b] = inputs.map((x) => cast(x, 'f32'))
    const same = zip((x, y) => (x === y ? 1 : 0))([a as Tensor, b as Tensor])[0] as Tensor
    return [{ dtype: 'bool', shape: same.shape, data: Uint8Array.from(floats(same)) }]
  },
  Order: ([ids]) => {
    const values = integers(ids as Tensor)
    const order = values.map((_, i) => i).sort((i, j) => get(values, i) - get(values, j) || i - j)
    const place = new BigInt64Array(order.length)
    for (const [at, i] of order.entries()) place[i] = BigInt(at)
    return [i64((ids as Tensor).shape, BigInt64Array.from(order, BigInt)), i64((ids as Tensor).shape, place)]
  },
  Count: ([ids], { size }) => {
    const counts = new BigInt64Array(size)
    for (const id of integers(ids as Tensor)) counts[id] = (counts[id] as bigint) + 1n
    return [i64([size], counts)]
  },
  Route: ([x, order], { copies }) => {
    const width = get((x as Tensor).shape, 1)
    const rows = integers(order as Tensor).map((slot) => Math.floor(slot / copies))
    const places = rows.flatMap((row) => Array.from({ length: width }, (_, i) => row * width + i))
    return [pick(x as Tensor, [rows.length, width], places)]
  },
  SplitRows: ([x, counts]) => split(x as Tensor, 0, integers(counts as Tensor)),
  JoinRows: ([, ...parts]) => [concat(parts, 0)],
  RmsNorm: ([x, scale], { eps }) => {
    const factor = alongLast(x as Tensor, (row) => [
      1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length + eps),
    ])
    const times = zip((p, q) => p * q)
    return [times([times([x as Tensor, factor])[0] as Tensor, scale as Tensor])[0] as Tensor, factor]
  },
  Rope: ([x, cos, sin], attrs) => [rope(x as Tensor, cos as Tensor, sin as Tensor, attrs)],
  CrossEntropy: ([logits, targets]) => {
    const logP = alongLast(logits as Tensor, logSoftmax)
    const words = get(logP.shape, 1)
    const losses = integers(targets as Tensor).map((target, row) => -get(floats(logP), row * words + target))
    return [f32([losses.length], Float32Array.from(losses)), logP]
  },
}
