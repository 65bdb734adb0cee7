import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearest, slipsBetween } from '../../src/cli/nearest.ts'

const known = ['up', 'explain', 'help', 'miner', 'validator', 'NODE_MISSING']
const cases: [typed: string, meant: string | null][] = [
  ['up', 'up'],
  ['upp', 'up'],
  ['pu', 'up'],
  ['UP', 'up'],
  ['x', null],
  ['explian', 'explain'],
  ['validtaro', 'validator'],
  ['minner', 'miner'],
  ['node_missing', 'NODE_MISSING'],
  ['', null],
  ['v'.repeat(1_000_000), null],
]
test.each(cases)('%.20s means %s', (typed, meant) => expect(nearest(typed, known)).toBe(meant))

test('slips count letters added, lost, changed and swapped', () => {
  expect([slipsBetween('ab', 'ab'), slipsBetween('ab', 'abc'), slipsBetween('ab', 'b')]).toEqual([0, 1, 1])
  expect([slipsBetween('ab', 'ac'), slipsBetween('ab', 'ba'), slipsBetween('', 'abc')]).toEqual([1, 1, 3])
})

test('slips are the same both ways, and none only between equals', () => {
  const word = fc.string({ maxLength: 8 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(slipsBetween(a, b)).toBe(slipsBetween(b, a))
      expect(slipsBetween(a, b) === 0).toBe(a === b)
    }),
  )
})
