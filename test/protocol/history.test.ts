import fc from 'fast-check'
import { expect, test } from 'vitest'
import { epsilonOf, HISTORY_CYCLES_MAX, pushHistory, referenceGain } from '../../src/protocol/history.ts'
import { LOSS_NANO_MAX, SCORE_MAX } from '../../src/protocol/limits.ts'

const range = { epsilonMin: 10, epsilonMax: 1_000 }

test.each<[why: string, history: number[], value: number | null, next: number[]]>([
  ['the first gain begins the history', [], 70, [70]],
  ['the newest comes last', [70], 80, [70, 80]],
  ['an empty cycle counts as half of the one before', [70, 81], null, [70, 81, 40]],
  ['a gain of zero is an empty cycle', [70, 81], 0, [70, 81, 40]],
  ['an empty first cycle is zero', [], null, [0]],
  ['the oldest falls off', [1, 2, 3, 4, 5, 6, 7, 8], 9, [2, 3, 4, 5, 6, 7, 8, 9]],
  ['a gain is clamped to u32', [], SCORE_MAX + 1, [SCORE_MAX]],
])('%s', (_, history, value, next) => expect(pushHistory(history, value)).toEqual(next))

test.each<[why: string, history: number[], epsilon: number]>([
  ['no history gives the least', [], 10],
  ['a tenth of the lower median, rounded down', [500, 309, 9_000], 50],
  ['two entries give the lower', [309, 500], 30],
  ['clamped from below', [90, 90, 90], 10],
  ['clamped from above', [SCORE_MAX], 1_000],
  ['one hoarded jump moves nothing', [300, 300, 300, 300, 300, 300, 300, SCORE_MAX], 30],
])('epsilon: %s', (_, history, epsilon) => expect(epsilonOf(history, range)).toBe(epsilon))

test.each<[why: string, history: number[], reference: number]>([
  ['a cold group has the least reference', [], 200],
  ['a weak one too', [10, 20, 30], 200],
  ['a strong one its own lower median', [500, 900, 700, 800], 700],
])('reference: %s', (_, history, reference) => expect(referenceGain(history, 200)).toBe(reference))

test('what the constitution cannot hold is our own mistake', () => {
  expect(() => epsilonOf([], { epsilonMin: 2, epsilonMax: 1 })).toThrow('epsilonMin')
  expect(() => epsilonOf([], { epsilonMin: -1, epsilonMax: 1 })).toThrow('bounds')
  expect(() => referenceGain([], LOSS_NANO_MAX + 1)).toThrow('referenceMin')
  expect(() => pushHistory([], -1)).toThrow('negative')
  expect(() => pushHistory([1.5], 1)).toThrow('u32')
  expect(() => epsilonOf(new Array(9).fill(1), range)).toThrow('bounded')
})

const gains = fc.array(fc.option(fc.nat({ max: SCORE_MAX })), { maxLength: 40 })

test('a history of any length stays bounded, and epsilon within its range', () => {
  fc.assert(
    fc.property(gains, (values) => {
      const history = values.reduce<readonly number[]>(pushHistory, [])
      expect(history.length).toBe(Math.min(values.length, HISTORY_CYCLES_MAX))
      const epsilon = epsilonOf(history, range)
      expect(epsilon >= range.epsilonMin && epsilon <= range.epsilonMax).toBe(true)
    }),
  )
})

test('when nothing passes any more, epsilon comes down to its least within 40 cycles', () => {
  fc.assert(
    fc.property(gains, (values) => {
      const empty = new Array<null>(40).fill(null)
      expect(epsilonOf([...values, ...empty].reduce<readonly number[]>(pushHistory, []), range)).toBe(range.epsilonMin)
    }),
  )
})
