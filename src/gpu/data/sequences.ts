/**
 * Sequences of tokens to train or judge on, by number: a batch is what somebody asks for, and nothing else is in memory.
 */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { NodeError } from '../../errors.ts'

export type SequenceSource = {
  readonly count: number
  /** Tokens of each sequence; the last one is only ever a target. */
  readonly places: number
  readonly read: (places: readonly number[]) => Promise<readonly Uint32Array[]>
  readonly close: () => Promise<void>
}

/** A JSON file is read whole; above this it belongs into text or packed tokens. */
const JSON_BYTES_MAX = 512 * 2 ** 20
const TOKEN_BYTES = 4

/** An array of equally long arrays of token ids. */
export async function openTokens(path: string, vocabulary: number): Promise<SequenceSource> {
  const { size } = await stat(path).catch((cause: Error) => {
    throw invalid(path, 'cannot be read', cause.message)
  })
  if (size > JSON_BYTES_MAX) throw invalid(path, 'is too large', `at most ${JSON_BYTES_MAX} bytes of JSON are read`)
  const rows = parse(path, await readFile(path, 'utf8'))
  const [first] = rows
  if (first === undefined) throw invalid(path, 'is empty', 'there has to be a sequence')
  if (first.length < 2) throw invalid(path, 'has sequences of one token', 'a loss is of a token after another')
  for (const [i, row] of rows.entries()) {
    if (row.length !== first.length) {
      throw invalid(
        path,
        `has ${row.length} tokens in sequence ${i}`,
        `the first one has ${first.length}, and all are equally long`,
      )
    }
    const wrong = row.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabulary))
    if (wrong !== undefined) {
      throw invalid(
        path,
        `has ${JSON.stringify(wrong)} in sequence ${i}`,
        `a token is a whole number below ${vocabulary}`,
      )
    }
  }
  const sequences = rows.map((row) => Uint32Array.from(row))
  return inMemory(sequences)
}

export function inMemory(sequences: readonly Uint32Array[]): SequenceSource {
  return {
    count: sequences.length,
    places: sequences[0]?.length ?? 0,
    read: async (places) => places.map((place) => sequences[place] as Uint32Array),
    close: async () => undefined,
  }
}

/** Tokens one after the other in a file, four bytes each; a sequence begins where the one before it ends. */
export async function openPacked(path: string, places: number): Promise<SequenceSource> {
  const file = await open(path)
  const { size } = await file.stat()
  return {
    count: Math.floor(size / TOKEN_BYTES / places),
    places,
    read: (wanted) => Promise.all(wanted.map((place) => readAt(file, place * places, places))),
    close: () => file.close(),
  }
}

async function readAt(file: FileHandle, first: number, count: number): Promise<Uint32Array> {
  const tokens = new Uint32Array(count)
  await file.read(new Uint8Array(tokens.buffer), 0, tokens.byteLength, first * TOKEN_BYTES)
  return tokens
}

/** Some of a source, by their places in it. */
export function someOf(source: SequenceSource, first: number, count: number): SequenceSource {
  return { ...source, count, read: (places) => source.read(places.map((place) => first + place)) }
}

function parse(path: string, text: string): readonly (readonly number[])[] {
  try {
    const json: unknown = JSON.parse(text)
    if (Array.isArray(json) && json.every(Array.isArray)) return json as number[][]
  } catch (cause) {
    throw invalid(path, 'is not JSON', String(cause))
  }
  throw invalid(path, 'is no array of arrays', 'it should look like [[1, 2, 3], [4, 5, 6]]')
}

const invalid = (path: string, what: string, why: string): NodeError =>
  new NodeError('DATA_INVALID', { what: `${path} ${what}`, why, data: { path } })
