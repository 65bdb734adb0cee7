/** Every job by its name: what a worker can be asked for. */
import type { ErrorCode, ErrorData } from '../../errors.ts'
import { lossJob, trainJob } from './job.ts'

export const JOBS = { loss: lossJob, train: trainJob } as const

export type JobName = keyof typeof JOBS
type Job<N extends JobName> = (typeof JOBS)[N]
export type TaskOf<N extends JobName> = Parameters<Job<N>>[0]
export type ToldOf<N extends JobName> = Parameters<Parameters<Job<N>>[1]>[0]
export type ResultOf<N extends JobName> = Awaited<ReturnType<Job<N>>>

export type FromWorker =
  | { readonly kind: 'told'; readonly told: unknown }
  | { readonly kind: 'result'; readonly result: unknown }
  | {
      readonly kind: 'failed'
      readonly code: ErrorCode
      readonly what: string
      readonly why: string
      readonly remedy: string
      readonly data: ErrorData
    }
