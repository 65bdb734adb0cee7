/** What a node asks its engine, as plain data that goes between threads. */
import type { ErrorCode, ErrorData } from '../../errors.ts'
import type { NamedBytes } from '../model/delta.ts'
import type { AdamW } from '../train/adamw.ts'
import type { Schedule } from '../train/schedule.ts'

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
export type Call = LossesCall | TrainCall
export type Results = { readonly losses: readonly number[]; readonly train: readonly NamedBytes[] }

export type ToEngine =
  | { readonly say: 'call'; readonly call: Call }
  /** To a question of the engine. */
  | { readonly say: 'answer'; readonly goOn: boolean }
  /** The window ends: what was learned so far is wanted. */
  | { readonly say: 'enough' }

export type FromEngine =
  | { readonly say: 'asked'; readonly losses: readonly number[] }
  | { readonly say: 'done'; readonly result: unknown }
  | {
      readonly say: 'failed'
      readonly code: ErrorCode
      readonly what: string
      readonly why: string
      readonly remedy: string
      readonly data: ErrorData
    }

export type EngineOptions = {
  readonly threads: number
  readonly tokensPerRun: number
  readonly cacheBytesMax: number
}
