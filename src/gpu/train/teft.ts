/**
 * Task-expert fine-tuning from the first step to the delta: batches, a rate that warms up and decays, validation and an early
 * end, a state on disk that survives a kill, and a smaller run when memory does not suffice.
 */
import { NodeError } from '../../errors.ts'
import type { SequenceSource } from '../data/sequences.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Weight } from '../model/layout.ts'
import { rateAt, type Schedule } from './schedule.ts'
import { loadState, saveState } from './state.ts'
import { readState, type StepTask, type Training, type TrainingOptions, type Values } from './step.ts'
import { createTraining } from './training.ts'

export type TeftOptions = Omit<TrainingOptions, 'sequencesPerRun' | 'places'> & {
  readonly steps: number
  readonly schedule: Schedule
  /** Sequences of a step. */
  readonly batch: number
  /** Tokens of one run; the rest of a batch follows in further runs. */
  readonly tokensPerRun: number
  /** Where the state is kept; `null` keeps none. */
  readonly statePath: string | null
  readonly saveEverySteps: number
  /** What the run is, in words: a state of another one is not continued. */
  readonly identity: string
  readonly validation: Validation | null
  /** Aborted when the time is up: what was learned so far is the result. */
  readonly enough?: AbortSignal
}
export type Validation = {
  readonly everySteps: number
  /** Rounds without a better loss after which training ends; the best weights are kept. */
  readonly patience: number
  readonly loss: (weights: Values) => Promise<number>
}

export type TeftEvent =
  | {
      readonly type: 'step'
      readonly step: number
      readonly loss: number
      readonly norm: number
      readonly rate: number
    }
  | { readonly type: 'validated'; readonly step: number; readonly loss: number }
  | { readonly type: 'resumed'; readonly step: number }
  | { readonly type: 'halved'; readonly sequencesPerRun: number; readonly why: string }

export type TeftResult = {
  readonly steps: number
  readonly losses: readonly number[]
  readonly values: Values
}

export async function fineTune(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  source: SequenceSource,
  options: TeftOptions,
  tell: (event: TeftEvent) => void,
  open: typeof createTraining = createTraining,
): Promise<TeftResult> {
  const { steps, schedule, statePath, saveEverySteps, identity, validation } = options
  const places = source.places - 1
  const sized = (sequencesPerRun: number): TrainingOptions => ({ ...options, places, sequencesPerRun })
  let sequencesPerRun = Math.max(1, Math.min(options.batch, Math.floor(options.tokensPerRun / places)))
  let training = await open(checkpoint, trained, sized(sequencesPerRun))
  const saved = statePath === null ? null : await loadState(statePath, identity, await training.read('weights'))
  if (saved !== null) {
    training.write(saved.state)
    tell({ type: 'resumed', step: saved.step })
  }

  const losses: number[] = []
  const best = createBest(validation?.patience ?? 0)
  const stops = [statePath === null ? steps : saveEverySteps, validation?.everySteps ?? steps]
  let step = saved?.step ?? 0
  try {
    while (step < steps && options.enough?.aborted !== true) {
      // An engine hears of the end of its time between two runs.
      await new Promise((resolve) => setImmediate(resolve))
      const count = Math.min(training.stepsAtOnce, steps - step, ...stops.map((every) => every - (step % every)))
      const tasks: StepTask[] = []
      for (let next = step; next < step + count; next++) {
        const batch = await source.read(placesOf(next, options.batch, source.count))
        tasks.push({ batch, step: next + 1, rate: rateAt(schedule, next, steps) })
      }
      const made = await training.run(tasks).catch(async (error: unknown) => {
        if (!isOutOfMemory(error) || sequencesPerRun === 1) throw explained(error)
        sequencesPerRun = Math.floor(sequencesPerRun / 2)
        tell({ type: 'halved', sequencesPerRun, why: (error as Error).message })
        training = await reopened(training, () => open(checkpoint, trained, sized(sequencesPerRun)))
        return []
      })
      for (const [i, { loss, norm }] of made.entries()) {
        step++
        losses.push(loss)
        tell({ type: 'step', step, loss, norm, rate: (tasks[i] as StepTask).rate })
      }
      if (made.length === 0) continue
      if (statePath !== null && (step % saveEverySteps === 0 || step === steps)) {
        await saveState(statePath, identity, step, await readState(training))
      }
      if (validation !== null && (step % validation.everySteps === 0 || step === steps)) {
        const weights = await training.read('weights')
        const loss = await validation.loss(weights)
        tell({ type: 'validated', step, loss })
        if (!best.take(loss, weights)) break
      }
    }
    return { steps: step, losses, values: best.weights() ?? copied(await training.read('weights')) }
  } finally {
    await training.release()
  }
}

/** In order, and from the beginning again at the end. */
const placesOf = (step: number, batch: number, count: number): readonly number[] =>
  Array.from({ length: batch }, (_, i) => (step * batch + i) % count)

const copied = (weights: Values): Values => new Map([...weights].map(([key, values]) => [key, values.slice()]))

/** The weights of the lowest loss so far. `take` says whether it is worth going on. */
function createBest(patience: number) {
  let lowest = Number.POSITIVE_INFINITY
  let held: Values | null = null
  let worse = 0
  return {
    weights: () => held,
    take: (loss: number, weights: Values): boolean => {
      if (loss < lowest) {
        lowest = loss
        held = copied(weights)
        worse = 0
        return true
      }
      worse++
      return patience === 0 || worse < patience
    },
  }
}

/** The same state in sessions of another size; the step that failed has changed no weight. */
async function reopened(before: Training, open: () => Promise<Training>): Promise<Training> {
  const state = await readState(before)
  await before.release()
  const after = await open()
  after.write(state)
  return after
}

/** In the words of onnxruntime and of the C++ library below it. */
const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && /bad_alloc|failed to allocate|out of memory|allocation failed/i.test(error.message)

const explained = (error: unknown): unknown =>
  isOutOfMemory(error)
    ? new NodeError('MEMORY_EXHAUSTED', {
        what: 'not even one sequence at a time can be trained',
        why: (error as Error).message,
        cause: error,
      })
    : error
