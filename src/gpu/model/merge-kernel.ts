/**
 * The arithmetic of a merge (protocol §7, `protocol/merge-tensor.ts`) four numbers at a time, so that a merge is as fast as
 * the disk. The same bits: WebAssembly rounds every single operation as the protocol does, and has no fused ones.
 */
import { type Merge, sharesOf } from '../../protocol/merge-tensor.ts'
import { DTYPES, type TrainableDtype } from '../../protocol/tensor.ts'
import { assert } from '../../util/assert.ts'
import { assemble, endOf, I, load, splat, type WasmFunction, walk, webAssembly } from '../train/wasm.ts'

/** Merged bytes; `null` when not all of them are finite numbers, or not all of what went into them. */
export type MergeKernel = (merge: Merge) => Uint8Array | null

type Kernel = {
  readonly widenBF16: (halves: number, floats: number, bytes: number) => void
  readonly widenF16: (halves: number, floats: number, bytes: number) => void
  readonly narrowBF16: (floats: number, halves: number, bytes: number) => void
  readonly narrowF16: (floats: number, halves: number, bytes: number) => void
  readonly add: (sum: number, base: number, values: number, bytes: number, share: number) => void
  readonly step: (sum: number, base: number, bytes: number, eta: number, above: number) => number
}

/** Elements of a pass: all that it touches stays inside a second-level cache. */
const BLOCK = 8192
const FLOAT = 4
/** What is done at once; what a block lacks to a multiple of it is zeros. */
const LANES = 8
const PAGE = 65_536
const PPM = 1_000_000
/** Where a block lies, in memory: as it is stored, and as float32. */
const [RAW, BASE, VALUES, SUM, END] = [0, BLOCK * FLOAT, 2 * BLOCK * FLOAT, 3 * BLOCK * FLOAT, 4 * BLOCK * FLOAT]

/** The magnitude from which a float32 is not finite, or would not be when it is narrowed. */
const LIMITS: { readonly [D in TrainableDtype]: number } = { F32: 0x7f80_0000, BF16: 0x7f7f_8000, F16: 0x477f_f000 }

export function createMergeKernel(): MergeKernel {
  const memory = new webAssembly.Memory({ initial: Math.ceil(END / PAGE) })
  const kernel = instantiate(memory)
  const held = new Uint8Array(memory.buffer)

  /** Numbers of a block as float32 at `place`. */
  const take = (dtype: TrainableDtype, bytes: Uint8Array, place: number): void => {
    const at = dtype === 'F32' ? place : RAW
    const room = padded(bytes.length / DTYPES[dtype].bytes) * DTYPES[dtype].bytes
    held.set(bytes, at)
    held.fill(0, at + bytes.length, at + room)
    if (dtype !== 'F32') kernel[`widen${dtype}`](RAW, place, room)
  }
  const give = (dtype: TrainableDtype, target: Uint8Array, place: number, count: number): void => {
    if (dtype !== 'F32') kernel[`narrow${dtype}`](place, RAW, count * FLOAT)
    const at = dtype === 'F32' ? place : RAW
    target.set(held.subarray(at, at + target.length))
  }
  return ({ dtype, base, updates, etaPpm }) => {
    for (const { values } of updates) assert(values.length === base.length, 'updates are as long as the base')
    const shares = sharesOf(updates)
    const bytes = BLOCK * DTYPES[dtype].bytes
    const merged = new Uint8Array(base.length)
    let above = 0
    for (let begin = 0; begin < base.length; begin += bytes) {
      const own = base.subarray(begin, begin + bytes)
      const floats = padded(own.length / DTYPES[dtype].bytes) * FLOAT
      take(dtype, own, BASE)
      held.fill(0, SUM, SUM + floats)
      for (const [i, { values }] of updates.entries()) {
        take(dtype, values.subarray(begin, begin + bytes), VALUES)
        kernel.add(SUM, BASE, VALUES, floats, shares[i] as number)
      }
      above |= kernel.step(SUM, BASE, floats, etaPpm / PPM, LIMITS[dtype])
      give(dtype, merged.subarray(begin, begin + own.length), SUM, floats / FLOAT)
    }
    return above === 0 ? merged : null
  }
}

const padded = (count: number): number => Math.ceil(count / LANES) * LANES

const WIDEN_BF16: WasmFunction = {
  name: 'widenBF16',
  parameters: ['i32', 'i32', 'i32'],
  result: null,
  locals: ['i32'],
  body: [
    ...endOf(0, 2, 3),
    ...walk([by(0, 8), by(1, 16)], 3, [I.get(1), I.get(0), I.load4Halves, I.i32(16), I.shiftLeft4, I.store4]),
  ],
}

