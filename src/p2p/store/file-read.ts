/** Reads files: a stream of any range of one, or the whole of one that is not larger than was agreed. */
import type { CID } from 'multiformats/cid'
import type { Cancel } from '../../ports.ts'
import { DAG_PB } from './cid.ts'
import { judgeNode, type Malformed } from './file-node.ts'
import { EVERYTHING, type Finding, type Range, walkFile } from './file-walk.ts'
import { READS_MAX } from './limits.ts'
import type { BlockSource } from './vault.ts'

export type Missing = { readonly kind: 'missing'; readonly cid: CID }
/** A stretch of the file, in order and without gaps until something is missing or malformed, which ends it. */
export type Reading =
  | { readonly kind: 'bytes'; readonly offset: number; readonly bytes: Uint8Array }
  | Missing
  | Malformed

/** Some leaves are read ahead, so that disk and reader work at the same time. */
export async function* readRange(
  source: BlockSource,
  root: CID,
  range: Range,
  opts: Cancel,
): AsyncGenerator<Reading, void> {
  const ahead: Promise<Reading>[] = []
  for await (const finding of walkFile(source, root, range, opts)) {
    const reading = load(source, finding, range, opts)
    reading.catch(() => undefined) // whoever stops reading does not wait for what was read ahead
    ahead.push(reading)
    if (ahead.length < READS_MAX) continue
    const first = await ahead.shift()
    if (first !== undefined && (yield* tell(first))) return
  }
  for (const reading of ahead) if (yield* tell(await reading)) return
}

/** True when nothing comes after it. */
function* tell(reading: Reading): Generator<Reading, boolean> {
  if (reading.kind !== 'bytes' || reading.bytes.length > 0) yield reading
  return reading.kind !== 'bytes'
}

async function load(source: BlockSource, finding: Finding, range: Range, opts: Cancel): Promise<Reading> {
  if (finding.kind === 'piece') return clip(finding.data, finding.offset, range)
  if (finding.kind !== 'leaf') return finding
  const { cid, offset, bytes } = finding
  const block = await source.get(cid, opts)
  if (block === null) return { kind: 'missing', cid }
  if (block.length !== bytes) return { kind: 'malformed', why: 'a leaf has another length than its node says' }
  return clip(block, offset, range)
}

function clip(bytes: Uint8Array, offset: number, { begin, end }: Range): Reading {
  const from = Math.min(bytes.length, Math.max(0, begin - offset))
  const to = Math.max(from, Math.min(bytes.length, end - offset))
  return { kind: 'bytes', offset: offset + from, bytes: bytes.subarray(from, to) }
}

export type Whole =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large'; readonly bytes: number }
  | Missing
  | Malformed

/** Memory for the file is taken when its root says that it fits, and not before. */
export async function readWhole(source: BlockSource, root: CID, bytesMax: number, opts: Cancel): Promise<Whole> {
  const block = await source.get(root, opts)
  if (block === null) return { kind: 'missing', cid: root }
  const node = judgeNode(root, block)
  if (node.kind === 'malformed') return node
  if (node.bytes > bytesMax) return { kind: 'too-large', bytes: node.bytes }
  if (root.code !== DAG_PB) return { kind: 'whole', bytes: block }
  const bytes = new Uint8Array(node.bytes)
  let filled = 0
  for await (const reading of readRange(source, root, EVERYTHING, opts)) {
    if (reading.kind !== 'bytes') return reading
    bytes.set(reading.bytes, reading.offset)
    filled += reading.bytes.length
  }
  return filled === bytes.length ? { kind: 'whole', bytes } : { kind: 'malformed', why: 'the sizes do not add up' }
}
