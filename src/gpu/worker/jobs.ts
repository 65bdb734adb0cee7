/** Every job by its name: what a command can ask an engine for. */
import { lossJob, trainJob } from './job.ts'

export const JOBS = { loss: lossJob, train: trainJob } as const

export type JobName = keyof typeof JOBS
type Job<N extends JobName> = (typeof JOBS)[N]
export type TaskOf<N extends JobName> = Parameters<Job<N>>[0]
export type ToldOf<N extends JobName> = Parameters<Parameters<Job<N>>[1]>[0]
export type ResultOf<N extends JobName> = Awaited<ReturnType<Job<N>>>
