/**
 * Stores a file of any size with the memory of a few leaves: a balanced tree of at most 1,024 children per node over raw
 * leaves of at most 1 MiB. A file of one leaf is that leaf, so its CID is the hash of its bytes.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import type { Cancel } from '../../ports.ts'
import { assert } from '../../util/assert.ts'
import { untilAborted } from './abort.ts'
import { cidOfBlock, RAW } from './cid.ts'
import { assertCuts, cutLeaves, exactly, openSafetensors } from './file-cut.ts'
import { buildNode, type LinkedPart } from './file-node.ts'
import type { Holds } from './hold.ts'
import { CHILDREN_MAX, LEAF_BYTES_MAX, LEAVES_MAX, WRITES_MAX } from './limits.ts'
import { createPool } from './pool.ts'
import type { Vault } from './vault.ts'

export type AddOptions = Cancel & {
  /** Where leaves end besides every MiB, or what says where. */
  readonly cuts?: 'safetensors' | readonly number[]
  /** The length of a stream that is cut as safetensors: its header is judged against it. */
  readonly bytes?: number
  readonly withheld?: boolean
}

export type AddedFile = {
  readonly cid: CID
  readonly bytes: number
  /** Of the whole file, in hex: a check against the rest of the world, which does not know how we cut. */
  readonly sha256: string
}

/** A path or a stream. When this resolves, the file is on the disk. */
export async function addFile(
  vault: Vault,
  holds: Holds,
  from: string | AsyncIterable<Uint8Array>,
  options: AddOptions,
): Promise<AddedFile> {
  options.signal.throwIfAborted()
  const hold = holds.open()
  try {
    const { source, cuts } = await openSource(from, options)
    const added = await store(vault, cutLeaves(source, cuts), options)
    await vault.sync()
    return added
  } finally {
    hold.close()
  }
}

async function openSource(from: string | AsyncIterable<Uint8Array>, { cuts = [], bytes, signal }: AddOptions) {
  const length = typeof from === 'string' ? await lengthOf(from) : bytes
  const stream = untilAborted(typeof from === 'string' ? streamOf(from) : from, signal)
  if (cuts !== 'safetensors') {
    assertCuts(cuts)
    return { source: stream, cuts }
  }
  assert(length !== undefined, 'a stream of safetensors comes with its length')
  return openSafetensors(exactly(stream, length), length)
}

async function lengthOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

async function* streamOf(path: string): AsyncGenerator<Uint8Array, void> {
  try {
    yield* createReadStream(path, { highWaterMark: LEAF_BYTES_MAX })
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): NodeError {
  const why = cause instanceof Error ? cause.message : 'unknown'
  return new NodeError('FILE_UNREADABLE', { what: `${path} was not stored`, why, data: { path }, cause })
}

async function store(vault: Vault, leaves: AsyncIterable<Uint8Array>, options: AddOptions): Promise<AddedFile> {
  const { signal, withheld = false } = options
  const whole = createHash('sha256')
  const pool = createPool(WRITES_MAX)
  const write = (cid: CID, block: Uint8Array) =>
    pool.run(() => vault.put(cid, block, { signal, withheld, durable: true }))
  const tree = createTree(write)
  let bytes = 0
  let count = 0
  try {
    for await (const leaf of leaves) {
      if (++count > LEAVES_MAX) throw tooLarge()
      bytes += leaf.length
      whole.update(leaf)
      await tree.addLeaf(leaf)
    }
    const cid = await tree.finish()
    return { cid, bytes, sha256: whole.digest('hex') }
  } finally {
    await pool.done()
  }
}

const tooLarge = (): NodeError =>
  new NodeError('BLOB_TOO_LARGE', {
    what: 'a file was not stored',
    why: `it would have more than ${LEAVES_MAX} leaves`,
    remedy: 'Split it into several files, as publishers of large models do.',
  })

type Tree = { addLeaf(bytes: Uint8Array): Promise<void>; finish(): Promise<CID> }

function createTree(write: (cid: CID, block: Uint8Array) => Promise<void>): Tree {
  /** What waits for its node: leaves first, then the nodes over them, and so on upwards. */
  const levels: LinkedPart[][] = []

  const add = async (part: LinkedPart, level: number): Promise<void> => {
    const parts = levels[level] ?? []
    levels[level] = parts
    parts.push(part)
    if (parts.length === CHILDREN_MAX) await fold(level)
  }
  const fold = async (level: number): Promise<void> => {
    const { part, block } = buildNode(levels[level] ?? [])
    levels[level] = []
    await write(part.cid, block)
    await add(part, level + 1)
  }
  const addLeaf = async (bytes: Uint8Array): Promise<void> => {
    const cid = cidOfBlock(RAW, bytes)
    await write(cid, bytes)
    await add({ cid, bytes: bytes.length, treeBytes: bytes.length }, 0)
  }
  return {
    addLeaf,
    finish: async () => {
      if (levels.length === 0) await addLeaf(new Uint8Array(0))
      for (let level = 0; ; level++) {
        const parts = levels[level] ?? []
        const [only] = parts
        const isTop = level >= levels.length - 1
        if (isTop && parts.length === 1 && only !== undefined) return only.cid
        if (parts.length > 0) await fold(level)
      }
    },
  }
}
