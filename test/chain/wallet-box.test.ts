import { expect, test } from 'vitest'
import { encryptionOf, isTorn, seal, unseal } from '../../src/chain/wallet-box.ts'
import { readPublicKey } from '../../src/chain/wallet-key.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { FIXTURE, fileOf, quickKdf, textOf } from './wallet-stage.ts'

const coldkey = fileOf('golden/coldkey')

test('a coldkey that another implementation encrypted is opened', async () => {
  const text = await unseal(coldkey, FIXTURE.password, quickKdf)
  expect(readPublicKey(text as string)).toBe(readPublicKey(textOf('golden/coldkeypub.txt')))
})

test('a wrong password and a changed byte open nothing', async () => {
  expect(await unseal(coldkey, 'another', quickKdf)).toBeNull()
  const changed = coldkey.slice()
  changed[100] = 1 ^ (changed[100] as number)
  expect(await unseal(changed, FIXTURE.password, quickKdf)).toBeNull()
})

test('what is sealed is unsealed, and never twice the same bytes', async () => {
  const [one, other] = [await seal('a text', 'p', quickKdf), await seal('a text', 'p', quickKdf)]
  expect(await unseal(one, 'p', quickKdf)).toBe('a text')
  expect(one).not.toEqual(other)
  expect(encryptionOf(one)).toBe('nacl')
  expect(isTorn(one)).toBe(false)
  expect(isTorn(one.slice(0, 40))).toBe(true)
})

test.each([
  ['', 'none'],
  ['{"accountId":', 'none'],
  ['$NACL', 'nacl'],
  ['$ANSIBLE_VAULT;1.1;AES256', 'outdated'],
  ['gAAAAABj', 'outdated'],
])('%j is recognised as %s', (text, encryption) => expect(encryptionOf(utf8(text))).toBe(encryption))
