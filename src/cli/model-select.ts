/** `wheelwright model select`: which experts a domain's text goes to, and the groups that come of it. */
import { rm } from 'node:fs/promises'
import type { SelectResult, SelectTask } from '../gpu/worker/select-job.ts'
import { nameShape } from '../protocol/name.ts'
import { Flaw } from '../protocol/schema.ts'
import { HUB, ROUTER } from '../protocol/track.ts'
import type { FlagValues } from './command.ts'
import type { Io } from './io.ts'
import { directoryOf, machineOf, sourceOf, usage } from './model-open.ts'
import { runShown } from './model-run.ts'
import type { SELECT_FLAGS } from './model-table.ts'

type SelectFlags = FlagValues<typeof SELECT_FLAGS>

export async function run(flags: SelectFlags, io: Io, [word, ...words]: readonly string[]): Promise<void> {
  const directory = directoryOf(word)
  const domains = domainsOf(words, flags.sequence)
  const task: SelectTask = {
    directory,
    domains,
    experts: flags.experts,
    sequencesMax: flags.samples ?? null,
    groups: flags.groups ?? null,
    ...(await machineOf(flags, io)),
  }
  const amount = (count: number): string => `${Math.round(count)} sequences`
  try {
    await runShown({ kind: 'job', name: 'select', task }, { label: 'reading', amount, textOf }, io, flags.json)
  } finally {
    for (const { source } of domains) if (source.kind === 'text') await rm(source.packed, { force: true })
  }
}

/** `NAME=PATH,…`: text, or a JSON array of tokens. */
function domainsOf(words: readonly string[], sequence: number): SelectTask['domains'] {
  const domains = words.map((word) => {
    const [, name = '', path] = /^([^=]*)=(.+)$/.exec(word) ?? []
    if (path === undefined) throw usage(`'${word}' is no domain`, 'a domain is a name and a path: english=books/')
    const flaw = nameShape.read(name, 'the name', 'json')
    if (flaw instanceof Flaw || name === ROUTER || name === HUB) {
      throw usage(`'${name}' names no domain`, 'names have a-z, 0-9 and -, begin with a letter, and are not taken')
    }
    const isTokens = path.endsWith('.json')
    const source = { tokens: isTokens ? path : undefined, text: isTokens ? undefined : path, sequence }
    return { name, source: sourceOf(source, 'text', null) }
  })
  const twice = domains.find(({ name }, i) => domains.findIndex((other) => other.name === name) < i)
  if (twice === undefined) return domains
  throw usage(`the domain ${twice.name} is there twice`, 'several paths of one domain are divided by commas')
}

/** A line for each layer, with what the experts of each domain get of it. */
function textOf({ domains }: SelectResult): string {
  const [first] = domains
  const tokens = domains.map(({ name, tokens }) => `${name.padEnd(12)}  ${tokens} tokens\n`)
  const layers = (first?.layers ?? []).map(({ layer }, i) => {
    const parts = domains.map(({ name, layers }) => {
      const { experts, share } = layers[i] as (typeof layers)[number]
      return `${name} ${experts.join(',')} (${(100 * share).toFixed(1)} %)`
    })
    return `layer ${`${layer}`.padEnd(6)}  ${parts.join('   ')}\n`
  })
  return [...tokens, ...layers].join('')
}
