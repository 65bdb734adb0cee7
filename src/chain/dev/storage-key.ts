/**
 * Where an entry of storage lies: twox128(pallet) ‖ twox128(item) ‖ the hashed keys, as lower-case hex without 0x.
 *
 * All hashers that a pallet may use keep the key behind its hash, so that the keys can be read back.
 */
import { blake2AsU8a } from '@polkadot/util-crypto/blake2'
import { xxhashAsU8a } from '@polkadot/util-crypto/xxhash'
import { concat, hexBytes, toHex, utf8 } from '../../util/bytes.ts'
import type { Hasher, StorageItem } from './define.ts'
import type { Codecs } from './scale.ts'
import { Reader } from './scale-io.ts'

export type AnyItem = StorageItem<readonly unknown[], unknown>

/** Of the prefix of an item, in hex digits. */
export const PREFIX_DIGITS = 64

export const blake2 = (bytes: Uint8Array): Uint8Array => blake2AsU8a(bytes, 256)
export const twox128 = (text: string): Uint8Array => xxhashAsU8a(utf8(text), 128)

const HASHERS: {
  readonly [H in Hasher]: { readonly hashBytes: number; readonly hash: (key: Uint8Array) => Uint8Array }
} = {
  Identity: { hashBytes: 0, hash: () => new Uint8Array() },
  Twox64Concat: { hashBytes: 8, hash: (key) => xxhashAsU8a(key, 64) },
  Blake2_128Concat: { hashBytes: 16, hash: (key) => blake2AsU8a(key, 128) },
}

export const prefixOf = (item: Pick<AnyItem, 'pallet' | 'name'>): string =>
  toHex(concat(twox128(item.pallet), twox128(item.name)))

/** Without the prefix. */
export function encodeKeys(item: AnyItem, keys: readonly unknown[], codecs: Codecs): string {
  const parts = item.keys.flatMap(({ hasher, type }, i) => {
    const key = codecs.encode(type, keys[i])
    return [HASHERS[hasher].hash(key), key]
  })
  // In one piece: what `toHex` puts together stays a chain of many small texts in memory until somebody reads it.
  return Buffer.concat(parts).toString('hex')
}

/** Back again; throws `ScaleError` when the text is no such key. */
export function decodeKeys(item: AnyItem, text: string, codecs: Codecs): readonly unknown[] {
  const reader = new Reader(hexBytes(text))
  return item.keys.map(({ hasher, type }) => {
    reader.raw(HASHERS[hasher].hashBytes)
    return codecs.codec(type).decode(reader)
  })
}
