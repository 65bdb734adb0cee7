/**
 * AdamW over numbers that onnxruntime reads and writes in place: weights, gradients and moments lie in WebAssembly memory,
 * where a SIMD kernel updates four at a time. As PyTorch's `torch.optim.AdamW` computes it.
 */
import { assert } from '../../util/assert.ts'
import { assemble, endOf, I, load, type Memory, splat, type WasmFunction, walk, webAssembly } from './wasm.ts'

export type AdamW = {
  readonly beta1: number
  readonly beta2: number
  readonly eps: number
  readonly weightDecay: number
}

/** A trained tensor with what its optimiser remembers. All views are of one memory. */
export type Slot = {
  readonly weights: Float32Array
  readonly gradients: Float32Array
  readonly sums: Float32Array
  readonly squares: Float32Array
}

export type Optimiser = {
  readonly slots: readonly Slot[]
  /** The gradients of a part of the batch join those before it. */
  readonly accumulate: () => void
  /** ‖g‖ over all tensors, of what was accumulated. */
  readonly norm: () => number
  /** One step with the gradients, times `scale`; `step` counts from one. Forgets what was accumulated. */
  readonly update: (step: number, rate: number, scale: number) => void
}

const LANES = 4
const FLOAT = 4
const PAGE = 65_536
/** A memory has at most 4 GiB; beyond a part of it more memories are made. */
const MEMORY_BYTES_MAX = 2 ** 30

type Kernel = {
  readonly add: (sum: number, gradients: number, bytes: number) => void
  readonly squares: (gradients: number, bytes: number) => number
  readonly adamw: (
    weights: number,
    gradients: number,
    sums: number,
    squares: number,
    bytes: number,
    ...told: Told
  ) => void
}
type Told = readonly [
  beta1: number,
  beta2: number,
  rate: number,
  root: number,
  eps: number,
  keep: number,
  scale: number,
]

type Placed = { readonly kernel: Kernel; readonly bytes: number; readonly at: (array: number) => number }

const paddedBytes = (count: number): number => Math.ceil(count / LANES) * LANES * FLOAT

/** `accumulates` makes room for sums of gradients; without it each run's gradients are all there are. */
export function createOptimiser(sizes: readonly number[], adam: AdamW, accumulates: boolean): Optimiser {
  const { beta1, beta2, eps, weightDecay } = adam
  const arrays = accumulates ? 5 : 4
  const gathered = accumulates ? 4 : 1
  const placed: Placed[] = []
  const slots: Slot[] = []
  const sums: Float32Array[] = []
  for (const group of grouped(sizes, arrays)) {
    const total = group.reduce((sum, size) => sum + paddedBytes(size), 0) * arrays
    const memory = new webAssembly.Memory({ initial: Math.max(1, Math.ceil(total / PAGE)) })
    const kernel = instantiate(memory)
    let begin = 0
    for (const size of group) {
      const [bytes, first] = [paddedBytes(size), begin]
      const at = (array: number): number => first + array * bytes
      const view = (array: number): Float32Array => new Float32Array(memory.buffer, at(array), size)
      slots.push({ weights: view(0), gradients: view(1), sums: view(2), squares: view(3) })
      sums.push(view(gathered))
      placed.push({ kernel, bytes, at })
      begin += bytes * arrays
    }
  }
  return {
    slots,
    accumulate: () => {
      assert(accumulates, 'there is room for sums of gradients')
      for (const { kernel, at, bytes } of placed) kernel.add(at(4), at(1), bytes)
    },
    norm: () => Math.sqrt(placed.reduce((sum, { kernel, at, bytes }) => sum + kernel.squares(at(gathered), bytes), 0)),
    update: (step, rate, scale) => {
      const corrected = rate / (1 - beta1 ** step)
      const root = 1 / Math.sqrt(1 - beta2 ** step)
      for (const { kernel, at, bytes } of placed) {
        kernel.adamw(
          at(0),
          at(gathered),
          at(2),
          at(3),
          bytes,
          beta1,
          beta2,
          corrected,
          root,
          eps,
          1 - rate * weightDecay,
          scale,
        )
      }
      for (const sum of sums) sum.fill(0)
    },
  }
}

