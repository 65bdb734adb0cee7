/**
 * The blocks of one branch: the hashes of all of them, and the last blocks themselves.
 *
 * A chain that runs for weeks is read at its end. So only the newest blocks are kept as they are; older ones are kept as
 * the text of their bytes, a fraction of the memory, and of the oldest only the hash is left.
 */
import { assert } from '../../util/assert.ts'
import type { Block, Header } from './block.ts'
import type { Codecs } from './scale.ts'

const HASH_BYTES = 32
const NEWEST_BLOCKS = 16
const ENCODED = '{header: Header, body: Vec<Vec<u8>>}'

export class BlockList {
  readonly #codecs: Codecs
  readonly #blocksMax: number
  /** By number, without gaps. Grows by doubling. */
  #hashes = Buffer.alloc(1024 * HASH_BYTES)
  #length = 0
  readonly #blocks = new Map<string, Block | string>()

  constructor(blocksMax: number, codecs: Codecs) {
    this.#blocksMax = blocksMax
    this.#codecs = codecs
  }

  /** How many hashes there are: one more than the number of the last block. */
  get length(): number {
    return this.#length
  }

  /** Begins with so many blocks of which nothing but the hashes is known. */
  skip(hashes: Uint8Array, count: number): void {
    assert(this.#length === 0 && hashes.length >= count * HASH_BYTES, 'a list begins with what it skips')
    this.#hashes = Buffer.concat([hashes, this.#hashes])
    this.#length = count
  }

  push(block: Block): void {
    assert(block.number === this.#length, 'blocks follow one another')
    if (this.#hashes.length === this.#length * HASH_BYTES) this.#hashes = Buffer.concat([this.#hashes, this.#hashes])
    this.#hashes.write(block.hash, this.#length * HASH_BYTES, 'hex')
    this.#length++
    this.#blocks.set(block.hash, block)
    this.#pack(block.number - NEWEST_BLOCKS)
    const old = block.number - this.#blocksMax
    if (old > 0) this.#blocks.delete(this.hashOf(old) ?? '') // genesis stays
  }

  hashOf(number: number): string | null {
    if (number < 0 || number >= this.#length) return null
    return this.#hashes.toString('hex', number * HASH_BYTES, (number + 1) * HASH_BYTES)
  }

  /** All hashes up to that of this block, one after the other. */
  hashesTo(number: number): Uint8Array {
    return this.#hashes.subarray(0, (number + 1) * HASH_BYTES)
  }

  /** `null` when it is not there, or no longer. */
  withHash(hash: string): Block | null {
    const found = this.#blocks.get(hash) ?? null
    if (typeof found !== 'string') return found
    const bytes = Buffer.from(found, 'latin1')
    const { header, body } = this.#codecs.decode(ENCODED, bytes) as { header: Header; body: readonly Uint8Array[] }
    return { number: header.number, hash, header, body }
  }

  at(number: number): Block {
    const block = this.withHash(this.hashOf(number) ?? '')
    assert(block !== null, 'recent blocks are kept')
    return block
  }

  /** Takes away this block and all after it, and gives them back in their order. */
  cut(number: number): readonly Block[] {
    const gone = Array.from({ length: this.#length - number }, (_, i) => this.at(number + i))
    for (const { hash } of gone) this.#blocks.delete(hash)
    this.#length = number
    return gone
  }

  #pack(number: number): void {
    const hash = this.hashOf(number)
    const block = this.#blocks.get(hash ?? '')
    if (hash === null || block === undefined || typeof block === 'string') return
    this.#blocks.set(hash, Buffer.from(this.#codecs.encode(ENCODED, block)).toString('latin1'))
  }
}