/** Exponent and fraction where a float32 has them, then 2¹¹² times as much: subnormal halves become normal floats. */
const WIDEN_F16: WasmFunction = {
  name: 'widenF16',
  parameters: ['i32', 'i32', 'i32'],
  result: null,
  locals: ['i32', 'v128', 'v128'],
  body: [
    ...endOf(0, 2, 3),
    ...walk([by(0, 8), by(1, 16)], 3, [
      ...[I.get(0), I.load4Halves, I.set(4)],
      ...[I.get(4), I.bits4(0x7fff), I.and4, I.i32(13), I.shiftLeft4, I.bits4(0x7780_0000), I.mul4, I.set(5)],
      ...[I.get(1), I.get(5)],
      // From 2¹⁶ on it was no number.
      ...[I.get(5), I.bits4(0x4780_0000), I.atLeast4, I.bits4(0x7f80_0000), I.and4, I.or4],
      ...[I.get(4), I.bits4(0x8000), I.and4, I.i32(16), I.shiftLeft4, I.or4, I.store4],
    ]),
  ],
}

/** To the nearest, ties to even; of finite numbers. */
const bf16Of = (bits: number) => [
  ...[I.get(bits), I.bits4(0x7fff), I.addBits4],
  ...[I.get(bits), I.i32(16), I.shiftRight4, I.bits4(1), I.and4, I.addBits4, I.i32(16), I.shiftRight4],
]
const NARROW_BF16: WasmFunction = {
  name: 'narrowBF16',
  parameters: ['i32', 'i32', 'i32'],
  result: null,
  locals: ['i32', 'v128', 'v128'],
  body: [
    ...endOf(0, 2, 3),
    ...walk([by(0, 32), by(1, 16)], 3, [
      ...[...load(0), I.set(4), I.get(0), I.i32(16), I.add, I.load4, I.set(5)],
      ...[I.get(1), ...bf16Of(4), ...bf16Of(5), I.narrow8, I.store4],
    ]),
  ],
}

/** As above; where the half is subnormal, adding a half of one rounds at the right place. */
const f16Of = (bits: number, magnitude: number) => [
  ...[I.get(bits), I.bits4(0x7fff_ffff), I.and4, I.set(magnitude)],
  ...[I.get(magnitude), I.bits4(0x3f00_0000), I.add4, I.bits4(-0x3f00_0000), I.addBits4],
  ...[I.get(magnitude), I.bits4(0x0fff - 0x3800_0000), I.addBits4],
  ...[I.get(magnitude), I.i32(13), I.shiftRight4, I.bits4(1), I.and4, I.addBits4, I.i32(13), I.shiftRight4],
  ...[I.get(magnitude), I.bits4(0x3880_0000), I.isLess4, I.select4],
  ...[I.get(bits), I.i32(16), I.shiftRight4, I.bits4(0x8000), I.and4, I.or4],
]
const NARROW_F16: WasmFunction = {
  ...NARROW_BF16,
  name: 'narrowF16',
  locals: ['i32', 'v128', 'v128', 'v128'],
  body: [
    ...endOf(0, 2, 3),
    ...walk([by(0, 32), by(1, 16)], 3, [
      ...[...load(0), I.set(4), I.get(0), I.i32(16), I.add, I.load4, I.set(5)],
      ...[I.get(1), ...f16Of(4, 6), ...f16Of(5, 6), I.narrow8, I.store4],
    ]),
  ],
}

/** Σ ← Σ + ŵ (values − Φ) */
const ADD: WasmFunction = {
  name: 'add',
  parameters: ['i32', 'i32', 'i32', 'i32', 'f32'],
  result: null,
  locals: ['i32'],
  body: [
    ...endOf(0, 3, 5),
    ...walk([by(0, 16), by(1, 16), by(2, 16)], 5, [
      ...[I.get(0), ...load(0), ...splat(4), ...load(2), ...load(1), I.sub4, I.mul4, I.add4, I.store4],
    ]),
  ],
}

/** Σ ← Φ + η Σ; answers 0 when all of it is below the limit. */
const STEP: WasmFunction = {
  name: 'step',
  parameters: ['i32', 'i32', 'i32', 'f32', 'i32'],
  result: 'i32',
  locals: ['i32', 'v128', 'v128', 'v128'],
  body: [
    ...endOf(0, 2, 5),
    // What a magnitude lacks to the sign bit, in all lanes.
    ...[I.i32(-0x8000_0000), I.get(4), I.sub, I.splat4Bits, I.set(8)],
    ...walk([by(0, 16), by(1, 16)], 5, [
      ...[...load(1), ...splat(3), ...load(0), I.mul4, I.add4, I.set(6)],
      ...[I.get(0), I.get(6), I.store4],
      ...[I.get(7), I.get(6), I.bits4(0x7fff_ffff), I.and4, I.get(8), I.addBits4, I.or4, I.set(7)],
    ]),
    ...[I.get(7), I.signs4],
  ],
}

let compiled: object | null = null
function instantiate(memory: object): Kernel {
  const functions = [WIDEN_BF16, WIDEN_F16, NARROW_BF16, NARROW_F16, ADD, STEP]
  compiled ??= new webAssembly.Module(assemble(functions))
  return new webAssembly.Instance(compiled, { host: { memory } }).exports as unknown as Kernel
}

/** A pointer, and how far it goes at once. */
function by(pointer: number, stride: number): readonly [number, number] {
  return [pointer, stride]
}
