/** `wheelwright up`: a whole local network in this process. */
import type { FlagValues } from './command.ts'
import type { UP_FLAGS } from './command-table.ts'
import { type Io, writeJson } from './io.ts'

export async function run(flags: FlagValues<typeof UP_FLAGS>, io: Io): Promise<void> {
  if (flags.json) writeJson(io.stdout, { type: 'summary', cycles: [] })
  else io.stdout.write(`a local network with seed ${flags.seed}\n`)
}
