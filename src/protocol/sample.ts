/**
 * Draws sequences from a public pool: the fallback when too few sealed shards are open (protocol §5).
 *
 * The seed is a pulse or block hash from after the reveals. From it follow the same indices on every machine, without
 * favour for any: SHA-256 in counter mode, and rejection where a plain remainder would prefer the low numbers.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { assert } from '../util/assert.ts'
import { concat, u64, utf8 } from '../util/bytes.ts'
import { compareNumber } from '../util/compare.ts'

export type SampleOptions = {
  readonly seed: Uint8Array
  /** Separates the draws of one seed from one another. */
  readonly domain: string
  /** How many sequences the pool has; up to 2^53 − 1. */
  readonly size: number
  readonly count: number
}

/** 4,096 times the 256 sequences that one evaluation uses. */
export const SAMPLE_COUNT_MAX = 1_048_576

const SAMPLE_TAG = utf8('wheelwright/sample/v1')
const SEED_BYTES = 32
const DRAWS_PER_HASH = 4
const DRAW_RANGE = 2 ** 53

/**
 * `count` distinct indices below `size`, ascending. Floyd's algorithm: `count` draws and as much memory, however large
 * the pool; every set of indices is equally likely.
 */
export function samplePool({ seed, domain, size, count }: SampleOptions): readonly number[] {
  assert(seed.length === SEED_BYTES, 'a seed is 32 bytes')
  assert(Number.isSafeInteger(size) && size >= 0, 'a pool has a size')
  assert(Number.isInteger(count) && count >= 0 && count <= SAMPLE_COUNT_MAX, 'a sample is bounded')
  assert(count <= size, 'a sample is not larger than its pool')
  const draw = createDraw(seed, domain)
  const chosen = new Set<number>()
  for (let top = size - count; top < size; top++) {
    const index = draw(top + 1)
    chosen.add(chosen.has(index) ? top : index)
  }
  return [...chosen].toSorted(compareNumber)
}

/**
 * Uniform integers below a limit. Each hash gives four big-endian words of 64 bits, of which the low 53 count. Draws in
 * the last, incomplete multiple of the limit are dropped: less than half of them, so two draws are enough on average.
 */
function createDraw(seed: Uint8Array, domain: string): (limit: number) => number {
  const context = utf8(domain)
  let words = new DataView(new ArrayBuffer(0))
  let drawn = 0

  const nextWord = (): number => {
    const place = drawn % DRAWS_PER_HASH
    if (place === 0) {
      // The parts of fixed length stand first, so that no two inputs share one hash.
      const hash = sha256(concat(SAMPLE_TAG, seed, u64(drawn / DRAWS_PER_HASH), context))
      words = new DataView(hash.buffer, hash.byteOffset, hash.byteLength)
    }
    drawn++
    return (words.getUint32(place * 8) & 0x1f_ffff) * 2 ** 32 + words.getUint32(place * 8 + 4)
  }

  return (limit) => {
    const fair = DRAW_RANGE - (DRAW_RANGE % limit)
    for (;;) {
      const word = nextWord()
      if (word < fair) return word % limit
    }
  }
}
