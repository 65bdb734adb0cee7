/**
 * A model with a delta in it, as a directory that every software takes which takes the model: the shards that hold changed
 * tensors are written anew, with the header that they had, and everything else is copied.
 */
import { constants, copyFile, link, open, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Delta, demandFinite, openDelta } from '../evaluate/delta-file.ts'
import { type Checkpoint, INDEX, openCheckpoint, unreadable } from '../model/checkpoint.ts'
import { newDirectory } from '../model/new-directory.ts'
import { writeAt } from '../model/safetensors-file.ts'
import { createSliceReader, readAhead, type SliceReader, type Span, slicesOf } from '../model/slice.ts'
import type { Told } from './job.ts'

export type ExportTask = {
  readonly directory: string
  readonly delta: string
  readonly out: string
  /** Share files that do not change with the model: no disk is spent, but who writes into one writes into both. */
  readonly link: boolean
}
export type ExportResult = {
  readonly directory: string
  readonly files: readonly string[]
  /** Shards that hold changed tensors. */
  readonly rewritten: readonly string[]
  readonly tensors: number
  readonly bytes: number
}

const SLICE_BYTES = 4 * 2 ** 20
/** Weights in whatever form, and lists of them: what does not come from the checkpoint would contradict it. */
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|onnx|part)(\.index\.json)?$/

/** A file of the new directory: whole as it was, or of pieces of the model and of the delta. */
type Planned = { readonly name: string; readonly bytes: number; readonly spans: readonly Span[] }

export async function exportJob(task: ExportTask, tell: (told: Told) => void): Promise<ExportResult> {
  const checkpoint = await openCheckpoint(task.directory)
  const delta = await openDelta(checkpoint, task.delta)
  const files = await plan(checkpoint, delta)
  const of = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const told = (bytes: number): void => {
    done += bytes
    tell({ done, of })
  }
  const reader = createSliceReader()
  try {
    await newDirectory(task.out, async (aside) => {
      for (const tensor of delta.tensors.values()) {
        for await (const [, bytes] of pieces([tensor], reader)) demandFinite(tensor, bytes)
      }
      for (const { name, bytes, spans } of files) {
        const [whole] = spans
        const isShared = spans.length === 1 && whole !== undefined && (await share(whole.path, join(aside, name), task))
        if (isShared) told(bytes)
        else await write(join(aside, name), spans, reader, told)
      }
    })
  } finally {
    await reader.close()
  }
  const rewritten = files.filter(({ spans }) => spans.length > 1).map(({ name }) => name)
  return {
    directory: task.out,
    files: files.map(({ name }) => name),
    rewritten,
    tensors: delta.tensors.size,
    bytes: of,
  }
}

async function plan({ directory, tensors }: Checkpoint, delta: Delta): Promise<readonly Planned[]> {
  const shards = Map.groupBy(tensors.values(), ({ path }) => path)
  const files: Planned[] = []
  for (const name of (await readdir(directory)).toSorted()) {
    const shown = join(directory, name)
    // What a hub's cache shows are links to files.
    const [path, found] = await Promise.all([realpath(shown), stat(shown)]).catch((cause) => {
      throw unreadable(shown, cause)
    })
    if (!found.isFile()) continue
    const own = shards.get(shown)
    if (own === undefined && WEIGHTS.test(name) && name !== INDEX) continue
    const changes = (own ?? []).flatMap((place) => {
      const change = delta.tensors.get(place.name)
      return change === undefined ? [] : [{ place, change }]
    })
    files.push({ name, bytes: found.size, spans: [...spansOf({ path, offset: 0, bytes: found.size }, changes)] })
  }
  return files
}

type Change = { readonly place: Span; readonly change: Span }

/** A file with other bytes where something changes, which has the same length. */
function* spansOf({ path, bytes }: Span, changes: readonly Change[]): Generator<Span> {
  let done = 0
  for (const { place, change } of changes.toSorted((a, b) => a.place.offset - b.place.offset)) {
    yield { path, offset: done, bytes: place.offset - done }
    yield change
    done = place.offset + place.bytes
  }
  yield { path, offset: done, bytes: bytes - done }
}

function pieces(spans: readonly Span[], reader: SliceReader) {
  const cut = spans.flatMap((span) => [...slicesOf(span.bytes, SLICE_BYTES)].map((slice) => ({ span, slice })))
  return readAhead(cut, ({ span, slice }) => reader.read(span, slice))
}

async function write(
  path: string,
  spans: readonly Span[],
  reader: SliceReader,
  told: (bytes: number) => void,
): Promise<void> {
  const file = await open(path, 'w')
  try {
    let place = 0
    for await (const [, bytes] of pieces(spans, reader)) {
      await writeAt(file, bytes, place)
      place += bytes.length
      told(bytes.length)
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Without moving a byte, where the disk can: as a link when asked for, or as a copy that shares until one is written to. */
async function share(from: string, to: string, { link: isLinked }: ExportTask): Promise<boolean> {
  const shared = isLinked ? link(from, to) : copyFile(from, to, constants.COPYFILE_FICLONE_FORCE)
  return shared.then(
    () => true,
    () => false,
  )
}
