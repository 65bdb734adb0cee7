import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cidBytes, cidOf, digestOf } from '../../src/protocol/codec.ts'
import {
  BITMAP_BYTES,
  bitmapOf,
  COMMITMENT_KINDS,
  commitmentHash,
  decodeRecord,
  EMPTY_BITMAP,
  encodeRecord,
  NO_HASH,
  type Opening,
  placesOf,
  type SlotRecord,
  saltInput,
} from '../../src/protocol/commitment.ts'
import type { Network } from '../../src/protocol/constitution.ts'
import { BLOCK_MAX, RECORD_BYTES_MAX, VALIDATORS_MAX } from '../../src/protocol/limits.ts'
import { concat, hexBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { alice, network, records } from './sample.ts'

const opening: Opening = {
  cycle: 4,
  kind: 'submission',
  hotkey: alice.hotkey,
  content: cidOf(utf8('content')),
  salt: '5a'.repeat(32),
}

test('a commitment is the SHA-256 of its frame', () => {
  const frame = Buffer.concat([
    Buffer.from('wheelwright/commitment/submission/v1\n', 'latin1'),
    Buffer.from(network.genesis, 'hex'),
    cidBytes(network.constitution),
    Buffer.from('0000000000000004', 'hex'),
    Buffer.from(opening.hotkey, 'hex'),
    cidBytes(opening.content),
    Buffer.from(opening.salt, 'hex'),
  ])
  expect(commitmentHash(network, opening)).toBe(createHash('sha256').update(frame).digest('hex'))
})

const hex32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
const cid = fc.string().map((text) => cidOf(utf8(text)))
const networks = fc.record({ genesis: hex32, constitution: cid })
const openings = fc.record({
  cycle: fc.nat({ max: BLOCK_MAX }),
  kind: fc.constantFrom(...COMMITMENT_KINDS),
  hotkey: hex32,
  content: cid,
  salt: hex32,
})

test('a commitment is bound to every single field', () => {
  fc.assert(
    fc.property(networks, openings, networks, openings, (where, what, elsewhere, other) => {
      const hash = commitmentHash(where, what)
      for (const key of ['genesis', 'constitution'] as const) {
        const same = elsewhere[key] === where[key]
        expect(commitmentHash({ ...where, [key]: elsewhere[key] }, what) === hash).toBe(same)
      }
      for (const key of ['cycle', 'kind', 'hotkey', 'content', 'salt'] as const) {
        const same = other[key] === what[key]
        expect(commitmentHash(where, { ...what, [key]: other[key] }) === hash).toBe(same)
      }
    }),
  )
})

test('a copied hash opens to nothing in another slot, cycle, kind or network', () => {
  const hash = commitmentHash(network, opening)
  const elsewhere: [Network, Opening][] = [
    [network, { ...opening, hotkey: 'ff'.repeat(32) }],
    [network, { ...opening, cycle: 5 }],
    [network, { ...opening, kind: 'report' }],
    [{ ...network, genesis: '00'.repeat(32) }, opening],
  ]
  for (const [where, what] of elsewhere) expect(commitmentHash(where, what)).not.toBe(hash)
})

test('what a salt is made of differs by network, cycle and kind', () => {
  const inputs = [
    ...COMMITMENT_KINDS.map((kind) => saltInput(network, 4, kind)),
    saltInput(network, 5, 'report'),
    saltInput({ ...network, genesis: '00'.repeat(32) }, 4, 'report'),
    saltInput({ ...network, constitution: cidOf(utf8('x')) }, 4, 'report'),
  ].map((input) => Buffer.from(input).toString('latin1'))
  expect(new Set(inputs).size).toBe(inputs.length)
  expect(inputs[0]?.startsWith('wheelwright/salt/submission/v1\n')).toBe(true)
})

describe('a bitmap', () => {
  test.each<[places: number[], bitmap: string]>([
    [[], EMPTY_BITMAP],
    [[0], `01${'00'.repeat(15)}`],
    [[7], `80${'00'.repeat(15)}`],
    [[8], `0001${'00'.repeat(14)}`],
    [[127], `${'00'.repeat(15)}80`],
    [[0, 1, 9], `0302${'00'.repeat(14)}`],
    [Array.from({ length: 128 }, (_, place) => place), 'ff'.repeat(16)],
  ])('of %j', (places, bitmap) => {
    expect(bitmapOf(places)).toBe(bitmap)
    expect(placesOf(bitmap)).toEqual(places)
  })

  test('has a bit for every validator of the largest snapshot', () => expect(8 * BITMAP_BYTES).toBe(VALIDATORS_MAX))

  test('keeps exactly the places that it was given, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: VALIDATORS_MAX - 1 })), (places) => {
        expect(placesOf(bitmapOf(places))).toEqual([...new Set(places)].sort((a, b) => a - b))
      }),
    )
  })

  test.each([-1, 128, 0.5, Number.NaN])('has no place %d', (place) => {
    expect(() => bitmapOf([place])).toThrow('covers the snapshot')
  })

  test('of nobody is empty text too', () => expect(placesOf('')).toEqual([]))
})

