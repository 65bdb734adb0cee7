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
import { createTraining, type Training, type TrainingOptions } from './training.ts'

export type TeftOptions = Omit<TrainingOptions, 'sequencesPerRun'> & {
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
  readonly loss: (weights: ReadonlyMap<string, Float32Array>) => Promise<number>
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
  readonly values: ReadonlyMap<string, Float32Array>
}

export async function fineTune(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  source: SequenceSource,
  options: TeftOptions,
  tell: (event: TeftEvent) => void,
): Promise<TeftResult> {
  const { steps, schedule, statePath, saveEverySteps, identity, validation } = options
  const places = source.places - 1
  let sequencesPerRun = Math.max(1, Math.min(options.batch, Math.floor(options.tokensPerRun / places)))
  let training = await createTraining(checkpoint, trained, { ...options, sequencesPerRun })
  const resumed = statePath === null ? 0 : await loadState(statePath, identity, training.slots)
  if (resumed > 0) tell({ type: 'resumed', step: resumed })

  const losses: number[] = []
  const best = createBest(validation?.patience ?? 0)
  let step = resumed
  try {
    while (step < steps && options.enough?.aborted !== true) {
      // A worker hears of the end of its time between two steps.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = await source.read(placesOf(step, options.batch, source.count))
      const rate = rateAt(schedule, step, steps)
      const made = await training.step(batch, step + 1, rate).catch(async (error: unknown) => {
        if (!isOutOfMemory(error) || sequencesPerRun === 1) throw explained(error)
        sequencesPerRun = Math.floor(sequencesPerRun / 2)
        tell({ type: 'halved', sequencesPerRun, why: (error as Error).message })
        training = await resized(checkpoint, trained, training, { ...options, sequencesPerRun })
        return null
      })
      if (made === null) continue
      step++
      losses.push(made.loss)
      tell({ type: 'step', step, ...made, rate })
      if (statePath !== null && (step % saveEverySteps === 0 || step === steps)) {
        await saveState(statePath, identity, step, training.slots)
      }
      if (validation !== null && (step % validation.everySteps === 0 || step === steps)) {
        const loss = await validation.loss(weightsOf(training))
        tell({ type: 'validated', step, loss })
        if (!best.take(loss, weightsOf(training))) break
      }
    }
    return { steps: step, losses, values: best.weights() ?? copied(weightsOf(training)) }
  } finally {
    await training.release()
  }
}

/** In order, and from the beginning again at the end. */
const placesOf = (step: number, batch: number, count: number): readonly number[] =>
  Array.from({ length: batch }, (_, i) => (step * batch + i) % count)

const weightsOf = ({ slots }: Training): ReadonlyMap<string, Float32Array> =>
  new Map([...slots].map(([key, { weights }]) => [key, weights]))
const copied = (weights: ReadonlyMap<string, Float32Array>): ReadonlyMap<string, Float32Array> =>
  new Map([...weights].map(([key, values]) => [key, values.slice()]))

/** The weights of the lowest loss so far. `take` says whether it is worth going on. */
function createBest(patience: number) {
  let lowest = Number.POSITIVE_INFINITY
  let held: ReadonlyMap<string, Float32Array> | null = null
  let worse = 0
  return {
    weights: () => held,
    take: (loss: number, weights: ReadonlyMap<string, Float32Array>): boolean => {
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
async function resized(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  before: Training,
  options: TrainingOptions,
): Promise<Training> {
  await before.release()
  const after = await createTraining(checkpoint, trained, options)
  for (const [key, slot] of before.slots) {
    const to = after.slots.get(key)
    for (const part of ['weights', 'sums', 'squares'] as const) to?.[part].set(slot[part])
  }
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
