/** `wheelwright explain [CODE]`: prints the registry's entry for an error code, or all of them. */
import { ERRORS, type ErrorCode, isErrorCode, NodeError } from '../errors.ts'
import type { FlagValues } from './command.ts'
import type { EXPLAIN_FLAGS } from './command-table.ts'
import { type Io, printable, styleFor, writeJson } from './io.ts'
import { nearest } from './nearest.ts'

const CODES = (Object.keys(ERRORS) as ErrorCode[]).sort()

export async function run(flags: FlagValues<typeof EXPLAIN_FLAGS>, io: Io, [word]: readonly string[]): Promise<void> {
  for (const code of word === undefined ? CODES : [codeOf(word)]) {
    const { exit, means, remedy } = ERRORS[code]
    const { bold } = styleFor(io.stdout, io.env)
    if (flags.json) writeJson(io.stdout, { code, exit, means, remedy })
    else io.stdout.write(`${bold(code)} (exit code ${exit})\n  ${means}\n  ${remedy}\n`)
  }
}

function codeOf(word: string): ErrorCode {
  const code = word.toUpperCase()
  if (isErrorCode(code)) return code
  const meant = nearest(code, CODES)
  throw new NodeError('USAGE', {
    what: `there is no error code '${printable(word)}'`,
    why: meant === null ? 'no code has a name like it' : `the nearest one is ${meant}`,
    remedy: meant === null ? "run 'wheelwright explain' to see them all" : `run 'wheelwright explain ${meant}'`,
  })
}
