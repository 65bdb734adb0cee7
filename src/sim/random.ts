/**
 * Chance from a seed: SHA-256 in counter mode. Each part of a simulation forks a stream of its own by name, so that one
 * more draw in one part changes nothing in another.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import type { Random } from '../ports.ts'
import { concat, u64, utf8 } from '../util/bytes.ts'

export type SeededRandom = Random & {
  /** 0 ≤ x < 1, 32 bits of it. */
  next(): number
  /** 0 ≤ n < below. */
  integer(below: number): number
  fork(name: string): SeededRandom
}

export function createRandom(seed: string): SeededRandom {
  const key = sha256(utf8(`wheelwright/sim/${seed}`))
  let counter = 0
  let block = new Uint8Array(0)
  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; ) {
      if (block.length === 0) block = sha256(concat(key, u64(counter++)))
      const taken = block.subarray(0, length - at)
      out.set(taken, at)
      at += taken.length
      block = block.subarray(taken.length)
    }
    return out
  }
  const next = (): number => new DataView(bytes(4).buffer).getUint32(0) / 2 ** 32
  return {
    bytes,
    next,
    integer: (below) => Math.floor(next() * below),
    fork: (name) => createRandom(`${seed}/${name}`),
  }
}
