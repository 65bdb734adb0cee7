/** What every Clock must do. */
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/ports.ts'
import { fresh, type Harness } from './harness.ts'

export type ClockHarness = Harness & {
  readonly clock: Clock
  /** Lets this much time pass on the clock, and a little more if need be. */
  readonly advance: (ms: number) => Promise<void>
}

export function describeClockContract(name: string, createHarness: () => Promise<ClockHarness>): void {
  const on = fresh(createHarness)
  describe(`the clock contract: ${name}`, () => {
    test(
      'time passes and never goes back',
      on(async ({ clock, advance }) => {
        const times = [clock.now()]
        for (let i = 0; i < 3; i++) {
          await advance(10)
          times.push(clock.now())
        }
        for (let i = 1; i < times.length; i++) {
          expect((times[i] as number) - (times[i - 1] as number)).toBeGreaterThanOrEqual(9)
        }
      }),
    )
    test(
      'a timeout fires once, and not before its time',
      on(async ({ clock, advance }) => {
        const [begun, fired] = [clock.now(), [] as number[]]
        clock.setTimeout(() => fired.push(clock.now()), 20)
        expect(fired).toEqual([])
        await advance(25)
        await advance(25)
        expect(fired).toHaveLength(1)
        expect((fired[0] as number) - begun).toBeGreaterThanOrEqual(19)
      }),
    )
    test(
      'timeouts fire in the order of their times, not of their setting',
      on(async ({ clock, advance }) => {
        const fired: number[] = []
        for (const ms of [30, 10, 20]) clock.setTimeout(() => fired.push(ms), ms)
        await advance(50)
        expect(fired).toEqual([10, 20, 30])
      }),
    )
    test(
      'a timeout that was cleared never fires, and clearing it again does nothing',
      on(async ({ clock, advance }) => {
        const fired: string[] = []
        const cleared = clock.setTimeout(() => fired.push('cleared'), 10)
        const kept = clock.setTimeout(() => fired.push('kept'), 10)
        clock.clearTimeout(cleared)
        clock.clearTimeout(cleared)
        await advance(30)
        clock.clearTimeout(kept)
        expect(fired).toEqual(['kept'])
      }),
    )
    test(
      'a timeout may set the next one',
      on(async ({ clock, advance }) => {
        const fired: string[] = []
        clock.setTimeout(() => {
          fired.push('first')
          clock.setTimeout(() => fired.push('second'), 10)
        }, 10)
        await advance(20)
        await advance(20)
        expect(fired).toEqual(['first', 'second'])
      }),
    )
  })
}
