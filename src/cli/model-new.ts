/** `wheelwright model new`: a model of random weights. */
import type { NewResult } from '../gpu/worker/new-job.ts'
import type { FlagValues } from './command.ts'
import type { Io } from './io.ts'
import { usage } from './model-open.ts'
import { countText, runShown } from './model-run.ts'
import type { NEW_FLAGS } from './model-table.ts'
import { bytesText } from './progress.ts'

export async function run(flags: FlagValues<typeof NEW_FLAGS>, io: Io): Promise<void> {
  const { config, preset, seed, out } = flags
  if ((config === undefined) === (preset === undefined)) {
    throw usage('--config or --preset', 'one of the two says what model it shall be, and not both')
  }
  if (out === undefined) throw usage('--out is missing', 'it says where the model is written')
  const amount = (count: number): string => `${countText(Math.round(count))} parameters`
  const task = { config: config ?? null, seed, out }
  await runShown({ kind: 'job', name: 'new', task }, { label: 'drawing', amount, textOf }, io, flags.json)
}

function textOf({ directory, parameters, tensors, bytes, dtype, tokenizer }: NewResult): string {
  const tail = tokenizer ? ', and a tokenizer of bytes' : ''
  return `${directory}: ${countText(parameters)} parameters in ${tensors} tensors of ${dtype}, ${bytesText(bytes)}${tail}\n`
}
