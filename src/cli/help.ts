/** `wheelwright help [COMMAND]`: the same text as `--help`. */
import type { FlagValues } from './command.ts'
import { type HELP_FLAGS, ROOT } from './command-table.ts'
import { helpData, helpText } from './help-text.ts'
import { type Io, styleFor, writeJson } from './io.ts'
import { findTarget, type Target } from './parse.ts'

export async function run(flags: FlagValues<typeof HELP_FLAGS>, io: Io, words: readonly string[]): Promise<void> {
  printHelp(findTarget(ROOT, words), flags, io)
}

export function printHelp({ entry, path }: Target, flags: { readonly json: boolean }, io: Io): void {
  if (flags.json) writeJson(io.stdout, { help: helpData(entry, path) })
  else io.stdout.write(helpText(entry, path, styleFor(io.stdout, io.env)))
}
