/**
 * Judges the nodes of a file: which blocks it has, of what length, and that all of it adds up.
 *
 * A node is right or wrong by itself, before anything below it is fetched: sizes add up to what its parent said, leaves have
 * at most a mebibyte, levels are few, and the nodes themselves may take no more than a small share of the file, so that
 * nobody hides a million of them below a small size. Total: no bytes make it throw.
 */
import * as dagPb from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { equalBytes } from '../../util/bytes.ts'
import { FILE_LEVELS_MAX, LEAF_BYTES, NODE_CHILDREN_MAX, NODE_SHARE, NODES_BYTES_FREE } from './limits.ts'
import { DAG_PB, isPullable, RAW } from './wire.ts'

/** What a node says of a child: `sizeBytes` of the file are below it, and `treeBytes` of blocks, itself among them. */
export type Child = {
  readonly cid: CID
  readonly sizeBytes: number
  readonly treeBytes: number
  readonly isLeaf: boolean
  /** Levels of nodes that there may be below it. */
  readonly levels: number
}
export type FileNode = { readonly sizeBytes: number; readonly children: readonly Child[] }

/** Of UnixFS (protobuf): `Type` is `File`; then the size; then one size for each child. Our files have nothing else. */
const FILE_HEAD = [0x08, 0x02, 0x18]
const CHILD_SIZE = 0x20
/** Seven bits a byte: enough for what a double holds exactly. */
const VARINT_BYTES_MAX = 8

/** The node, or why it is none of ours. `place` is what its parent said of it, `null` for the root. */
export function readFileNode(bytes: Uint8Array, place: Child | null): FileNode | string {
  const node = decodeNode(bytes)
  if (node === null) return 'is not a node in canonical form'
  const all = readSizes(node.data)
  if (all === null) return 'says its sizes in another form'
  const [sizeBytes = 0, ...sizes] = all
  const isMany = sizes.length === 0 || sizes.length > NODE_CHILDREN_MAX || sizes.length !== node.links.length
  if (isMany) return 'has no children, too many, or another number of links than of sizes'
  if (sizes.reduce((sum, size) => sum + size, 0) !== sizeBytes) return 'has sizes that do not add up'
  const levels = (place?.levels ?? FILE_LEVELS_MAX) - 1
  const children: Child[] = []
  for (const [i, { cid, name, treeBytes }] of node.links.entries()) {
    const child = { cid, sizeBytes: sizes[i] as number, treeBytes, isLeaf: cid.code === RAW, levels }
    const why = name === '' ? flawOf(child) : 'has a link with a name'
    if (why !== null) return why
    children.push(child)
  }
  const treeBytes = children.reduce((sum, child) => sum + child.treeBytes, bytes.length)
  if (place === null && treeBytes - sizeBytes > NODES_BYTES_FREE + sizeBytes * NODE_SHARE) return 'has too many nodes'
  const isAsTold = place === null || (place.sizeBytes === sizeBytes && place.treeBytes === treeBytes)
  return isAsTold ? { sizeBytes, children } : 'is not what its parent says'
}

function flawOf({ cid, sizeBytes, treeBytes, isLeaf, levels }: Child): string | null {
  if (!isPullable(cid) || !(isLeaf || cid.code === DAG_PB)) return 'has a link to what is no part of a file'
  if (!isLeaf && levels <= 0) return 'stands on too many levels'
  const isSound = isLeaf ? treeBytes === sizeBytes && sizeBytes <= LEAF_BYTES : treeBytes > sizeBytes
  return isSound && sizeBytes > 0 ? null : 'has a link with a wrong size'
}

type Link = { readonly cid: CID; readonly name: string; readonly treeBytes: number }

function decodeNode(bytes: Uint8Array): { readonly data: Uint8Array; readonly links: readonly Link[] } | null {
  try {
    const { Data, Links } = dagPb.decode(bytes)
    if (Data === undefined || !equalBytes(dagPb.encode({ Data, Links }), bytes)) return null
    const links = Links.map(({ Hash, Name, Tsize }) => ({ cid: Hash, name: Name ?? '?', treeBytes: Tsize ?? -1 }))
    return { data: Data, links }
  } catch {
    return null // The library throws on whatever is not dag-pb.
  }
}

/** The size of the file, then those of the children; null when they are not written as we write them. */
function readSizes(data: Uint8Array): readonly number[] | null {
  if (FILE_HEAD.some((byte, i) => data[i] !== byte)) return null
  const sizes: number[] = []
  for (let at = FILE_HEAD.length; at < data.length; ) {
    if (sizes.length > 0 && data[at++] !== CHILD_SIZE) return null
    const size = readVarint(data, at)
    if (size === null) return null
    sizes.push(size.value)
    at = size.end
  }
  return sizes
}

function readVarint(data: Uint8Array, from: number): { readonly value: number; readonly end: number } | null {
  let [value, factor] = [0, 1]
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = data[from + i]
    if (byte === undefined) return null
    value += (byte & 0x7f) * factor
    if (byte < 0x80) {
      // The last of several bytes is never zero: one number has one form.
      const isShort = byte > 0 || i === 0
      return isShort && Number.isSafeInteger(value) ? { value, end: from + i + 1 } : null
    }
    factor *= 128
  }
  return null
}
