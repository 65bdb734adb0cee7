/**
 * Tensors in slices, for what is larger than memory: the next slices are read while somebody computes with this one.
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

/** Reads under way at a time: a disk is fastest when it is asked for more than one thing. */
const AHEAD = 4

/** What each item is read into, in order. */
export async function* readAhead<T, R>(
  items: Iterable<T>,
  read: (item: T) => Promise<R>,
): AsyncGenerator<readonly [T, R]> {
  const waiting: (readonly [T, Promise<R>])[] = []
  for (const item of items) {
    const made = read(item)
    made.catch(() => undefined) // its turn to be heard of comes below, or never
    waiting.push([item, made])
    const next = waiting.length > AHEAD ? waiting.shift() : undefined
    if (next !== undefined) yield [next[0], await next[1]]
  }
  for (const [item, made] of waiting) yield [item, await made]
}
