import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Encoder, openEncoder, packText } from '../../../src/gpu/data/pack.ts'
import { openPacked, openTokens, someOf } from '../../../src/gpu/data/sequences.ts'

const GENESIS = join(import.meta.dirname, '..', '..', '..', 'bootstrap', 'genesis')
/** A token a character, and 0 between documents. */
const LETTERS: Encoder = { encode: (text) => Array.from(text, (letter) => letter.codePointAt(0) ?? 0), end: 0 }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wheelwright-data-'))
})
afterEach(() => rm(folder, { recursive: true }))

const write = (name: string, text: string) => writeFile(join(folder, name), text)
async function packed(places: number, ...paths: readonly string[]): Promise<readonly string[]> {
  const out = join(folder, 'out.bin')
  await packText(
    paths.map((path) => join(folder, path)),
    LETTERS,
    out,
  )
  const source = await openPacked(out, places)
  const sequences = await source.read(Array.from({ length: source.count }, (_, i) => i))
  await source.close()
  return sequences.map((tokens) => String.fromCodePoint(...tokens).replaceAll('\0', '|'))
}

describe('text becomes sequences', () => {
  test('of files, of lines of JSON, and of folders in the order of names; what is left over is left out', async () => {
    await mkdir(join(folder, 'sub'))
    await write('sub/b.txt', 'second')
    await write('sub/a.jsonl', '{"text":"one"}\n\n{"content":"two"}\n"three"\n')
    await write('sub/ignored.png', 'no text')
    await write('first.txt', 'first')
    expect((await packed(4, 'first.txt', 'sub')).join('')).toBe('first|one|two|three|second'.slice(0, 24))
  })

  test('of a file that is longer than a piece, with nothing lost at the cuts', async () => {
    const text = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('')
    await write('long.txt', text)
    expect((await packed(100, 'long.txt')).join('')).toBe(text.slice(0, Math.floor((text.length + 1) / 100) * 100))
  })

  test('a line without text is named', async () => {
    await write('bad.jsonl', '{"text":"one"}\n{"title":"two"}\n')
    await expect(packed(4, 'bad.jsonl')).rejects.toThrow('line 2')
  })

  test('a file that is not there is named', async () => {
    await expect(packed(4, 'nowhere.txt')).rejects.toThrow('nowhere.txt')
  })
})

test('the tokens of the genesis model are bytes', async () => {
  const { encode } = await openEncoder(GENESIS)
  const text = 'Tab\t, line\n, "größer", 🙂.'
  expect(encode(text)).toEqual([...new TextEncoder().encode(text)])
})

describe('tokens from JSON', () => {
  test('are read by their places, and a part of them is a source of its own', async () => {
    await write('t.json', '[[1,2,3],[4,5,6],[7,8,9]]')
    const source = await openTokens(join(folder, 't.json'), 10)
    expect([source.count, source.places]).toEqual([3, 3])
    expect((await someOf(source, 1, 2).read([1, 0])).map((row) => [...row])).toEqual([
      [7, 8, 9],
      [4, 5, 6],
    ])
  })

  test.each([
    ['[[1,2],[3]]', 'has 1 tokens in sequence 1'],
    ['[[1,10]]', 'has 10 in sequence 0'],
    ['[[1,1.5]]', 'has 1.5 in sequence 0'],
    ['[[1,-1]]', 'has -1 in sequence 0'],
    ['[[1]]', 'one token'],
    ['[]', 'is empty'],
    ['{}', 'no array of arrays'],
    ['[[1,2]', 'is not JSON'],
  ])('%s is refused: %s', async (text, said) => {
    await write('t.json', text)
    await expect(openTokens(join(folder, 't.json'), 10)).rejects.toThrow(said)
  })
})
