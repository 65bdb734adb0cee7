/**
 * Merges deltas into what a model becomes: Φ + η Σ ŵ Δ by the protocol's own arithmetic (§7), slice by slice, so that the
 * same files give the same bytes on every machine, whatever it computes with and however little memory it has.
 */
import { type FileHandle, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { compareText } from '../../util/compare.ts'
import { DELTA, type Delta, type DeltaTensor, demandFinite, openDelta } from '../evaluate/delta-file.ts'
import { openCheckpoint, type StoredTensor } from '../model/checkpoint.ts'
import { createMergeKernel } from '../model/merge-kernel.ts'
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

/** Of all inputs together; a handful of such slices are in memory at a time. */
const SLICES_BYTES = 16 * 2 ** 20
const SLICE_BYTES_MAX = 4 * 2 ** 20
/** Slices are multiples of it, and so hold whole elements. */
const SLICE_BYTES_MIN = 64 * 2 ** 10

type Member = { readonly delta: Delta; readonly weight: number }
/** A slice of a tensor, and where that begins in the merged file. */
type Part = { readonly base: DeltaTensor; readonly slice: Slice; readonly place: number }
type Inputs = { readonly own: Uint8Array; readonly values: readonly Uint8Array[] }

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
  let overflowed: readonly DeltaTensor[] = []
  const reader = createSliceReader()
  try {
    const { bytes } = await fillSafetensors(delta, bases, undefined, async (file, placed) => {
      const places = new Map(placed.map(({ name, begin }) => [name, begin]))
      const parts = (tensors: readonly DeltaTensor[]): readonly Part[] => partsOf(tensors, places, members.length + 1)
      overflowed = await merge(file, parts(bases), members, { etaPpm: task.etaPpm, reader, tell })
      for await (const [{ slice, place }, own] of readAhead(parts(overflowed), (part) =>
        reader.read(part.base, part.slice),
      ))
        await writeAt(file, own, place + slice.begin)
    })
    return { delta, tensors: bases.length, bytes, overflowed: overflowed.map(({ name }) => name) }
  } finally {
    await reader.close()
  }
}

function partsOf(
  tensors: readonly DeltaTensor[],
  places: ReadonlyMap<string, number>,
  inputs: number,
): readonly Part[] {
  const room = Math.min(SLICE_BYTES_MAX, Math.max(SLICE_BYTES_MIN, SLICES_BYTES / inputs))
  const sliceBytes = Math.floor(room / SLICE_BYTES_MIN) * SLICE_BYTES_MIN
  return tensors.flatMap((base) => {
    const place = places.get(base.name) as number
    return [...slicesOf(base.bytes, sliceBytes)].map((slice) => ({ base, slice, place }))
  })
}

type Means = { readonly etaPpm: number; readonly reader: SliceReader; readonly tell: (told: Told) => void }

/** Answers the tensors of which not everything is finite. */
async function merge(
  file: FileHandle,
  parts: readonly Part[],
  members: readonly Member[],
  { etaPpm, reader, tell }: Means,
): Promise<readonly DeltaTensor[]> {
  const kernel = createMergeKernel()
  const tensorsOf = ({ base }: Part) => members.map(({ delta }) => delta.tensors.get(base.name))
  const read = async (part: Part): Promise<Inputs> => {
    const own = reader.read(part.base, part.slice)
    // Who leaves a tensor out has not moved it.
    const values = tensorsOf(part).map((tensor) => (tensor === undefined ? own : reader.read(tensor, part.slice)))
    return { own: await own, values: await Promise.all(values) }
  }
  const overflowed = new Set<DeltaTensor>()
  const of = parts.reduce((sum, { slice }) => sum + slice.end - slice.begin, 0)
  let done = 0
  for await (const [part, { own, values }] of readAhead(parts, read)) {
    const { base, slice, place } = part
    const updates = members.map(({ weight }, i) => ({ values: values[i] as Uint8Array, weight }))
    const merged = kernel({ dtype: base.dtype, base: own, updates, etaPpm })
    if (merged === null) {
      for (const [i, bytes] of [own, ...values].entries()) demandFinite(tensorsOf(part)[i - 1] ?? base, bytes)
      overflowed.add(base)
    } else await writeAt(file, merged, place + slice.begin)
    done += own.length
    tell({ done, of })
  }
  return [...overflowed]
}
