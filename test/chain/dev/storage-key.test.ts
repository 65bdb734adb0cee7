import { Metadata, TypeRegistry } from '@polkadot/types'
import { expandMetadata } from '@polkadot/types/metadata'
import { blake2AsHex, xxhashAsHex } from '@polkadot/util-crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { item } from '../../../src/chain/dev/define.ts'
import { createDevRuntime, NO_PARTS } from '../../../src/chain/dev/index.ts'
import { Account, BlockHash } from '../../../src/chain/dev/pallet/system.ts'
import { createCodecs } from '../../../src/chain/dev/scale.ts'
import { type AnyItem, blake2, decodeKeys, encodeKeys, prefixOf, twox128 } from '../../../src/chain/dev/storage-key.ts'
import { hexBytes, toHex, utf8 } from '../../../src/util/bytes.ts'
import { ALICE } from './world.ts'

const runtime = createDevRuntime(12_000, NO_PARTS)
const { codecs } = runtime

test('hashes are those of Substrate', () => {
  expect(`0x${toHex(twox128('System'))}`).toBe(xxhashAsHex('System', 128))
  expect(`0x${toHex(blake2(utf8('x')))}`).toBe(blake2AsHex('x', 256))
})

test('keys are those that a client makes from our metadata', () => {
  const registry = new TypeRegistry()
  const metadata = new Metadata(registry, `0x${toHex(runtime.metadata(425).v15)}`)
  registry.setMetadata(metadata)
  const { query } = expandMetadata(registry, metadata)
  const { account, blockHash } = query['system'] as Record<string, (key: unknown) => Uint8Array>
  const ours = (of: AnyItem, key: unknown) => prefixOf(of) + encodeKeys(of, [key], codecs)
  expect(toHex(account?.(hexBytes(ALICE)) ?? new Uint8Array()).endsWith(ours(Account as AnyItem, ALICE))).toBe(true)
  expect(toHex(blockHash?.(77) ?? new Uint8Array()).endsWith(ours(BlockHash as AnyItem, 77))).toBe(true)
})

test('keys can be read back, whatever hashes them', () => {
  const of = item<[number, string, bigint], null>(
    'P',
    'Item',
    'Identity u16, Blake2_128Concat AccountId32, Twox64Concat u64',
    'u8',
    null,
  ) as AnyItem
  const plain = createCodecs({})
  const keys = fc.tuple(
    fc.integer({ min: 0, max: 65_535 }),
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  fc.assert(
    fc.property(keys, (given) => {
      expect(decodeKeys(of, encodeKeys(of, given, plain), plain)).toEqual(given)
    }),
  )
})
