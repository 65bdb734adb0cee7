/**
 * What training leaves behind: the changed tensors under the names, shapes and types of the checkpoint. A piece of a stack
 * is put back into its whole tensor.
 */
import { f32ToBf16, f32ToF16 } from '../../protocol/float.ts'
import type { Dtype } from '../../protocol/tensor.ts'
import { sizeOf } from '../graph/graph.ts'
import { type Checkpoint, floatsOf, keyOf, readStored, type StoredTensor } from './checkpoint.ts'
import type { Weight } from './layout.ts'

export type NamedBytes = {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** One after the other, in the order of their names: the whole may be larger than memory. */
export async function* deltaOf(
  { tensors }: Checkpoint,
  trained: readonly Weight[],
  values: ReadonlyMap<string, Float32Array>,
): AsyncGenerator<NamedBytes> {
  const byTensor = Map.groupBy(trained, ({ tensor }) => tensor)
  for (const name of [...byTensor.keys()].toSorted()) {
    const stored = tensors.get(name) as StoredTensor
    const pieces = byTensor.get(name) as readonly Weight[]
    const { dtype, shape } = stored
    yield { name, dtype, shape, bytes: await changed(stored, pieces, values) }
  }
}

async function changed(
  stored: StoredTensor,
  pieces: readonly Weight[],
  values: ReadonlyMap<string, Float32Array>,
): Promise<Uint8Array> {
  const bytes = await readStored(stored)
  const width = stored.bytes / sizeOf(stored.shape)
  for (const piece of pieces) {
    const own = narrowed(stored.dtype, values.get(keyOf(piece)) as Float32Array)
    bytes.set(own, piece.first * width)
  }
  return bytes
}

/** Numbers as they are stored, rounded to the nearest. */
export function narrowed(dtype: Dtype, values: Float32Array): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const halves = new Uint16Array(values.length)
  if (dtype === 'BF16') f32ToBf16(values, halves)
  else f32ToF16(values, halves)
  return new Uint8Array(halves.buffer)
}

/** The values of pieces in tensors of a delta, by key. */
export function valuesOf(
  pieces: readonly Weight[],
  tensors: ReadonlyMap<string, NamedBytes>,
): Map<string, Float32Array> {
  return new Map(
    pieces.flatMap((piece) => {
      const held = tensors.get(piece.tensor)
      if (held === undefined) return []
      const floats = floatsOf(held.dtype, held.bytes)
      return [[keyOf(piece), floats.subarray(piece.first, piece.first + sizeOf(piece.shape))] as const]
    }),
  )
}
