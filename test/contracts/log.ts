/** What every Log must do. */
import { describe, expect, test } from 'vitest'
import type { Log, LogFields } from '../../src/ports.ts'
import { fresh, type Harness } from './harness.ts'

export type LogHarness = Harness & {
  readonly log: Log
  /** Everything that was written so far, as text; `null` where nothing is kept. */
  readonly written: () => string | null
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

export function describeLogContract(name: string, createHarness: () => Promise<LogHarness>): void {
  const on = fresh(createHarness)
  describe(`the log contract: ${name}`, () => {
    test(
      'every level takes a message, with fields or without, and never throws',
      on(async ({ log }) => {
        const fields: LogFields = Object.freeze({
          text: 'a\nb',
          count: 1,
          share: 0.5,
          is: true,
          nothing: null,
          nan: NaN,
        })
        for (const level of LEVELS) {
          expect(log[level]('something happened')).toBe(undefined)
          expect(log[level]('something happened', fields)).toBe(undefined)
        }
      }),
    )
    test(
      'what is above debug can be read, one line each, and no field breaks a line',
      on(async ({ log, written }) => {
        log.warn('a peer was slow', { peer: 'first\nsecond', ms: 12 })
        log.error('a peer was gone')
        const text = written()
        if (text === null) return
        const lines = text.trimEnd().split('\n')
        expect(lines).toHaveLength(2)
        expect(lines[0]).toMatch(/a peer was slow.*first.*second.*12/)
        expect(lines[1]).toMatch(/a peer was gone/)
      }),
    )
  })
}
