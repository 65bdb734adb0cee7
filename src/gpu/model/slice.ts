/**
 * Tensors in slices, for what is larger than memory: the next slice is read while somebody computes with this one.
 */
import type { FileHandle } from 'node:fs/promises'
import { bytesAt, openFile, type StoredTensor } from './checkpoint.ts'

/** Bytes of a file: a tensor is, and a whole file. */
export type Span = Pick<StoredTensor, 'path' | 'offset' | 'bytes'>
/** From the begin of a span. */
export type Slice = { readonly begin: number; readonly end: number }

export type SliceReader = ReturnType<typeof createSliceReader>

/** Opens every file once, and closes all of them. */
export function createSliceReader() {
  const files = new Map<string, Promise<FileHandle>>()
  return {
    read: async ({ path, offset }: Span, { begin, end }: Slice): Promise<Uint8Array> => {
      const file = files.get(path) ?? openFile(path)
      files.set(path, file)
      return bytesAt(await file, offset + begin, end - begin)
    },
    close: async (): Promise<void> => {
      for (const file of files.values()) await (await file.catch(() => null))?.close()
    },
  }
}

export function* slicesOf(bytes: number, sliceBytes: number): Generator<Slice> {
  for (let begin = 0; begin < bytes; begin += sliceBytes) yield { begin, end: Math.min(begin + sliceBytes, bytes) }
}

/** What each item is read into, in order; always one read is under way before it is wanted. */
export async function* readAhead<T, R>(
  items: Iterable<T>,
  read: (item: T) => Promise<R>,
): AsyncGenerator<readonly [T, R]> {
  let before: readonly [T, Promise<R>] | null = null
  for (const item of items) {
    const made = read(item)
    made.catch(() => undefined) // its turn to be heard of comes below, or never
    if (before !== null) yield [before[0], await before[1]]
    before = [item, made]
  }
  if (before !== null) yield [before[0], await before[1]]
}
