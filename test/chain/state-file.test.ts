import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openJournal } from '../../src/chain/journal.ts'
import { readIfThere, replaceFile } from '../../src/chain/state-file.ts'
import { expectCode } from '../contracts/harness.ts'

const freshDir = (): string => mkdtempSync(join(tmpdir(), 'wheelwright-state-'))

test('what was replaced is read whole, and nothing else is left beside it', async () => {
  const dir = freshDir()
  const path = join(dir, 'deep', 'file')
  expect(await readIfThere(path)).toBe(null)
  await replaceFile(path, 'one')
  await replaceFile(path, 'two')
  expect(await readIfThere(path)).toBe('two')
  expect(readdirSync(join(dir, 'deep'))).toEqual(['file'])
})

test('a file that cannot be read is not taken for an empty one, and is not written over', async () => {
  const path = join(freshDir(), 'journal')
  mkdirSync(path)
  await expectCode(readIfThere(path), 'FILE_UNREADABLE')
  await expectCode(openJournal(path), 'FILE_UNREADABLE')
})
