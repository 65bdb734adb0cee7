/**
 * argv to a command and its values. Every mistake is a USAGE error that names the word, and the word that was meant.
 *
 * `node:util` splits the line into tokens; what they mean is decided here, because its own messages name neither the
 * range of a number nor the nearest flag.
 */
import { parseArgs } from 'node:util'
import { NodeError } from '../errors.ts'
import { type Command, type Flag, type Flags, type FlagValues, GLOBAL_FLAGS, type Group, isGroup } from './command.ts'
import { printable } from './io.ts'
import { nearest } from './nearest.ts'

export type Target = {
  readonly entry: Command | Group
  /** The words that lead to it, the program's name first. */
  readonly path: readonly string[]
  /** What is left of argv for its flags and positionals. */
  readonly rest: readonly string[]
}

const isGlobal = (word: string) =>
  word === '-h' || (word.startsWith('--') && Object.hasOwn(GLOBAL_FLAGS, word.slice(2)))

/** Walks the leading words down the tree. Global flags may stand between them; no other flag belongs to a group. */
export function findTarget(root: Group, argv: readonly string[]): Target {
  let entry: Command | Group = root
  const path = [root.name]
  const rest: string[] = []
  let at = 0
  for (; at < argv.length && isGroup(entry); at++) {
    const word = argv[at] ?? ''
    if (isGlobal(word)) rest.push(word)
    else if (word.startsWith('-')) break
    else {
      entry = childOf(entry, word, path)
      path.push(word)
    }
  }
  return { entry, path, rest: [...rest, ...argv.slice(at)] }
}

function childOf(group: Group, word: string, path: readonly string[]): Command | Group {
  const child = group.commands.find((each) => each.name === word)
  if (child !== undefined) return child
  const names = group.commands.map((each) => each.name)
  const meant = nearest(word, names)
  throw new NodeError('USAGE', {
    what: `there is no command '${printable([...path.slice(1), word].join(' '))}'`,
    why: meant === null ? 'no command has a name like it' : `the nearest one is '${meant}'`,
    remedy: `run '${path.join(' ')} ${meant ?? '--help'}'`,
  })
}

/** A group takes global flags only. */
export function strayWord(path: readonly string[], word: string): NodeError {
  if (word.startsWith('--') && word !== '--') return unknownFlag(word, Object.keys(GLOBAL_FLAGS), usageError(path))
  return usageError(path)(`'${printable(word)}' stands where a command should`, 'flags come after the command')
}

export type Parsed = {
  readonly flags: FlagValues<Flags>
  readonly positionals: readonly string[]
}

/** `--help` and `--version` are the caller's to look for first: a line that asks for help need not be complete. */
export function parseFor(command: Command, path: readonly string[], rest: readonly string[]): Parsed {
  const usage = usageError(path)
  const known: Flags = { ...command.flags, ...GLOBAL_FLAGS }
  const { tokens } = parseArgs({
    args: [...rest],
    options: Object.fromEntries(
      Object.entries(known).map(([name, flag]) => [name, { type: flag.type === 'boolean' ? 'boolean' : 'string' }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values = new Map<string, string | number | boolean>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (flag === undefined) throw unknownFlag(token.rawName, Object.keys(known), usage)
    if (values.has(token.name)) throw usage(`${token.rawName} is given twice`, 'only one of the two could count')
    values.set(token.name, readValue(flag, token, usage))
  }
  checkPositionals(command, positionals, usage)
  return { flags: withDefaults(known, values), positionals }
}

type Usage = (what: string, why: string, remedy?: string) => NodeError

const usageError = (path: readonly string[]): Usage => {
  return (what, why, remedy = `run '${path.join(' ')} --help'`) => new NodeError('USAGE', { what, why, remedy })
}

function unknownFlag(rawName: string, known: readonly string[], usage: Usage): NodeError {
  const meant = rawName.startsWith('--') ? nearest(rawName.slice(2), known) : null
  const why = meant === null ? 'this command has no flag with a name like it' : `the nearest one is --${meant}`
  return usage(`there is no flag ${printable(rawName)}`, why)
}

type Option = {
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function readValue(flag: Flag, { rawName, value, inlineValue }: Option, usage: Usage): string | number | boolean {
  if (flag.type === 'boolean') {
    if (value !== undefined) throw usage(`${rawName} takes no value`, 'it is either there or not')
    return true
  }
  // `--seed --json` forgot the seed; `--offset -1` and `--name=--odd` did not.
  const isForgotten = value === undefined || (inlineValue !== true && /^-(?!\d)/.test(value))
  if (isForgotten) throw usage(`${rawName} needs a value`, `it takes ${describeValue(flag)}`)
  if (flag.type === 'integer') return integerOf(flag, rawName, value, usage)
  if (flag.oneOf !== undefined && !flag.oneOf.includes(value)) {
    throw usage(`${rawName} cannot be '${printable(value)}'`, `it takes ${describeValue(flag)}`)
  }
  return value
}

function integerOf(flag: Flag & { type: 'integer' }, rawName: string, text: string, usage: Usage): number {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= flag.min && value <= flag.max)) {
    throw usage(`${rawName} cannot be '${printable(text)}'`, `it takes ${describeValue(flag)}`)
  }
  return value
}

/** As it stands in errors and in help. */
export function describeValue(flag: Exclude<Flag, { type: 'boolean' }>): string {
  if (flag.type === 'integer') {
    return `a whole number from ${flag.min} to ${flag.max}${flag.unit === undefined ? '' : ` (${flag.unit})`}`
  }
  return flag.oneOf === undefined ? 'text' : `one of ${flag.oneOf.join(', ')}`
}

function checkPositionals(command: Command, given: readonly string[], usage: Usage): void {
  const wanted = command.positionals ?? []
  const extra = given[wanted.length]
  if (extra !== undefined && wanted.at(-1)?.many !== true) {
    const why = wanted.length === 0 ? 'this command takes no words' : `this command takes ${wanted.length} at most`
    throw usage(`'${printable(extra)}' is one word too many`, why)
  }
  const missing = wanted.find((each, i) => each.optional !== true && given[i] === undefined)
  if (missing !== undefined) throw usage(`${missing.name} is missing`, `it is ${missing.description}`)
}

function withDefaults(known: Flags, values: ReadonlyMap<string, string | number | boolean>): FlagValues<Flags> {
  const entries = Object.entries(known).map(([name, flag]) => {
    const fallback = flag.type === 'boolean' ? false : flag.default
    return [name, values.get(name) ?? fallback]
  })
  return Object.fromEntries(entries)
}
