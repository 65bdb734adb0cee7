import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  accessOf,
  type KeyMaterial,
  materialOfPhrase,
  materialOfSeed,
  newPhrase,
  printKey,
  printPublicKey,
  readKey,
  readPublicKey,
} from '../../src/chain/wallet-key.ts'
import { verifySr25519 } from '../../src/protocol/envelope.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { FIXTURE, textOf } from './wallet-stage.ts'

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })
const message = utf8('wheelwright/test/v1\na message')

function materialOf(text: string): KeyMaterial {
  const read = readKey(text)
  if (read.is !== 'key') throw new Error(read.why)
  return read.material
}
const whyOf = (text: string) => {
  const read = readKey(text)
  return read.is === 'key' ? 'key' : `${read.is}: ${read.why}`
}
const plain = JSON.parse(textOf('golden/hotkeys/plain')) as Record<string, unknown>
const changed = (change: Record<string, unknown>) => JSON.stringify({ ...plain, ...change })

test.each(['golden/hotkeys/plain', 'open/hotkeys/path', 'open/hotkeys/seed', 'open/coldkey'])(
  '%s of another implementation signs for its address',
  (name) => {
    const { address, publicKey, sign } = accessOf(materialOf(textOf(name)))
    expect(address).toBe(JSON.parse(textOf(name)).ss58Address)
    expect(verifySr25519(toHex(publicKey), message, sign(message))).toBe(true)
  },
)

test('each of private key, seed and phrase alone gives the same key and the same macs', () => {
  const mac = toHex(accessOf(materialOf(JSON.stringify(plain))).mac(message))
  const fields = ['privateKey', 'secretSeed', 'secretPhrase']
  for (const kept of fields) {
    const others = Object.fromEntries(fields.filter((field) => field !== kept).map((field) => [field, null]))
    expect(toHex(accessOf(materialOf(changed(others))).mac(message)), kept).toBe(mac)
  }
})

test('a phrase gives the key that another implementation makes of it, however it is spaced', () => {
  const spaced = `  ${FIXTURE.hotPhrase.replaceAll(' ', '  \n')}\n`
  expect(materialOfPhrase(spaced)).toEqual(materialOf(textOf('golden/hotkeys/plain')))
})

test('what we print has the private key as the other implementation prints it', () => {
  const printed = JSON.parse(printKey(materialOf(textOf('golden/hotkeys/plain'))))
  const { cryptoType: _, ...fields } = plain
  expect(printed).toEqual(fields)
})

test('what is printed is read back', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const material = materialOfSeed(seed)
      expect(materialOf(printKey(material))).toEqual(material)
      expect(readPublicKey(printPublicKey(material.publicKey))).toBe(toHex(material.publicKey))
    }),
    { numRuns: 20 },
  )
})

test('new phrases have twelve words, make keys, and differ', () => {
  const [one, other] = [newPhrase(), newPhrase()]
  expect(one.split(' ')).toHaveLength(12)
  expect(materialOfPhrase(one)).not.toBeNull()
  expect(one).not.toBe(other)
})

test.each([
  '',
  'one two three',
  'legal winner thank year wave sausage worth useful legal winner thank thank',
  '0x00',
  `${FIXTURE.hotPhrase} yellow`,
])('%j is no phrase', (text) => expect(materialOfPhrase(text)).toBeNull())

const no = { privateKey: null, secretSeed: null, secretPhrase: null }
test.each([
  ['', 'damaged: it is no key file: not a JSON object'],
  ['[]', 'damaged: it is no key file: not a JSON object'],
  ['{"secretPhrase":"legal winner', 'damaged: it is no key file: not a JSON object'],
  ['{}', 'damaged: it names no public key, or two different ones'],
  [textOf('open/hotkeys/edwards'), 'unsupported: it holds a key that is not sr25519'],
  [changed({ accountId: `0x${'00'.repeat(32)}` }), 'damaged: it names no public key, or two different ones'],
  [changed({ ss58Address: 'nonsense' }), 'damaged: it names no public key, or two different ones'],
  [changed(no), 'damaged: it holds no private key, seed or phrase that can be read'],
  [
    changed({ ...no, privateKey: `0x${'ff'.repeat(64)}` }),
    'damaged: it holds no private key, seed or phrase that can be read',
  ],
  [changed({ privateKey: `0x${'01'.repeat(64)}` }), 'damaged: its secret does not belong to its public key'],
  [changed({ ...no, secretPhrase: FIXTURE.coldPhrase }), 'damaged: its secret does not belong to its public key'],
])('a bad file %# is refused with a reason that quotes nothing', (text, why) => expect(whyOf(text)).toBe(why))

test('no text makes the reader throw', () => {
  const values = fc.oneof(fc.string(), fc.json(), fc.dictionary(fc.constantFrom(...Object.keys(plain)), fc.jsonValue()))
  fc.assert(
    fc.property(values, (value) => {
      const text = typeof value === 'string' ? value : JSON.stringify({ ...plain, ...value })
      expect(readKey(text)).toHaveProperty('is')
      readPublicKey(text)
    }),
  )
})

test('a key in hand shows no secret when it is printed', () => {
  const access = accessOf(materialOf(textOf('golden/hotkeys/plain')))
  expect(Object.keys(access).sort()).toEqual(['address', 'mac', 'publicKey', 'sign'])
})
