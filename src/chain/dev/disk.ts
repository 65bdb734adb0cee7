/**
 * Keeps the chain on disk: one appended record per block, and a snapshot of the state now and then.
 *
 * A segment is a snapshot (`snapshot-N`, the state after the final block N) and a log (`blocks-N`, the blocks after N). The
 * last two segments are kept, so that the history stays as long as it was. A record has its length and a CRC before it;
 * what a crash left unfinished at the end of a log is cut off, which is at most one block. Records are handed to the
 * system at once and survive the death of this process; only a snapshot is also forced to the disk.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { NodeError } from '../../errors.ts'
import type { Log } from '../../ports.ts'
import { hexBytes, toHex } from '../../util/bytes.ts'
import type { Block, Header } from './block.ts'
import type { Snapshot, Store, Stored } from './chain.ts'
import { CORE_TYPES } from './core-type.ts'
import { createCodecs, type EnumValue } from './scale.ts'
import type { Change } from './state.ts'

export type Disk = Store & { close(): void }

const TYPES = {
  ...CORE_TYPES,
  Stored: { path: '', type: '{hash: H256, header: Header, body: Vec<Vec<u8>>, changes: Changes}' },
  Changes: { path: '', type: 'Vec<(Vec<u8>,Option<Vec<u8>>)>' },
  Record: { path: '', type: 'enum {0 Block(Stored), 1 Revert(u32)}' },
  // The first field is the version of this format.
  Snapshot: { path: '', type: '{format: u8, hashes: Vec<u8>, base: Stored}' },
}
const codecs = createCodecs(TYPES)
const FORMAT = 1
const HEAD_BYTES = 8
const SEGMENTS_MAX = 2

type Segment = { readonly number: number; readonly snapshot: string; readonly log: string }

type Opened = { readonly disk: Disk; readonly restored: Snapshot | null }

export const openDisk = (dir: string, snapshotBlocks: number, log: Log): Opened =>
  onDisk(dir, () => openHere(dir, snapshotBlocks, log))

/** Throws FILE_UNWRITABLE for what the disk does not do: a full one, one that nobody may write. */
function onDisk<T>(dir: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof NodeError || !(cause instanceof Error) || !('syscall' in cause)) throw cause
    const what = `the development chain cannot be kept in ${dir}`
    throw new NodeError('FILE_UNWRITABLE', { what, why: cause.message, data: { dir }, cause })
  }
}

function openHere(dir: string, snapshotBlocks: number, log: Log): Opened {
  mkdirSync(dir, { recursive: true })
  const { restored, segment, logLength } = restore(dir, log)
  let file = segment === null ? null : openLog(segment.log, logLength)
  let blocksInLog = restored === null ? 0 : restored.tail.length

  const disk: Disk = {
    append: (stored) =>
      onDisk(dir, () => {
        if (file !== null) writeRecord(file, { type: 'Block', value: packed(stored) })
        blocksInLog++
      }),
    revert: (block) =>
      onDisk(dir, () => {
        if (file !== null) writeRecord(file, { type: 'Revert', value: block })
      }),
    wantsSnapshot: () => file === null || blocksInLog >= snapshotBlocks,
    snapshot: (snapshot) =>
      onDisk(dir, () => {
        const next = segmentOf(dir, snapshot.base.block.number)
        const fresh = openLog(next.log, 0)
        for (const stored of snapshot.tail) writeRecord(fresh, { type: 'Block', value: packed(stored) })
        // The segment is there when its snapshot is. A crash before that finds the old one, with all that is in this one.
        writeWhole(next.snapshot, codecs.encode('Snapshot', packedSnapshot(snapshot)))
        if (file !== null) closeSync(file)
        file = fresh
        blocksInLog = 0 // those of the tail are not counted, so that two segments always hold the history
        removeOld(dir)
      }),
    close: () => {
      if (file === null) return
      fsyncSync(file)
      closeSync(file)
      file = null
    },
  }
  return { disk, restored }
}

const segmentOf = (dir: string, number: number): Segment => ({
  number,
  snapshot: join(dir, `snapshot-${number}`),
  log: join(dir, `blocks-${number}`),
})

/** In the order of their blocks. */
function segments(dir: string): readonly Segment[] {
  const numbers = readdirSync(dir).flatMap((name) => /^snapshot-(\d+)$/.exec(name)?.[1] ?? [])
  return numbers
    .map(Number)
    .sort((a, b) => a - b)
    .map((number) => segmentOf(dir, number))
}

function removeOld(dir: string): void {
  for (const { snapshot, log } of segments(dir).slice(0, -SEGMENTS_MAX)) {
    rmSync(snapshot, { force: true })
    rmSync(log, { force: true })
  }
}

function openLog(path: string, length: number): number {
  const file = openSync(path, existsSync(path) ? 'r+' : 'w+')
  ftruncateSync(file, length)
  closeSync(file)
  return openSync(path, 'a')
}

