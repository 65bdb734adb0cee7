/** Writes safetensors files of any size: header first, then tensor after tensor; whole under its name or not at all. */
import { open, rename, rm } from 'node:fs/promises'
import { NodeError } from '../../errors.ts'
import { encodeSafetensorsHeader, type NamedTensor } from '../../protocol/safetensors.ts'
import { assert } from '../../util/assert.ts'

/** `contents` gives the bytes of each tensor, in the order of the tensors. */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  contents: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  metadata: ReadonlyMap<string, string> = new Map([['format', 'pt']]),
): Promise<{ readonly bytes: number }> {
  const { prefix, fileBytes, tensors: placed } = encodeSafetensorsHeader(tensors, metadata)
  const aside = `${path}.part`
  try {
    const file = await open(aside, 'w')
    try {
      await file.writeFile(prefix)
      let next = 0
      for await (const bytes of contents) {
        const place = placed[next++]
        assert(place !== undefined && bytes.length === place.end - place.begin, 'a tensor is as long as its kind says')
        await file.writeFile(bytes)
      }
      assert(next === placed.length, 'every tensor is written')
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, path)
  } catch (cause) {
    await rm(aside, { force: true })
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw new NodeError('FILE_UNWRITABLE', { what: `cannot write ${path}`, why: cause.message, cause })
  }
  return { bytes: fileBytes }
}
