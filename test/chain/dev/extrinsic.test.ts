import { TypeRegistry } from '@polkadot/types'
import { Metadata } from '@polkadot/types/metadata'
import { expect, test } from 'vitest'
import {
  decodeExtrinsic,
  encodeInherent,
  type Signed,
  signedPayload,
  verifySignature,
} from '../../../src/chain/dev/extrinsic.ts'
import { ScaleError } from '../../../src/chain/dev/scale-io.ts'
import { hexBytes, toHex } from '../../../src/util/bytes.ts'
import { ALICE, alice, BOB, createTestChain, edith, keyOf, remark, sign, transferOf, withLength } from './world.ts'

const { chain } = createTestChain()
const { runtime } = chain
const signedOf = (bytes: Uint8Array): Signed => decodeExtrinsic(bytes, runtime).signed ?? expect.fail('it is signed')
const implied = { specVersion: 425, genesisHash: chain.hashOf(0) as string, birthHash: chain.hashOf(0) as string }

test('what was encoded is decoded', () => {
  const bytes = sign(chain, alice, transferOf(BOB, 5n), { nonce: 3, tip: 7n, era: { period: 64, phase: 0 } })
  const { call, signed, hash } = decodeExtrinsic(bytes, runtime)
  expect(call).toEqual(transferOf(BOB, 5n))
  expect(signed).toMatchObject({ nonce: 3, tip: 7n, era: { period: 64, phase: 0 }, wantsMetadataHash: false })
  expect(signed?.address).toEqual({ type: 'Id', value: ALICE })
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
})

test('a client makes the same bytes and signs the same payload', () => {
  const registry = new TypeRegistry()
  registry.setMetadata(new Metadata(registry, `0x${toHex(runtime.metadata(425).v15)}`))
  const call = registry.createType('Call', runtime.codecs.encode('RuntimeCall', transferOf(BOB, 5n)))
  const theirs = registry.createType('Extrinsic', { method: call }, { version: 4 })
  const genesisHash = `0x${chain.hashOf(0)}`
  theirs.sign(alice, {
    blockHash: genesisHash,
    genesisHash,
    nonce: 9,
    tip: 3,
    runtimeVersion: { specVersion: 425, transactionVersion: 1 },
  } as never)
  const signed = signedOf(theirs.toU8a())
  const ours = signedOf(sign(chain, alice, transferOf(BOB, 5n), { nonce: 9, tip: 3n }))
  expect(toHex(signed.extraBytes)).toBe(toHex(ours.extraBytes))
  expect(toHex(signed.callBytes)).toBe(toHex(ours.callBytes))
  expect(verifySignature(ALICE, signed.signature, signedPayload(signed, implied, runtime))).toBe(true)
})

test.each([
  ['sr25519', alice],
  ['ed25519', edith],
] as const)('signatures of %s are verified', (_, pair) => {
  const signed = signedOf(sign(chain, pair, remark()))
  const payload = signedPayload(signed, implied, runtime)
  expect(verifySignature(keyOf(pair), signed.signature, payload)).toBe(true)
  expect(verifySignature(BOB, signed.signature, payload)).toBe(false)
  expect(
    verifySignature(keyOf(pair), signed.signature, signedPayload(signed, { ...implied, specVersion: 1 }, runtime)),
  ).toBe(false)
})

test('a long payload is hashed before it is signed', () => {
  const signed = signedOf(sign(chain, alice, remark('x'.repeat(500))))
  const payload = signedPayload(signed, implied, runtime)
  expect(payload).toHaveLength(32)
  expect(verifySignature(ALICE, signed.signature, payload)).toBe(true)
})

test('no signature of ecdsa is accepted, and no point that is none', () => {
  const payload = new Uint8Array(32)
  expect(verifySignature(ALICE, { type: 'Ecdsa', value: new Uint8Array(65) }, payload)).toBe(false)
  expect(verifySignature('ff'.repeat(32), { type: 'Sr25519', value: new Uint8Array(64) }, payload)).toBe(false)
  expect(verifySignature('ff'.repeat(32), { type: 'Ed25519', value: new Uint8Array(64) }, payload)).toBe(false)
})

test('an inherent is a transaction that nobody signed', () => {
  const set = { pallet: 'Timestamp', name: 'set', args: { now: 123n } }
  expect(decodeExtrinsic(encodeInherent(set, runtime), runtime)).toMatchObject({ call: set, signed: null })
})

const good = sign(chain, alice, remark())
const malformed: [why: string, bytes: Uint8Array, words: string][] = [
  ['nothing', new Uint8Array(), 'not enough data'],
  ['a length that is too short', good.subarray(0, -1), 'not enough data'],
  ['bytes behind it', Uint8Array.from([...good, 0]), 'Invalid length prefix'],
  ['version 5', withLength(Uint8Array.of(0x85, 0)), 'Invalid transaction version'],
  ['bytes behind the call', withLength(good.subarray(2), Uint8Array.of(0)), 'still data left'],
  ['a pallet that is not there', withLength(Uint8Array.of(4, 200, 0)), 'no such pallet'],
  ['a call that is not there', withLength(Uint8Array.of(4, 5, 200)), 'no such pallet, or nothing in it'],
]
test.each(malformed)('%s is refused', (_, bytes, words) => {
  expect(() => decodeExtrinsic(bytes, runtime)).toThrow(ScaleError)
  expect(() => decodeExtrinsic(bytes, runtime)).toThrow(words)
})

test('calls may be nested, but not without end', () => {
  const nested = (depth: number) => withLength(Uint8Array.of(4), hexBytes('0b0004'.repeat(depth)), hexBytes('000000'))
  expect(decodeExtrinsic(nested(200), runtime).call.pallet).toBe('Utility')
  expect(() => decodeExtrinsic(nested(300), runtime)).toThrow('nested too deeply')
})
