/**
 * Reads and writes one node of a file: what it says of its parts. Pure, and no bytes of a stranger make it throw.
 *
 * Files are UnixFS: a tree of dag-pb nodes over leaves. Our own leaves are raw blocks; older software wraps its leaves in
 * nodes, or keeps a first piece of the file in an inner node, and both are read here. The total that a node declares of
 * itself is not used: the sum of its parts is. What is taken from peers is judged more strictly, in `pull/file-node.ts`.
 */
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { cidOfBlock, DAG_CBOR, DAG_PB, judgeCid, RAW } from './cid.ts'
import { FILE_BLOCK_BYTES_MAX } from './limits.ts'

/** A part of a file: a leaf or a subtree, and how many bytes of the file it holds. */
export type FilePart = { readonly cid: CID; readonly bytes: number }

/** And how many bytes its whole tree takes in blocks: other software shows that as its size, or leaves it out. */
export type LinkedPart = FilePart & { readonly treeBytes: number }

export type FileNode = {
  readonly kind: 'node'
  /** Comes before the children. */
  readonly data: Uint8Array
  readonly children: readonly LinkedPart[]
  /** Of everything below. */
  readonly bytes: number
}
export type Malformed = { readonly kind: 'malformed'; readonly why: string }

const malformed = (why: string): Malformed => ({ kind: 'malformed', why })
const NOTHING = new Uint8Array(0)

/** Raw blocks and documents are files of one leaf. */
export function judgeNode(cid: CID, block: Uint8Array): FileNode | Malformed {
  if (cid.code === RAW || cid.code === DAG_CBOR) {
    return { kind: 'node', data: block, children: [], bytes: block.length }
  }
  return readNode(block)
}

export function readNode(block: Uint8Array): FileNode | Malformed {
  if (block.length > FILE_BLOCK_BYTES_MAX) return malformed(`a node has at most ${FILE_BLOCK_BYTES_MAX} bytes`)
  const node = decode(block)
  if (node === null) return malformed('a node is dag-pb with a UnixFS entry in it')
  const { type, data = NOTHING, blockSizes } = node.entry
  if (type !== 'file' && type !== 'raw') return malformed('it is a directory, or something else that is no file')
  if (blockSizes.length !== node.links.length) return malformed('it has more links than sizes, or fewer')
  return judgeChildren(data, node.links, blockSizes)
}

type Decoded = { readonly entry: UnixFS; readonly links: readonly dagPb.PBLink[] }

function decode(block: Uint8Array): Decoded | null {
  try {
    const { Data, Links } = dagPb.decode(block)
    return Data === undefined ? null : { entry: UnixFS.unmarshal(Data), links: Links }
  } catch {
    return null // both libraries throw at whatever they cannot read
  }
}

function judgeChildren(
  data: Uint8Array,
  links: readonly dagPb.PBLink[],
  sizes: readonly bigint[],
): FileNode | Malformed {
  const children: LinkedPart[] = []
  let total = data.length
  for (const [i, { Hash, Tsize: treeBytes = 0 }] of links.entries()) {
    const cid = judgeCid(Hash)
    if (cid === null || cid.code === DAG_CBOR) return malformed('a link leads to what is no part of a file')
    const bytes = Number(sizes[i])
    if (bytes === 0) return malformed('a part is empty')
    if (cid.code === RAW && bytes > FILE_BLOCK_BYTES_MAX) return malformed('a leaf is too large')
    total += bytes
    if (!Number.isSafeInteger(total)) return malformed('it is larger than any file')
    children.push({ cid, bytes, treeBytes })
  }
  return { kind: 'node', data, children, bytes: total }
}

export function buildNode(parts: readonly LinkedPart[]): { readonly part: LinkedPart; readonly block: Uint8Array } {
  const block = encodeNode(parts)
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  const treeBytes = parts.reduce((sum, part) => sum + part.treeBytes, block.length)
  return { part: { cid: cidOfBlock(DAG_PB, block), bytes, treeBytes }, block }
}

/** The one form in which we write it. */
export function encodeNode(parts: readonly LinkedPart[]): Uint8Array {
  const entry = new UnixFS({ type: 'file', blockSizes: parts.map(({ bytes }) => BigInt(bytes)) })
  const Links = parts.map(({ cid, treeBytes }) => ({ Name: '', Tsize: treeBytes, Hash: cid }))
  return dagPb.encode({ Data: entry.marshal(), Links })
}
