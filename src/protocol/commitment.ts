/**
 * Commitments and the records that stand in a hotkey's slot on chain (protocol §4, §6).
 *
 * A slot holds one value and the last write wins, so every record repeats what later readers need: the current root for
 * newcomers, the report's hash for who comes late. A commitment's hash is bound to network, cycle, kind and hotkey; copied
 * into another slot it opens to nothing.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { assert } from '../util/assert.ts'
import { concat, hexBytes, toHex, u64, utf8 } from '../util/bytes.ts'
import { cidBytes, cidOfDigest, digestOf } from './codec.ts'
import type { Network } from './constitution.ts'
import { BLOCK_MAX, RECORD_BYTES_MAX, VALIDATORS_MAX } from './limits.ts'

export const COMMITMENT_KINDS = ['submission', 'router', 'report'] as const
export type CommitmentKind = (typeof COMMITMENT_KINDS)[number]

export const SALT_BYTES = 32

export type Opening = {
  readonly cycle: number
  readonly kind: CommitmentKind
  readonly hotkey: string
  /** What was committed to: a submission's manifest or a report. */
  readonly content: string
  readonly salt: string
}

export function commitmentHash(network: Network, { cycle, kind, hotkey, content, salt }: Opening): string {
  const frame = concat(
    utf8(`wheelwright/commitment/${kind}/v1\n`),
    hexBytes(network.genesis),
    cidBytes(network.constitution),
    u64(cycle),
    hexBytes(hotkey),
    cidBytes(content),
    hexBytes(salt),
  )
  return toHex(sha256(frame))
}

/** The salt is HMAC-SHA-256 of this under the hotkey's secret: a crash between body and write loses nothing. */
export function saltInput(network: Network, cycle: number, kind: CommitmentKind): Uint8Array {
  return concat(
    utf8(`wheelwright/salt/${kind}/v1\n`),
    hexBytes(network.genesis),
    cidBytes(network.constitution),
    u64(cycle),
  )
}

/** Bit u of a bitmap is the validator at place u of the snapshot. */
export const BITMAP_BYTES = VALIDATORS_MAX / 8
export const EMPTY_BITMAP = '00'.repeat(BITMAP_BYTES)

export function bitmapOf(places: Iterable<number>): string {
  const bytes = new Uint8Array(BITMAP_BYTES)
  for (const place of places) {
    assert(Number.isInteger(place) && place >= 0 && place < VALIDATORS_MAX, 'a bitmap covers the snapshot')
    const at = place >> 3
    bytes[at] = (bytes[at] ?? 0) | (1 << (place & 7))
  }
  return toHex(bytes)
}

export function placesOf(bitmap: string): readonly number[] {
  const bytes = hexBytes(bitmap)
  return Array.from({ length: 8 * bytes.length }, (_, place) => place).filter(
    (place) => (((bytes[place >> 3] ?? 0) >> (place & 7)) & 1) === 1,
  )
}

const RECORD_KINDS = ['submission', 'router', 'report', 'attest', 'root'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

/** What a slot says. `root` is the CID of the author's current root, except in a `root` record, where that is `base`. */
export type SlotRecord =
  | { readonly kind: 'submission'; readonly cycle: number; readonly hash: string }
  | { readonly kind: 'router' | 'report'; readonly cycle: number; readonly hash: string; readonly root: string }
  | {
      readonly kind: 'attest'
      readonly cycle: number
      /** The author's report of this cycle, or zeros when it made none. */
      readonly hash: string
      readonly root: string
      /** "I hold the body that matches": over the snapshot of this cycle. */
      readonly bitmap: string
    }
  | {
      readonly kind: 'root'
      readonly cycle: number
      /** The root in force in this cycle, and the one that the author proposes for the next. */
      readonly base: string
      readonly root: string
      readonly bitmap: string
    }

export const NO_HASH = '00'.repeat(32)

/** 'W' and the version of this layout. */
const MAGIC = Uint8Array.of(0x57, 1)
/** Enough to tell networks apart in one slot; what matters is checked by the full hash. */
const NETWORK_TAG_BYTES = 4
const HEAD_BYTES = MAGIC.length + 1 + NETWORK_TAG_BYTES + 4
const BODY_BYTES: { readonly [K in RecordKind]: number } = {
  submission: 32,
  router: 64,
  report: 64,
  attest: 64 + BITMAP_BYTES,
  root: 64 + BITMAP_BYTES,
}

const networkTag = (network: Network): Uint8Array =>
  hexBytes(digestOf(network.constitution)).subarray(0, NETWORK_TAG_BYTES)

export function encodeRecord(network: Network, slot: SlotRecord): Uint8Array {
  assert(Number.isSafeInteger(slot.cycle) && slot.cycle >= 0 && slot.cycle <= BLOCK_MAX, 'a cycle is a u32')
  const parts = [
    MAGIC,
    Uint8Array.of(RECORD_KINDS.indexOf(slot.kind)),
    networkTag(network),
    u64(slot.cycle).subarray(4),
  ]
  parts.push(hexBytes(slot.kind === 'root' ? digestOf(slot.base) : slot.hash))
  if (slot.kind !== 'submission') parts.push(hexBytes(digestOf(slot.root)))
  if (slot.kind === 'attest' || slot.kind === 'root') parts.push(hexBytes(slot.bitmap))
  const bytes = concat(...parts)
  assert(bytes.length === HEAD_BYTES + BODY_BYTES[slot.kind], 'a record has its layout')
  assert(bytes.length <= RECORD_BYTES_MAX, 'a record fits its share of the slot')
  return bytes
}

/** `null` for anything else: other programs and other networks write slots too. */
export function decodeRecord(network: Network, bytes: Uint8Array): SlotRecord | null {
  const kind = RECORD_KINDS[bytes[MAGIC.length] ?? RECORD_KINDS.length]
  if (kind === undefined || bytes.length !== HEAD_BYTES + BODY_BYTES[kind]) return null
  const head = concat(MAGIC, bytes.subarray(MAGIC.length, MAGIC.length + 1), networkTag(network))
  if (!head.every((byte, i) => bytes[i] === byte)) return null
  const cycle = new DataView(bytes.buffer, bytes.byteOffset).getUint32(HEAD_BYTES - 4)
  const field = (from: number, to: number): string => toHex(bytes.subarray(HEAD_BYTES + from, HEAD_BYTES + to))
  const hash = field(0, 32)
  if (kind === 'submission') return { kind, cycle, hash }
  const root = cidOfDigest(field(32, 64))
  if (kind === 'root') return { kind, cycle, base: cidOfDigest(hash), root, bitmap: field(64, 64 + BITMAP_BYTES) }
  if (kind === 'router' || kind === 'report') return { kind, cycle, hash, root }
  return { kind, cycle, hash, root, bitmap: field(64, 64 + BITMAP_BYTES) }
}
