import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { main } from '../../src/cli/main.ts'
import { readNewPassword, readPassword } from '../../src/cli/wallet-open.ts'
import { FIXTURE, freshDir, put, textOf, walletDir } from '../chain/wallet-stage.ts'
import { expectCode } from '../contracts/harness.ts'
import { createFakeIo } from './fake-io.ts'

async function wallet(dir: string, line: string, { isTTY = false, env = {} as Io['env'] } = {}) {
  const { io, texts } = createFakeIo({ isTTY, env })
  const code = await main(['wallet', ...line.split(' '), '--wallet-dir', dir], io)
  return { code, ...texts, all: texts.out + texts.err }
}
const phraseIn = (dir: string, file: string): string =>
  JSON.parse(readFileSync(join(dir, file), 'utf8')).secretPhrase as string

test('a new wallet shows its phrases on a terminal, and only there', async () => {
  for (const [flags, isTTY, isShown] of [
    ['--plain', true, true],
    ['--plain', false, false],
    ['--plain --json', true, false],
    ['--plain --show-mnemonic', false, true],
    ['--plain --json --show-mnemonic', false, true],
  ] as const) {
    const dir = freshDir()
    const { code, all } = await wallet(dir, `new ${flags}`, { isTTY })
    expect(code).toBe(0)
    for (const file of ['default/coldkey', 'default/hotkeys/default']) {
      expect(all.includes(phraseIn(dir, file)), `${flags} ${isTTY}`).toBe(isShown)
    }
  }
})

test('a new wallet is what list and show then tell, as text and as JSON', async () => {
  const dir = freshDir()
  const made = JSON.parse((await wallet(dir, 'new --wallet w --hotkey h --plain --json')).out)
  const { coldkey, hotkey } = made.keys
  const key = ({ address, publicKey }: typeof hotkey) => ({ address, publicKey, secret: 'plain' })
  expect(JSON.parse((await wallet(dir, 'list --json')).out)).toEqual({
    wallet: 'w',
    coldkey: key(coldkey),
    hotkeys: [{ name: 'h', ...key(hotkey) }],
  })
  expect(JSON.parse((await wallet(dir, 'show --wallet w --hotkey h --json')).out)).toEqual({
    wallet: 'w',
    hotkeyName: 'h',
    coldkey: key(coldkey),
    hotkey: key(hotkey),
  })
  for (const line of ['list', 'show --wallet w --hotkey h']) {
    const { out } = await wallet(dir, line)
    expect(out).toContain(coldkey.address)
    expect(out).toContain(hotkey.address)
  }
})

test('nothing that looks at wallets tells a secret', async () => {
  const dir = walletDir()
  for (const line of [
    'list',
    'list --json',
    'show --wallet open --hotkey path',
    'show --wallet golden --hotkey plain',
  ]) {
    const { code, all } = await wallet(dir, line)
    expect(code).toBe(0)
    for (const file of ['golden/hotkeys/plain', 'open/coldkey', 'open/hotkeys/path']) {
      const { privateKey, secretSeed, secretPhrase } = JSON.parse(textOf(file))
      for (const secret of [privateKey, secretSeed, secretPhrase]) {
        if (secret !== undefined) expect(all).not.toContain(secret.replace('0x', ''))
      }
    }
  }
})

test('the list goes on past a key that cannot be used, and show fails with it', async () => {
  const dir = walletDir()
  put(join(dir, 'golden', 'hotkeys', 'plain'), textOf('golden/hotkeys/plain'), 0o644)
  const list = await wallet(dir, 'list')
  expect(list.code).toBe(0)
  expect(list.out).toContain('WALLET_EXPOSED')
  expect(list.out).toContain('WALLET_UNSUPPORTED')
  const show = await wallet(dir, 'show --wallet golden --hotkey plain')
  expect(show.code).toBe(4)
  expect(show.err).toContain('chmod 600')
  expect((await wallet(dir, 'show --wallet golden --hotkey nobody')).code).toBe(3)
  expect((await wallet(join(dir, 'none'), 'list')).err).toContain('there are no wallets')
})

test('a machine without the coldkey has hotkeys all the same', async () => {
  const dir = freshDir()
  const made = await wallet(dir, 'new --hotkey-only --json')
  expect(made.code).toBe(0)
  expect(Object.keys(JSON.parse(made.out).keys)).toEqual(['hotkey'])
  expect(existsSync(join(dir, 'default', 'coldkey'))).toBe(false)
  expect((await wallet(dir, 'show --wallet default')).out).toContain('coldkey  not here')
})

