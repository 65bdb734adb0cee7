/** What every Data must do. */
import { describe, expect, test } from 'vitest'
import type { Data } from '../../src/ports.ts'
import { toHex } from '../../src/util/bytes.ts'
import { aborted, fresh, type Harness, never } from './harness.ts'

export type DataHarness = Harness & {
  readonly data: Data
  readonly domains: readonly string[]
  /** The same again, as after a restart. */
  readonly again: () => Promise<Data>
}

const COUNT = 16
const texts = (sequences: readonly Uint8Array[]): readonly string[] => sequences.map(toHex)

export function describeDataContract(name: string, createHarness: () => Promise<DataHarness>): void {
  const on = fresh(createHarness)
  describe(`the data contract: ${name}`, () => {
    test(
      'a draw has as many sequences as were asked for, all of one length and no two alike',
      on(async ({ data, domains }) => {
        for (const domain of domains) {
          const drawn = await data.draw({ domain, cycle: 3, count: COUNT }, { signal: never })
          expect(drawn).toHaveLength(COUNT)
          expect(new Set(drawn.map((sequence) => sequence.length)).size).toBe(1)
          expect(new Set(texts(drawn)).size).toBe(COUNT)
        }
      }),
    )
    test(
      'a draw is the same again for the same cycle, also after a crash',
      on(async ({ data, domains, again }) => {
        const task = { domain: domains[0] as string, cycle: 3, count: COUNT }
        const first = await data.draw(task, { signal: never })
        expect(await data.draw(task, { signal: never })).toEqual(first)
        expect(await (await again()).draw(task, { signal: never })).toEqual(first)
      }),
    )
    test(
      'no sequence is drawn in two cycles, for two domains, or held out as well',
      on(async ({ data, domains }) => {
        const seen: string[] = []
        for (const domain of domains) {
          for (const cycle of [0, 1, 2, 3]) {
            seen.push(...texts(await data.draw({ domain, cycle, count: COUNT }, { signal: never })))
          }
          seen.push(...texts((await data.heldOut(domain, { signal: never })).sequences))
        }
        expect(new Set(seen).size).toBe(seen.length)
      }),
    )
    test(
      'the held-out set of a domain is one and the same for ever, under a name of its own',
      on(async ({ data, domains, again }) => {
        const names = new Set<string>()
        for (const domain of domains) {
          const before = await data.heldOut(domain, { signal: never })
          await data.draw({ domain, cycle: 5, count: COUNT }, { signal: never })
          expect(before.sequences.length).toBeGreaterThan(0)
          expect(await data.heldOut(domain, { signal: never })).toEqual(before)
          expect(await (await again()).heldOut(domain, { signal: never })).toEqual(before)
          names.add(before.name)
        }
        expect(names.size).toBe(domains.length)
      }),
    )
    test(
      'what was cancelled ends with an error',
      on(async ({ data, domains }) => {
        const domain = domains[0] as string
        await expect(data.draw({ domain, cycle: 0, count: COUNT }, { signal: aborted })).rejects.toThrow()
        await expect(data.heldOut(domain, { signal: aborted })).rejects.toThrow()
      }),
    )
  })
}
