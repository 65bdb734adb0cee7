/** How the commands of `wheelwright model` run a job: a bar while it works, then one object, or lines for people. */
import type { JobCall, ResultOfCall } from '../gpu/worker/call.ts'
import type { Told } from '../gpu/worker/job.ts'
import type { ToldOf } from '../gpu/worker/jobs.ts'
import { runJob } from './engine-open.ts'
import { type Io, writeJson } from './io.ts'
import { bytesText, createProgress } from './progress.ts'
import { CLOCK } from './system.ts'

/** Training says more than how far it is, and has a command of its own. */
export type ShownCall = Exclude<JobCall, { readonly name: 'train' }>

export type Shown<C extends ShownCall> = {
  /** What it is doing, in one word. */
  readonly label: string
  /** What is counted; bytes when absent. */
  readonly amount?: (count: number) => string
  readonly textOf: (result: ResultOfCall<C>) => string
}

export async function runShown<C extends ShownCall>(
  call: C,
  { label, amount = bytesText, textOf }: Shown<C>,
  io: Io,
  isJson: boolean,
): Promise<void> {
  const progress = createProgress(label, io, CLOCK, amount)
  const tell = ({ done, of }: Told): void => progress.update({ doneBytes: done, totalBytes: of })
  try {
    const result = await runJob(call, { signal: io.signal, tell: tell as (told: ToldOf<C['name']>) => void })
    progress.end()
    if (isJson) writeJson(io.stdout, result)
    else io.stdout.write(textOf(result))
  } finally {
    progress.end()
  }
}

/** A number of parameters as people say it. */
export function countText(count: number): string {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, count)) / 3))
  return power === 0 ? `${count}` : `${(count / 1000 ** power).toPrecision(3)} ${['', 'K', 'M', 'B'][power]}`
}
