import { blake2b } from '@noble/hashes/blake2.js'
import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { expect, test } from 'vitest'
import { fromSs58, hotkeyShape, toSs58 } from '../../src/protocol/hotkey.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { concat, hexBytes, toHex, utf8 } from '../../src/util/bytes.ts'

const ALICE = '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY'

test.each<[who: string, address: string, hotkey: string]>([
  ['Alice', ALICE, 'd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d'],
  [
    'Bob',
    '5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty',
    '8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48',
  ],
  ['the key of zeros', '5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM', '00'.repeat(32)],
])('%s has one address and one key', (_, address, hotkey) => {
  expect(fromSs58(address)).toBe(hotkey)
  expect(toSs58(hotkey)).toBe(address)
})

/** An address of any prefix and any key, with a checksum that is right. */
const addressOf = (prefix: readonly number[], key: Uint8Array): string => {
  const body = concat(Uint8Array.from(prefix), key)
  return base58btc.baseEncode(concat(body, blake2b(concat(utf8('SS58PRE'), body), { dkLen: 64 }).slice(0, 2)))
}
const aliceKey = hexBytes(fromSs58(ALICE) ?? '')

test.each<[why: string, address: string]>([
  ['nothing', ''],
  ['a digit changed', ALICE.replace('Y', 'X')],
  ['two letters swapped', ALICE.replace('Gr', 'rG')],
  ['a letter lost', ALICE.slice(0, -1)],
  ['a letter added', `${ALICE}1`],
  ['a zero in front', `1${ALICE}`],
  ['a space in front', ` ${ALICE}`],
  ['a line end behind', `${ALICE}\n`],
  ['a letter that base58 leaves out', ALICE.replace('G', '0')],
  ['the Polkadot prefix', addressOf([0], aliceKey)],
  ['the Kusama prefix', addressOf([2], aliceKey)],
  ['a prefix of two bytes', addressOf([0x6a, 0x40], aliceKey)],
  ['a key of 31 bytes', addressOf([42], aliceKey.subarray(1))],
  ['a key of 33 bytes', addressOf([42], concat(aliceKey, Uint8Array.of(0)))],
  ['hexadecimal text', toHex(aliceKey)],
  ['ten million letters', '5'.repeat(10_000_000)],
  ['letters outside ASCII', '５GrwvaEF'],
])('%s is no address', (_, address) => expect(fromSs58(address)).toBeNull())

test('every key has one address, and no address with one letter changed is one', () => {
  const letters = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
  fc.assert(
    fc.property(key, fc.nat({ max: 46 }), fc.constantFrom(...letters), (bytes, at, letter) => {
      const address = toSs58(toHex(bytes))
      expect(fromSs58(address)).toBe(toHex(bytes))
      const other = address.slice(0, at) + letter + address.slice(at + 1)
      // The checksum has two bytes: one change in 65,536 may pass, but never as the same key.
      if (other !== address) expect(fromSs58(other)).not.toBe(toHex(bytes))
    }),
  )
})

test('a hotkey is 32 bytes on the wire and 64 digits in a file', () => {
  expect(hotkeyShape.read(aliceKey, 'hotkey', 'wire')).toBe(toHex(aliceKey))
  expect(hotkeyShape.read(toHex(aliceKey), 'hotkey', 'json')).toBe(toHex(aliceKey))
  expect(hotkeyShape.read(ALICE, 'hotkey', 'json')).toEqual(new Flaw('hotkey', 'must be 64 hex digits'))
})
