/** What the tests of the store share, and the soak, which runs outside of the test runner. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import { openMemoryStore, type Store } from '../../../src/p2p/store/index.ts'
import type { Log } from '../../../src/ports.ts'
import type { NamedTensor } from '../../../src/protocol/safetensors.ts'
import { encodeSafetensorsHeader } from '../../../src/protocol/safetensors.ts'
import { concat } from '../../../src/util/bytes.ts'

export const MIB = 2 ** 20
export const signal = new AbortController().signal
export const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
export const plenty = { quotaBytes: 10 ** 12, freeBytesMin: 0 }

export const createMemory = (quotaBytes = plenty.quotaBytes): Promise<Store> =>
  openMemoryStore({ quotaBytes, freeBytesMin: 0 }, { log: silent })

/** Bytes that look random and are the same for the same seed. */
export function noise(bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes)
  let state = (seed + 1) * 2_654_435_761
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    out[i] = state >>> 24
  }
  return out
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return concat(...parts)
}

/** `toEqual` looks at every byte by itself: seconds for a MiB. */
export function expectBytes(actual: Uint8Array | null, expected: Uint8Array): void {
  assert.equal(actual?.length, expected.length)
  assert.ok(Buffer.compare(actual ?? new Uint8Array(0), expected) === 0, 'the bytes are others')
}

export async function keysOf({ blocks }: Store): Promise<ReadonlyMap<string, number>> {
  const held = new Map<string, number>()
  for await (const { cid, bytes } of blocks.cids()) held.set(cid.toString(), bytes)
  return held
}

export const setOf = (...cids: readonly CID[]): ReadonlySet<string> => new Set(cids.map(String))

/** A safetensors file of U8 tensors. Some programs pad its header with more spaces than others. */
export function model(tensors: readonly (readonly [name: string, data: Uint8Array])[], spaces = 0): Uint8Array {
  const named = tensors.map(([name, { length }]): NamedTensor => ({ name, dtype: 'U8', shape: [length] }))
  const { prefix } = encodeSafetensorsHeader(named)
  const padded = concat(prefix, new Uint8Array(spaces).fill(0x20))
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true)
  return concat(padded, ...tensors.map(([, data]) => data))
}
