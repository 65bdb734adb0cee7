/**
 * The decoders of the bulk path as targets of a fuzzer: what peers send, in whatever portions it comes.
 *
 * Each says whether its input was read as valid. A throw is a failure, and so is anything that a reader hands out beyond its
 * bounds: that is thrown here.
 */
import * as dagPb from '@ipld/dag-pb'
import { readFileNode } from '../../../src/p2p/pull/file-node.ts'
import {
  ABSENT,
  createAnswerReader,
  createRequestReader,
  decodeBitmap,
  encodeBitmap,
  encodeRequest,
  lengthBytes,
} from '../../../src/p2p/pull/wire.ts'
import { concat } from '../../../src/util/bytes.ts'
import type { Random } from '../../protocol/world.ts'
import { cidOf, MIB } from './stage.ts'

export type PullTarget = {
  readonly name: string
  readonly samples: readonly Uint8Array[]
  readonly run: (bytes: Uint8Array, random: Random) => boolean
}

const PORTIONS_MAX = 4
const PART_BYTES_MAX = 64

/** Cut anywhere, so that every state of a reader is reached in the middle. */
function portionsOf(bytes: Uint8Array, random: Random): readonly Uint8Array[] {
  const cuts = Array.from({ length: random.below(PORTIONS_MAX) }, () => random.below(bytes.length + 1))
  const ends = [...cuts, bytes.length].sort((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

const cids = [0x55, 0x70, 0x71].map((codec) => cidOf(Uint8Array.of(codec), codec))

function request(bytes: Uint8Array, random: Random): boolean {
  const reader = createRequestReader()
  let isRead = false
  for (const part of portionsOf(bytes, random)) {
    if (part.length === 0) continue
    const read = reader.push(part)
    if (read.kind === 'broken') return false
    if (read.kind === 'request') isRead = true
  }
  return isRead
}

const ANSWER = [Uint8Array.of(1, 2, 3, 4), null, new Uint8Array(0), new Uint8Array(PART_BYTES_MAX).fill(7)]
const bounds = ANSWER.map(() => ({ bytesMin: 0, bytesMax: PART_BYTES_MAX }))
const answerBytes = concat(
  ...ANSWER.flatMap((part) => (part === null ? [lengthBytes(ABSENT)] : [lengthBytes(part.length), part])),
)

function answer(bytes: Uint8Array, random: Random): boolean {
  let heard = 0
  const reader = createAnswerReader(bounds, (part, block) => {
    if (part !== heard++ || (block?.length ?? 0) > PART_BYTES_MAX) throw new Error('a part that nobody asked for')
    return true
  })
  for (const part of portionsOf(bytes, random)) {
    const read = reader.push(part)
    if (read.kind === 'done') return heard === ANSWER.length
    if (read.kind !== 'more') return false
  }
  return false
}

const BITS = [true, false, true, true, false, false, false, true, true]

/** A node of two leaves. */
const leaf = cidOf(Uint8Array.of(1))
const link = (size: number, hash = leaf) => ({ Hash: hash, Name: '', Tsize: size })
const SMALL_NODE = dagPb.encode({
  Data: Uint8Array.from([8, 2, 0x18, 0x84, 0x80, 0x40, 0x20, 0x80, 0x80, 0x40, 0x20, 4]),
  Links: [link(MIB), link(4)],
})

export const PULL_TARGETS: readonly PullTarget[] = [
  {
    name: 'pull-request',
    samples: [encodeRequest({ kind: 'get', cids }), encodeRequest({ kind: 'have', cids: cids.slice(1) })],
    run: request,
  },
  { name: 'pull-answer', samples: [answerBytes], run: answer },
  {
    name: 'pull-bitmap',
    samples: [encodeBitmap(BITS)],
    run: (bytes) => decodeBitmap(bytes, BITS.length) !== null,
  },
  { name: 'pull-node', samples: [SMALL_NODE], run: (bytes) => typeof readFileNode(bytes, null) !== 'string' },
]
