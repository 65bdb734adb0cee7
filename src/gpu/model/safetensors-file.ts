/** Writes safetensors files of any size: header first, then tensor after tensor; whole under its name or not at all. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { NodeError } from '../../errors.ts'
import { encodeSafetensorsHeader, type NamedTensor, type SafetensorsTensor } from '../../protocol/safetensors.ts'
import { assert } from '../../util/assert.ts'

/** The usual libraries write this, and some of them ask for it. */
const METADATA: ReadonlyMap<string, string> = new Map([['format', 'pt']])

/** `contents` gives the bytes of each tensor, in the order of the tensors. */
export function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  contents: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  metadata = METADATA,
): Promise<{ readonly bytes: number }> {
  return fillSafetensors(path, tensors, metadata, async (file, placed) => {
    let next = 0
    for await (const bytes of contents) {
      const place = placed[next++]
      assert(place !== undefined && bytes.length === place.end - place.begin, 'a tensor is as long as its kind says')
      await writeAt(file, bytes, place.begin)
    }
    assert(next === placed.length, 'every tensor is written')
  })
}

/** For tensors that come in pieces: `fill` writes each where it is placed, from the begin of the file. */
export async function fillSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  metadata = METADATA,
  fill: (file: FileHandle, placed: readonly SafetensorsTensor[]) => Promise<void>,
): Promise<{ readonly bytes: number }> {
  const { prefix, fileBytes, tensors: ofData } = encodeSafetensorsHeader(tensors, metadata)
  const placed = ofData.map((tensor) => {
    return { ...tensor, begin: prefix.length + tensor.begin, end: prefix.length + tensor.end }
  })
  const aside = `${path}.part`
  try {
    const file = await open(aside, 'w')
    try {
      await writeAt(file, prefix, 0)
      await fill(file, placed)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, path)
  } catch (cause) {
    await rm(aside, { force: true })
    throw unwritable(path, cause)
  }
  return { bytes: fileBytes }
}

export async function writeAt(file: FileHandle, bytes: Uint8Array, place: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, place + done)
    done += bytesWritten
  }
}

/** What the system said; errors of other kinds stay what they are. */
export function unwritable(path: string, cause: unknown): unknown {
  if (!(cause instanceof Error && 'syscall' in cause)) return cause
  return new NodeError('FILE_UNWRITABLE', { what: `cannot write ${path}`, why: cause.message, cause })
}
