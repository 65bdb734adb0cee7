/** `wheelwright model export`: a model with a delta in it, as a directory of Hugging Face's form. */
import type { ExportResult } from '../gpu/worker/export-job.ts'
import type { FlagValues } from './command.ts'
import type { Io } from './io.ts'
import { directoryOf, usage } from './model-open.ts'
import { runShown } from './model-run.ts'
import type { EXPORT_FLAGS } from './model-table.ts'
import { bytesText } from './progress.ts'

export async function run(flags: FlagValues<typeof EXPORT_FLAGS>, io: Io, [word]: readonly string[]): Promise<void> {
  const { delta, out, link } = flags
  if (delta === undefined) throw usage('--delta is missing', 'it says what changes')
  if (out === undefined) throw usage('--out is missing', 'it says where the model is written')
  const task = { directory: directoryOf(word), delta, out, link }
  await runShown({ kind: 'job', name: 'export', task }, { label: 'writing', textOf }, io, flags.json)
}

const textOf = ({ directory, files, rewritten, tensors, bytes }: ExportResult): string =>
  `${directory}: ${files.length} files, ${bytesText(bytes)}; ${tensors} tensors changed in ${rewritten.join(', ')}\n`
