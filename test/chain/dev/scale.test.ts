import { TypeRegistry } from '@polkadot/types'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCodecs } from '../../../src/chain/dev/scale.ts'
import { ScaleError } from '../../../src/chain/dev/scale-io.ts'
import { fromHex, toHex } from '../../../src/util/bytes.ts'

const types = {
  AccountId32: { path: '', type: '[u8;32]' },
  Alpha: { path: '', type: 'u64' },
  Point: { path: '', type: '{x: u16, y: Option<u32>}' },
  Choice: { path: '', type: 'enum {0 None, 1 One(u8), 2 Two(u8,u16), 7 At{x: u8, y: str}}' },
  List: { path: '', type: '{head: u8, tail: Option<List>}' },
}
const codecs = createCodecs(types)
const bytes = (hex: string) => fromHex(hex) ?? expect.fail(`${hex} is no hex`)

test('decoded bytes are a copy, also of a Buffer', () => {
  const buffer = Buffer.from('08aabb', 'hex')
  const decoded = codecs.decode('Vec<u8>', buffer)
  buffer.fill(0)
  expect(decoded).toEqual(Uint8Array.of(0xaa, 0xbb))
})

describe('agrees with @polkadot/types', () => {
  const registry = new TypeRegistry()
  const u = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })
  const i = (bits: number) => fc.bigInt({ min: -(1n << BigInt(bits - 1)), max: (1n << BigInt(bits - 1)) - 1n })
  const small = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 })
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
  const same = <T>(value: T) => value
  const cases: [type: string, values: fc.Arbitrary<unknown>, theirs: string, toTheirs: (value: never) => unknown][] = [
    ['bool', fc.boolean(), 'bool', same],
    ['u8', small(8), 'u8', same],
    ['u16', small(16), 'u16', same],
    ['u32', small(32), 'u32', same],
    ['u64', u(64), 'u64', same],
    ['u128', u(128), 'u128', same],
    ['i8', fc.integer({ min: -128, max: 127 }), 'i8', same],
    ['i16', fc.integer({ min: -32768, max: 32767 }), 'i16', same],
    ['i32', fc.integer(), 'i32', same],
    ['i64', i(64), 'i64', same],
    ['i128', i(128), 'i128', same],
    ['str', fc.string({ unit: 'binary' }), 'Text', same],
    ['Compact<u8>', small(8), 'Compact<u8>', same],
    ['Compact<u32>', fc.oneof(small(7), small(15), small(31), small(32)), 'Compact<u32>', same],
    ['Compact<u64>', fc.oneof(u(6), u(14), u(30), u(31), u(64)), 'Compact<u64>', same],
    ['Compact<u128>', u(128), 'Compact<u128>', same],
    ['Compact<Alpha>', u(64), 'Compact<u64>', same],
    ['Vec<u8>', fc.uint8Array(), 'Bytes', (value: Uint8Array) => `0x${toHex(value)}`],
    ['[u8;4]', fc.uint8Array({ minLength: 4, maxLength: 4 }), '[u8;4]', same],
    ['AccountId32', hash, 'AccountId32', (value: string) => `0x${value}`],
    ['H256', hash, 'H256', (value: string) => `0x${value}`],
    ['Option<u16>', fc.option(small(16)), 'Option<u16>', same],
    ['Vec<(u16,u16)>', fc.array(fc.tuple(small(16), small(16))), 'Vec<(u16,u16)>', same],
    ['[u32;2]', fc.tuple(small(32), small(32)), '[u32;2]', same],
    ['Vec<Option<u64>>', fc.array(fc.option(u(64))), 'Vec<Option<u64>>', same],
    ['Point', fc.record({ x: small(16), y: fc.option(small(32)) }), '{"x":"u16","y":"Option<u32>"}', same],
  ]
  test.each(cases)('%s', (type, values, theirs, toTheirs) => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = codecs.encode(type, value)
        expect(toHex(encoded)).toBe(toHex(registry.createType(theirs, toTheirs(value as never)).toU8a()))
        expect(codecs.decode(type, encoded)).toEqual(value)
      }),
      { numRuns: 50 },
    )
  })
})

