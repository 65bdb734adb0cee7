/**
 * Runs a job in a worker of its own: the caller's thread never stalls, and aborting ends the work at once, wherever it is.
 */
import { Worker } from 'node:worker_threads'
import { NodeError } from '../../errors.ts'
import type { FromWorker, JobName, ResultOf, TaskOf, ToldOf } from './jobs.ts'

/** As sources or as published. */
const MAIN = new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url)

export function runJob<N extends JobName>(
  name: N,
  task: TaskOf<N>,
  { signal, tell }: { readonly signal: AbortSignal; readonly tell: (told: ToldOf<N>) => void },
): Promise<ResultOf<N>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const worker = new Worker(MAIN, { workerData: { name, task } })
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', aborted)
      settle()
      void worker.terminate()
    }
    const aborted = (): void => end(() => reject(signal.reason))
    signal.addEventListener('abort', aborted, { once: true })
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'told') tell(message.told as ToldOf<N>)
      else if (message.kind === 'result') end(() => resolve(message.result as ResultOf<N>))
      else end(() => reject(new NodeError(message.code, message)))
    })
    worker.once('error', (cause) => end(() => reject(died(cause.message, cause))))
    worker.once('exit', (code) => end(() => reject(died(`it ended with ${code}`, null))))
  })
}

const died = (why: string, cause: Error | null): NodeError =>
  new NodeError('ENGINE_DIED', { what: 'the engine stopped', why, ...(cause === null ? {} : { cause }) })
