import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { EXIT } from '../../src/errors.ts'
import { createFakeIo } from './fake-io.ts'

async function run(...words: string[]) {
  const { io, texts } = createFakeIo()
  const exit = await main(['constitution', ...words], io)
  return { exit, ...texts }
}

function fileOf(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'wheelwright-')), 'subnet.json')
  writeFileSync(file, text)
  return file
}

const example = async (): Promise<string> => (await run('example')).out

test('the example is judged sound, and its name is a CID', async () => {
  const { exit, out } = await run('check', fileOf(await example()), '--json')
  expect(exit).toBe(EXIT.ok)
  expect(JSON.parse(out)).toMatchObject({ cid: expect.stringMatching(/^bafy/) })
})

test.each([
  ['a window of no block', (text: string) => text.replace(/"commit": \d+/, '"commit": 0'), 'windows.commit'],
  ['a key that nobody knows', (text: string) => text.replace('"version"', '"verzion": 1, "version"'), 'verzion'],
  ['a key that is missing', (text: string) => text.replace(/"version": \d+,/, ''), 'version'],
  ['a key that comes twice', (text: string) => text.replace('"version"', '"version": 1, "version"'), 'comes twice'],
  ['half a file', (text: string) => text.slice(0, text.length / 2), 'is not JSON'],
])('%s is one error that names it', async (_, spoil, named) => {
  const { exit, out, err } = await run('check', fileOf(spoil(await example())))
  expect([exit, out]).toEqual([EXIT.input, ''])
  expect(err).toContain('(CONSTITUTION_INVALID)')
  expect(err.split('\n')[0]).toContain(named)
})

test('a file that is not there is told as such', async () => {
  const { err } = await run('check', join(tmpdir(), 'wheelwright-nothing', 'here.json'))
  expect(err).toContain('(FILE_UNREADABLE)')
})
