import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  byteLength,
  DTYPES,
  type Dtype,
  isDtype,
  isTensorName,
  isTensorShape,
  isTrainable,
  sameShape,
  TENSOR_BYTES_MAX,
  TENSOR_DIM_MAX,
  tensorDigest,
  tensorFrame,
} from '../../src/protocol/tensor.ts'
import { toHex } from '../../src/util/bytes.ts'

const dtypes = Object.keys(DTYPES) as Dtype[]

test('only three types can be trained', () => {
  expect(dtypes.filter(isTrainable)).toEqual(['BF16', 'F16', 'F32'])
})

test.each(['F8_E4M3', 'f32', '', '__proto__', 'constructor', 'toString'])('%j is no dtype', (text) => {
  expect(isDtype(text)).toBe(false)
})

test.each(['a', 'model.layers.0.mlp.experts.63.up_proj.weight', 'A-Z_0/9', 'n'.repeat(128), '..', '__proto'])(
  '%s is a name',
  (name) => expect(isTensorName(name)).toBe(true),
)

test.each(['', 'n'.repeat(129), 'a b', 'é', 'a\n', 'a\0', '__metadata__', '__proto__', 'a"b', 'a\\b', 'a:b'])(
  '%j is no name',
  (name) => expect(isTensorName(name)).toBe(false),
)

const lengths: [dtype: Dtype, shape: number[], bytes: number | null][] = [
  ['F32', [], 4],
  ['BF16', [3, 5], 30],
  ['I64', [0], 0],
  ['U8', [TENSOR_DIM_MAX, TENSOR_DIM_MAX, 0], 0],
  ['U8', [4, TENSOR_DIM_MAX], TENSOR_BYTES_MAX - 4],
  ['U8', [2, 2 ** 30, 4], TENSOR_BYTES_MAX],
  ['U8', [3, 2 ** 30, 4], null],
  ['F32', [TENSOR_DIM_MAX, TENSOR_DIM_MAX, TENSOR_DIM_MAX], null],
  ['U8', [TENSOR_DIM_MAX + 1], null],
  ['U8', [-1], null],
  ['U8', [1.5], null],
  ['U8', [Number.NaN], null],
  ['U8', [1, 1, 1, 1, 1, 1, 1, 1], 1],
  ['U8', [1, 1, 1, 1, 1, 1, 1, 1, 1], null],
]
test.each(lengths)('%s %j has %s bytes', (dtype, shape, bytes) => expect(byteLength(dtype, shape)).toBe(bytes))

test('a shape is judged without its dtype', () => {
  expect(isTensorShape([2, 3])).toBe(true)
  expect(isTensorShape([2, Number.POSITIVE_INFINITY])).toBe(false)
  expect(sameShape([2, 3], [2, 3])).toBe(true)
  expect(sameShape([2, 3], [3, 2])).toBe(false)
  expect(sameShape([2], [2, 1])).toBe(false)
})

test('the frame is tag, dtype, rank, dimensions and length', () => {
  const text = '776865656c7772696768742f74656e736f722f7631'
  expect(toHex(tensorFrame('BF16', [2, 258], 1032))).toBe(
    [text, '04', '42463136', '02', '0200000000000000', '0201000000000000', '0804000000000000'].join(''),
  )
})

test('a length that the shape contradicts is our own mistake', () => {
  expect(() => tensorFrame('F32', [2], 4)).toThrow('as long as')
  expect(() => tensorDigest('F32', [2], new Uint8Array(7))).toThrow('as long as')
})

test('the digest of a known tensor does not change', () => {
  expect(toHex(tensorDigest('F32', [2], Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64)))).toBe(
    '8598faebd0fed4119ac8fdaef23bbf4a6d4d1cbb0907f0a0cbe942c5a1662efc',
  )
})

const tensor = fc
  .record({ dtype: fc.constantFrom(...dtypes), shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }) })
  .chain(({ dtype, shape }) => {
    const length = byteLength(dtype, shape) ?? 0
    return fc.record({
      dtype: fc.constant(dtype),
      shape: fc.constant(shape),
      bytes: fc.uint8Array({ minLength: length, maxLength: length, max: 1 }),
    })
  })

test('two tensors share a digest only when they share type, shape and bytes', () => {
  fc.assert(
    fc.property(tensor, tensor, (a, b) => {
      const same = a.dtype === b.dtype && sameShape(a.shape, b.shape) && toHex(a.bytes) === toHex(b.bytes)
      const [left, right] = [a, b].map(({ dtype, shape, bytes }) => toHex(tensorDigest(dtype, shape, bytes)))
      expect(left === right).toBe(same)
    }),
    { numRuns: 300 },
  )
})

test('no reshape and no other type of the same bytes has the same digest', () => {
  const bytes = new Uint8Array(16)
  const kinds: [Dtype, number[]][] = [
    ['F32', [4]],
    ['F32', [2, 2]],
    ['F32', [1, 4]],
    ['F32', [4, 1]],
    ['I32', [4]],
    ['BF16', [8]],
    ['F16', [8]],
    ['F64', [2]],
    ['U8', [16]],
    ['BOOL', [16]],
  ]
  expect(new Set(kinds.map(([dtype, shape]) => toHex(tensorDigest(dtype, shape, bytes)))).size).toBe(kinds.length)
})
