/** `wheelwright model merge`: several deltas of a model into one, by the arithmetic of the protocol. */
import type { MergeResult } from '../gpu/worker/merge-job.ts'
import { ETA_PPM_MAX, MERGE_UPDATES_MAX } from '../protocol/merge-tensor.ts'
import type { FlagValues } from './command.ts'
import type { Io } from './io.ts'
import { directoryOf, numberOf, usage } from './model-open.ts'
import { runShown } from './model-run.ts'
import type { MERGE_FLAGS } from './model-table.ts'
import { bytesText } from './progress.ts'

const PPM = 1_000_000

export async function run(
  flags: FlagValues<typeof MERGE_FLAGS>,
  io: Io,
  [word, ...words]: readonly string[],
): Promise<void> {
  const directory = directoryOf(word)
  const { out } = flags
  if (out === undefined) throw usage('--out is missing', 'it says where delta.safetensors is written')
  if (words.length > MERGE_UPDATES_MAX) {
    throw usage(`${words.length} deltas`, `a merge has at most ${MERGE_UPDATES_MAX}`)
  }
  const task = { directory, deltas: words.map(weighted), etaPpm: etaPpmOf(flags.eta), out }
  await runShown({ kind: 'job', name: 'merge', task }, { label: 'merging', textOf }, io, flags.json)
}

/** `PATH` or `PATH:WEIGHT`. */
function weighted(word: string): { readonly path: string; readonly weight: number } {
  const [, path, digits] = /^(.+):(\d+)$/.exec(word) ?? []
  if (path === undefined || digits === undefined) return { path: word, weight: 1 }
  const weight = Number(digits)
  // The sum of as many as there may be is an exact number.
  if (weight >= 1 && weight <= Number.MAX_SAFE_INTEGER / MERGE_UPDATES_MAX) return { path, weight }
  throw usage(`the weight of ${word}`, 'a weight is a whole number from 1 to 35 million millions')
}

/** The protocol counts the step in millionths. */
function etaPpmOf(text: string): number {
  const eta = numberOf('eta', text, 0, ETA_PPM_MAX / PPM)
  const ppm = Math.round(eta * PPM)
  if (Math.abs(eta * PPM - ppm) < 1e-6) return ppm
  throw usage(`--eta ${text}`, 'the step has at most six digits after the point')
}

function textOf({ delta, tensors, bytes, overflowed }: MergeResult): string {
  const notes = overflowed.map((name) => `${name} stays as it was: the merged numbers would not be finite\n`)
  return `${notes.join('')}${delta}: ${tensors} tensors, ${bytesText(bytes)}\n`
}
