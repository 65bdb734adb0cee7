/**
 * Documents ↔ bytes: canonical dag-cbor, and the CID of a document.
 *
 * Decoders of CBOR are lax about key order and number forms, so that one document could have two hashes. Here a document
 * is decoded, read through its shape, written again and compared: bytes that are not the canonical form of what they say
 * are malformed. No input throws.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { sha256 } from '@noble/hashes/sha2.js'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { assert } from '../util/assert.ts'
import { equalBytes, fromHex, toHex } from '../util/bytes.ts'
import { ITEMS_MAX } from './limits.ts'
import { Flaw, type Shape } from './schema.ts'

const SHA2_256 = 0x12
const RAW = 0x55
/** Kinds of CBOR values, by the first three bits. */
const [BYTES, TEXT] = [2, 3]

const written = <T>(shape: Shape<T>, value: T): Uint8Array => dagCbor.encode(shape.write(value))

/** A copy: in Node the library hands out a Buffer in memory that other code shares, and `slice` of it would be no copy. */
export function encode<T>(shape: Shape<T>, value: T): Uint8Array {
  return new Uint8Array(written(shape, value))
}

/** The value, or what is wrong with the bytes. Memory is bounded by `bytesMax` and `ITEMS_MAX`; time is linear in them. */
export function decode<T>(shape: Shape<T>, bytes: Uint8Array, bytesMax: number): T | Flaw {
  if (bytes.length > bytesMax) return new Flaw('document', `has ${bytes.length} bytes, at most ${bytesMax} are allowed`)
  if (!hasFewItems(bytes)) return new Flaw('document', `has more than ${ITEMS_MAX} values`)
  const raw = decodeCbor(bytes)
  if (raw instanceof Flaw) return raw
  const value = shape.read(raw, '', 'wire')
  if (value instanceof Flaw) return value
  if (!equalBytes(written(shape, value), bytes)) return new Flaw('document', 'is not in canonical form')
  return value
}

/**
 * Counts the values before any is built: 5 MiB of empty maps would take 300 MB. Every value begins with a head of kind
 * (three bits) and size (five bits, or the 1, 2, 4 or 8 bytes that follow), RFC 8949 §3; only bytes and text have more
 * behind it. What is no head is left to the library to refuse.
 */
function hasFewItems(bytes: Uint8Array): boolean {
  let items = 0
  for (let at = 0; at < bytes.length; items++) {
    if (items === ITEMS_MAX) return false
    const head = bytes[at++] ?? 0
    const kind = head >> 5
    const short = head & 31
    const width = short < 24 ? 0 : 1 << (short - 24)
    if (width > 8) return true
    let size = width === 0 ? short : 0
    for (let i = 0; i < width; i++) size = size * 256 + (bytes[at++] ?? 0)
    if (kind === BYTES || kind === TEXT) at += size
  }
  return true
}

/** The library throws on truncation, bad tags, duplicate keys and, on deep nesting, runs out of stack. */
function decodeCbor(bytes: Uint8Array): unknown | Flaw {
  try {
    return dagCbor.decode(bytes)
  } catch {
    return new Flaw('document', 'is not dag-cbor')
  }
}

export function cidOf(bytes: Uint8Array): string {
  return linkTo(dagCbor.code, sha256(bytes))
}

/** A block of raw bytes: the leaves of every file, and the CID of a file of at most one chunk. */
export function rawCidOf(bytes: Uint8Array): string {
  return linkTo(RAW, sha256(bytes))
}

const linkTo = (codec: number, digest: Uint8Array): string =>
  CID.createV1(codec, Digest.create(SHA2_256, digest)).toString()

/** The 32 bytes in a slot on chain stand for a document: roots and reports are always dag-cbor. */
export function digestOf(cid: string): string {
  return toHex(CID.parse(cid).multihash.digest)
}

export function cidOfDigest(digest: string): string {
  const bytes = fromHex(digest)
  assert(bytes?.length === 32, 'a digest has 32 bytes')
  return linkTo(dagCbor.code, bytes)
}

export function cidBytes(cid: string): Uint8Array {
  return CID.parse(cid).bytes
}
