/** What an engine is asked, as plain data that goes between processes. */
import type { ErrorCode, ErrorData } from '../../errors.ts'
import type { NamedBytes } from '../model/delta.ts'
import type { AdamW } from '../train/adamw.ts'
import type { Schedule } from '../train/schedule.ts'
import type { JobName, ResultOf, TaskOf } from './jobs.ts'

export type LossesCall = {
  readonly kind: 'losses'
  /** Of the base model. */
  readonly directory: string
  /** Tensors that changes may touch: equal sets share what was computed. */
  readonly open: readonly string[]
  readonly changes: readonly NamedBytes[]
  readonly samples: string
  readonly sequences: readonly Uint32Array[]
  readonly checkpoints: readonly number[]
}
export type TrainCall = {
  readonly kind: 'train'
  readonly directory: string
  /** Tensors of the group, all of which are trained. */
  readonly tensors: readonly string[]
  readonly sequences: readonly Uint32Array[]
  readonly steps: number
  readonly batch: number
  readonly schedule: Schedule
  readonly adam: AdamW
  readonly normMax: number
}
/** The work of a command, from files to files. */
export type JobCall = { [N in JobName]: { readonly kind: 'job'; readonly name: N; readonly task: TaskOf<N> } }[JobName]

export type Call = LossesCall | TrainCall | JobCall
export type ResultOfCall<C extends Call> = C extends LossesCall
  ? readonly number[]
  : C extends TrainCall
    ? readonly NamedBytes[]
    : C extends { readonly name: infer N extends JobName }
      ? ResultOf<N>
      : never

export type EngineOptions = {
  readonly threads: number
  readonly tokensPerRun: number
  readonly cacheBytesMax: number
}

export type ToEngine =
  /** Said once, before everything else. */
  | { readonly say: 'begin'; readonly options: EngineOptions }
  | { readonly say: 'call'; readonly call: Call }
  /** To a question of the engine. */
  | { readonly say: 'answer'; readonly goOn: boolean }
  /** The window ends: what was learned so far is wanted. */
  | { readonly say: 'enough' }

export type FromEngine =
  | { readonly say: 'asked'; readonly losses: readonly number[] }
  | { readonly say: 'told'; readonly told: unknown }
  | { readonly say: 'done'; readonly result: unknown }
  | { readonly say: 'failed'; readonly failure: Failure }

/** A class does not survive the way between processes. */
export type Failure = {
  readonly code: ErrorCode
  readonly what: string
  readonly why: string
  readonly remedy: string
  readonly data: ErrorData
}
