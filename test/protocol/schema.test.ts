import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { describe, expect, test } from 'vitest'
import { constitutionShape } from '../../src/protocol/constitution.ts'
import { envelopeShape } from '../../src/protocol/envelope.ts'
import { modelShape, submissionShape } from '../../src/protocol/manifest.ts'
import { cardShape } from '../../src/protocol/peer-card.ts'
import { reportShape } from '../../src/protocol/report.ts'
import { revealShape } from '../../src/protocol/reveal.ts'
import { rootShape } from '../../src/protocol/root.ts'
import {
  ascending,
  blob,
  code,
  Flaw,
  type Form,
  id,
  integer,
  link,
  list,
  literal,
  nullable,
  record,
  row,
  type Shape,
  text,
  word,
} from '../../src/protocol/schema.ts'
import { openingShape, poolShape, shardShape } from '../../src/protocol/shard.ts'
import { toHex } from '../../src/util/bytes.ts'
import { cidOfText } from './sample.ts'

const FORMS: readonly Form[] = ['wire', 'json']
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const digest = (length: number, hash = 0x12) => Digest.create(hash, new Uint8Array(length))

const someLink = cidOfText('something')
const link32 = CID.parse(someLink)
const dagPb = CID.createV1(0x70, digest(32))

type Case = readonly [why: string, shape: Shape<unknown>, value: unknown, forms: readonly Form[]]
const small = integer(0, 3)
const abc = text(/^[a-c]{1,3}$/, 'letters')
const pair = record({ a: small, b: nullable(small) })
const columns = row({ a: small, b: nullable(small) })
const sorted = ascending(small, 0, 3, (entry) => entry)

