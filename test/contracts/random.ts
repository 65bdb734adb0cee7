/** What every Random must do. */
import { describe, expect, test } from 'vitest'
import type { Random } from '../../src/ports.ts'
import { toHex } from '../../src/util/bytes.ts'
import { fresh, type Harness } from './harness.ts'

export type RandomHarness = Harness & { readonly random: Random }

export function describeRandomContract(name: string, createHarness: () => Promise<RandomHarness>): void {
  const on = fresh(createHarness)
  describe(`the random contract: ${name}`, () => {
    test(
      'as many bytes as were asked for',
      on(async ({ random }) => {
        for (const length of [0, 1, 31, 32, 33, 1_000]) expect(random.bytes(length)).toHaveLength(length)
      }),
    )
    test(
      'no draw repeats another, whatever became of the other',
      on(async ({ random }) => {
        const draws = Array.from({ length: 100 }, () => {
          const bytes = random.bytes(32)
          const text = toHex(bytes)
          bytes.fill(0)
          return text
        })
        expect(new Set(draws).size).toBe(draws.length)
      }),
    )
    test(
      'every byte comes up',
      on(async ({ random }) => {
        expect(new Set(random.bytes(16_384)).size).toBe(256)
      }),
    )
  })
}
