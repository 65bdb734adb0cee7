import fc from 'fast-check'
import { expect, test } from 'vitest'
import { atEnd, isUnicode, readNaturals, readObject, readString, repeatedKey } from '../../src/protocol/json-reader.ts'

const MAX = Number.MAX_SAFE_INTEGER
const read = <T>(text: string, reader: (cursor: { text: string; at: number }) => T): T | null => {
  const cursor = { text, at: 0 }
  const value = reader(cursor)
  return atEnd(cursor) ? value : null
}

test('a string is what JSON.parse reads, unless half a surrogate pair is in it', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('"', '\\', 'u', 'd', '8', '0', 'n') })),
      (text) => {
        const wellFormed = isUnicode(text)
        expect(read(JSON.stringify(text), readString)).toBe(wellFormed ? text : null)
        let parsed: unknown = null
        try {
          parsed = JSON.parse(`"${text}"`)
        } catch {}
        expect(read(`"${text}"`, readString)).toBe(typeof parsed === 'string' && isUnicode(parsed) ? parsed : null)
      },
    ),
  )
})

test('numbers are the plain ones of JSON', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(), fc.maxSafeNat()), { maxLength: 5 }), (numbers) => {
      expect(read(JSON.stringify(numbers, null, 1), (cursor) => readNaturals(cursor, 5, MAX))).toEqual(numbers)
    }),
  )
})

test.each([
  '[9007199254740992]',
  '[9007199254740993]',
  '[99999999999999999]',
  '[00]',
  '[01]',
  '[-0]',
  '[1e3]',
  '[1.0]',
  '[+1]',
  '[ ]1',
  '[1 2]',
  '[,1]',
  '[1,]',
  '[',
  '[1',
  '',
  '1',
  '[1,2,3,4,5,6]',
])('%s is no list of naturals', (text) => expect(read(text, (cursor) => readNaturals(cursor, 5, MAX))).toBe(null))

test.each([
  ['{}', []],
  [' { "a" : [ 1 ] , "b":[]} ', ['a', 'b']],
  ['{"a":[1],"a":[2]}', ['a', 'a']],
])('%s gives its keys', (text, expected) => {
  const keys: string[] = []
  const complete = read(text, (cursor) =>
    readObject(cursor, (key) => {
      keys.push(key)
      return readNaturals(cursor, 1, MAX) !== null
    }),
  )
  expect([complete, keys]).toEqual([true, expected])
})

test.each([
  '',
  '[',
  '{',
  '{"a"',
  '{"a":',
  '{"a":[1]',
  '{"a":[1],',
  '{"a":[1],}',
  '{,}',
  '{"a" [1]}',
  "{'a':[1]}",
  '{a:[1]}',
  '{"a":{}}',
])('%s is no object of lists', (text) => {
  expect(read(text, (cursor) => readObject(cursor, () => readNaturals(cursor, 1, MAX) !== null)) === true).toBe(false)
})

test.each([
  ['{"a":1,"b":2}', null],
  ['{"a":1,"a":1}', 'a'],
  ['{"a":1,"\\u0061":1}', 'a'],
  [' { "a" : 1 , "b" : { } ,\n"a" : 2 } ', 'a'],
  ['{"a":{"a":1},"b":{"a":1}}', null],
  ['[{"a":1},{"a":1}]', null],
  ['[{"b":{"c":1,"d":[{"c":1}],"c":2}},{"b":1,"b":1}]', 'c'],
  ['{"a":"a","b":["a","a","a\\":"]}', null],
  ['{"a":"{","b":"}","c":{"\\"":1,"\\\\":1},"a":"\\\\"}', 'a'],
  ['{"":1,"":1}', ''],
  ['{"__proto__":1,"constructor":1}', null],
  ['"a"', null],
  ['7', null],
])('in %s the key that comes twice is %j', (text, key) => {
  expect(() => JSON.parse(text)).not.toThrow()
  expect(repeatedKey(text)).toBe(key)
})

test('no key comes twice in what JSON.stringify writes, and one that is written again is found', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (object) => {
      const text = JSON.stringify(object, null, 1)
      expect(repeatedKey(text)).toBe(null)
      const [key] = Object.keys(object) as [string]
      expect(repeatedKey(`${text.slice(0, -1)}, ${JSON.stringify(key)}: 0}`)).toBe(key)
    }),
  )
})

test('long texts and deep nests are read like any other', () => {
  expect(repeatedKey(`{"a":"${'x'.repeat(4_000_000)}","a":1}`)).toBe('a')
  expect(repeatedKey(`{"a":"${'\\n'.repeat(2_000_000)}","a":1}`)).toBe('a')
  expect(repeatedKey(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)).toBe(null)
})