const good: readonly Case[] = [
  ['the least integer', small, 0, FORMS],
  ['the greatest integer', small, 3, FORMS],
  ['a negative integer', integer(-2, 2), -2, FORMS],
  ['2^53 − 1', integer(0, Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER, FORMS],
  ['a text', abc, 'abc', FORMS],
  ['a literal text', literal('f32'), 'f32', FORMS],
  ['a literal number', literal(1), 1, FORMS],
  ['a word', word(['x', 'y']), 'y', FORMS],
  ['a code', code(['x', 'y']), 1, ['wire']],
  ['a code as a word', code(['x', 'y']), 'y', ['json']],
  ['bytes of an identifier', id(2), bytes(0xab, 1), ['wire']],
  ['digits of an identifier', id(2), 'ab01', ['json']],
  ['an identifier inside a buffer', id(2), Buffer.from('ab01', 'hex'), ['wire']],
  ['no bytes', blob(2), bytes(), FORMS],
  ['as many bytes as may be', blob(2), bytes(1, 2), FORMS],
  ['a link', link, link32, ['wire']],
  ['a link to dag-pb', link, dagPb, ['wire']],
  ['a link as text', link, someLink, ['json']],
  ['nothing, where that is allowed', nullable(small), null, FORMS],
  ['something, where nothing is allowed', nullable(small), 3, FORMS],
  ['an empty list', list(small, 0, 2), [], FORMS],
  ['a full list', list(small, 0, 2), [3, 3], FORMS],
  ['an ascending list', sorted, [0, 2, 3], FORMS],
  ['a record', pair, { a: 1, b: null }, FORMS],
  ['a record in another order', pair, { b: 2, a: 1 }, FORMS],
  ['a record without a prototype', pair, Object.assign(Object.create(null), { a: 1, b: null }), FORMS],
  ['a row', columns, [1, null], ['wire']],
  ['a row in a file', columns, { a: 1, b: null }, ['json']],
]
test.each(good)('%s is read', (_, shape, value, forms) => {
  for (const form of forms) expect(shape.read(value, 'x', form)).not.toBeInstanceOf(Flaw)
})

const whole = 'must be a whole number from 0 to 3'
const notLink = 'must be a CIDv1 with SHA-256'
const order = 'must come after its predecessor and differ from it'
const known = 'is unknown here; known are a, b'
type BadCase = readonly [...Case, field: string, problem: string]
const bad: readonly BadCase[] = [
  ['one below the least', small, -1, FORMS, 'x', whole],
  ['one above the greatest', small, 4, FORMS, 'x', whole],
  ['minus zero', small, -0, FORMS, 'x', whole],
  ['minus zero, in a range around it', integer(-1, 1), -0, FORMS, 'x', 'must be a whole number from -1 to 1'],
  ['not a number', small, Number.NaN, FORMS, 'x', whole],
  ['infinity', small, Number.POSITIVE_INFINITY, FORMS, 'x', whole],
  ['a fraction', small, 1.5, FORMS, 'x', whole],
  ['a big integer', small, 1n, FORMS, 'x', whole],
  ['digits', small, '1', FORMS, 'x', whole],
  ['a list of one number', small, [1], FORMS, 'x', whole],
  ['a boxed number', small, Object(1), FORMS, 'x', whole],
  ['true', small, true, FORMS, 'x', whole],
  ['nothing', small, null, FORMS, 'x', whole],
  ['2^53', integer(0, 2 ** 60), 2 ** 53, FORMS, 'x', `must be a whole number from 0 to ${2 ** 60}`],
  ['an empty text', abc, '', FORMS, 'x', 'must be letters'],
  ['a long text', abc, 'abca', FORMS, 'x', 'must be letters'],
  ['a text with a line end', abc, 'abc\n', FORMS, 'x', 'must be letters'],
  ['a second line', abc, 'abc\nabc', FORMS, 'x', 'must be letters'],
  ['a list that prints like the text', abc, ['abc'], FORMS, 'x', 'must be letters'],
  ['an object that prints like the text', abc, { toString: () => 'abc' }, FORMS, 'x', 'must be letters'],
  ['another text', literal('f32'), 'f16', FORMS, 'x', 'must be "f32"'],
  ['a literal number as text', literal(1), '1', FORMS, 'x', 'must be 1'],
  ['a literal number as a big integer', literal(1), 1n, FORMS, 'x', 'must be 1'],
  ['an unknown word', word(['x', 'y']), 'z', FORMS, 'x', 'must be one of x, y'],
  ['what every object inherits', word(['x']), 'toString', FORMS, 'x', 'must be one of x'],
  ['the place of a word', word(['x']), 0, FORMS, 'x', 'must be one of x'],
  ['a code too high', code(['x', 'y']), 2, ['wire'], 'x', 'must be a code below 2'],
  ['a negative code', code(['x', 'y']), -1, ['wire'], 'x', 'must be a code below 2'],
  ['half a code', code(['x', 'y']), 0.5, ['wire'], 'x', 'must be a code below 2'],
  ['a code that is not a number', code(['x']), Number.NaN, ['wire'], 'x', 'must be a code below 1'],
  ['the length of the list of codes', code(['x']), 'length', ['wire'], 'x', 'must be a code below 1'],
  ['a word for a code on the wire', code(['x']), 'x', ['wire'], 'x', 'must be a code below 1'],
  ['a code for a word in a file', code(['x']), 0, ['json'], 'x', 'must be a known word'],
  ['an identifier too short', id(2), bytes(1), ['wire'], 'x', 'must be 2 bytes'],
  ['an identifier too long', id(2), bytes(1, 2, 3), ['wire'], 'x', 'must be 2 bytes'],
  ['an identifier as text on the wire', id(2), 'ab01', ['wire'], 'x', 'must be 2 bytes'],
  ['an identifier as wider words', id(2), Uint16Array.of(1, 2), ['wire'], 'x', 'must be 2 bytes'],
  ['an identifier as a list', id(2), [1, 2], ['wire'], 'x', 'must be 2 bytes'],
  ['an identifier in upper case', id(2), 'AB01', ['json'], 'x', 'must be 4 hex digits'],
  ['an identifier with a prefix', id(2), '0xab', ['json'], 'x', 'must be 4 hex digits'],
  ['an identifier with half a byte', id(2), 'ab0', ['json'], 'x', 'must be 4 hex digits'],
  ['bytes in a file', id(2), bytes(1, 2), ['json'], 'x', 'must be 4 hex digits'],
  ['a byte too many', blob(2), bytes(1, 2, 3), FORMS, 'x', 'must be at most 2 bytes'],
  ['text for bytes', blob(2), 'ab', FORMS, 'x', 'must be at most 2 bytes'],
  ['a buffer without a view', blob(2), new ArrayBuffer(1), FORMS, 'x', 'must be at most 2 bytes'],
  ['a link as text on the wire', link, someLink, ['wire'], 'x', notLink],
  ['a link object in a file', link, link32, ['json'], 'x', notLink],
  ['the bytes of a link', link, link32.bytes, FORMS, 'x', notLink],
  ['a link of version 0', link, CID.createV0(digest(32) as never), ['wire'], 'x', notLink],
  ['a link of version 0 as text', link, CID.createV0(digest(32) as never).toString(), ['json'], 'x', notLink],
  ['a link to dag-json', link, CID.createV1(0x0129, digest(32)), ['wire'], 'x', notLink],
  ['a link with SHA-512', link, CID.createV1(0x71, digest(32, 0x13)), ['wire'], 'x', notLink],
  ['a link that holds its content', link, CID.createV1(0x55, digest(32, 0)), ['wire'], 'x', notLink],
  ['a link with a short digest', link, CID.createV1(0x71, digest(31)), ['wire'], 'x', notLink],
  ['a link in upper case', link, someLink.toUpperCase(), ['json'], 'x', notLink],
  ['a link in base58', link, link32.toString(base58btc), ['json'], 'x', 'must be a CID in base32'],
  ['a link with bits to spare', link, `${someLink.slice(0, -1)}b`, ['json'], 'x', notLink],
  ['a link with a tail', link, `${someLink}a`, ['json'], 'x', notLink],
  ['a link of a million letters', link, `b${'a'.repeat(1_000_000)}`, ['json'], 'x', notLink],
  ['a map that looks like a link', link, { '/': 5, bytes: 5, version: 1, code: 0x71 }, FORMS, 'x', notLink],
  [
    'a map with all that a link has',
    link,
    { '/': 5, bytes: 5, version: 1, code: 0x71, multihash: { code: 0x12, digest: 'x'.repeat(32) } },
    FORMS,
    'x',
    notLink,
  ],
  ['what is undefined', nullable(small), undefined, FORMS, 'x', whole],
  ['a record for a list', list(small, 0, 2), { 0: 1, length: 1 }, FORMS, 'x', 'must be a list'],
  ['typed numbers for a list', list(small, 0, 2), bytes(1), FORMS, 'x', 'must be a list'],
  ['a list too short', list(small, 1, 2), [], FORMS, 'x', 'must have 1 to 2 entries, not 0'],
  ['a list too long', list(small, 1, 2), [1, 1, 1], FORMS, 'x', 'must have 1 to 2 entries, not 3'],
  [
    'a list of billions',
    list(small, 0, 2),
    new Array(2 ** 32 - 1),
    FORMS,
    'x',
    'must have 0 to 2 entries, not 4294967295',
  ],
  ['a list with a hole', list(small, 0, 2), new Array(2), FORMS, 'x[0]', whole],
  ['a flaw in a list', list(small, 0, 2), [0, 9], FORMS, 'x[1]', whole],
  ['a list with a duplicate', sorted, [1, 1], FORMS, 'x[1]', order],
  ['a list that descends', sorted, [0, 2, 1], FORMS, 'x[2]', order],
  ['a flaw in a sorted list', sorted, [0, 'a'], FORMS, 'x[1]', whole],
  ['a missing key', pair, { a: 1 }, FORMS, 'x.b', 'is missing'],
  ['a key with nothing in it', pair, { a: 1, b: undefined }, FORMS, 'x.b', 'is missing'],
  ['an unknown key', pair, { a: 1, b: 1, c: 1 }, FORMS, 'x.c', known],
  ['an unknown key with nothing in it', pair, { a: 1, b: 1, c: undefined }, FORMS, 'x.c', known],
  ['__proto__ as a key', pair, JSON.parse('{"a":1,"b":1,"__proto__":{"c":1}}'), FORMS, 'x.__proto__', known],
  ['constructor as a key', pair, { a: 1, b: 1, constructor: 1 }, FORMS, 'x.constructor', known],
  ['keys that are inherited', pair, Object.create({ a: 1, b: 1 }), FORMS, 'x.a', 'is missing'],
  ['a key of a million letters', pair, { a: 1, b: 1, ['c'.repeat(1_000_000)]: 1 }, FORMS, `x.${'c'.repeat(40)}`, known],
  ['a list for a record', pair, [1, 2], FORMS, 'x', 'must be a map'],
  ['bytes for a record', pair, bytes(1), FORMS, 'x', 'must be a map'],
  ['a map object for a record', pair, new Map([['a', 1]]), FORMS, 'x.a', 'is missing'],
  ['a text for a record', pair, 'ab', FORMS, 'x', 'must be a map'],
  ['nothing for a record', pair, null, FORMS, 'x', 'must be a map'],
  ['a flaw in a record', pair, { a: 9, b: 1 }, FORMS, 'x.a', whole],
  ['a row too short', columns, [1], ['wire'], 'x', 'must have 2 columns'],
  ['a row too long', columns, [1, 1, 1], ['wire'], 'x', 'must have 2 columns'],
  ['a row with a hole', columns, new Array(2), ['wire'], 'x.a', 'is missing'],
  ['a row with names on the wire', columns, { a: 1, b: 1 }, ['wire'], 'x', 'must have 2 columns'],
  ['a row without names in a file', columns, [1, 1], ['json'], 'x', 'must be a map'],
  ['a flaw in a row', columns, [1, 9], ['wire'], 'x.b', whole],
]
test.each(bad)('%s is refused', (_, shape, value, forms, field, problem) => {
  for (const form of forms) expect(shape.read(value, 'x', form)).toEqual(new Flaw(field, problem))
})

describe('a flaw names its field', () => {
  const shape = record({ tracks: list(record({ groups: list(record({ domain: abc }), 0, 9) }), 0, 9) })
  const groups = (...domains: unknown[]) => ({ tracks: [{ groups: domains.map((domain) => ({ domain })) }] })
  test.each<[value: unknown, field: string]>([
    [groups('a', 'b', 'd'), 'tracks[0].groups[2].domain'],
    [{ tracks: [{ groups: [{}] }] }, 'tracks[0].groups[0].domain'],
    [{ tracks: [{ groups: [{ domain: 'a', x: 1 }] }] }, 'tracks[0].groups[0].x'],
    [{ tracks: [{ groups: 1 }] }, 'tracks[0].groups'],
    [{ tracks: [1] }, 'tracks[0]'],
    [{ tracks: null }, 'tracks'],
    [{}, 'tracks'],
    [{ tracks: [], x: 1 }, 'x'],
    [null, 'document'],
  ])('%j: %s', (value, field) => {
    expect(shape.read(value, '', 'json')).toMatchObject({ field })
  })
})

test('what is read shares nothing with what was given', () => {
  const given = { list: [{ a: 1, b: 2 }] }
  const read = record({ list: list(pair, 0, 2) }).read(given, '', 'json')
  given.list.push({ a: 3, b: 3 })
  expect(read).toEqual({ list: [{ a: 1, b: 2 }] })
})

const shapes: [name: string, shape: Shape<unknown>][] = [
  ['constitution', constitutionShape],
  ['envelope', envelopeShape],
  ['card', cardShape],
  ['reveal', revealShape],
  ['opening', openingShape],
  ['submission', submissionShape],
  ['model', modelShape],
  ['shard', shardShape],
  ['pool', poolShape],
  ['report', reportShape],
  ['root', rootShape],
]
const anything = fc.anything({
  key: fc.oneof(fc.string(), fc.constantFrom('version', 'start', 'rows', 'kind', '/', 'bytes', '__proto__', 'asCID')),
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
})
test.each(shapes)('nothing that is read as a %s throws', (_, shape) => {
  fc.assert(
    fc.property(anything, fc.constantFrom(...FORMS), (value, form) => {
      expect(shape.read(value, '', form)).toBeInstanceOf(Flaw)
    }),
    { numRuns: 300 },
  )
})

test.each(shapes)('no value in the place of any key of a %s throws', (_, shape) => {
  const keys = [...shapeKeys(shape)]
  fc.assert(
    fc.property(fc.constantFrom(...keys), anything, fc.constantFrom(...FORMS), (key, value, form) => {
      const map = Object.fromEntries(keys.map((k) => [k, k === key ? value : null]))
      expect(shape.read(map, '', form)).toBeInstanceOf(Flaw)
    }),
    { numRuns: 100 },
  )
})

/** The keys of a record, from what it says of a stranger. */
function shapeKeys(shape: Shape<unknown>): readonly string[] {
  const flaw = shape.read({ ' ': 1 }, '', 'json')
  return flaw instanceof Flaw ? flaw.problem.replace(/^.*known are /, '').split(', ') : []
}

const number = fc.integer({ min: 0, max: 3 })
const linkText = fc.string().map(cidOfText)
const identifier = fc.uint8Array({ minLength: 2, maxLength: 2 }).map(toHex)
const everything = record({
  number: small,
  text: abc,
  word: word(['x', 'y']),
  code: code(['x', 'y', 'z']),
  id: id(2),
  blob: blob(4),
  link,
  maybe: nullable(link),
  list: list(record({ n: small }), 0, 4),
  sorted: ascending(row({ key: id(2), value: nullable(code(['x', 'y'])) }), 0, 4, ({ key }) => key),
})
const documents = fc.record({
  number,
  text: fc.stringMatching(/^[a-c]{1,3}$/),
  word: fc.constantFrom('x', 'y'),
  code: fc.constantFrom('x', 'y', 'z'),
  id: identifier,
  blob: fc.uint8Array({ maxLength: 4 }),
  link: linkText,
  maybe: fc.option(linkText),
  list: fc.array(fc.record({ n: number }), { maxLength: 4 }),
  sorted: fc
    .uniqueArray(fc.record({ key: identifier, value: fc.option(fc.constantFrom('x', 'y')) }), {
      maxLength: 4,
      selector: ({ key }) => key,
    })
    .map((rows) => rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))),
})

test('what is written is read again as the same document', () => {
  fc.assert(
    fc.property(documents, (document) => {
      const typed = everything.read(document, '', 'json')
      expect(typed).toEqual(document)
      if (typed instanceof Flaw) return
      expect(everything.read(everything.write(typed), '', 'wire')).toEqual(document)
    }),
  )
})
