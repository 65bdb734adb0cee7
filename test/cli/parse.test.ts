import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Command, Group } from '../../src/cli/command.ts'
import { findTarget, parseFor } from '../../src/cli/parse.ts'
import { NodeError } from '../../src/errors.ts'

const examples: Command['examples'] = [{ line: 'ww new', shows: 'a wallet' }]
const create: Command = {
  name: 'new',
  summary: 'make a wallet',
  positionals: [{ name: 'NAME', description: 'its name' }],
  flags: {
    words: { type: 'integer', valueName: 'N', min: -5, max: 24, default: 12, description: 'how many' },
    path: { type: 'string', valueName: 'PATH', description: 'where' },
    kind: { type: 'string', valueName: 'KIND', oneOf: ['hot', 'cold'], default: 'hot', description: 'which' },
    force: { type: 'boolean', description: 'overwrite' },
  },
  examples,
  load: () => Promise.reject(new Error('not here')),
}
const wallet: Group = { name: 'wallet', summary: 'keep keys', commands: [create], examples }
const root: Group = { name: 'ww', summary: 'a program', commands: [wallet], examples }

const parse = (line: string) => {
  const { entry, path, rest } = findTarget(root, line.split(' '))
  expect(entry).toBe(create)
  return parseFor(create, path, rest)
}
const defaults = { words: 12, path: undefined, kind: 'hot', force: false, json: false, help: false, version: false }

const good: [line: string, flags: object, positionals?: string[]][] = [
  ['wallet new a', {}],
  ['--json wallet new a', { json: true }],
  ['wallet new a --words 24 --force', { words: 24, force: true }],
  ['wallet new --words=-5 a', { words: -5 }],
  ['wallet new --words -5 a', { words: -5 }],
  ['wallet new --path=--odd a', { path: '--odd' }],
  ['wallet new --path=a=b a', { path: 'a=b' }],
  ['wallet new --kind cold a', { kind: 'cold' }],
  ['wallet new -- --words', {}, ['--words']],
]
test.each(good)('ww %s', (line, flags, positionals = ['a']) => {
  expect(parse(line)).toEqual({ flags: { ...defaults, ...flags }, positionals })
})

const bad: [line: string, what: string][] = [
  ['wallet new', 'NAME is missing'],
  ['wallet new a b', "'b' is one word too many"],
  ['wallet new a --path', '--path needs a value'],
  ['wallet new --path --odd a', '--path needs a value'],
  ['wallet new a --kind warm', "--kind cannot be 'warm'"],
  ['wallet new a --words -6', "--words cannot be '-6'"],
  ['wallet new a --words 1 --words=2', '--words is given twice'],
  ['--json wallet --json new a', '--json is given twice'],
  ['wallet nwe', "there is no command 'wallet nwe'"],
  ['walet', "there is no command 'walet'"],
]
test.each(bad)('ww %s is refused', (line, what) => {
  expect(() => parse(line)).toThrow(expect.objectContaining({ code: 'USAGE', what }))
})

test('no line makes parsing fail in another way than by a USAGE error', () => {
  const word = fc.oneof(fc.constantFrom('wallet', 'new', '--words', '--path', '--', '-', '--=', '-abc'), fc.string())
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        const { path, rest } = findTarget(root, argv)
        parseFor(create, path, rest)
      } catch (error) {
        expect(error).toBeInstanceOf(NodeError)
      }
    }),
  )
})