/** Under another name until it is complete and on the disk. */
function writeWhole(path: string, payload: Uint8Array): void {
  const fresh = `${path}.new`
  const file = openSync(fresh, 'w')
  writeFrame(file, payload)
  fsyncSync(file)
  closeSync(file)
  renameSync(fresh, path)
}

const writeRecord = (file: number, record: EnumValue): void => writeFrame(file, codecs.encode('Record', record))

function writeFrame(file: number, payload: Uint8Array): void {
  const framed = new Uint8Array(HEAD_BYTES + payload.length)
  const view = new DataView(framed.buffer)
  view.setUint32(0, payload.length, true)
  view.setUint32(4, crc32(payload), true)
  framed.set(payload, HEAD_BYTES)
  for (let at = 0; at < framed.length; ) at += writeSync(file, framed, at)
}

/** The whole records from the start, and how many bytes they take. */
function unframe(bytes: Uint8Array): { readonly payloads: readonly Uint8Array[]; readonly length: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const payloads: Uint8Array[] = []
  let at = 0
  while (at + HEAD_BYTES <= bytes.length) {
    const length = view.getUint32(at, true)
    const payload = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length)
    if (payload.length < length || crc32(payload) !== view.getUint32(at + 4, true)) break
    payloads.push(payload)
    at += HEAD_BYTES + length
  }
  return { payloads, length: at }
}

function restore(dir: string, log: Log): { restored: Snapshot | null; segment: Segment | null; logLength: number } {
  let restored: Snapshot | null = null
  let last: Segment | null = null
  let logLength = 0
  for (const segment of segments(dir)) {
    // A segment repeats the last blocks of the one before. When that one lost its end, this one's snapshot takes over.
    restored = upTo(restored, segment.number) ?? readSnapshot(segment.snapshot) ?? restored
    if (restored === null || headOf(restored) !== segment.number) continue
    const bytes = readOrEmpty(segment.log)
    const { payloads, length } = unframe(bytes)
    restored = replay(restored, payloads)
    last = segment
    logLength = length
    const cutBytes = bytes.length - length
    if (cutBytes > 0) log.warn('the end of the log was torn and is cut off', { segment: segment.number, cutBytes })
  }
  if (restored === null && segments(dir).length > 0) throw broken(dir, 'no snapshot in it is whole')
  return { restored, segment: last, logLength }
}

const headOf = ({ base, tail }: Snapshot): number => (tail.at(-1) ?? base).block.number

/** `null` when it does not reach that far. */
function upTo(restored: Snapshot | null, number: number): Snapshot | null {
  if (restored === null || headOf(restored) < number) return null
  return { ...restored, tail: restored.tail.slice(0, number - restored.base.block.number) }
}

function replay(restored: Snapshot, payloads: readonly Uint8Array[]): Snapshot {
  const tail = [...restored.tail]
  const base = restored.base.block.number
  for (const payload of payloads) {
    const { type, value } = codecs.decode('Record', payload) as EnumValue
    if (type === 'Block') tail.push(unpacked(value as Packed))
    else tail.length = Math.max(0, Math.min(tail.length, (value as number) - base))
  }
  return { ...restored, tail }
}

function readSnapshot(path: string): Snapshot | null {
  const [payload] = unframe(readOrEmpty(path)).payloads
  if (payload === undefined || payload[0] !== FORMAT) return null
  const { hashes, base } = codecs.decode('Snapshot', payload) as { readonly hashes: Uint8Array; readonly base: Packed }
  return { hashes, base: unpacked(base), tail: [] }
}

const readOrEmpty = (path: string): Uint8Array => (existsSync(path) ? readFileSync(path) : new Uint8Array())

export const broken = (dir: string, why: string): NodeError =>
  new NodeError('CHAIN_DATA_BROKEN', {
    what: `the data of the development chain in ${dir} cannot be used`,
    why,
    data: { dir },
  })

type Packed = {
  readonly hash: string
  readonly header: Header
  readonly body: readonly Uint8Array[]
  readonly changes: readonly (readonly [key: Uint8Array, value: Uint8Array | null])[]
}

const packed = ({ block, changes }: Stored): Packed => ({
  hash: block.hash,
  header: block.header,
  body: block.body,
  changes: changes.map(({ key, value }) => [hexBytes(key), value === null ? null : hexBytes(value)]),
})

function unpacked({ hash, header, body, changes }: Packed): Stored {
  const block: Block = { number: header.number, hash, header, body }
  return {
    block,
    changes: changes.map(([key, value]): Change => ({ key: toHex(key), value: value === null ? null : toHex(value) })),
  }
}

const packedSnapshot = ({ hashes, base }: Pick<Snapshot, 'hashes' | 'base'>) => ({
  format: FORMAT,
  hashes,
  base: packed(base),
})
