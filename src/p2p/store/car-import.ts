/**
 * Takes in a CARv1 that somebody made: block by block, each judged before it is stored, with the memory of one block.
 *
 * The reader of @ipld/car believes the lengths that a file states and gathers as much as they say; this one bounds them.
 * What came before a flaw is sound and stays until somebody frees what nobody needs.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import type { Cancel } from '../../ports.ts'
import { concat } from '../../util/bytes.ts'
import { untilAborted } from './abort.ts'
import { isKeyOf, judgeCid, keyOf } from './cid.ts'
import type { Holds } from './hold.ts'
import { BLOCK_BYTES_MAX, CAR_HEADER_BYTES_MAX, CAR_ROOTS_MAX } from './limits.ts'
import type { Vault } from './vault.ts'

export type CarVerdict =
  | { readonly kind: 'accept'; readonly roots: readonly CID[]; readonly blocks: number; readonly bytes: number }
  | { readonly kind: 'reject'; readonly why: string; readonly blocks: number }

/** A CID of ours has 36 bytes; others have at most this many, and are refused. */
const CID_BYTES_MAX = 128
const VARINT_BYTES_MAX = 5

/** Thrown only inside this file, and caught where the verdict is made. */
class Flaw extends Error {}

export async function importCar(
  vault: Vault,
  holds: Holds,
  source: AsyncIterable<Uint8Array>,
  opts: Cancel,
): Promise<CarVerdict> {
  opts.signal.throwIfAborted()
  const hold = holds.open()
  const reader = createReader(untilAborted(source, opts.signal))
  let blocks = 0
  let total = 0
  try {
    const roots = await readRoots(reader)
    for (let length = await reader.length(); length !== null; length = await reader.length()) {
      const { cid, bytes } = readSection(await reader.section(length, CID_BYTES_MAX + BLOCK_BYTES_MAX))
      await vault.put(cid, bytes, { ...opts, withheld: false, durable: true })
      blocks++
      total += bytes.length
    }
    await vault.sync()
    return { kind: 'accept', roots, blocks, bytes: total }
  } catch (error) {
    if (error instanceof Flaw) return { kind: 'reject', why: error.message, blocks }
    throw error
  } finally {
    await reader.close()
    hold.close()
  }
}

async function readRoots(reader: Reader): Promise<readonly CID[]> {
  const length = await reader.length()
  if (length === null) throw new Flaw('it is empty')
  const header = decodeHeader(await reader.section(length, CAR_HEADER_BYTES_MAX))
  if (header?.['version'] !== 1) throw new Flaw('it does not begin with the header of a CAR of version 1')
  const { roots } = header
  if (!Array.isArray(roots) || roots.length > CAR_ROOTS_MAX) throw new Flaw(`it has no list of ${CAR_ROOTS_MAX} roots`)
  return roots.map((root) => {
    const cid = CID.asCID(root)
    const judged = cid === null ? null : judgeCid(cid)
    if (judged === null) throw new Flaw('a root is no CID that the store knows')
    return judged
  })
}

function decodeHeader(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    return dagCbor.decode<Record<string, unknown> | null>(bytes)
  } catch {
    return null
  }
}

function readSection(section: Uint8Array): { readonly cid: CID; readonly bytes: Uint8Array } {
  const [found, bytes] = decodeCid(section)
  const cid = judgeCid(found)
  if (cid === null) throw new Flaw('a block has no CID that the store knows')
  if (bytes.length > BLOCK_BYTES_MAX) throw new Flaw(`a block has at most ${BLOCK_BYTES_MAX} bytes`)
  if (!isKeyOf(keyOf(cid) ?? '', bytes)) throw new Flaw('a block is not what its CID says')
  return { cid, bytes }
}

function decodeCid(section: Uint8Array): [CID, Uint8Array] {
  try {
    return CID.decodeFirst(section)
  } catch {
    throw new Flaw('a block does not begin with a CID')
  }
}

type Reader = {
  /** `null` at the end of the file. */
  length(): Promise<number | null>
  section(bytes: number, bytesMax: number): Promise<Uint8Array>
  close(): Promise<void>
}

function createReader(source: AsyncIterable<Uint8Array>): Reader {
  const stream = source[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)
  const pull = async (): Promise<Uint8Array | null> => {
    const { done, value } = await stream.next()
    return done === true ? null : value
  }
  const byte = async (): Promise<number | null> => {
    while (rest.length === 0) {
      const chunk = await pull()
      if (chunk === null) return null
      rest = chunk
    }
    const [first] = rest
    rest = rest.subarray(1)
    return first ?? null
  }
  return {
    length: async () => {
      let value = 0
      for (let i = 0; i < VARINT_BYTES_MAX; i++) {
        const next = await byte()
        if (next === null && i === 0) return null
        if (next === null) throw new Flaw('it ends inside a length')
        value += (next & 0x7f) * 2 ** (7 * i)
        if (next < 0x80) return value
      }
      throw new Flaw('a length is longer than any block')
    },
    section: async (bytes, bytesMax) => {
      if (bytes > bytesMax) throw new Flaw(`a section has at most ${bytesMax} bytes`)
      const parts = [rest]
      for (let have = rest.length; have < bytes; ) {
        const chunk = await pull()
        if (chunk === null) throw new Flaw('it ends inside a section')
        parts.push(chunk)
        have += chunk.length
      }
      const joined = parts.length === 1 ? rest : concat(...parts)
      rest = joined.subarray(bytes)
      return joined.subarray(0, bytes)
    },
    close: async () => void (await stream.return?.()),
  }
}
