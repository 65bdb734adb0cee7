import { existsSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createKeys, openPeerKey } from '../../src/chain/peer-key.ts'
import { createKey, inspectKey, isWalletName, listWallets, openKey, readPublic } from '../../src/chain/wallet.ts'
import { readPublicKey } from '../../src/chain/wallet-key.ts'
import { expectCode } from '../contracts/harness.ts'
import { describeKeysContract } from '../contracts/keys.ts'
import { FIXTURE, fileOf, freshDir, place, put, quickKdf, textOf, walletDir } from './wallet-stage.ts'

const unlock = (password: string) => ({ password: async () => password, kdf: quickKdf })
const NOBODY = {
  password: async () => {
    throw new Error('nobody was to be asked')
  },
}

describeKeysContract('of a wallet', async () => {
  const dir = walletDir()
  const open = async () => {
    const peer = await openPeerKey(join(dir, 'peer'))
    return { peer, keys: createKeys(await openKey(place(dir, 'golden', 'plain'), 'hotkey', NOBODY), peer) }
  }
  const { peer, keys } = await open()
  return { keys, peerId: peer.peerId, again: async () => (await open()).keys, close: async () => undefined }
})

test('plain keys are opened without a password', async () => {
  const dir = walletDir()
  const expected = { coldkey: 'open/coldkeypub.txt', hotkey: 'open/hotkeys/pathpub.txt' }
  for (const role of ['coldkey', 'hotkey'] as const) {
    const { address } = await openKey(place(dir, 'open', 'path'), role, NOBODY)
    expect(address).toBe(JSON.parse(textOf(expected[role])).ss58Address)
  }
})

test('an encrypted coldkey is opened with its password and with no other', async () => {
  const golden = place(walletDir(), 'golden', 'plain')
  const { address } = await openKey(golden, 'coldkey', unlock(FIXTURE.password))
  expect(address).toBe(JSON.parse(textOf('golden/coldkeypub.txt')).ss58Address)
  await expectCode(openKey(golden, 'coldkey', unlock('another password')), 'WALLET_LOCKED')
})

test.each([
  '',
  '.',
  '..',
  '../open',
  'a/b',
  'a\\b',
  '.hidden',
  'a\0b',
  'a\nb',
  'a\u202eb',
  'xpub.txt',
  'x'.repeat(101),
])('%j is no name, of a wallet nor of a hotkey', async (name) => {
  const dir = walletDir()
  expect(isWalletName(name)).toBe(false)
  await expectCode(openKey(place(dir, name, 'plain'), 'hotkey', NOBODY), 'WALLET_NAME_INVALID')
  await expectCode(createKey(place(dir, 'golden', name), 'hotkey', { password: null }), 'WALLET_NAME_INVALID')
})

test.each(['default', 'my wallet', 'Ünï', 'a.b', '-', 'x'.repeat(100)])('%j is a name', (name) =>
  expect(isWalletName(name)).toBe(true),
)

test.each([
  ['an Ansible vault', '$ANSIBLE_VAULT;1.1;AES256\n3132', 'WALLET_UNSUPPORTED'],
  ['a Fernet token', 'gAAAAABjYWJj', 'WALLET_UNSUPPORTED'],
  ['an Ed25519 key', textOf('open/hotkeys/edwards'), 'WALLET_UNSUPPORTED'],
  ['a torn box', fileOf('golden/coldkey').slice(0, 45), 'WALLET_DAMAGED'],
  ['an empty file', '', 'WALLET_DAMAGED'],
  ['half a file', textOf('golden/hotkeys/plain').slice(0, 300), 'WALLET_DAMAGED'],
] as const)('%s is refused by name, and nothing of it is repeated', async (_, content, code) => {
  const dir = walletDir()
  put(join(dir, 'open', 'hotkeys', 'bad'), content)
  const bad = place(dir, 'open', 'bad')
  const error = await openKey(bad, 'hotkey', unlock('p')).catch((each) => each)
  expect(error).toMatchObject({ name: 'NodeError', code })
  expect(error.cause).toBeUndefined()
  const told = JSON.stringify([error, error.message, error.stack])
  for (const secret of [FIXTURE.hotPhrase, 'legal winner', '3132', 'YWJj']) expect(told).not.toContain(secret)
  expect(await inspectKey(bad, 'hotkey')).toMatchObject({ secret: 'unusable' })
})

