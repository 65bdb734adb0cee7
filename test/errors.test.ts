import { expect, test } from 'vitest'
import { ERRORS, type ErrorCode, EXIT, isErrorCode, NodeError } from '../src/errors.ts'

test.each(Object.entries(ERRORS))('%s says in one sentence what it means and what to do', (code, entry) => {
  expect(code).toMatch(/^[A-Z][A-Z0-9_]*$/)
  expect(entry.means).toMatch(/^[A-Z].*\.$/)
  expect(entry.remedy).toMatch(/^[A-Z].*\.$/)
  expect(Object.values(EXIT)).toContain(entry.exit)
  expect(entry.exit).not.toBe(EXIT.ok)
})

test('every exit code has one meaning', () => {
  expect(new Set(Object.values(EXIT)).size).toBe(Object.keys(EXIT).length)
})

test('an error carries the general remedy when it has no better one', () => {
  const cause = new Error('underneath')
  const plain = new NodeError('USAGE', { what: 'a', why: 'b' })
  const better = new NodeError('USAGE', { what: 'a', why: 'b', remedy: 'c', data: { port: 1 }, cause })
  expect(plain).toMatchObject({ name: 'NodeError', message: 'USAGE: a: b', remedy: ERRORS.USAGE.remedy, data: {} })
  expect(better).toMatchObject({ code: 'USAGE', what: 'a', why: 'b', remedy: 'c', data: { port: 1 }, cause })
})

test.each<[string, boolean]>([
  ['USAGE' satisfies ErrorCode, true],
  ['usage', false],
  ['toString', false],
  ['', false],
])('%j is a code: %s', (text, is) => expect(isErrorCode(text)).toBe(is))
