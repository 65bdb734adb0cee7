/**
 * Reads and writes the atoms of SCALE: little-endian integers, compact integers, raw bytes.
 *
 * The reader takes bytes from strangers and throws `ScaleError` on all that is not canonical; the writer takes our own
 * values and asserts.
 */
import { assert } from '../../util/assert.ts'

/** What a stranger sent is not what it claims to be. */
export class ScaleError extends Error {}

/** A bug elsewhere must not make us allocate without end; the largest thing that we encode is a snapshot of the state. */
const WRITER_BYTES_MAX = 1024 * 1024 * 1024
/** SCALE's own limit: a compact integer has at most 67 bytes; ours are at most u128. */
const COMPACT_BYTES_MAX = 16

export class Writer {
  #bytes = new Uint8Array(64)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  /** The place of `length` fresh bytes. */
  #grow(length: number): number {
    const at = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) {
      assert(this.#at <= WRITER_BYTES_MAX, 'what is encoded has a bound')
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }

  u8(value: number): void {
    const at = this.#grow(1) // first, because it may replace the buffer
    this.#bytes[at] = value
  }

  u16(value: number): void {
    const at = this.#grow(2)
    this.#view.setUint16(at, value, true)
  }

  u32(value: number): void {
    const at = this.#grow(4)
    this.#view.setUint32(at, value, true)
  }

  u64(value: bigint): void {
    const at = this.#grow(8)
    this.#view.setBigUint64(at, value, true)
  }

  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
  }

  compact(value: number | bigint): void {
    if (value < 64) this.u8(Number(value) << 2)
    else if (value < 2 ** 14) this.u16((Number(value) << 2) | 1)
    else if (value < 2 ** 30) this.u32(((Number(value) << 2) | 2) >>> 0)
    else this.#bigCompact(BigInt(value))
  }

  #bigCompact(value: bigint): void {
    const digits: number[] = []
    for (let rest = value; rest > 0n; rest >>= 8n) digits.push(Number(rest & 0xffn))
    while (digits.length < 4) digits.push(0)
    assert(digits.length <= COMPACT_BYTES_MAX, 'a compact integer is at most u128')
    this.u8(((digits.length - 4) << 2) | 3)
    this.raw(Uint8Array.from(digits))
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }
}

export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  /** How many calls within calls we are in; see `DEPTH_MAX` in runtime.ts. */
  depth = 0

  constructor(bytes: Uint8Array) {
    // Not the Buffer that it may be: `slice` of one does not copy, so a byte that is kept would keep a whole pool of them.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  get at(): number {
    return this.#at
  }

  #advance(length: number): number {
    if (length > this.left) throw new ScaleError('not enough data to fill the type')
    const at = this.#at
    this.#at += length
    return at
  }

  u8(): number {
    return this.#bytes[this.#advance(1)] as number
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true)
  }

  /** A view, not a copy: what is kept must be copied. */
  raw(length: number): Uint8Array {
    const at = this.#advance(length)
    return this.#bytes.subarray(at, at + length)
  }

  compact(): bigint {
    const first = this.u8()
    if ((first & 3) === 0) return BigInt(first >> 2)
    if ((first & 3) === 3) return this.#bigCompact((first >> 2) + 4)
    const extra = (first & 3) === 1 ? 1 : 3
    let value = first >> 2
    for (let i = 0; i < extra; i++) value += this.u8() * 2 ** (6 + 8 * i)
    if (value < (extra === 1 ? 64 : 2 ** 14)) throw new ScaleError('a compact integer is out of range')
    return BigInt(value)
  }

  /** How many items follow. Each has at least a byte, so that a length can never make us allocate more than was sent. */
  length(): number {
    const length = this.compact()
    if (length > this.left) throw new ScaleError('not enough data to fill the type')
    return Number(length)
  }

  #bigCompact(length: number): bigint {
    if (length > COMPACT_BYTES_MAX) throw new ScaleError('a compact integer is out of range')
    const digits = this.raw(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i] as number)
    if (digits[length - 1] === 0 || value < 2n ** 30n) throw new ScaleError('a compact integer is out of range')
    return value
  }
}
