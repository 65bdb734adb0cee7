/** `wheelwright model loss`: the mean next-token cross entropy of a model on tokens or text. */
import { rm } from 'node:fs/promises'
import type { FlagValues } from './command.ts'
import { runJob } from './engine-open.ts'
import { type Io, writeJson } from './io.ts'
import { directoryOf, machineOf, sourceOf } from './model-open.ts'
import type { LOSS_FLAGS } from './model-table.ts'
import { createProgress } from './progress.ts'
import { CLOCK } from './system.ts'

export async function run(flags: FlagValues<typeof LOSS_FLAGS>, io: Io, [word]: readonly string[]): Promise<void> {
  const source = sourceOf(flags, 'text', null)
  const task = { directory: directoryOf(word), source, ...(await machineOf(flags, io)) }
  const progress = createProgress('judging', io, CLOCK, (count) => `${Math.round(count)} sequences`)
  try {
    const result = await runJob(
      { kind: 'job', name: 'loss', task },
      {
        signal: io.signal,
        tell: ({ done, of }) => progress.update({ doneBytes: done, totalBytes: of }),
      },
    )
    progress.end()
    if (flags.json) writeJson(io.stdout, result)
    else {
      const { loss, sequences, tokens } = result
      io.stdout.write(`${loss.toFixed(4)} nats a token, over ${tokens} tokens of ${sequences} sequences\n`)
    }
  } finally {
    progress.end()
    if (source.kind === 'text') await rm(source.packed, { force: true })
  }
}
