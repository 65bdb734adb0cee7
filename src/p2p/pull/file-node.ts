/**
 * Judges the nodes of a file that peers send: which blocks it has, of what length, and that all of it adds up.
 *
 * A node is right or wrong by itself, before anything below it is fetched: it is in the form in which we write it, sizes
 * add up to what its parent said, leaves have at most a mebibyte, levels are few, and the nodes themselves may take no more
 * than a small share of the file, so that nobody hides a million of them below a small size. Total: no bytes make it throw.
 */
import { equalBytes } from '../../util/bytes.ts'
import { RAW } from '../store/cid.ts'
import { encodeNode, type LinkedPart, readNode } from '../store/file-node.ts'
import { CHILDREN_MAX, LEAF_BYTES_MAX } from '../store/limits.ts'
import { FILE_LEVELS_MAX, NODE_SHARE, NODES_BYTES_FREE } from './limits.ts'
import { isPullable } from './wire.ts'

/** What a node says of a child, and how many levels of nodes there may be below it. */
export type Child = LinkedPart & { readonly levels: number }
export type FileNode = { readonly bytes: number; readonly children: readonly Child[] }

/** The node, or why it is none of ours. `place` is what its parent said of it, `null` for the root. */
export function readFileNode(block: Uint8Array, place: Child | null): FileNode | string {
  const node = readNode(block)
  if (node.kind === 'malformed') return `is no node of a file: ${node.why}`
  const { bytes } = node
  const levels = (place?.levels ?? FILE_LEVELS_MAX) - 1
  const children = node.children.map((child) => ({ ...child, levels }))
  if (children.length === 0 || children.length > CHILDREN_MAX) return 'has no children, or too many'
  if (!equalBytes(encodeNode(children), block)) return 'is not in the form in which we write nodes'
  for (const child of children) {
    const why = flawOf(child)
    if (why !== null) return why
  }
  const treeBytes = children.reduce((sum, child) => sum + child.treeBytes, block.length)
  if (place === null && treeBytes - bytes > NODES_BYTES_FREE + bytes * NODE_SHARE) return 'has too many nodes'
  const isAsTold = place === null || (place.bytes === bytes && place.treeBytes === treeBytes)
  return isAsTold ? { bytes, children } : 'is not what its parent says'
}

function flawOf({ cid, bytes, treeBytes, levels }: Child): string | null {
  if (!isPullable(cid)) return 'has a link to what is no part of a file'
  if (cid.code === RAW) return treeBytes === bytes && bytes <= LEAF_BYTES_MAX ? null : 'has a leaf of a wrong size'
  if (levels <= 0) return 'stands on too many levels'
  return treeBytes > bytes ? null : 'has a link with a wrong size'
}
