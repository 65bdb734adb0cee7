/** Measures: `npm run bench -- protocol`, with `--json` as one object for programs. */
import { parseArgs } from 'node:util'
import { chainResults } from './chain.ts'
import { engineResults } from './engine.ts'
import { gateResults } from './gates.ts'
import { gossipResults } from './gossip.ts'
import { measureAll, REPEATS, type Result, table } from './harness.ts'
import { protocolCases } from './protocol.ts'
import { transferResults } from './transfer.ts'

type Suite = { readonly summary: string; readonly results: () => Promise<readonly Result[]> }

const SUITES: Readonly<Record<string, Suite>> = {
  protocol: { summary: 'messages, and what one cycle agrees on', results: async () => measureAll(protocolCases()) },
  chain: { summary: 'epochs, transactions and memory of the development chain', results: chainResults },
  transfer: { summary: 'the bulk path beside HTTP, raw streams and bitswap', results: transferResults },
  engine: { summary: 'training and judging beside PyTorch and without short cuts', results: engineResults },
  gates: { summary: 'what passes the gates of Proof-of-Loss: noise and honest work', results: gateResults },
  gossip: { summary: 'twenty processes that gossip', results: gossipResults },
}

const USAGE = [
  'usage: npm run bench -- SUITE [--json]',
  '',
  ...Object.entries(SUITES).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`),
].join('\n')

async function main(argv: readonly string[]): Promise<number> {
  const options = { json: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: false })
  const [name = '', ...others] = positionals
  const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined
  const isKnown = Object.keys(values).every((key) => Object.hasOwn(options, key))
  if (suite === undefined || others.length > 0 || !isKnown) {
    console.error(USAGE)
    return 2
  }
  const results = await suite.results()
  const machine = { node: process.version, platform: process.platform, arch: process.arch }
  console.log(
    values['json'] === true ? JSON.stringify({ suite: name, machine, repeats: REPEATS, results }) : table(results),
  )
  return 0
}

process.exitCode = await main(process.argv.slice(2))