test('what is not there, and what others may read, is said before a password is asked for', async () => {
  const dir = walletDir()
  await expectCode(openKey(place(dir, 'nobody', 'plain'), 'coldkey', NOBODY), 'WALLET_MISSING')
  await expectCode(openKey(place(dir, 'golden', 'nobody'), 'hotkey', NOBODY), 'WALLET_MISSING')
  put(join(dir, 'golden', 'coldkey'), fileOf('golden/coldkey'), 0o644)
  await expectCode(openKey(place(dir, 'golden', 'plain'), 'coldkey', NOBODY), 'WALLET_EXPOSED')
})

test('a hotkey that is a link to another key is not used', async () => {
  const dir = walletDir()
  symlinkSync(join(dir, 'golden', 'hotkeys', 'plain'), join(dir, 'open', 'hotkeys', 'link'))
  await expectCode(openKey(place(dir, 'open', 'link'), 'hotkey', NOBODY), 'WALLET_EXPOSED')
})

test('a new key is opened again, has its public file, and is never overwritten', async () => {
  const fresh = place(freshDir(), 'new', 'first')
  const made = await createKey(fresh, 'hotkey', { password: null })
  const { publicKey } = await openKey(fresh, 'hotkey', NOBODY)
  expect(publicKey).toEqual(made.publicKey)
  expect(statSync(made.path).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(fresh.dir, 'new', 'hotkeys')).sort()).toEqual(['first', 'firstpub.txt'])
  await expectCode(createKey(fresh, 'hotkey', { password: null }), 'WALLET_EXISTS')
  expect((await openKey(fresh, 'hotkey', NOBODY)).publicKey).toEqual(publicKey)
})

test('a new coldkey is encrypted under its password', async () => {
  const fresh = place(freshDir(), 'new', 'first')
  const made = await createKey(fresh, 'coldkey', { password: FIXTURE.password }, quickKdf)
  expect((await openKey(fresh, 'coldkey', unlock(FIXTURE.password))).publicKey).toEqual(made.publicKey)
  expect(await inspectKey(fresh, 'coldkey')).toMatchObject({ secret: 'encrypted', problem: null })
})

test('a phrase restores the key of another implementation', async () => {
  const fresh = place(freshDir(), 'again', 'plain')
  await createKey(fresh, 'hotkey', { phrase: FIXTURE.hotPhrase, password: null })
  expect(await readPublic(fresh, 'hotkey')).toBe(readPublicKey(textOf('golden/hotkeys/plain')))
  await expectCode(createKey(place(fresh.dir, 'x', 'y'), 'hotkey', { phrase: 'no', password: null }), 'USAGE')
})

test('a secret is restored beside its own public file, and not beside that of another', async () => {
  const dir = walletDir()
  const golden = place(dir, 'golden', 'plain')
  const key = { phrase: FIXTURE.hotPhrase, password: null }
  rmSync(join(dir, 'golden', 'hotkeys', 'plain'))
  expect(await inspectKey(golden, 'hotkey')).toMatchObject({ secret: 'absent', problem: null })
  await createKey(golden, 'hotkey', key)
  expect(await inspectKey(golden, 'hotkey')).toMatchObject({ secret: 'plain', problem: null })
  rmSync(join(dir, 'open', 'hotkeys', 'path'))
  await expectCode(createKey(place(dir, 'open', 'path'), 'hotkey', key), 'WALLET_EXISTS')
  expect(existsSync(join(dir, 'open', 'hotkeys', 'path'))).toBe(false)
})

test('a public file that names another key than the one that signs is a problem', async () => {
  const dir = walletDir()
  put(join(dir, 'golden', 'hotkeys', 'plainpub.txt'), textOf('open/hotkeys/pathpub.txt'))
  const { problem } = await inspectKey(place(dir, 'golden', 'plain'), 'hotkey')
  expect(problem).toMatchObject({ code: 'WALLET_DAMAGED' })
})

test('a key file of older tools, without a public file, tells its address', async () => {
  const dir = walletDir()
  rmSync(join(dir, 'golden', 'hotkeys', 'plainpub.txt'))
  const state = await inspectKey(place(dir, 'golden', 'plain'), 'hotkey')
  expect(state).toMatchObject({ publicKey: readPublicKey(textOf('golden/hotkeys/plain')), problem: null })
})

test('wallets are listed in order, with hotkeys of which one half is here', async () => {
  const dir = walletDir()
  writeFileSync(join(dir, 'a-file'), '')
  put(join(dir, '.hidden', 'coldkey'), '')
  rmSync(join(dir, 'open', 'hotkeys', 'seed'))
  expect(await listWallets(dir)).toEqual([
    { wallet: 'golden', hotkeys: ['plain'] },
    { wallet: 'open', hotkeys: ['edwards', 'path', 'seed'] },
  ])
  expect(await listWallets(join(dir, 'nothing'))).toEqual([])
})
