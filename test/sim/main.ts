/** Long runs: `npm run sim -- agreement`, `-- fuzz`, `-- chain-faults` and `-- soak`, with `--count` and often `--seed`. */
import { parseArgs } from 'node:util'
import { runChainFaults, type Spread } from '../e2e/chain-fault.ts'
import { simulateAgreement } from './agreement.ts'
import { runFuzz, TARGETS } from './fuzz.ts'
import { soakStore } from './soak.ts'

type Options = { readonly count: number | null; readonly seed: number; readonly only: string | null }
type Command = { readonly summary: string; readonly run: (options: Options) => boolean | Promise<boolean> }

const TABLES = 100_000
const MESSAGES = 1_000_000
const FAULTS = 2_000
/** As fast as our development chain goes. */
const FAULT_BLOCK_MS = 250
/** So many chains side by side, each with a client of its own. */
const FAULT_LANES = 5

const SOAK_MINUTES = 10
/** A heap that is collected now and then goes up and down by as much. */
const SOAK_RSS_RATIO_MAX = 1.25

const spreadText = (spread: Spread | null): string =>
  spread === null ? '—' : `${spread.p99.toFixed(1)} (${spread.most.toFixed(1)})`
const print = (line: string): void => console.log(line)

const COMMANDS: Readonly<Record<string, Command>> = {
  agreement: {
    summary: `the law of certified scores against ${TABLES} stake tables with up to a third of liars`,
    run: ({ count, seed }) => {
      const start = performance.now()
      const { tables, certified, broken } = simulateAgreement({ count: count ?? TABLES, seed })
      const seconds = ((performance.now() - start) / 1_000).toFixed(1)
      print(`${tables} tables, ${certified} certified, ${broken.size} laws broken, ${seconds} s, seed ${seed}`)
      for (const [law, { seed: at, what }] of broken) print(`  ${law}: ${what}; again with --count 1 --seed ${at}`)
      return broken.size === 0
    },
  },
  fuzz: {
    summary: `${MESSAGES} mutated messages for each decoder; --only NAME takes one of them`,
    run: ({ count, seed, only }) => runFuzz({ count: count ?? MESSAGES, seed, only }, print),
  },
  'chain-faults': {
    summary: `${FAULTS} faults between clients and their chains, a write under each; blocks of ${FAULT_BLOCK_MS} ms`,
    run: async ({ count }) => {
      const options = { count: count ?? FAULTS, blockMs: FAULT_BLOCK_MS, lanes: FAULT_LANES }
      const { faults, lost, duplicated, socketsMax, kinds, errors } = await runChainFaults(options)
      print(`${faults} faults, ${lost} writes lost, ${duplicated} twice in the chain, ${socketsMax} sockets at most`)
      print('in block times, 99 of 100 (most):   hits noticed   detected     works again  final after')
      for (const [name, { count: hits, noticed, detected, again, final }] of Object.entries(kinds)) {
        const cells = [detected, again, final].map((each) => spreadText(each).padEnd(12)).join(' ')
        print(`  ${name.padEnd(32)} ${String(hits).padStart(5)} ${String(noticed).padStart(7)}   ${cells}`.trimEnd())
      }
      for (const error of errors) print(`  ${error}`)
      return lost === 0 && duplicated === 0 && errors.length === 0
    },
  },
  soak: {
    summary: `${SOAK_MINUTES} minutes of work on a store, under kill -9 and with too little room; --count N minutes`,
    run: async ({ count, seed }) => {
      const { kills, files, did, rssMib, errors } = await soakStore(count ?? SOAK_MINUTES, seed)
      const [early, late] = rssMib
      print(
        `${kills} kills, ${files} files held against what was reported, ${errors.length} times in vain, seed ${seed}`,
      )
      print(
        `${Object.entries(did)
          .map(([what, times]) => `${what} ${times}`)
          .join(', ')}`,
      )
      print(`memory of the process that went on: ${early.toFixed(0)} MiB early, ${late.toFixed(0)} MiB late`)
      for (const error of errors) print(`  ${error}`)
      return errors.length === 0 && late <= early * SOAK_RSS_RATIO_MAX
    },
  },
}

const USAGE = [
  'usage: npm run sim -- COMMAND [--count N] [--seed S] [--only NAME]',
  '',
  ...Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`),
  '',
  `decoders: ${TARGETS.map(({ name }) => name).join(', ')}`,
].join('\n')

/** A natural number, or `null` when the text is none. */
const natural = (text: string): number | null => (/^\d{1,10}$/.test(text) ? Number(text) : null)

async function main(argv: readonly string[]): Promise<number> {
  const strings = { type: 'string' } as const
  const options = { count: strings, seed: strings, only: strings }
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: false })
  const [name = '', ...others] = positionals
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const [count, seed] = [values['count'], values['seed']].map((value) =>
    value === undefined ? undefined : natural(String(value)),
  )
  const only = typeof values['only'] === 'string' ? values['only'] : null
  const isKnown = Object.keys(values).every((key) => Object.hasOwn(options, key))
  const isDecoder = only === null || TARGETS.some((target) => target.name === only)
  if (command === undefined || others.length > 0 || !isKnown || !isDecoder || count === null || seed === null) {
    console.error(USAGE)
    return 2
  }
  return (await command.run({ count: count ?? null, seed: seed ?? 1, only })) ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
