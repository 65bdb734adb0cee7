import { expect, test } from 'vitest'
import { parseFields, parseType, type Shape, splitTop } from '../../../src/chain/dev/type-text.ts'

const shapes: [text: string, shape: Shape][] = [
  ['u8', { kind: 'integer', name: 'u8' }],
  ['i128', { kind: 'integer', name: 'i128' }],
  ['bool', { kind: 'bool' }],
  ['str', { kind: 'str' }],
  [' u16 ', { kind: 'integer', name: 'u16' }],
  ['AccountId32', { kind: 'named', name: 'AccountId32' }],
  ['Balances.Call', { kind: 'named', name: 'Balances.Call' }],
  ['Vec<(u16,u16)>', { kind: 'sequence', of: '(u16,u16)', itemsMax: null }],
  ['BTreeSet<u16>', { kind: 'collection', name: 'BTreeSet', of: ['u16'], itemsMax: null }],
  ['BTreeMap<u16, Vec<u8>>', { kind: 'collection', name: 'BTreeMap', of: ['u16', 'Vec<u8>'], itemsMax: null }],
  ['BoundedVec<u8, 5000>', { kind: 'collection', name: 'BoundedVec', of: ['u8'], itemsMax: 5000 }],
  ['Compact<u64>', { kind: 'compact', of: 'u64' }],
  ['Option<Vec<u8>>', { kind: 'option', of: 'Vec<u8>' }],
  ['Result<(), DispatchError>', { kind: 'result', ok: '()', error: 'DispatchError' }],
  ['[u8; 32]', { kind: 'array', of: 'u8', length: 32 }],
  ['[[u8;2];3]', { kind: 'array', of: '[u8;2]', length: 3 }],
  ['()', { kind: 'tuple', of: [] }],
  ['(u8, Vec<(u8,u8)>)', { kind: 'tuple', of: ['u8', 'Vec<(u8,u8)>'] }],
  ['{}', { kind: 'struct', fields: [] }],
  ['{block: u64, ip: u128}', { kind: 'struct', fields: [{ name: 'block', type: 'u64' }, { name: 'ip', type: 'u128' }] }], // biome-ignore format: a row
]

test.each(shapes)('%s is parsed', (text, shape) => {
  expect(parseType(text)).toEqual(shape)
})

test('an enum has variants without fields, with fields, and with named fields', () => {
  expect(parseType('enum {0 None, 1 Some(u8, u16), 133 At{x: u8,\n  y: Vec<u8>}}')).toEqual({
    kind: 'enum',
    variants: [
      { index: 0, name: 'None', fields: [] },
      { index: 1, name: 'Some', fields: [{ name: null, type: 'u8' }, { name: null, type: 'u16' }] }, // biome-ignore format: a row
      { index: 133, name: 'At', fields: [{ name: 'x', type: 'u8' }, { name: 'y', type: 'Vec<u8>' }] }, // biome-ignore format: a row
    ],
  })
})

test('fields may have names or not', () => {
  expect(parseFields('netuid: u16, dests: Vec<(u16,u16)>')).toEqual([
    { name: 'netuid', type: 'u16' },
    { name: 'dests', type: 'Vec<(u16,u16)>' },
  ])
  expect(parseFields('u16, {a: u8}')).toEqual([
    { name: null, type: 'u16' },
    { name: null, type: '{a: u8}' },
  ])
  expect(parseFields('')).toEqual([])
})

test('only commas outside of brackets split', () => {
  expect(splitTop('a, (b, c), <d, [e, f]>, {g, h}')).toEqual(['a', '(b, c)', '<d, [e, f]>', '{g, h}'])
})

test.each(['Vec<u8', '[u8]', '[u8;x]', 'enum {None}', 'a b', ''])('%s is a bug', (text) => {
  expect(() => parseType(text)).toThrow('broken invariant')
})
