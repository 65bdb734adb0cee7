import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { expect, test } from 'vitest'
import { cidBytes, cidOf, cidOfDigest, decode, digestOf, encode, rawCidOf } from '../../src/protocol/codec.ts'
import { ITEMS_MAX } from '../../src/protocol/limits.ts'
import { blob, Flaw, integer, link, list, nullable, record, type Shape, text } from '../../src/protocol/schema.ts'
import { poolShape } from '../../src/protocol/shard.ts'
import { concat, hexBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { cidOfText } from './sample.ts'

const number = integer(0, Number.MAX_SAFE_INTEGER)
const shape = record({ n: number, name: text(/^.*$/, 'a text') })
const wide = list(number, 0, 2 ** 32)
const open: Shape<unknown> = { read: (value) => value, write: (value) => value }

test('a document has one form in bytes: shorter keys first, no space', () => {
  const bytes = encode(shape, { name: 'é', n: 24 })
  expect(toHex(bytes)).toBe('a2616e1818646e616d6562c3a9')
  expect(decode(shape, bytes, bytes.length)).toEqual({ n: 24, name: 'é' })
})

test('what is written shares no memory with anything', () => {
  for (const length of [0, 100, 140, 200, 250, 300, 5_000]) {
    const bytes = encode(shape, { n: 1, name: 'n'.repeat(length) })
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
    expect(bytes.buffer.byteLength).toBe(bytes.length)
  }
})

const malformed = 'is not dag-cbor'
const uncanonical = 'is not in canonical form'
const cases: readonly [why: string, shape: Shape<unknown>, hex: string, field: string, problem: string][] = [
  ['nothing', shape, '', 'document', malformed],
  ['keys in another order', shape, 'a2646e616d656161616e01', 'document', uncanonical],
  ['a key twice', shape, 'a3616e01616e01646e616d6560', 'document', malformed],
  ['a key twice with different values', shape, 'a3616e01616e02646e616d6560', 'document', malformed],
  ['a key that is missing', shape, 'a1616e01', 'name', 'is missing'],
  ['a key that is a number', shape, 'a20101646e616d6560', 'document', malformed],
  [
    '__proto__ as a key',
    shape,
    'a3616e01646e616d6560695f5f70726f746f5f5fa0',
    '__proto__',
    'is unknown here; known are n, name',
  ],
  ['a byte behind the end', shape, 'a2616e01646e616d656000', 'document', malformed],
  ['a second document behind the end', wide, '8180', '[0]', 'must be a whole number from 0 to 9007199254740991'],
  ['a list that ends early', wide, '820102'.slice(0, 4), 'document', malformed],
  ['a text that ends early', shape, 'a2616e01646e616d656561', 'document', malformed],
  ['a list of unknown length', wide, '9f01ff', 'document', malformed],
  ['a map of unknown length', shape, 'bf616e01646e616d6560ff', 'document', malformed],
  ['a text of unknown length', shape, 'a2616e01646e616d657f6161ff', 'document', malformed],
  ['a break alone', wide, 'ff', 'document', malformed],
  ['a number in two bytes that needs one', wide, '811801', 'document', malformed],
  ['a number in three bytes that needs two', wide, '81190018', 'document', malformed],
  ['a number in five bytes that needs three', wide, '811a00000100', 'document', malformed],
  ['a number in nine bytes that needs five', wide, '811b0000000000000100', 'document', malformed],
  ['a length in two bytes that needs one', wide, '980101', 'document', malformed],
  ['a text whose length takes a byte too many', shape, 'a2616e01646e616d65780161', 'document', malformed],
  ['a number as a float of eight bytes', wide, '81fb3ff0000000000000', 'document', uncanonical],
  ['a number as a float of four bytes', wide, '81fa3f800000', 'document', uncanonical],
  ['a number as a float of two bytes', wide, '81f93c00', 'document', uncanonical],
  ['minus zero', wide, '81fb8000000000000000', '[0]', 'must be a whole number from 0 to 9007199254740991'],
  ['not a number', wide, '81fb7ff8000000000000', 'document', malformed],
  ['infinity', wide, '81fb7ff0000000000000', 'document', malformed],
  ['2^53', wide, '811b0020000000000000', '[0]', 'must be a whole number from 0 to 9007199254740991'],
  ['2^64 − 1', wide, '811bffffffffffffffff', '[0]', 'must be a whole number from 0 to 9007199254740991'],
  ['a big number behind its tag', wide, '81c24101', 'document', malformed],
  ['a date behind its tag', wide, '81c101', 'document', malformed],
  ['a number behind the tag of links', list(link, 0, 1), '81d82a01', 'document', malformed],
  ['an empty link', list(link, 0, 1), '81d82a40', 'document', malformed],
  ['a link without its zero', list(link, 0, 1), '81d82a4155', 'document', malformed],
  ['a link that ends early', list(link, 0, 1), '81d82a44000171', 'document', malformed],
  ['a link with a short digest', list(link, 0, 1), '81d82a47000155120200aa', '[0]', 'must be a CIDv1 with SHA-256'],
  ['what is undefined, for nothing', list(nullable(number), 0, 1), '81f7', 'document', uncanonical],
  ['a simple value that nobody defined', wide, '81f0', 'document', malformed],
  ['a simple value in two bytes', wide, '81f8ff', 'document', malformed],
  ['a head that is reserved', wide, '811c', 'document', malformed],
  ['text that is not UTF-8', shape, 'a2616e01646e616d6561ff', 'document', uncanonical],
  ['half of a surrogate pair', shape, 'a2616e01646e616d6563eda080', 'document', uncanonical],
]
test.each(cases)('%s', (_, shape, hex, field, problem) => {
  expect(decode(shape, hexBytes(hex), 1_000)).toEqual(new Flaw(field, problem))
})

test('a map that has all that a link object has is none, and does not throw', () => {
  const parts = ['612f05', '64636f64651871', '65627974657305', '6776657273696f6e01', '696d756c746968617368']
  for (const multihash of ['f6', `a264636f646512666469676573747820${'78'.repeat(32)}`]) {
    const bytes = hexBytes(`81a5${parts.join('')}${multihash}`)
    expect(decode(list(link, 0, 1), bytes, 1_000)).toEqual(new Flaw('[0]', 'must be a CIDv1 with SHA-256'))
  }
})

test('a document larger than its bound is not looked at', () => {
  const bytes = new Uint8Array(11)
  expect(decode(wide, bytes, 10)).toEqual(new Flaw('document', 'has 11 bytes, at most 10 are allowed'))
})

test.each<[why: string, byte: number, length: number]>([
  ['lists', 0x81, 100_000],
  ['lists', 0x81, 5_000_000],
  ['maps without a key', 0xa1, 100_000],
  ['tags', 0xc6, 100_000],
])('%s nested in each other end the reading, not the program: %#', (_, byte, length) => {
  expect(decode(wide, new Uint8Array(length).fill(byte), length)).toBeInstanceOf(Flaw)
})

test.each<[why: string, hex: string]>([
  ['list', '9affffffff'],
  ['list of 2^53 − 1', '9b001fffffffffffff'],
  ['list of 2^64 − 1', '9bffffffffffffffff'],
  ['map', 'baffffffff'],
  ['map of 2^64 − 1', 'bbffffffffffffffff'],
  ['text', '7affffffff61'],
  ['text of 2^53 − 1', '7b001fffffffffffff61'],
  ['run of bytes', '5affffffff00'],
  ['run of 2^64 − 1 bytes', '5bffffffffffffffff00'],
])('a %s that claims more than there is takes no memory', (_, hex) => {
  expect(decode(open, hexBytes(hex), 1_000)).toEqual(new Flaw('document', malformed))
})

const listOf = (count: number, byte: number): Uint8Array => {
  const bytes = new Uint8Array(5 + count).fill(byte)
  new DataView(bytes.buffer).setUint8(0, 0x9a)
  new DataView(bytes.buffer).setUint32(1, count)
  return bytes
}

test('as many values as a document may have are read, one more is not', () => {
  const most = listOf(ITEMS_MAX - 1, 0)
  expect(decode(wide, most, most.length)).toHaveLength(ITEMS_MAX - 1)
  const over = listOf(ITEMS_MAX, 0)
  expect(decode(wide, over, over.length)).toEqual(new Flaw('document', `has more than ${ITEMS_MAX} values`))
})

test.each<[what: string, byte: number]>([
  ['empty maps', 0xa0],
  ['empty lists', 0x80],
  ['empty texts', 0x60],
  ['numbers', 0],
])('five million %s are refused before they take memory', (_, byte) => {
  const bytes = listOf(5_000_000, byte)
  expect(decode(open, bytes, bytes.length)).toEqual(new Flaw('document', `has more than ${ITEMS_MAX} values`))
})

test('what is inside bytes and texts is not counted', () => {
  const document = {
    domain: 'code',
    sequences: [new Uint8Array(1_000_000), new Uint8Array(70_000), new Uint8Array(300)],
  }
  const bytes = encode(poolShape, document)
  expect(decode(poolShape, bytes, bytes.length)).toEqual(document)
})

test('the largest pool has fewer values than a document may have', () => {
  const pool = { domain: 'code', sequences: new Array<Uint8Array>(65_536).fill(new Uint8Array(32)) }
  const bytes = encode(poolShape, pool)
  expect(decode(poolShape, bytes, bytes.length)).not.toBeInstanceOf(Flaw)
})

const documents = fc.record({ n: fc.nat(), name: fc.string({ unit: 'grapheme' }).filter((name) => /^.*$/.test(name)) })

test('equal content is equal bytes, whatever the order of its keys', () => {
  fc.assert(
    fc.property(documents, documents, ({ n, name }, other) => {
      const bytes = encode(shape, { n, name })
      expect(encode(shape, { name, n })).toEqual(bytes)
      expect(decode(shape, bytes, bytes.length)).toEqual({ n, name })
      const isSame = n === other.n && name === other.name
      expect(toHex(encode(shape, other)) === toHex(bytes)).toBe(isSame)
    }),
  )
})

test('no bytes throw, and what is read is written as the same bytes', () => {
  const seeds = [encode(shape, { n: 500, name: 'abc' }), encode(list(link, 0, 2), [cidOfText('a'), cidOfText('b')])]
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.uint8Array({ maxLength: 9 }),
      fc.nat({ max: 3 }),
    )
    .map(([seed, place, byte, insert, cut]) => {
      const at = place % seed.length
      return concat(seed.subarray(0, at), insert, Uint8Array.of(byte), seed.subarray(at + cut))
    })
  const readers: readonly Shape<unknown>[] = [shape, list(link, 0, 2), wide, blob(9), open]
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
      for (const reader of readers.slice(0, -1)) {
        const value = decode(reader, bytes, 1_000)
        if (!(value instanceof Flaw)) expect(encode(reader, value)).toEqual(bytes)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a CID is the SHA-256 of the bytes behind its codec', () => {
  const bytes = utf8('hello')
  const digest = createHash('sha256').update(bytes).digest('hex')
  expect(cidOf(bytes)).toBe(CID.decode(hexBytes(`01711220${digest}`)).toString())
  expect(rawCidOf(bytes)).toBe('bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq')
  expect(toHex(cidBytes(rawCidOf(bytes)))).toBe(`01551220${digest}`)
  expect(digestOf(cidOf(bytes))).toBe(digest)
  expect(cidOfDigest(digest)).toBe(cidOf(bytes))
})

test.each(['', 'ab', '0g'.repeat(32), 'ab'.repeat(33), 'AB'.repeat(32)])('%j is no digest of ours', (digest) => {
  expect(() => cidOfDigest(digest)).toThrow('a digest has 32 bytes')
})