test('phrases from files restore both keys', async () => {
  const dir = freshDir()
  const words = { cold: join(dir, 'cold.txt'), hot: join(dir, 'hot.txt') }
  put(words.cold, `${FIXTURE.coldPhrase}\n`)
  put(words.hot, `${FIXTURE.hotPhrase}\n`)
  const line = `new --wallet golden --hotkey plain --plain --json --coldkey-phrase ${words.cold} --hotkey-phrase ${words.hot}`
  const { keys } = JSON.parse((await wallet(dir, line)).out)
  expect(keys.coldkey.address).toBe(JSON.parse(textOf('golden/coldkeypub.txt')).ss58Address)
  expect(keys.hotkey.address).toBe(JSON.parse(textOf('golden/hotkeys/plainpub.txt')).ss58Address)
})

test.each([
  ['--hotkey-only --plain', {}, 2, '--hotkey-only contradicts another flag'],
  ['', {}, 3, 'there is no terminal to ask on'],
  ['', { WHEELWRIGHT_PASSWORD: 'short' }, 2, 'the password is too short'],
  ['--wallet ../up --plain', {}, 3, 'WALLET_NAME_INVALID'],
  ['--plain --hotkey-phrase WORDS', {}, 2, 'the phrase makes no key'],
  ['--plain --hotkey-phrase EXPOSED', {}, 4, 'WALLET_EXPOSED'],
  ['--plain --hotkey-phrase NOTHING', {}, 3, 'WALLET_MISSING'],
])('new %s fails and writes nothing', async (flags, env, code, told) => {
  const dir = freshDir()
  put(join(dir, 'words.txt'), 'correct horse battery staple')
  put(join(dir, 'exposed.txt'), FIXTURE.hotPhrase, 0o644)
  const line = flags
    .replace('WORDS', join(dir, 'words.txt'))
    .replace('EXPOSED', join(dir, 'exposed.txt'))
    .replace('NOTHING', join(dir, 'nothing.txt'))
  const result = await wallet(dir, `new ${line}`.trim(), { env })
  expect(result.err).toContain(told)
  expect(result.code).toBe(code)
  expect(result.all).not.toContain('horse')
  expect(existsSync(join(dir, 'default'))).toBe(false)
})

test('a wallet that is there is added to, never written over', async () => {
  const dir = walletDir()
  const before = textOf('open/coldkey')
  const refused = await wallet(dir, 'new --wallet open --hotkey second --plain')
  expect(refused.code).toBe(3)
  expect(refused.err).toContain('--hotkey-only')
  expect(existsSync(join(dir, 'open', 'hotkeys', 'second'))).toBe(false)
  expect((await wallet(dir, 'new --wallet open --hotkey second --hotkey-only')).code).toBe(0)
  expect((await wallet(dir, 'new --wallet open --hotkey second --hotkey-only')).code).toBe(3)
  expect(readFileSync(join(dir, 'open', 'coldkey'), 'utf8')).toBe(before)
})

function asking(answers: readonly string[], env: Io['env'] = {}) {
  const questions: string[] = []
  const askSecret = async (question: string): Promise<string> => answers[questions.push(question) - 1] ?? ''
  return { io: { ...createFakeIo({ env }).io, askSecret }, questions }
}

test('a password comes from the file, else the environment, else the person', async () => {
  const dir = freshDir()
  const file = join(dir, 'password')
  put(file, 'from the file\n')
  const env = { WHEELWRIGHT_PASSWORD: 'from the environment' }
  expect(await readPassword({ 'password-file': file }, asking([], env).io, '?')).toBe('from the file')
  expect(await readPassword({}, asking(['typed'], env).io, '?')).toBe('from the environment')
  expect(await readPassword({}, asking(['typed']).io, '?')).toBe('typed')
  await expectCode(readPassword({}, asking(['']).io, '?'), 'WALLET_LOCKED')
  put(file, 'from the file\n', 0o644)
  await expectCode(readPassword({ 'password-file': file }, asking([]).io, '?'), 'WALLET_EXPOSED')
})

test('a new password is typed twice alike, and is not short', async () => {
  const alike = asking(['long enough', 'long enough'])
  expect(await readNewPassword({}, alike.io)).toBe('long enough')
  expect(alike.questions).toHaveLength(2)
  await expectCode(readNewPassword({}, asking(['long enough', 'long enougj']).io), 'USAGE')
  await expectCode(readNewPassword({}, asking(['short', 'short']).io), 'USAGE')
})

test.each([
  ['commit --data 00 --uri //Alice --hotkey plain', 2, '--uri and a wallet are both given'],
  ['commit --data 00 --wallet golden --hotkey nobody', 3, 'WALLET_MISSING'],
  ['stake --wallet golden --hotkey nobody', 3, 'WALLET_MISSING'],
  ['register --wallet golden --hotkey plain', 3, 'a password is needed (WALLET_LOCKED)'],
  ['commit --data 00 --uri //Alice --network wss://example.org', 2, '--uri is for local chains'],
])('chain %s fails before it connects', async (line, code, told) => {
  const { io, texts } = createFakeIo()
  const dir = line.includes('//Alice --network') ? [] : ['--wallet-dir', walletDir()]
  expect(await main(['chain', ...line.split(' '), ...dir], io)).toBe(code)
  expect(texts.err).toContain(told)
})
