/**
 * The command line: argv to command to run. The only place that prints errors and sets the exit code.
 *
 * An error for people is three lines on stderr: what happened and its code, why, and what to do about it. With `--json`
 * it is the last line of stdout, `{"error":{code,what,why,remedy,data?}}`, because programs read results there.
 */
import { readFileSync } from 'node:fs'
import { ERRORS, EXIT, type ExitCode, NodeError } from '../errors.ts'
import { assert } from '../util/assert.ts'
import { type Group, isGroup } from './command.ts'
import { ROOT } from './command-table.ts'
import { printHelp } from './help.ts'
import { type Io, printable, styleFor, writeJson } from './io.ts'
import { findTarget, parseFor, strayWord } from './parse.ts'
import { createProcessIo } from './process-io.ts'

/** Called by bin/wheelwright.js. */
export async function start(root: Group = ROOT): Promise<void> {
  const argv = process.argv.slice(2)
  // NVIDIA's libraries keep ten bits of a factor otherwise; onnxruntime has a switch for it, its binding has not.
  process.env['NVIDIA_TF32_OVERRIDE'] ??= '0'
  const io = createProcessIo()
  const crash = (error: unknown) => {
    process.exit(report(error, wantsJson(argv), io)) // state is unknown from here on, so no clean-up can be trusted
  }
  process.on('uncaughtException', crash)
  process.exitCode = await main(argv, io, root)
}

/** Never throws. */
export async function main(argv: readonly string[], io: Io, root: Group = ROOT): Promise<ExitCode> {
  try {
    await dispatch(argv, io, root)
    return EXIT.ok
  } catch (error) {
    return report(isStop(error, io.signal) ? interrupted(error) : error, wantsJson(argv), io)
  }
}

async function dispatch(argv: readonly string[], io: Io, root: Group): Promise<void> {
  const words = wordsBeforeTerminator(argv)
  const json = wantsJson(argv)
  const target = findTarget(root, argv)
  const { entry, path, rest } = target
  if (words.includes('--help') || words.includes('-h')) return printHelp(target, { json }, io)
  if (words.includes('--version')) return printVersion(json, io)
  if (isGroup(entry) && entry.own === undefined) {
    if (rest.every((word) => word === '--json')) return printHelp(target, { json }, io)
    throw strayWord(path, rest.find((word) => word !== '--json') ?? '')
  }
  const command = isGroup(entry) ? entry.own : entry
  assert(command !== undefined, 'a group without a command of its own was answered above')
  const { flags, positionals } = parseFor(command, path, rest)
  const { run } = await command.load()
  await run(flags, io, positionals)
}

/** Looked for by hand, because an error in the rest of the line has to be told in the right form too. */
const wantsJson = (argv: readonly string[]) => wordsBeforeTerminator(argv).includes('--json')

const wordsBeforeTerminator = (argv: readonly string[]) =>
  argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv

function printVersion(json: boolean, io: Io): void {
  const file = new URL('../../package.json', import.meta.url) // the same distance from src/cli and from dist/cli
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  if (json) writeJson(io.stdout, { version })
  else io.stdout.write(`${version}\n`)
}

/** The signal's own reason, or what libraries make of it. Anything else that fails while we stop is still a failure. */
const isStop = (error: unknown, { aborted, reason }: AbortSignal) =>
  aborted && (error === reason || (error instanceof Error && error.name === 'AbortError'))

const interrupted = (cause: unknown) =>
  new NodeError('INTERRUPTED', { what: 'stopped', why: 'a signal asked for it before the work was complete', cause })

/** Returns the exit code that belongs to the error. */
function report(error: unknown, json: boolean, io: Io): ExitCode {
  const known = error instanceof NodeError ? error : internal(error)
  const { code, what, why, remedy, data } = known
  const facts = Object.keys(data).length === 0 ? {} : { data }
  if (json) writeJson(io.stdout, { error: { code, what, why, remedy, ...facts } })
  else {
    const { bold } = styleFor(io.stderr, io.env)
    const lines = [`${bold('wheelwright')}: ${printable(what)} (${code})`, `why:    ${printable(why)}`]
    io.stderr.write(`${[...lines, `remedy: ${printable(remedy)}`].join('\n')}\n`)
  }
  if (code === 'INTERNAL' && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`)
  return ERRORS[code].exit
}

function internal(error: unknown): NodeError {
  const why = error instanceof Error ? error.message : String(error)
  return new NodeError('INTERNAL', { what: 'this is a bug', why, cause: error })
}
