/**
 * What training leaves behind: the changed tensors under the names, shapes and types of the checkpoint. A piece of a stack
 * is put back into its whole tensor.
 */
import { f32ToBf16, f32ToF16 } from '../../protocol/float.ts'
import type { NamedTensor } from '../../protocol/safetensors.ts'
import type { Dtype } from '../../protocol/tensor.ts'
import { compareText } from '../../util/compare.ts'
import { sizeOf } from '../graph/graph.ts'
import { type Checkpoint, floatsOf, keyOf, readStored, type StoredTensor } from './checkpoint.ts'
import type { Weight } from './layout.ts'

export type NamedBytes = NamedTensor & { readonly bytes: Uint8Array }

/** What changes, in the order of names, and its bytes one after the other: the whole may be larger than memory. */
export function deltaOf(
  { tensors }: Checkpoint,
  trained: readonly Weight[],
  values: ReadonlyMap<string, Float32Array>,
): { readonly tensors: readonly StoredTensor[]; readonly contents: AsyncIterable<Uint8Array> } {
  const byTensor = Map.groupBy(trained, ({ tensor }) => tensor)
  const names = [...byTensor.keys()].toSorted(compareText)
  const stored = names.map((name) => tensors.get(name) as StoredTensor)
  async function* contents(): AsyncGenerator<Uint8Array> {
    for (const tensor of stored) yield await changed(tensor, byTensor.get(tensor.name) as readonly Weight[], values)
  }
  return { tensors: stored, contents: contents() }
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
