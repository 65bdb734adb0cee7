/** How a bench measures and what it prints: repeats that go round all cases, and one row for each figure. */

export type Case = {
  readonly name: string
  readonly includes: string
  /** In microseconds, or in what `unit` says; `null` where there is none. */
  readonly target: number | null
  readonly unit?: 'µs' | 'ms'
  readonly run: () => unknown
}

/** More is better of `/s` and of what says so. */
export type Unit = 'µs' | 'ms' | 's' | '/s' | 'MiB' | 'MB/s' | '% at least' | 'x at least' | 'x at most'

export type Result = {
  readonly name: string
  readonly includes: string
  readonly unit: Unit
  /** The median of the repeats, or the only one. */
  readonly value: number
  /** The least and the greatest repeat: how calm the machine was. */
  readonly range: readonly [number, number]
  /** The most that is wanted, or the least where more is better. */
  readonly target: number | null
  readonly met: boolean | null
  /** Only of what is timed. */
  readonly microseconds?: number
  readonly perSecond?: number
}

export const REPEATS = 15
const BATCH_MS = 25

/** Microseconds for one call, over as many calls as fill a batch. */
function measure({ run }: Case, calls: number): number {
  const start = performance.now()
  for (let i = 0; i < calls; i++) run()
  return ((performance.now() - start) * 1_000) / calls
}

/** Repeats go round all cases, so that a noisy second costs each of them a little and none of them all. */
export function measureAll(cases: readonly Case[]): readonly Result[] {
  const calls = cases.map((test) => {
    measure(test, 10)
    return Math.max(1, Math.round((BATCH_MS * 1_000) / measure(test, 10)))
  })
  const times = cases.map((): number[] => [])
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [i, test] of cases.entries()) times[i]?.push(measure(test, calls[i] ?? 1))
  }
  return cases.map(({ name, includes, target, unit = 'µs' }, i) => {
    const microseconds = times[i] ?? []
    const values = unit === 'ms' ? microseconds.map((time) => time / 1_000) : microseconds
    const time = medianOf(microseconds)
    const timed = { microseconds: round(time), perSecond: Math.round(1_000_000 / time) }
    return { ...resultOf({ name, includes, unit, target }, values), ...timed }
  })
}

/** A row of figures that were taken in some other way. */
export function resultOf(
  row: Pick<Result, 'name' | 'includes' | 'unit' | 'target'>,
  values: readonly number[],
): Result {
  const { name, includes, unit, target } = row
  const value = round(medianOf(values))
  const met = target === null ? null : isMoreBetter(unit) ? value >= target : value <= target
  const range = [round(Math.min(...values)), round(Math.max(...values))] as const
  return { name, includes, unit, value, range, target, met }
}

const isMoreBetter = (unit: Unit): boolean => unit.endsWith('/s') || unit.endsWith('at least')

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

const round = (figure: number): number => Math.round(figure * 100) / 100

export function table(results: readonly Result[]): string {
  const width = Math.max(24, ...results.map(({ name }) => name.length))
  const lines = results.map(({ name, unit, value, perSecond, target, met, includes }) => {
    const missed = isMoreBetter(unit) ? 'BELOW' : 'ABOVE'
    const goal = target === null ? '' : `${met === true ? 'within' : missed} ${target} ${unit}`
    return [
      name.padEnd(width),
      `${value} ${unit}`.padStart(12),
      (perSecond === undefined ? '' : `${perSecond}/s`).padStart(12),
      goal.padEnd(16),
      includes,
    ]
  })
  return lines.map((line) => line.join('  ')).join('\n')
}
