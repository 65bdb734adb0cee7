/**
 * Which CIDs the store knows: SHA-256 in full, over a raw block, a node of a file or a document.
 *
 * Blocks lie by the hash of their bytes alone, as in every IPFS store: the same bytes as a document and as a raw block are
 * one block. A CID of version 0 is another spelling of a node's, found in the links of older software.
 */
import { hash } from 'node:crypto'
import * as dagCbor from '@ipld/dag-cbor'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { fromHex, toHex } from '../../util/bytes.ts'

export const RAW = raw.code
export const DAG_PB = dagPb.code
export const DAG_CBOR = dagCbor.code

const SHA2_256 = 0x12
const DIGEST_BYTES = 32

/** The hash in hex: what a block is filed under in memory. `null` when it is not a hash that we can check. */
export const keyOf = ({ multihash: { code, digest } }: CID): string | null =>
  code === SHA2_256 && digest.length === DIGEST_BYTES ? toHex(digest) : null

const digestOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer'))

const cidOfDigest = (codec: number, digest: Uint8Array): CID => CID.createV1(codec, Digest.create(SHA2_256, digest))

export const cidOfBlock = (codec: number, bytes: Uint8Array): CID => cidOfDigest(codec, digestOf(bytes))

/** Only the hash is known of a block that lies on disk, so its CID is that of raw bytes. */
export const cidOfKey = (key: string): CID => cidOfDigest(RAW, fromHex(key) ?? new Uint8Array(DIGEST_BYTES))

export const isKeyOf = (key: string, bytes: Uint8Array): boolean => hash('sha256', bytes, 'hex') === key

/** `null` for text that is no CID of ours. */
export function parseCid(text: string): CID | null {
  try {
    return judgeCid(CID.parse(text))
  } catch {
    return null // the library has no other way to say it
  }
}

/** The CID in version 1, or `null` when the store can do nothing with it. */
export function judgeCid(cid: CID): CID | null {
  const isKnown = cid.code === RAW || cid.code === DAG_PB || cid.code === DAG_CBOR
  return isKnown && keyOf(cid) !== null ? cid.toV1() : null
}
