/** What a training is, wherever its numbers lie: steps that are asked for, and a state that is read and written between them. */
import type { SessionOptions } from '../backend/session.ts'
import type { AdamW } from './adamw.ts'

export type TrainingOptions = SessionOptions & {
  readonly adam: AdamW
  /** Gradients of a larger norm are scaled down to it. */
  readonly normMax: number | null
  /** Tokens that are predicted of a sequence. */
  readonly places: number
  /** Sequences of one run; a batch of more is run in parts whose gradients add up. */
  readonly sequencesPerRun: number
}

/** What a step changes: weights, and the two moments that AdamW remembers of their gradients. */
export const PARTS = ['weights', 'sums', 'squares'] as const
export type Part = (typeof PARTS)[number]
/** By the keys of the weights. */
export type Values = ReadonlyMap<string, Float32Array>
export type State = { readonly [P in Part]: Values }

export type StepTask = {
  readonly batch: readonly ArrayLike<number>[]
  /** Counts from one. */
  readonly step: number
  readonly rate: number
}
export type Step = { readonly loss: number; readonly norm: number }

export type Training = {
  /** As many steps in one call are worth it; each is one all the same. */
  readonly stepsAtOnce: number
  readonly run: (tasks: readonly StepTask[]) => Promise<readonly Step[]>
  /** As they are until the next step. */
  readonly read: (part: Part) => Promise<Values>
  readonly write: (state: State) => void
  readonly release: () => Promise<void>
}

export async function readState({ read }: Pick<Training, 'read'>): Promise<State> {
  return { weights: await read('weights'), sums: await read('sums'), squares: await read('squares') }
}
