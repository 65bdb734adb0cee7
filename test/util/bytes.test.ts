import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, equalBytes, fromHex, hexBytes, toHex, u64, utf8 } from '../../src/util/bytes.ts'

test.each<[hex: string, bytes: number[]]>([
  ['', []],
  ['00', [0]],
  ['0aff10', [10, 255, 16]],
])('%j is the text of %j', (hex, bytes) => {
  expect(toHex(Uint8Array.from(bytes))).toBe(hex)
  expect(fromHex(hex)).toEqual(Uint8Array.from(bytes))
  expect(hexBytes(hex)).toEqual(Uint8Array.from(bytes))
})

test.each(['0', '0A', '0x00', ' 00', '00 ', '00\n', 'zz', '٠٠', '\u{1d7d8}\u{1d7d8}', '0'.repeat(99_999)])(
  '%j is no hexadecimal text',
  (text) => {
    expect(fromHex(text)).toBeNull()
    expect(() => hexBytes(text)).toThrow('our own hex')
  },
)

test('a text of millions of digits neither throws nor hangs', () => {
  expect(fromHex('ab'.repeat(4_000_000))?.length).toBe(4_000_000)
  expect(fromHex(`${'ab'.repeat(4_000_000)}g0`)).toBeNull()
})

test('hexadecimal text and bytes have the same order and the same content', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(fromHex(toHex(a))).toEqual(a)
      expect(Math.sign(Buffer.compare(a, b))).toBe(toHex(a) < toHex(b) ? -1 : toHex(a) === toHex(b) ? 0 : 1)
      expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b))
      expect(toHex(concat(a, b))).toBe(toHex(a) + toHex(b))
    }),
  )
})

test('a part of a buffer is read from where it begins', () => {
  const part = Uint8Array.of(1, 2, 3, 4).subarray(1, 3)
  expect(toHex(part)).toBe('0203')
  expect(concat(part, part)).toEqual(Uint8Array.of(2, 3, 2, 3))
  expect(equalBytes(part, Uint8Array.of(2, 3))).toBe(true)
})

test('nothing joined is nothing', () => {
  expect(concat()).toEqual(new Uint8Array())
  expect(concat(new Uint8Array(), new Uint8Array())).toEqual(new Uint8Array())
})

test('text becomes UTF-8', () => expect(toHex(utf8('a€'))).toBe('61e282ac'))

test.each<[value: number, hex: string]>([
  [0, '0000000000000000'],
  [1, '0000000000000001'],
  [0xffff_ffff, '00000000ffffffff'],
  [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
])('%i takes eight bytes, most significant first', (value, hex) => expect(toHex(u64(value))).toBe(hex))

test.each([-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])('%d is not hashed', (value) => {
  expect(() => u64(value)).toThrow('safe natural number')
})
