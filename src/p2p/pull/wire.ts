/**
 * The bytes of the pull protocol: requests, answers, and readers of both.
 *
 * A request is a kind, a count and CIDs; an answer is, for each of them in order, a length and so many bytes. The readers
 * take bytes in whatever portions they come, never throw, and hold at most one request or one block.
 */
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { assert } from '../../util/assert.ts'
import { DAG_CBOR, DAG_PB, RAW } from '../store/cid.ts'
import { CID_BYTES, GET_CIDS_MAX, HAVE_CIDS_MAX } from './limits.ts'

const SHA2_256 = 0x12
const DIGEST_BYTES = 32
const CID_HEAD_BYTES = CID_BYTES - DIGEST_BYTES

const CODES = { get: 1, have: 2 } as const
const COUNT_MAX = { get: GET_CIDS_MAX, have: HAVE_CIDS_MAX } as const
const HEAD_BYTES = 3
/** Instead of a length: this block is not here. */
export const ABSENT = 0xffff_ffff
const LENGTH_BYTES = 4

export type RequestKind = keyof typeof CODES
export type PullRequest = { readonly kind: RequestKind; readonly cids: readonly CID[] }
export type RequestRead =
  | { readonly kind: 'more' }
  | { readonly kind: 'request'; readonly request: PullRequest }
  | { readonly kind: 'broken'; readonly why: string }

const MORE = { kind: 'more' } as const
const broken = (why: string) => ({ kind: 'broken', why }) as const

/** True for the CIDs that can be asked for. */
export const isPullable = (cid: CID): boolean =>
  cid.version === 1 &&
  [RAW, DAG_PB, DAG_CBOR].includes(cid.code) &&
  cid.multihash.code === SHA2_256 &&
  cid.multihash.digest.length === DIGEST_BYTES

export function encodeRequest({ kind, cids }: PullRequest): Uint8Array {
  assert(cids.length > 0 && cids.length <= COUNT_MAX[kind], 'a request has a few CIDs')
  const bytes = new Uint8Array(HEAD_BYTES + cids.length * CID_BYTES)
  bytes[0] = CODES[kind]
  new DataView(bytes.buffer).setUint16(1, cids.length)
  for (const [i, cid] of cids.entries()) {
    assert(isPullable(cid), 'only CIDs of the profile are asked for')
    bytes.set(cid.bytes, HEAD_BYTES + i * CID_BYTES)
  }
  return bytes
}

export type RequestReader = { readonly push: (part: Uint8Array) => RequestRead }

/** Reads one request after the other. After `broken` it must not be used. */
export function createRequestReader(): RequestReader {
  let bytes = new Uint8Array(HEAD_BYTES)
  let filled = 0
  const fill = (part: Uint8Array, from: number): number => {
    const taken = Math.min(bytes.length - filled, part.length - from)
    bytes.set(part.subarray(from, from + taken), filled)
    filled += taken
    return from + taken
  }
  const push = (part: Uint8Array): RequestRead => {
    let at = 0
    if (filled < HEAD_BYTES) {
      at = fill(part, at)
      if (filled < HEAD_BYTES) return MORE
      const kind = kindOf(bytes)
      if (kind === null) return broken('the kind of a request is unknown')
      const count = countOf(bytes)
      if (count === 0 || count > COUNT_MAX[kind]) return broken('a request has too many CIDs, or none')
      const head = bytes
      bytes = new Uint8Array(HEAD_BYTES + count * CID_BYTES)
      bytes.set(head)
    }
    at = fill(part, at)
    if (filled < bytes.length) return MORE
    if (at < part.length) return broken('a request has bytes behind its end')
    const read = decodeRequest(bytes)
    bytes = new Uint8Array(HEAD_BYTES)
    filled = 0
    return read
  }
  return { push }
}

const kindOf = (bytes: Uint8Array): RequestKind | null =>
  bytes[0] === CODES.get ? 'get' : bytes[0] === CODES.have ? 'have' : null
const countOf = (bytes: Uint8Array): number => (bytes[1] ?? 0) * 256 + (bytes[2] ?? 0)