const head = `5701%02${digestOf(network.constitution).slice(0, 8)}00000004`
const layouts: readonly [kind: SlotRecord['kind'], code: string, fields: readonly string[], length: number][] = [
  ['submission', '00', ['hash'], 43],
  ['router', '01', ['hash', 'root'], 75],
  ['report', '02', ['hash', 'root'], 75],
  ['attest', '03', ['hash', 'root', 'bitmap'], 91],
  ['root', '04', ['base', 'root', 'bitmap'], 91],
]

describe('a record', () => {
  test.each(layouts)('of the kind %s has its layout', (kind, code, fields, length) => {
    const slot = records.find((entry) => entry.kind === kind)
    if (slot === undefined) throw new Error('there is a sample of every kind')
    const parts = fields.map((field) => {
      const value = (slot as unknown as Record<string, string>)[field] ?? ''
      return field === 'root' || field === 'base' ? digestOf(value) : value
    })
    const bytes = encodeRecord(network, slot)
    expect(toHex(bytes)).toBe(head.replace('%02', code) + parts.join(''))
    expect(bytes.length).toBe(length)
    expect(bytes.length).toBeLessThanOrEqual(RECORD_BYTES_MAX)
    expect(decodeRecord(network, bytes)).toEqual(slot)
  })

  const rooted = { cycle: fc.nat({ max: BLOCK_MAX }), hash: hex32, root: cid }
  const bitmap = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex)
  const slots = fc.oneof(
    fc.record({ kind: fc.constant('submission' as const), cycle: rooted.cycle, hash: hex32 }),
    fc.record({ kind: fc.constantFrom('router' as const, 'report' as const), ...rooted }),
    fc.record({ kind: fc.constant('attest' as const), ...rooted, bitmap }),
    fc.record({ kind: fc.constant('root' as const), cycle: rooted.cycle, base: cid, root: cid, bitmap }),
  )

  test('is read as it was written, from anywhere in memory, and fits its share of the slot', () => {
    fc.assert(
      fc.property(networks, slots, fc.nat({ max: 9 }), (where, slot, offset) => {
        const bytes = encodeRecord(where, slot)
        expect(bytes.length).toBeLessThanOrEqual(RECORD_BYTES_MAX)
        const moved = concat(new Uint8Array(offset).fill(0xff), bytes).subarray(offset)
        expect(decodeRecord(where, moved)).toEqual(slot)
      }),
    )
  })

  test('of another network is none', () => {
    const elsewhere = { ...network, constitution: cidOf(utf8('another')) }
    for (const slot of records) expect(decodeRecord(elsewhere, encodeRecord(network, slot))).toBeNull()
  })

  test('of any other length is none', () => {
    for (const slot of records) {
      const bytes = encodeRecord(network, slot)
      for (let length = 0; length < bytes.length; length++) {
        expect(decodeRecord(network, bytes.subarray(0, length))).toBeNull()
      }
      expect(decodeRecord(network, concat(bytes, Uint8Array.of(0)))).toBeNull()
    }
  })

  test.each<[why: string, at: number, byte: number]>([
    ['another mark', 0, 0x58],
    ['another version', 1, 2],
    ['an unknown kind', 2, 5],
    ['a kind of another length', 2, 0],
    ['another network', 3, Number.parseInt(digestOf(network.constitution).slice(0, 2), 16) ^ 1],
  ])('with %s is none', (_, at, byte) => {
    const bytes = encodeRecord(network, { kind: 'report', cycle: 4, hash: NO_HASH, root: cidOf(utf8('root')) })
    expect(decodeRecord(network, bytes)).not.toBeNull()
    bytes[at] = byte
    expect(decodeRecord(network, bytes)).toBeNull()
  })

  test('is never seen in what other programs write', () => {
    const text = fc.string({ maxLength: 128 }).map(utf8)
    const lengths = fc.constantFrom(43, 75, 91)
    const sized = lengths.chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 128 }), text, sized), (bytes) => {
        expect(decodeRecord(network, bytes)).toBeNull()
      }),
      { numRuns: 2_000 },
    )
    expect(decodeRecord(network, new Uint8Array())).toBeNull()
    expect(decodeRecord(network, new Uint8Array(1_000_000))).toBeNull()
  })

  test.each<[why: string, slot: SlotRecord, claim: string]>([
    ['a cycle beyond u32', { kind: 'submission', cycle: BLOCK_MAX + 1, hash: NO_HASH }, 'u32'],
    ['half a cycle', { kind: 'submission', cycle: 0.5, hash: NO_HASH }, 'u32'],
    ['a negative cycle', { kind: 'submission', cycle: -1, hash: NO_HASH }, 'u32'],
    ['a short hash', { kind: 'submission', cycle: 1, hash: '00' }, 'layout'],
    [
      'a long bitmap',
      { kind: 'attest', cycle: 1, hash: NO_HASH, root: cidOf(utf8('r')), bitmap: '00'.repeat(17) },
      'layout',
    ],
  ])('with %s is our own mistake', (_, slot, claim) => {
    expect(() => encodeRecord(network, slot)).toThrow(claim)
  })

  test('without a report has a hash of zeros', () => expect(hexBytes(NO_HASH)).toEqual(new Uint8Array(32)))
})
