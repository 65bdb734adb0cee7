/**
 * Goes through a file from its first byte to its last, and tells what it finds: leaves, pieces inside nodes, parts that
 * are not here, nodes that contradict themselves. Nodes are read, leaves are not: a walk through 7 GB reads 400 KB.
 */
import type { CID } from 'multiformats/cid'
import type { Cancel } from '../../ports.ts'
import { DAG_PB } from './cid.ts'
import { type FilePart, judgeNode, type Malformed } from './file-node.ts'
import { DEPTH_MAX, LEAVES_MAX } from './limits.ts'
import type { BlockSource } from './vault.ts'

export type Leaf = FilePart & { readonly offset: number }
export type Finding =
  /** A raw block, here or not. */
  | ({ readonly kind: 'leaf' } & Leaf)
  /** Bytes of the file inside a node that was read. */
  | ({ readonly kind: 'piece'; readonly data: Uint8Array } & Leaf)
  /** Of a part with nodes of its own, of which the first is not here. */
  | { readonly kind: 'missing'; readonly cid: CID }
  | Malformed

/** Half open, in bytes of the file. */
export type Range = { readonly begin: number; readonly end: number }
export const EVERYTHING: Range = { begin: 0, end: Number.MAX_SAFE_INTEGER }

type Step = { readonly cid: CID; readonly offset: number; readonly depth: number; readonly bytes: number | null }

/** Ends with the first `malformed`, but goes on beside what is missing. */
export async function* walkFile(
  source: BlockSource,
  root: CID,
  range: Range,
  opts: Cancel,
): AsyncGenerator<Finding, void> {
  const stack: Step[] = [{ cid: root, offset: 0, depth: 0, bytes: null }]
  let leaves = 0
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    const { cid, offset, depth, bytes } = step
    if (++leaves > LEAVES_MAX) return yield { kind: 'malformed', why: `a file has at most ${LEAVES_MAX} parts` }
    if (bytes !== null && cid.code !== DAG_PB) {
      yield { kind: 'leaf', cid, offset, bytes }
      continue
    }
    const block = await source.get(cid, opts)
    if (block === null) {
      yield { kind: 'missing', cid }
      continue
    }
    const node = judgeNode(cid, block)
    if (node.kind === 'malformed') return yield node
    if (bytes !== null && node.bytes !== bytes) return yield { kind: 'malformed', why: 'the sizes do not add up' }
    if (depth === DEPTH_MAX) return yield { kind: 'malformed', why: `a file has at most ${DEPTH_MAX} levels` }
    yield { kind: 'piece', cid, offset, bytes: node.data.length, data: node.data }
    stack.push(...stepsBelow(node.children, offset + node.data.length, depth + 1, range))
  }
}

/** The last one first, because the stack gives them back in reverse; what is outside the range is not entered. */
function stepsBelow(children: readonly FilePart[], offset: number, depth: number, range: Range): readonly Step[] {
  const steps: Step[] = []
  let at = offset
  for (const { cid, bytes } of children) {
    if (at < range.end && at + bytes > range.begin) steps.push({ cid, offset: at, depth, bytes })
    at += bytes
  }
  return steps.reverse()
}

export type FileLayout =
  /** `leaves` are all parts that hold bytes of the file, in their order. */
  | { readonly kind: 'file'; readonly bytes: number; readonly leaves: readonly Leaf[] }
  /** These nodes must be here before the rest is known. */
  | { readonly kind: 'incomplete'; readonly missing: readonly CID[] }
  | Malformed

export async function layoutOf(source: BlockSource, root: CID, opts: Cancel): Promise<FileLayout> {
  const leaves: Leaf[] = []
  const missing: CID[] = []
  let bytes = 0
  for await (const finding of walkFile(source, root, EVERYTHING, opts)) {
    if (finding.kind === 'malformed') return finding
    if (finding.kind === 'missing') missing.push(finding.cid)
    else if (finding.bytes > 0 || finding.cid.code !== DAG_PB) {
      leaves.push({ cid: finding.cid, offset: finding.offset, bytes: finding.bytes })
      bytes += finding.bytes
    }
  }
  return missing.length > 0 ? { kind: 'incomplete', missing } : { kind: 'file', bytes, leaves }
}