function decodeRequest(bytes: Uint8Array): RequestRead {
  const kind = kindOf(bytes)
  assert(kind !== null, 'the head was read before')
  const cids: CID[] = []
  for (let at = HEAD_BYTES; at < bytes.length; at += CID_BYTES) {
    const cid = decodeCid(bytes.subarray(at, at + CID_BYTES))
    if (cid === null) return broken('a request has a CID of another kind')
    cids.push(cid)
  }
  return { kind: 'request', request: { kind, cids } }
}

function decodeCid(bytes: Uint8Array): CID | null {
  const [version, codec = 0, hash, length] = bytes
  const isKnown = codec === RAW || codec === DAG_PB || codec === DAG_CBOR
  if (version !== 1 || !isKnown || hash !== SHA2_256 || length !== DIGEST_BYTES) return null
  return CID.createV1(codec, Digest.create(SHA2_256, bytes.slice(CID_HEAD_BYTES)))
}

/** The head of each part of an answer. */
export function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES)
  new DataView(bytes.buffer).setUint32(0, length)
  return bytes
}

/** How long a part of an answer may be: the same twice, where it is known. */
export type Bounds = { readonly bytesMin: number; readonly bytesMax: number }
export type AnswerRead =
  | { readonly kind: 'more' | 'done' | 'stopped' }
  | { readonly kind: 'broken'; readonly why: string }
  | { readonly kind: 'wrong-length'; readonly part: number; readonly length: number }

/** Hears each part once, `null` where it is not there; says whether to go on. The bytes are the hearer's. */
export type PartHearer = (part: number, bytes: Uint8Array | null) => boolean
export type AnswerReader = { readonly push: (part: Uint8Array) => AnswerRead }

/** Reads one answer. A part's memory is taken when its length is known to be within bounds, and filled in place. */
export function createAnswerReader(bounds: readonly Bounds[], hear: PartHearer): AnswerReader {
  let [index, length, lengthFilled, filled] = [0, 0, 0, 0]
  let block: Uint8Array | null = null

  /** Null when the part is over and the next may come. */
  const end = (bytes: Uint8Array | null): AnswerRead | null => {
    const heard = hear(index, bytes)
    index += 1
    length = lengthFilled = filled = 0
    block = null
    return heard ? null : { kind: 'stopped' }
  }
  const begin = (): AnswerRead | null => {
    if (length === ABSENT) return end(null)
    const { bytesMin, bytesMax } = bounds[index] as Bounds
    if (length < bytesMin || length > bytesMax) return { kind: 'wrong-length', part: index, length }
    // Not from a pool that others share, and not cleared: every byte of it is written before anyone reads it.
    block = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
    return length === 0 ? end(block) : null
  }
  const push = (part: Uint8Array): AnswerRead => {
    for (let at = 0; at < part.length; ) {
      if (index === bounds.length) return broken('an answer has bytes behind its end')
      let over: AnswerRead | null = null
      if (block === null) {
        length = length * 256 + (part[at++] ?? 0)
        if (++lengthFilled === LENGTH_BYTES) over = begin()
      } else {
        const taken = Math.min(block.length - filled, part.length - at)
        block.set(taken === part.length ? part : part.subarray(at, at + taken), filled)
        at += taken
        filled += taken
        if (filled === block.length) over = end(block)
      }
      if (over !== null) return over
    }
    return { kind: index === bounds.length ? 'done' : 'more' }
  }
  return { push }
}

/** Bit i of byte j stands for CID 8j + i. */
export function encodeBitmap(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(bitmapBytes(bits.length))
  for (const [i, bit] of bits.entries()) if (bit) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7))
  return bytes
}

export const bitmapBytes = (count: number): number => (count + 7) >> 3

/** Null when bits behind the last one are set. */
export function decodeBitmap(bytes: Uint8Array, count: number): readonly boolean[] | null {
  if (bytes.length !== bitmapBytes(count)) return null
  const bits = Array.from({ length: bytes.length * 8 }, (_, i) => ((bytes[i >> 3] ?? 0) & (1 << (i & 7))) !== 0)
  return bits.slice(count).includes(true) ? null : bits.slice(0, count)
}
