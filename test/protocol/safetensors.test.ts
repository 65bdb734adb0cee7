import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encodeSafetensorsHeader,
  judgeSafetensors,
  type NamedTensor,
  readHeaderLength,
  SAFETENSORS_CODES,
  SAFETENSORS_LIMITS,
} from '../../src/protocol/safetensors.ts'
import { DTYPES, type Dtype, isTensorName } from '../../src/protocol/tensor.ts'
import { hexBytes, utf8 } from '../../src/util/bytes.ts'
import golden from '../fixtures/protocol/safetensors.json' with { type: 'json' }

type Golden = { why: string; header?: string; hex?: string; data: number; tensors?: unknown[]; code?: string }
const cases = golden as Golden[]
const judge = (text: string, data: number) => judgeSafetensors(utf8(text), 8 + utf8(text).length + data)

test.each(cases)('golden header: $why', ({ header, hex, data, tensors, code }) => {
  const bytes = header === undefined ? hexBytes(hex ?? '') : utf8(header)
  const verdict = judgeSafetensors(bytes, 8 + bytes.length + data)
  expect(verdict).toMatchObject(code === undefined ? { kind: 'accept', tensors } : { kind: 'reject', code })
})

test('the golden headers meet every code that does not depend on a limit', () => {
  const met = new Set(cases.map(({ code }) => code))
  const limits = ['SAFETENSORS_TOO_SHORT', 'SAFETENSORS_HEADER_TOO_LONG', 'SAFETENSORS_TOO_MANY']
  expect(SAFETENSORS_CODES.filter((code) => !met.has(code))).toEqual(limits)
})

const lengthBytes = (length: bigint) => new Uint8Array(BigUint64Array.of(length).buffer)
const lengths: [why: string, first: Uint8Array, fileBytes: number, expected: number | string][] = [
  ['a whole file of one header', lengthBytes(2n), 10, 2],
  ['a header before data', lengthBytes(2n), 1e12, 2],
  ['no header at all', lengthBytes(0n), 8, 0],
  ['seven bytes', new Uint8Array(7), 7, 'SAFETENSORS_TOO_SHORT'],
  ['a file that ends in its header', lengthBytes(3n), 10, 'SAFETENSORS_TOO_SHORT'],
  ['a length that is no number', lengthBytes(2n), Number.NaN, 'SAFETENSORS_TOO_SHORT'],
  ['the longest', lengthBytes(BigInt(SAFETENSORS_LIMITS.headerBytesMax)), 1e12, SAFETENSORS_LIMITS.headerBytesMax],
  ['one too many', lengthBytes(BigInt(SAFETENSORS_LIMITS.headerBytesMax) + 1n), 1e12, 'SAFETENSORS_HEADER_TOO_LONG'],
  ['2^32 and a little', lengthBytes(2n ** 32n + 2n), 1e12, 'SAFETENSORS_HEADER_TOO_LONG'],
  ['2^64 - 1', lengthBytes(2n ** 64n - 1n), 1e12, 'SAFETENSORS_HEADER_TOO_LONG'],
]
test.each(lengths)('header length: %s', (_, first, fileBytes, expected) => {
  const answer = readHeaderLength(first, fileBytes)
  expect(typeof answer === 'number' ? answer : answer.code).toBe(expected)
})

test('a header beyond a limit is refused', () => {
  const { prefix, fileBytes } = encodeSafetensorsHeader(
    ['a', 'b', 'c'].map((name) => ({ name, dtype: 'U8', shape: [1] })),
    new Map([
      ['x', '1'],
      ['y', '2'],
    ]),
  )
  const header = prefix.subarray(8)
  expect(judgeSafetensors(header, fileBytes).kind).toBe('accept')
  for (const [limits, code] of [
    [{ tensorsMax: 2 }, 'SAFETENSORS_TOO_MANY'],
    [{ metadataEntriesMax: 1 }, 'SAFETENSORS_TOO_MANY'],
    [{ headerBytesMax: 20 }, 'SAFETENSORS_HEADER_TOO_LONG'],
  ] as const) {
    expect(judgeSafetensors(header, fileBytes, limits)).toMatchObject({ kind: 'reject', code })
  }
  expect(judgeSafetensors(header, header.length + 7)).toMatchObject({ code: 'SAFETENSORS_TOO_SHORT' })
  expect(judgeSafetensors(header, Number.NaN)).toMatchObject({ code: 'SAFETENSORS_TOO_SHORT' })
})

test('a refusal says where and what, and quotes nothing that has not passed', () => {
  expect(judge('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 4)).toEqual({
    kind: 'reject',
    code: 'SAFETENSORS_LENGTH_MISMATCH',
    field: 'w: data_offsets',
    problem: 'F32 [2] has 8 bytes, the offsets span 4',
  })
  expect(JSON.stringify(judge('{"\\u001b[31m evil":{}}', 0))).not.toContain('evil')
})

