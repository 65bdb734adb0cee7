import { expect, test } from 'vitest'
import { fuzz, HEAP_GROWTH_BYTES_MAX, invalidSamples, TARGETS } from './fuzz.ts'

const SEED = Number(process.env['SEED'] ?? 1)

test('mutations start from messages that are valid', () => expect(invalidSamples()).toEqual([]))

test.each(TARGETS)('no mutated message makes $name throw or keep memory', (target) => {
  const { thrown, accepted, heapGrowthBytes } = fuzz(target, { count: 1_500, seed: SEED })
  expect(thrown).toBeNull()
  expect(accepted).toBeGreaterThan(0)
  expect(heapGrowthBytes).toBeLessThan(HEAP_GROWTH_BYTES_MAX)
})
