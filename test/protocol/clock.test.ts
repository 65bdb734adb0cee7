import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cycleBlocks, deadlinesOf, momentAt, PHASE_OF, PHASES, WINDOWS, type Window } from '../../src/protocol/clock.ts'
import { checkAmendment, constitutionAt } from '../../src/protocol/constitution.ts'
import { BLOCK_MAX } from '../../src/protocol/limits.ts'
import { PRESET_NAMES, PRESETS } from '../../src/protocol/preset.ts'
import { amendmentOf, constitution } from './sample.ts'

const local = { start: { block: 1_000, cycle: 0 }, windows: PRESETS.local.windows }

test.each<[block: number, cycle: number, window: Window, phase: string, lastBlock: number]>([
  [1_000, 0, 'distribute', 'distribute', 1_003],
  [1_003, 0, 'distribute', 'distribute', 1_003],
  [1_004, 0, 'train', 'train', 1_023],
  [1_024, 0, 'commit', 'commit', 1_028],
  [1_029, 0, 'reveal', 'reveal', 1_034],
  [1_035, 0, 'evaluate', 'evaluate', 1_042],
  [1_043, 0, 'report', 'agree', 1_047],
  [1_048, 0, 'attest', 'agree', 1_052],
  [1_053, 0, 'merge', 'merge', 1_057],
  [1_058, 0, 'weigh', 'weigh', 1_059],
  [1_059, 0, 'weigh', 'weigh', 1_059],
  [1_060, 1, 'distribute', 'distribute', 1_063],
  [1_000 + 60 * 70_000_000, 70_000_000, 'distribute', 'distribute', 1_003 + 60 * 70_000_000],
])('block %i of a laptop is in cycle %i, window %s', (block, cycle, window, phase, lastBlock) => {
  expect(momentAt(local, block)).toEqual({ cycle, window, phase, lastBlock })
})

test.each([999, 0, -1, -1_000_000])('before the first block there is no cycle: block %i', (block) => {
  expect(momentAt(local, block)).toBeNull()
})

test('the deadlines of a cycle are the last blocks of its windows', () => {
  expect(deadlinesOf(local, 2)).toEqual({
    cycle: 2,
    first: 1_120,
    commit: 1_148,
    reveal: 1_154,
    evaluate: 1_162,
    report: 1_167,
    attest: 1_172,
    merge: 1_177,
    last: 1_179,
  })
})

test('every window belongs to a phase, the phases come in their order, and each has a window', () => {
  expect(Object.keys(PHASE_OF)).toEqual([...WINDOWS])
  expect([...new Set(WINDOWS.map((window) => PHASE_OF[window]))]).toEqual([...PHASES])
})

test.each(PRESET_NAMES)('the windows of a constitution and of the clock are the same: %s', (name) => {
  expect(Object.keys(PRESETS[name].windows)).toEqual([...WINDOWS])
})

test('what is no block or no cycle of these rules is our own mistake', () => {
  expect(() => momentAt(local, 0.5)).toThrow('integer')
  expect(() => momentAt(local, Number.NaN)).toThrow('integer')
  expect(() => deadlinesOf({ ...local, start: { block: 0, cycle: 3 } }, 2)).toThrow('first cycle')
  expect(() => deadlinesOf(local, 1.5)).toThrow('integer')
})

const blocks = fc.integer({ min: 1, max: 100_000 })
const windows = fc.record({
  distribute: blocks,
  train: blocks,
  commit: blocks,
  reveal: blocks,
  evaluate: blocks,
  report: blocks,
  attest: blocks,
  merge: blocks,
  weigh: blocks,
})
const start = fc.record({ block: fc.nat({ max: BLOCK_MAX }), cycle: fc.nat({ max: BLOCK_MAX }) })
const clockwork = fc.record({ start, windows })

describe('for any windows and any start', () => {
  test('every block from the first on is in exactly one window, and the windows follow each other', () => {
    fc.assert(
      fc.property(clockwork, fc.nat({ max: 1_000 }), (clock, cycles) => {
        let block = clock.start.block + cycles * cycleBlocks(clock)
        for (const cycle of [cycles, cycles + 1].map((past) => clock.start.cycle + past)) {
          for (const window of WINDOWS) {
            const lastBlock = block + clock.windows[window] - 1
            const moment = { cycle, window, phase: PHASE_OF[window], lastBlock }
            expect(momentAt(clock, block)).toEqual(moment)
            expect(momentAt(clock, lastBlock)).toEqual(moment)
            block = lastBlock + 1
          }
        }
      }),
    )
  })

  test('neighbouring blocks are in one window or in two that meet', () => {
    fc.assert(
      fc.property(clockwork, fc.nat({ max: 2 ** 40 }), (clock, elapsed) => {
        const block = clock.start.block + elapsed
        const [here, next] = [momentAt(clock, block), momentAt(clock, block + 1)]
        expect(here?.lastBlock).toBeGreaterThanOrEqual(block)
        if (here?.lastBlock !== block) {
          expect(next).toEqual(here)
          return
        }
        const isLast = here.window === 'weigh'
        expect(next?.window).toBe(isLast ? 'distribute' : WINDOWS[WINDOWS.indexOf(here.window) + 1])
        expect(next?.cycle).toBe(isLast ? here.cycle + 1 : here.cycle)
      }),
    )
  })

  test('deadlines and moments agree', () => {
    fc.assert(
      fc.property(clockwork, fc.nat({ max: 100_000 }), (clock, past) => {
        const cycle = clock.start.cycle + past
        const { first, last, ...lasts } = deadlinesOf(clock, cycle)
        for (const window of ['commit', 'reveal', 'evaluate', 'report', 'attest', 'merge'] as const) {
          expect(momentAt(clock, lasts[window])).toMatchObject({ cycle, window, lastBlock: lasts[window] })
        }
        expect(momentAt(clock, first)).toMatchObject({ cycle, window: 'distribute' })
        expect(momentAt(clock, last)).toMatchObject({ cycle, window: 'weigh', lastBlock: last })
        expect(momentAt(clock, first - 1)?.cycle ?? null).toBe(past === 0 ? null : cycle - 1)
        expect(deadlinesOf(clock, cycle + 1).first).toBe(last + 1)
      }),
    )
  })
})

test('cycles never overlap, also where amendments change their length', () => {
  const longer = fc.nat({ max: 500 })
  fc.assert(
    fc.property(fc.array(fc.record({ ahead: fc.integer({ min: 2, max: 9 }), longer }), { maxLength: 4 }), (changes) => {
      const adopted: [typeof constitution, ...(typeof constitution)[]] = [constitution]
      for (const change of changes) {
        const current = adopted.at(-1) ?? constitution
        const train = current.windows.train + 60 * change.longer
        const windows = { ...current.windows, train }
        const cycle = current.start.cycle + change.ahead
        const limits = { ...current.limits, cardBlocks: 1_000_000 }
        const next = amendmentOf(current, cycle, { windows, limits })
        expect(checkAmendment(current, next, cycle - 2)).toBeNull()
        adopted.push(next)
      }
      const last = adopted.at(-1)?.start.cycle ?? 0
      let block = constitution.start.block
      for (let cycle = 0; cycle < last + 3; cycle++) {
        const rules = constitutionAt(adopted, block)
        const deadlines = deadlinesOf(rules, cycle)
        expect(deadlines.first).toBe(block)
        expect(constitutionAt(adopted, deadlines.last)).toBe(rules)
        expect(momentAt(rules, deadlines.last)).toMatchObject({ cycle, window: 'weigh' })
        block = deadlines.last + 1
      }
    }),
    { numRuns: 50 },
  )
})
