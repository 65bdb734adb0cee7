import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CID_BYTES, GET_CIDS_MAX, HAVE_CIDS_MAX } from '../../../src/p2p/pull/limits.ts'
import {
  ABSENT,
  type AnswerRead,
  createAnswerReader,
  createRequestReader,
  decodeBitmap,
  encodeBitmap,
  encodeRequest,
  lengthBytes,
  type PartHearer,
} from '../../../src/p2p/pull/wire.ts'
import { DAG_CBOR, DAG_PB, RAW } from '../../../src/p2p/store/cid.ts'
import { concat } from '../../../src/util/bytes.ts'
import { cidOf } from './stage.ts'

const cids = Array.from({ length: 5 }, (_, i) => cidOf(Uint8Array.of(i), [RAW, DAG_PB, DAG_CBOR][i % 3]))
const texts = (list: readonly unknown[]) => list.map(String)

/** The same bytes in portions that end wherever they like. */
const portions = (bytes: Uint8Array, cuts: readonly number[]): readonly Uint8Array[] => {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter((part) => part.length > 0)
}

describe('requests', () => {
  test('are a kind, a count and CIDs of 36 bytes', () => {
    const bytes = encodeRequest({ kind: 'have', cids: cids.slice(0, 2) })
    expect([...bytes.subarray(0, 3)]).toEqual([2, 0, 2])
    expect(bytes).toHaveLength(3 + 2 * CID_BYTES)
    expect(bytes.subarray(3, 3 + CID_BYTES)).toEqual(cids[0]?.bytes)
  })

  test('are read back, one after the other, however they are cut', () => {
    fc.assert(
      fc.property(fc.constantFrom('get', 'have'), fc.array(fc.nat(), { maxLength: 8 }), (kind, cuts) => {
        const reader = createRequestReader()
        for (let round = 0; round < 2; round++) {
          const reads = portions(encodeRequest({ kind, cids }), cuts).map((part) => reader.push(part))
          expect(reads.slice(0, -1).every((read) => read.kind === 'more')).toBe(true)
          const last = reads.at(-1)
          expect(last?.kind === 'request' && { ...last.request, cids: texts(last.request.cids) }).toEqual({
            kind,
            cids: texts(cids),
          })
        }
      }),
    )
  })

  const good = encodeRequest({ kind: 'get', cids: cids.slice(0, 1) })
  const altered = (at: number, byte: number) => good.with(at, byte)
  test.each([
    ['an unknown kind', altered(0, 3)],
    ['no CID', Uint8Array.of(1, 0, 0)],
    ['too many to get', Uint8Array.of(1, 0, GET_CIDS_MAX + 1)],
    ['too many to have', Uint8Array.of(2, HAVE_CIDS_MAX >> 8, (HAVE_CIDS_MAX & 255) + 1)],
    ['bytes behind the end', concat(good, Uint8Array.of(0))],
    ['another version', altered(3, 0)],
    ['another codec', altered(4, 0x51)],
    ['another hash', altered(5, 0x13)],
    ['another length', altered(6, 0x21)],
  ])('with %s are broken', (_, bytes) => {
    expect(createRequestReader().push(bytes)).toMatchObject({ kind: 'broken' })
  })
})

describe('answers', () => {
  const blocks = [Uint8Array.of(1, 2, 3), new Uint8Array(0), null, Uint8Array.of(4)]
  const bytes = concat(
    ...blocks.flatMap((block) => (block === null ? [lengthBytes(ABSENT)] : [lengthBytes(block.length), block])),
  )
  const bounds = blocks.map(() => ({ bytesMin: 0, bytesMax: 3 }))
  const collect = () => {
    const parts: (Uint8Array | null)[] = []
    const hear: PartHearer = (part, block) => {
      expect(part).toBe(parts.length)
      return parts.push(block) > 0
    }
    return { parts, hear }
  }

  test('are read part by part, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 12 }), (cuts) => {
        const { parts, hear } = collect()
        const reader = createAnswerReader(bounds, hear)
        const reads = portions(bytes, cuts).map((part) => reader.push(part).kind)
        expect(reads).toEqual([...reads.slice(1).map(() => 'more'), 'done'])
        expect(parts).toEqual(blocks)
      }),
    )
  })

  const read = (given: Uint8Array, limits = bounds): AnswerRead => createAnswerReader(limits, () => true).push(given)
  test('of a wrong length take no memory', () => {
    expect(read(lengthBytes(0xffff_fffe))).toEqual({ kind: 'wrong-length', part: 0, length: 0xffff_fffe })
    expect(read(lengthBytes(2), [{ bytesMin: 3, bytesMax: 3 }])).toMatchObject({ kind: 'wrong-length' })
  })
  test('with more than was asked for are broken', () => {
    expect(read(concat(bytes, Uint8Array.of(1)))).toMatchObject({ kind: 'broken' })
  })
  test('are read no further when the hearer says no', () => {
    const heard: number[] = []
    const reader = createAnswerReader(bounds, (part) => heard.push(part) > 1)
    expect(reader.push(bytes)).toEqual({ kind: 'stopped' })
    expect(heard).toEqual([0])
  })
})

describe('bitmaps', () => {
  test('are read back, and nothing is set behind their end', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (bits) => {
        expect(decodeBitmap(encodeBitmap(bits), bits.length)).toEqual(bits)
      }),
    )
    expect([...encodeBitmap([true, false, false, true])]).toEqual([0b1001])
    expect(decodeBitmap(Uint8Array.of(0b10000), 4)).toBeNull()
    expect(decodeBitmap(Uint8Array.of(1, 1), 4)).toBeNull()
  })
})
