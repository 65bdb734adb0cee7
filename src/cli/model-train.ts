/** `wheelwright model train`: some experts of a model on tokens or text; the rest of it is frozen. */
import { join } from 'node:path'
import type { GroupSpec } from '../gpu/evaluate/group-file.ts'
import type { Schedule } from '../gpu/train/schedule.ts'
import type { TeftEvent } from '../gpu/train/teft.ts'
import type { Machine, TrainResult, TrainTask } from '../gpu/worker/job.ts'
import type { FlagValues } from './command.ts'
import { runJob } from './engine-open.ts'
import { type Io, writeJson } from './io.ts'
import { directoryOf, machineOf, numberOf, sourceOf, usage } from './model-open.ts'
import type { TRAIN_FLAGS } from './model-table.ts'
import { listOf } from './peer-flags.ts'
import { bytesText, createProgress, type Progress } from './progress.ts'
import { CLOCK } from './system.ts'

type TrainFlags = FlagValues<typeof TRAIN_FLAGS>

/** Of text there is more than fits into one step. */
const TEXT_BATCH = 8
/** What is left of the rate when it has fallen. */
const FLOOR = 0.1

export async function run(flags: TrainFlags, io: Io, [word]: readonly string[]): Promise<void> {
  const task = { ...taskOf(flags, directoryOf(word)), ...(await machineOf(flags, io)) }
  const progress = createProgress(
    'training',
    io,
    CLOCK,
    (count) => `${count < 10 ? count.toPrecision(2) : Math.round(count)} steps`,
  )
  try {
    const result = await runJob(
      { kind: 'job', name: 'train', task },
      {
        signal: io.signal,
        tell: (event) => heard(event, { flags, io, progress }),
      },
    )
    progress.end()
    if (flags.json) writeJson(io.stdout, result)
    else io.stdout.write(textOf(result))
  } finally {
    progress.end()
  }
}

function taskOf(flags: TrainFlags, directory: string): Omit<TrainTask, keyof Machine> {
  if (flags.out === undefined) throw usage('--out is missing', 'it says where delta.safetensors is written')
  const experts = listOf(flags.experts).map((text) => numberOf('experts', text, 0, 1_000_000))
  const source = sourceOf({ ...flags, text: flags.data }, 'data', join(flags.out, 'tokens.bin'))
  const schedule: Schedule = {
    rate: numberOf('lr', flags.lr, 0, 1_000),
    warmupSteps: flags.warmup,
    decay: flags.decay as Schedule['decay'],
    floor: FLOOR,
  }
  return {
    directory,
    source,
    experts,
    router: flags.router,
    group: flags.group === undefined ? null : groupOf(flags.group),
    steps: flags.steps,
    schedule,
    weightDecay: numberOf('weight-decay', flags['weight-decay'], 0, 1_000),
    normMax: flags.clip === undefined ? null : numberOf('clip', flags.clip, 1e-9, 1e9),
    batch: flags.batch ?? (source.kind === 'text' ? TEXT_BATCH : null),
    heldOutShare: numberOf('hold-out', flags['hold-out'], 0, 0.9),
    validateEverySteps: flags['validate-every'],
    patience: flags.patience,
    saveEverySteps: flags['save-every'],
    out: flags.out,
  }
}

/** `FILE:NAME`. */
function groupOf(word: string): GroupSpec {
  const [, path, name] = /^(.+):([^:]+)$/.exec(word) ?? []
  if (path !== undefined && name !== undefined) return { path, name }
  throw usage(`--group ${word}`, 'a group is a file and a name: groups.json:english')
}

type Hearing = { readonly flags: TrainFlags; readonly io: Io; readonly progress: Progress }

function heard(event: TeftEvent, { flags, io, progress }: Hearing): void {
  if (flags.json) writeJson(io.stdout, event)
  if (event.type === 'step') {
    progress.update({ doneBytes: event.step, totalBytes: flags.steps, note: `loss ${event.loss.toFixed(4)}` })
  } else if (!flags.json) {
    progress.end()
    io.stderr.write(`${NOTES[event.type](event as never)}\n`)
  }
}

const NOTES: {
  readonly [T in Exclude<TeftEvent['type'], 'step'>]: (event: Extract<TeftEvent, { type: T }>) => string
} = {
  validated: ({ step, loss }) => `step ${step}: validation loss ${loss.toFixed(4)}`,
  resumed: ({ step }) => `going on after step ${step}, which an earlier run has saved`,
  halved: ({ sequencesPerRun, why }) =>
    `not enough memory (${why}): ${sequencesPerRun} sequences at a time from now on`,
}

function textOf({ delta, tensors, bytes, steps, losses }: TrainResult): string {
  const [first, last] = [losses[0], losses.at(-1)]
  const course = first === undefined || last === undefined ? '' : `, loss ${first.toFixed(4)} → ${last.toFixed(4)}`
  return `${steps} steps${course}\n${delta}: ${tensors} tensors, ${bytesText(bytes)}\n`
}
