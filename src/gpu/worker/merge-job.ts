/**
 * Merges deltas into what a model becomes: Φ + η Σ ŵ Δ by the protocol's own arithmetic (§7), slice by slice, so that the
 * same files give the same bytes on every machine, whatever it computes with and however little memory it has.
 */
import { type FileHandle, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { allFinite, mergeTensor } from '../../protocol/merge-tensor.ts'
import { compareText } from '../../util/compare.ts'
import { DELTA, type Delta, type DeltaTensor, demandFinite, openDelta } from '../evaluate/delta-file.ts'
import { openCheckpoint, type StoredTensor } from '../model/checkpoint.ts'
import { fillSafetensors, unwritable, writeAt } from '../model/safetensors-file.ts'
import { createSliceReader, readAhead, type Slice, type SliceReader, slicesOf } from '../model/slice.ts'
import type { Told } from './job.ts'

export type MergeTask = {
  readonly directory: string
  /** In the order in which they are summed up: sums of floats depend on it. */
  readonly deltas: readonly { readonly path: string; readonly weight: number }[]
  readonly etaPpm: number
  readonly out: string
}
export type MergeResult = {
  readonly delta: string
  readonly tensors: number
  readonly bytes: number
  /** Tensors that stay as they were, because a sum of finite numbers is not. */
  readonly overflowed: readonly string[]
}

/** Of all inputs together; two slices of each are in memory at a time. */
const SLICES_BYTES = 32 * 2 ** 20
const SLICE_BYTES_MAX = 4 * 2 ** 20
const SLICE_BYTES_MIN = 64 * 2 ** 10

type Member = { readonly delta: Delta; readonly weight: number }
type Merging = {
  readonly base: DeltaTensor
  readonly members: readonly Member[]
  readonly etaPpm: number
}
type Read = { readonly base: Uint8Array; readonly values: readonly Uint8Array[] }

export async function mergeJob(task: MergeTask, tell: (told: Told) => void): Promise<MergeResult> {
  await mkdir(task.out, { recursive: true }).catch((cause) => {
    throw unwritable(task.out, cause)
  })
  const checkpoint = await openCheckpoint(task.directory)
  const members: Member[] = []
  for (const { path, weight } of task.deltas) members.push({ delta: await openDelta(checkpoint, path), weight })
  const changed = new Map(members.flatMap(({ delta }) => [...delta.tensors]))
  const bases = [...changed.values()]
    .map(({ name, dtype }) => ({ ...(checkpoint.tensors.get(name) as StoredTensor), dtype }))
    .toSorted((a, b) => compareText(a.name, b.name))

  const delta = join(task.out, DELTA)
  const overflowed: string[] = []
  const reader = createSliceReader()
  const of = bases.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  try {
    const { bytes } = await fillSafetensors(delta, bases, undefined, async (file, placed) => {
      for (const [i, base] of bases.entries()) {
        const place = placed[i]?.begin as number
        const merging = { base, members, etaPpm: task.etaPpm }
        const told = (bytes: number): void => {
          done += bytes
          tell({ done, of })
        }
        if (await mergeInto(file, place, merging, reader, told)) continue
        overflowed.push(base.name)
        for await (const [{ begin }, bytes] of readAhead(cut(base, 1), (slice) => reader.read(base, slice))) {
          await writeAt(file, bytes, place + begin)
        }
      }
    })
    return { delta, tensors: bases.length, bytes, overflowed }
  } finally {
    await reader.close()
  }
}

/** Answers whether all of the result is finite. */
async function mergeInto(
  file: FileHandle,
  place: number,
  { base, members, etaPpm }: Merging,
  reader: SliceReader,
  told: (bytes: number) => void,
): Promise<boolean> {
  const stored = members.map(({ delta }) => delta.tensors.get(base.name))
  const read = async (slice: Slice): Promise<Read> => {
    const own = await reader.read(base, slice)
    // Who leaves a tensor out has not moved it.
    const values = stored.map((tensor) => (tensor === undefined ? own : reader.read(tensor, slice)))
    return { base: own, values: await Promise.all(values) }
  }
  const mergedSlice = ({ base: own, values }: Read): Uint8Array => {
    const updates = members.map(({ weight }, i) => ({ values: values[i] as Uint8Array, weight }))
    try {
      return mergeTensor({ dtype: base.dtype, base: own, updates, etaPpm })
    } catch (error) {
      // The arithmetic sees every number, and refuses what is not finite; this names whose it was.
      for (const [i, bytes] of [own, ...values].entries()) demandFinite(stored[i - 1] ?? base, bytes)
      throw error
    }
  }
  let fits = true
  for await (const [{ begin }, made] of readAhead(cut(base, members.length + 1), read)) {
    const merged = mergedSlice(made)
    fits &&= allFinite(base.dtype, merged)
    await writeAt(file, merged, place + begin)
    told(merged.length)
  }
  return fits
}

/** Whole elements of every type. */
function cut({ bytes }: StoredTensor, inputs: number): Iterable<Slice> {
  const room = Math.min(SLICE_BYTES_MAX, Math.max(SLICE_BYTES_MIN, SLICES_BYTES / inputs))
  return slicesOf(bytes, Math.floor(room / SLICE_BYTES_MIN) * SLICE_BYTES_MIN)
}
