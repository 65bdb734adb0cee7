/** Help, made from the same tables that parse the command line, so the two cannot disagree. */
import { EXIT } from '../errors.ts'
import { type Command, type Flag, type Flags, GLOBAL_FLAGS, type Group, isGroup } from './command.ts'
import type { Style } from './io.ts'
import { describeValue } from './parse.ts'

export function helpText(entry: Command | Group, path: readonly string[], style: Style): string {
  const isRoot = path.length === 1
  const body = isGroup(entry) ? sectionsOfGroup(entry, style) : sectionsOfCommand(entry, style)
  const parts = [
    `${style.bold(path.join(' '))}: ${entry.summary}\n\nusage: ${usageLine(entry, path)}\n`,
    body,
    section('Flags of every command', rowsOfFlags(GLOBAL_FLAGS), style),
    section('Examples', rowsOfExamples(entry), style),
    isRoot ? section('Exit codes', EXIT_ROWS, style) : '',
  ]
  return parts.filter((part) => part !== '').join('\n')
}

/** The same as data, for `--help --json`. */
export function helpData(entry: Command | Group, path: readonly string[]): object {
  const { summary, examples } = entry
  const usage = usageLine(entry, path)
  if (!isGroup(entry)) return { name: path.join(' '), summary, usage, flags: entry.flags, examples }
  const commands = entry.commands.map((each) => ({ name: each.name, summary: each.summary }))
  const flags = entry.own?.flags ?? {}
  return { name: path.join(' '), summary, usage, commands, flags, examples }
}

function usageLine(entry: Command | Group, path: readonly string[]): string {
  if (isGroup(entry)) return `${path.join(' ')} ${entry.own === undefined ? '<command>' : '[command]'} [flags]`
  const words = (entry.positionals ?? []).map(({ name, optional, many }) => {
    const word = many === true ? `${name}…` : name
    return optional === true ? `[${word}]` : word
  })
  return [...path, ...words, '[flags]'].join(' ')
}

const rowsOfGroup = (group: Group): Row[] => group.commands.map((each) => [each.name, each.summary])

const rowsOfExamples = (entry: Command | Group): Row[] => entry.examples.map(({ line, shows }) => [line, shows])

function sectionsOfGroup(group: Group, style: Style): string {
  const commands = section('Commands', rowsOfGroup(group), style)
  return group.own === undefined ? commands : `${commands}\n${sectionsOfCommand(group.own, style)}`
}

function sectionsOfCommand(command: Command, style: Style): string {
  const words: Row[] = (command.positionals ?? []).map((each) => [each.name, each.description])
  return [section('Words', words, style), section('Flags', rowsOfFlags(command.flags), style)]
    .filter((part) => part !== '')
    .join('\n')
}

const rowsOfFlags = (flags: Flags): Row[] =>
  Object.entries(flags).map(([name, flag]) => [flagLabel(name, flag), flagNote(flag)])

const flagLabel = (name: string, flag: Flag) => (flag.type === 'boolean' ? `--${name}` : `--${name} ${flag.valueName}`)

function flagNote(flag: Flag): string {
  if (flag.type === 'boolean') return flag.description
  const kind = flag.type === 'integer' || flag.oneOf !== undefined ? `; ${describeValue(flag)}` : ''
  return `${flag.description}${kind}${flag.default === undefined ? '' : `; default ${flag.default}`}`
}

const EXIT_ROWS: Row[] = [
  [String(EXIT.ok), 'the work is complete'],
  [String(EXIT.internal), 'a bug of ours'],
  [String(EXIT.usage), 'the command line makes no sense'],
  [String(EXIT.input), 'a file or a value that was handed in is wrong'],
  [String(EXIT.environment), 'this machine lacks something'],
  [String(EXIT.unavailable), 'somebody else did not answer; try again later'],
  [String(EXIT.unsettled), 'the network did not settle what was asked'],
  [String(EXIT.interrupted), 'stopped before the work was complete'],
]

type Row = readonly [label: string, text: string]

function section(title: string, rows: readonly Row[], style: Style): string {
  if (rows.length === 0) return ''
  const width = Math.max(...rows.map(([label]) => label.length))
  return `${style.bold(title)}\n${rows.map(([label, text]) => `  ${label.padEnd(width)}  ${style.dim(text)}\n`).join('')}`
}