const values: [type: string, value: unknown, hex: string][] = [
  ['()', null, ''],
  ['Compact<()>', null, ''],
  ['{}', null, ''],
  ['Choice', { type: 'None', value: null }, '00'],
  ['Choice', { type: 'One', value: 5 }, '0105'],
  ['Choice', { type: 'Two', value: [5, 6] }, '02050600'],
  ['Choice', { type: 'At', value: { x: 1, y: 'ä' } }, '070108c3a4'],
  ['Result<u8, str>', { type: 'Ok', value: 3 }, '0003'],
  ['Result<(), str>', { type: 'Err', value: 'x' }, '010478'],
  ['List', { head: 1, tail: { head: 2, tail: null } }, '01010200'],
  ['BoundedVec<u8, 2>', Uint8Array.of(1, 2), '080102'],
  ['BTreeMap<u8, bool>', [[1, true]], '040101'],
]
test.each(values)('%s of %j is %s', (type, value, hex) => {
  expect(toHex(codecs.encode(type, value))).toBe(hex)
  expect(codecs.decode(type, bytes(hex))).toEqual(value)
})

const malformed: [why: string, type: string, hex: string][] = [
  ['too short', 'u32', '010203'],
  ['bytes left over', 'u8', '0102'],
  ['a bool of 2', 'bool', '02'],
  ['an option of 2', 'Option<u8>', '0201'],
  ['an unknown variant', 'Choice', '03'],
  ['text that is no UTF-8', 'str', '04ff'],
  ['a vector longer than the bytes', 'Vec<u64>', 'fc01'],
  ['a vector of a billion', 'Vec<u8>', '02093d00'],
  ['a bounded vector that is too long', 'BoundedVec<u8, 2>', '0c010203'],
  ['a bounded vector of others that is too long', 'BoundedVec<u16, 1>', '0801000200'],
  ['a compact that is too large for its type', 'Compact<u8>', '0104'],
  ['a compact u32 of 2^32', 'Compact<u32>', '070000000001'],
  ['two bytes for a compact of one', 'Compact<u32>', '0100'],
  ['four bytes for a compact of two', 'Compact<u32>', '02ff0000'],
  ['many bytes for a compact of four', 'Compact<u64>', '03ffffff3f'],
  ['a leading zero in a compact', 'Compact<u64>', '070000004000'],
  ['a compact of 17 bytes', 'Compact<u128>', `37${'ff'.repeat(17)}`],
]
test.each(malformed)('%s is refused', (_, type, hex) => {
  expect(() => codecs.decode(type, bytes(hex))).toThrow(ScaleError)
})

const misfits: [type: string, value: unknown][] = [
  ['u8', 256],
  ['u8', -1],
  ['u8', 1.5],
  ['u8', 1n],
  ['i8', 128],
  ['u64', 1],
  ['u64', -1n],
  ['u64', 1n << 64n],
  ['i64', 1n << 63n],
  ['Compact<u64>', 5],
  ['Compact<u8>', 256],
  ['bool', 1],
  ['H256', 'ff'],
  ['[u8;2]', Uint8Array.of(1)],
  ['(u8,u8)', [1]],
  ['Point', { x: 1 }],
  ['Choice', { type: 'Three', value: null }],
  ['Vec<u8>', [1, 2]],
  ['Unheard', 1],
]
test.each(misfits)('encoding %s from %s is a bug', (type, value) => {
  expect(() => codecs.encode(type, value)).toThrow('broken invariant')
})

test('no bytes make a decoder throw anything but its own error', () => {
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.constantFrom('Choice', 'List', 'Vec<Point>', 'Compact<u64>', 'str'),
      (data, type) => {
        try {
          expect(toHex(codecs.encode(type, codecs.decode(type, data)))).toBe(toHex(data))
        } catch (error) {
          expect(error).toBeInstanceOf(ScaleError)
        }
      },
    ),
  )
})

test('what was decoded does not share memory with what was received', () => {
  const data = bytes('080102')
  const decoded = codecs.decode('Vec<u8>', data)
  data.fill(0)
  expect(decoded).toEqual(Uint8Array.of(1, 2))
})
