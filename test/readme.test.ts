import { expect, test } from 'vitest'
import { readReadme, renderReadme } from './readme.ts'

test('the README shows what the command prints and how long the files are (else: node test/readme.ts)', async () => {
  expect(readReadme()).toBe(await renderReadme())
}, 60_000)
