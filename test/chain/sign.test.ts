import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eraOf } from '../../src/chain/sign.ts'

test.each([
  // final, best, last block of the window: birth, period
  [100, 102, 103, 100, 4],
  [100, 102, 104, 97, 8],
  [100, 100, 101, 98, 4],
  [100, 102, 163, 100, 64],
  [100, 102, 1_000, 100, 64],
  // The first blocks of a chain.
  [1, 3, 5, 2, 4],
  [1, 3, 7, 0, 8],
  [0, 0, 4, 0, 4],
  [0, 1, 1, 0, 4],
])('final %i, best %i, window to %i: born at %i, for %i blocks', (final, best, lastBlock, birth, period) => {
  expect(eraOf({ final, best, lastBlock })).toEqual({ birth, period })
})

test('it begins at a final block, ends with the window or before, and is as long as it can be', () => {
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 1e6 }), fc.integer({ min: 1, max: 500 }), (final, left) => {
      const lastBlock = final + left
      const { birth, period } = eraOf({ final, best: final + 2, lastBlock })
      const dies = birth + period
      expect(birth).toBeLessThanOrEqual(final)
      expect(dies).toBeLessThanOrEqual(lastBlock + 1)
      expect(dies === lastBlock + 1 || dies - final === 64).toBe(true)
    }),
  )
})
