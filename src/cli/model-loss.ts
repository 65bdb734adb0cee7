/** `wheelwright model loss`: the mean next-token cross entropy of a model on tokens or text. */
import { rm } from 'node:fs/promises'
import type { LossResult } from '../gpu/worker/job.ts'
import type { FlagValues } from './command.ts'
import type { Io } from './io.ts'
import { directoryOf, machineOf, sourceOf } from './model-open.ts'
import { runShown } from './model-run.ts'
import type { LOSS_FLAGS } from './model-table.ts'

export async function run(flags: FlagValues<typeof LOSS_FLAGS>, io: Io, [word]: readonly string[]): Promise<void> {
  const source = sourceOf(flags, 'text', null)
  const task = { directory: directoryOf(word), source, ...(await machineOf(flags, io)) }
  const amount = (count: number): string => `${Math.round(count)} sequences`
  try {
    await runShown({ kind: 'job', name: 'loss', task }, { label: 'judging', amount, textOf }, io, flags.json)
  } finally {
    if (source.kind === 'text') await rm(source.packed, { force: true })
  }
}

const textOf = ({ loss, sequences, tokens }: LossResult): string =>
  `${loss.toFixed(4)} nats a token, over ${tokens} tokens of ${sequences} sequences\n`