/** Tensors in order, as many to a memory as fit. */
function grouped(sizes: readonly number[], arrays: number): readonly (readonly number[])[] {
  const groups: number[][] = []
  let room = 0
  for (const size of sizes) {
    const bytes = paddedBytes(size) * arrays
    if (groups.length === 0 || bytes > room) {
      groups.push([])
      room = Math.max(bytes, MEMORY_BYTES_MAX)
    }
    groups.at(-1)?.push(size)
    room -= bytes
  }
  return groups
}

const by = (stride: number, ...pointers: readonly number[]) => pointers.map((pointer) => [pointer, stride] as const)
/** 1 − x, in all four lanes. */
const rest = (local: number) => [I.f32(1), I.get(local), I.f32Sub, I.splat4]

const ADD: WasmFunction = {
  name: 'add',
  parameters: ['i32', 'i32', 'i32'],
  result: null,
  locals: ['i32'],
  body: [...endOf(0, 2, 3), ...walk(by(16, 0, 1), 3, [I.get(0), ...load(0), ...load(1), I.add4, I.store4])],
}

/** In float64, one by one: a sum over millions loses too much otherwise. */
const SQUARES: WasmFunction = {
  name: 'squares',
  parameters: ['i32', 'i32'],
  result: 'f64',
  locals: ['i32', 'f64', 'f64'],
  body: [
    ...endOf(0, 1, 2),
    ...walk(by(4, 0), 2, [
      ...[I.get(0), I.f32Load, I.promote, I.set(4)],
      ...[I.get(3), I.get(4), I.get(4), I.f64Mul, I.f64Add, I.set(3)],
    ]),
    I.get(3),
  ],
}

const [WEIGHTS, GRADIENTS, SUMS, SQUARED, BYTES, BETA1, BETA2, RATE, ROOT, EPS, KEEP, SCALE, END, G] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
] as const

const ADAMW: WasmFunction = {
  name: 'adamw',
  parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'f32', 'f32', 'f32', 'f32', 'f32', 'f32', 'f32'],
  result: null,
  locals: ['i32', 'v128'],
  body: [
    ...endOf(WEIGHTS, BYTES, END),
    ...walk(by(16, WEIGHTS, GRADIENTS, SUMS, SQUARED), END, [
      // g ← scale · g
      ...[...load(GRADIENTS), ...splat(SCALE), I.mul4, I.set(G)],
      // m ← β₁ m + (1 − β₁) g
      ...[I.get(SUMS), ...load(SUMS), ...splat(BETA1), I.mul4, I.get(G), ...rest(BETA1), I.mul4, I.add4, I.store4],
      // v ← β₂ v + (1 − β₂) g²
      ...[I.get(SQUARED), ...load(SQUARED), ...splat(BETA2), I.mul4],
      ...[I.get(G), I.get(G), I.mul4, ...rest(BETA2), I.mul4, I.add4, I.store4],
      // w ← keep · w − rate · m / (root · √v + ε)
      ...[I.get(WEIGHTS), ...load(WEIGHTS), ...splat(KEEP), I.mul4, ...load(SUMS), ...splat(RATE), I.mul4],
      ...[...load(SQUARED), I.sqrt4, ...splat(ROOT), I.mul4, ...splat(EPS), I.add4, I.div4, I.sub4, I.store4],
    ]),
  ],
}

let compiled: object | null = null
function instantiate(memory: Memory): Kernel {
  compiled ??= new webAssembly.Module(assemble([ADD, SQUARES, ADAMW]))
  return new webAssembly.Instance(compiled, { host: { memory } }).exports as unknown as Kernel
}
