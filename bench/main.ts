/** Measures: `npm run bench -- protocol`, with `--json` as one object for programs. */
import { parseArgs } from 'node:util'
import { type Case, protocolCases } from './protocol.ts'

const SUITES: Readonly<Record<string, { readonly summary: string; readonly cases: () => readonly Case[] }>> = {
  protocol: { summary: 'messages, and what one cycle agrees on', cases: protocolCases },
}

const USAGE = [
  'usage: npm run bench -- SUITE [--json]',
  '',
  ...Object.entries(SUITES).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`),
].join('\n')

export type Result = {
  readonly name: string
  readonly includes: string
  readonly microseconds: number
  readonly perSecond: number
  /** The fastest and the slowest repeat: how calm the machine was. */
  readonly range: readonly [number, number]
  readonly target: number | null
  readonly met: boolean | null
}

const REPEATS = 15
const BATCH_MS = 25

/** Microseconds for one call, over as many calls as fill a batch. */
function measure({ run }: Case, calls: number): number {
  const start = performance.now()
  for (let i = 0; i < calls; i++) run()
  return ((performance.now() - start) * 1_000) / calls
}

/** Repeats go round all cases, so that a noisy second costs each of them a little and none of them all. */
function measureAll(cases: readonly Case[]): readonly Result[] {
  const calls = cases.map((test) => {
    measure(test, 10)
    return Math.max(1, Math.round((BATCH_MS * 1_000) / measure(test, 10)))
  })
  const times = cases.map((): number[] => [])
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [i, test] of cases.entries()) times[i]?.push(measure(test, calls[i] ?? 1))
  }
  return cases.map(({ name, includes, target }, i) => {
    const sorted = (times[i] ?? []).toSorted((a, b) => a - b)
    const [low, median, high] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((time) => time ?? 0)
    const microseconds = round(median ?? 0)
    const met = target === null ? null : microseconds <= target
    const perSecond = Math.round(1_000_000 / (median ?? 1))
    return { name, includes, microseconds, perSecond, range: [round(low ?? 0), round(high ?? 0)], target, met }
  })
}

const round = (time: number): number => Math.round(time * 100) / 100

function table(results: readonly Result[]): string {
  const lines = results.map(({ name, microseconds, perSecond, target, met, includes }) => {
    const goal = target === null ? '' : `${met === true ? 'within' : 'ABOVE'} ${target} µs`
    return [
      name.padEnd(24),
      `${microseconds} µs`.padStart(12),
      `${perSecond}/s`.padStart(12),
      goal.padEnd(16),
      includes,
    ]
  })
  return lines.map((line) => line.join('  ')).join('\n')
}

function main(argv: readonly string[]): number {
  const options = { json: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: false })
  const [name = '', ...others] = positionals
  const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined
  const isKnown = Object.keys(values).every((key) => Object.hasOwn(options, key))
  if (suite === undefined || others.length > 0 || !isKnown) {
    console.error(USAGE)
    return 2
  }
  const results = measureAll(suite.cases())
  const machine = { node: process.version, platform: process.platform, arch: process.arch }
  console.log(
    values['json'] === true ? JSON.stringify({ suite: name, machine, repeats: REPEATS, results }) : table(results),
  )
  return 0
}

process.exitCode = main(process.argv.slice(2))