const tensors = fc.uniqueArray(
  fc.record({
    name: fc.string({ unit: fc.constantFrom(...'aZ0._-/'), minLength: 1, maxLength: 12 }).filter(isTensorName),
    dtype: fc.constantFrom(...(Object.keys(DTYPES) as Dtype[])),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 8 }),
  }),
  { selector: ({ name }) => name, maxLength: 6 },
)
const metadata = fc
  .array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), { maxLength: 3 })
  .map((entries) => new Map(entries))

test('what we write is what we read', () => {
  fc.assert(
    fc.property(tensors, metadata, (given, notes) => {
      const { prefix, tensors: placed, fileBytes } = encodeSafetensorsHeader(given, notes)
      const length = readHeaderLength(prefix, fileBytes)
      expect(length).toBe(prefix.length - 8)
      expect(prefix.length % 8).toBe(0)
      const verdict = judgeSafetensors(prefix.subarray(8), fileBytes)
      expect(verdict).toEqual({ kind: 'accept', tensors: placed, metadata: notes })
      expect(placed.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(given)
      expect(Object.keys(JSON.parse(new TextDecoder().decode(prefix.subarray(8))))).toHaveLength(
        given.length + Math.sign(notes.size),
      )
    }),
  )
})

test('the spelling of a header does not change', () => {
  const { prefix, fileBytes } = encodeSafetensorsHeader(
    [
      { name: 'b', dtype: 'BF16', shape: [2, 3] },
      { name: 'a', dtype: 'F32', shape: [] },
    ],
    new Map([
      ['z', '1'],
      ['format', 'pt'],
    ]),
  )
  expect(new TextDecoder().decode(prefix.subarray(8))).toBe(
    '{"__metadata__":{"format":"pt","z":"1"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"a":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}'.padEnd(
      prefix.length - 8,
    ),
  )
  expect(fileBytes).toBe(prefix.length + 16)
})

test.each([
  [[{ name: 'a b', dtype: 'U8', shape: [] }], new Map()],
  [[{ name: 'a', dtype: 'U8', shape: [-1] }], new Map()],
  [
    [
      { name: 'a', dtype: 'U8', shape: [] },
      { name: 'a', dtype: 'U8', shape: [] },
    ],
    new Map(),
  ],
  [[], new Map([['k', '\ud800']])],
] as [NamedTensor[], Map<string, string>][])('writing %j is our own mistake', (bad, notes) => {
  expect(() => encodeSafetensorsHeader(bad, notes)).toThrow('our own')
})

describe('hostile bytes', () => {
  const samples = cases.flatMap(({ header }) => (header === undefined ? [] : [utf8(header)]))
  const never = (header: Uint8Array, fileBytes: number) => {
    const verdict = judgeSafetensors(header, fileBytes)
    if (verdict.kind === 'reject') {
      expect(SAFETENSORS_CODES).toContain(verdict.code)
      return
    }
    const sum = verdict.tensors.reduce((bytes, { begin, end }) => bytes + end - begin, 0)
    expect(sum).toBe(fileBytes - 8 - header.length)
    expect(JSON.parse(new TextDecoder().decode(header))).toBeTypeOf('object')
  }

  test('no bytes make the judge throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer(), never), { numRuns: 500 })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 16 }), fc.double(), (first, fileBytes) => {
        expect(['number', 'object']).toContain(typeof readHeaderLength(first, fileBytes))
      }),
    )
  })

  test('no mutation of a header makes the judge throw, or accept what JSON.parse would not read', () => {
    const edit = fc.record({
      at: fc.nat(),
      cut: fc.integer({ min: 0, max: 3 }),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 3 }),
        fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', '\\u0061', ' ').map(utf8),
      ),
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 20 }),
        (sample, edits, data) => {
          let bytes = [...sample]
          for (const { at, cut, insert } of edits) bytes = bytes.toSpliced(at % (bytes.length + 1), cut, ...insert)
          never(Uint8Array.from(bytes), 8 + bytes.length + data)
        },
      ),
      { numRuns: 3_000 },
    )
  })

  test.each(['[', '{"a":', '{"__metadata__":', '"', '\\u0061', ' ', '0', '{"a":{"shape":[', ','])(
    'a million repetitions of %j are refused without recursion',
    (text) => {
      for (const start of ['{', '{"a":', '{"a":{"shape":[', '{"__metadata__":{"k":"']) {
        expect(judge(start + text.repeat(1_000_000 / text.length), 16).kind).toBe('reject')
      }
    },
  )
})
