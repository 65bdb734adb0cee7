import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readOpenFile, readSecretFile, writeSecretFile } from '../../src/chain/wallet-file.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { expectCode } from '../contracts/harness.ts'
import { freshDir, put } from './wallet-stage.ts'

test.each([0o600, 0o400])('mode %o is read', async (mode) => {
  const path = join(freshDir(), 'key')
  put(path, 'secret', mode)
  expect(await readSecretFile(path, 'key')).toEqual(utf8('secret'))
})

test.each([0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o777])('mode %o is refused, with the remedy', async (mode) => {
  const path = join(freshDir(), 'key')
  put(path, 'secret', mode)
  const error = await readSecretFile(path, 'key').catch((each) => each)
  expect(error).toMatchObject({ code: 'WALLET_EXPOSED', remedy: expect.stringContaining(`chmod 600 '${path}'`) })
  expect(await readOpenFile(path, 'key')).toEqual(utf8('secret'))
})

test('a folder in which everybody may replace the file is refused, unless only owners may', async () => {
  const dir = join(freshDir(), 'keys')
  put(join(dir, 'key'), 'secret')
  chmodSync(dir, 0o777)
  await expectCode(readSecretFile(join(dir, 'key'), 'key'), 'WALLET_EXPOSED')
  chmodSync(dir, 0o1777)
  expect(await readSecretFile(join(dir, 'key'), 'key')).toEqual(utf8('secret'))
})

test('links, folders, pipes and large files are not read, and what is missing is called so', async () => {
  const dir = freshDir()
  const at = (name: string) => join(dir, name)
  put(at('key'), 'secret')
  put(at('large'), new Uint8Array(20_000))
  symlinkSync(at('key'), at('link'))
  mkdirSync(at('folder'), { mode: 0o700 })
  execFileSync('mkfifo', ['-m', '600', at('pipe')])
  await expectCode(readSecretFile(at('link'), 'key'), 'WALLET_EXPOSED')
  await expectCode(readSecretFile(at('folder'), 'key'), 'WALLET_DAMAGED')
  await expectCode(readSecretFile(at('pipe'), 'key'), 'WALLET_DAMAGED')
  await expectCode(readSecretFile(at('large'), 'key'), 'WALLET_DAMAGED')
  await expectCode(readSecretFile(at('nothing'), 'key'), 'WALLET_MISSING')
  await expectCode(readSecretFile(at('key/below'), 'key'), 'WALLET_MISSING')
})

test('what is written is for its owner alone, folders too, and is never overwritten', async () => {
  const dir = join(freshDir(), 'a', 'b')
  const path = join(dir, 'key')
  await writeSecretFile(path, 'key', utf8('first'))
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(dir).mode & 0o777).toBe(0o700)
  await expectCode(writeSecretFile(path, 'key', utf8('second')), 'WALLET_EXISTS')
  expect(readFileSync(path, 'utf8')).toBe('first')
})

test('a link is not written through', async () => {
  const dir = freshDir()
  symlinkSync(join(dir, 'elsewhere'), join(dir, 'key'))
  await expectCode(writeSecretFile(join(dir, 'key'), 'key', utf8('x')), 'WALLET_EXISTS')
})

test('where nothing can be written, that is said', async () => {
  const dir = freshDir()
  put(join(dir, 'file'), '')
  await expectCode(writeSecretFile(join(dir, 'file', 'key'), 'key', utf8('x')), 'FILE_UNWRITABLE')
})
