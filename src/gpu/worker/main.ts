/** The worker's side: one job, told by its parent, and then the end. */
import { parentPort, workerData } from 'node:worker_threads'
import { NodeError } from '../../errors.ts'
import { type FromWorker, JOBS, type JobName } from './jobs.ts'

const { name, task } = workerData as { readonly name: JobName; readonly task: never }
const say = (message: FromWorker): void => parentPort?.postMessage(message)
const job = JOBS[name] as (task: never, tell: (told: unknown) => void) => Promise<unknown>

try {
  say({ kind: 'result', result: await job(task, (told) => say({ kind: 'told', told })) })
} catch (error) {
  // A class does not survive the way between threads.
  if (error instanceof NodeError) {
    const { code, what, why, remedy, data } = error
    say({ kind: 'failed', code, what, why, remedy, data })
  } else throw error
}
