/**
 * Every job by its name: what a command can ask an engine for. Each is loaded when it is wanted, so that what computes
 * without onnxruntime, such as a merge, works where it does not.
 */

export const JOBS = {
  loss: async () => (await import('./job.ts')).lossJob,
  train: async () => (await import('./job.ts')).trainJob,
  select: async () => (await import('./select-job.ts')).selectJob,
  inspect: async () => (await import('./inspect-job.ts')).inspectJob,
  merge: async () => (await import('./merge-job.ts')).mergeJob,
  export: async () => (await import('./export-job.ts')).exportJob,
  new: async () => (await import('./new-job.ts')).newJob,
} as const

export type JobName = keyof typeof JOBS
type Job<N extends JobName> = Awaited<ReturnType<(typeof JOBS)[N]>>
export type TaskOf<N extends JobName> = Parameters<Job<N>>[0]
export type ToldOf<N extends JobName> = Parameters<NonNullable<Parameters<Job<N>>[1]>>[0]
export type ResultOf<N extends JobName> = Awaited<ReturnType<Job<N>>>
