/**
 * Text → packed tokens, of files of any size: read in pieces, tokenised, appended to one file. Documents follow one another
 * with the model's end-of-text token between them, so that every place of a sequence is worth training on.
 */
import { createReadStream } from 'node:fs'
import { open, readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Tokenizer } from '@huggingface/tokenizers'
import { NodeError } from '../../errors.ts'

export type Encoder = {
  readonly encode: (text: string) => readonly number[]
  /** Between documents; `null` where the tokenizer has no such token. */
  readonly end: number | null
}

/** Characters that are tokenised at once, to the end of a line: enough for speed, few enough for memory. */
const PIECE_CHARS = 64 * 1024
const EXTENSIONS = ['.txt', '.md', '.text', '.jsonl']

/** `tokenizer.json` of a model's directory, as `transformers` writes it. */
export async function openEncoder(directory: string): Promise<Encoder> {
  const json = async (name: string): Promise<Readonly<Record<string, unknown>> | null> => {
    const text = await readFile(join(directory, name), 'utf8').catch(() => null)
    if (text === null) return null
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new NodeError('MODEL_MALFORMED', { what: `${name} is not JSON`, why: String(cause), cause })
    }
  }
  const tokenizer = await json('tokenizer.json')
  if (tokenizer === null) {
    throw new NodeError('MODEL_MALFORMED', {
      what: 'the model has no tokenizer.json',
      why: 'text has to become tokens',
      remedy: 'Put the tokenizer.json of the model into its directory, or give tokens with --tokens.',
    })
  }
  const config = (await json('tokenizer_config.json')) ?? {}
  const built = new Tokenizer(tokenizer, config)
  const end = config['eos_token']
  const name = typeof end === 'object' && end !== null && 'content' in end ? end.content : end
  return {
    encode: (text) => built.encode(text, { add_special_tokens: false }).ids,
    end: typeof name === 'string' ? (built.token_to_id(name) ?? null) : null,
  }
}

/** Files and folders of text and JSONL, into `out`. Whole under its name or not at all. */
export async function packText(
  paths: readonly string[],
  encoder: Encoder,
  out: string,
): Promise<{ readonly tokens: number }> {
  const aside = `${out}.part`
  const file = await open(aside, 'w')
  let tokens = 0
  try {
    for await (const ids of encoded(paths, encoder)) {
      await file.write(new Uint8Array(Uint32Array.from(ids).buffer))
      tokens += ids.length
    }
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(aside, out)
  return { tokens }
}

async function* encoded(paths: readonly string[], { encode, end }: Encoder): AsyncGenerator<readonly number[]> {
  for await (const path of filesOf(paths)) {
    for await (const { text, isLast } of path.endsWith('.jsonl') ? documentsOf(path) : piecesOf(path)) {
      yield encode(text)
      if (isLast && end !== null) yield [end]
    }
  }
}

async function* filesOf(paths: readonly string[]): AsyncGenerator<string> {
  for (const path of paths) {
    const found = await stat(path).catch((cause: Error) => {
      throw new NodeError('FILE_UNREADABLE', { what: `cannot read ${path}`, why: cause.message, cause })
    })
    if (!found.isDirectory()) yield path
    else {
      const names = (await readdir(path, { recursive: true })).toSorted()
      for (const name of names) if (EXTENSIONS.some((extension) => name.endsWith(extension))) yield join(path, name)
    }
  }
}

type Piece = { readonly text: string; readonly isLast: boolean }

/** A text file in pieces that end with a line; a line of any length is one piece. */
async function* piecesOf(path: string): AsyncGenerator<Piece> {
  let held = ''
  for await (const chunk of createReadStream(path, 'utf8')) {
    held += chunk
    const cut = held.lastIndexOf('\n') + 1
    if (held.length < PIECE_CHARS || cut === 0) continue
    yield { text: held.slice(0, cut), isLast: false }
    held = held.slice(cut)
  }
  yield { text: held, isLast: true }
}

/** A document a line: an object with `text` or `content`, or a string. */
async function* documentsOf(path: string): AsyncGenerator<Piece> {
  let number = 0
  for await (const line of createInterface({
    input: createReadStream(path, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number++
    if (line.trim() === '') continue
    const text = textOf(line)
    if (text === null) {
      throw new NodeError('DATA_INVALID', {
        what: `${path}, line ${number}, holds no text`,
        why: 'a line of JSONL is an object with a field `text` or `content`',
        data: { path, line: number },
      })
    }
    yield { text, isLast: true }
  }
}

function textOf(line: string): string | null {
  try {
    const json: unknown = JSON.parse(line)
    if (typeof json === 'string') return json
    const { text, content } = json as { readonly text?: unknown; readonly content?: unknown }
    return typeof text === 'string' ? text : typeof content === 'string' ? content : null
  } catch {
    return null
  }
}
