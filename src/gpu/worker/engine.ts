/**
 * The engines of a node: workers that compute, one call each at a time, and a queue before them. A call that is aborted while
 * it computes takes its worker with it: a hang costs one submission its turn, and the next call gets a new worker.
 */
import { Worker } from 'node:worker_threads'
import { NodeError } from '../../errors.ts'
import type { Call, EngineOptions, FromEngine, Results, ToEngine } from './call.ts'

export type Engines = {
  readonly call: <C extends Call>(call: C, hooks: Hooks) => Promise<Results[C['kind']]>
  readonly stop: () => Promise<void>
}
export type Hooks = {
  readonly signal: AbortSignal
  readonly goOn?: (losses: readonly number[]) => boolean
  readonly enough?: AbortSignal
}
export type EnginesOptions = EngineOptions & { readonly workers: number }

/** Calls that wait: a validator asks one at a time, a laptop's network has a dozen nodes. */
const WAITING_MAX = 256
const MAIN = new URL(import.meta.url.endsWith('.ts') ? './engine-main.ts' : './engine-main.js', import.meta.url)

export function createEngines({ workers, ...options }: EnginesOptions): Engines {
  const idle: Worker[] = []
  const waiting: ((worker: Worker) => void)[] = []
  const all = new Set<Worker>()
  let isStopped = false

  const start = (): Worker => {
    const worker = new Worker(MAIN, { workerData: options })
    worker.unref()
    worker.on('error', () => undefined) // whoever waits for it hears of it; when nobody does, nothing is lost
    worker.once('exit', () => {
      all.delete(worker)
      if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1)
    })
    all.add(worker)
    return worker
  }
  const giveBack = (worker: Worker): void => {
    const next = waiting.shift()
    if (next === undefined) idle.push(worker)
    else next(worker)
  }
  const discard = (worker: Worker): void => {
    all.delete(worker)
    void worker.terminate()
    if (!isStopped && waiting.length > 0) giveBack(start())
  }
  const take = (signal: AbortSignal): Promise<Worker> => {
    const free = idle.pop() ?? (all.size < workers ? start() : undefined)
    if (free !== undefined) return Promise.resolve(free)
    if (waiting.length >= WAITING_MAX) {
      throw new NodeError('ENGINE_DIED', {
        what: 'the engine has too much to do',
        why: `${WAITING_MAX} calls wait already`,
      })
    }
    return new Promise((resolve, reject) => {
      const turn = (worker: Worker): void => {
        signal.removeEventListener('abort', leave)
        resolve(worker)
      }
      const leave = (): void => {
        waiting.splice(waiting.indexOf(turn), 1)
        reject(signal.reason)
      }
      waiting.push(turn)
      signal.addEventListener('abort', leave, { once: true })
    })
  }
  return {
    call: async (call, hooks) => {
      hooks.signal.throwIfAborted()
      const worker = await take(hooks.signal)
      worker.ref()
      try {
        const result = await converse(worker, call, hooks)
        worker.unref()
        giveBack(worker)
        return result
      } catch (error) {
        // A refusal in words leaves a sound worker behind; everything else may not.
        if (error instanceof NodeError && error.code !== 'ENGINE_DIED') giveBack(worker)
        else discard(worker)
        throw error
      }
    },
    stop: async () => {
      isStopped = true
      await Promise.all([...all].map((worker) => worker.terminate()))
    },
  }
}

function converse<C extends Call>(
  worker: Worker,
  call: C,
  { signal, goOn, enough }: Hooks,
): Promise<Results[C['kind']]> {
  const tell = (message: ToEngine): void => worker.postMessage(message)
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      worker.off('message', heard).off('error', failed).off('exit', exited)
      signal.removeEventListener('abort', aborted)
      enough?.removeEventListener('abort', stopSoon)
      act()
    }
    const aborted = (): void => settle(() => reject(signal.reason))
    const stopSoon = (): void => tell({ say: 'enough' })
    const heard = (message: FromEngine): void => {
      if (message.say === 'asked') tell({ say: 'answer', goOn: goOn?.(message.losses) ?? true })
      else if (message.say === 'done') settle(() => resolve(message.result as Results[C['kind']]))
      else settle(() => reject(new NodeError(message.code, message)))
    }
    const failed = (cause: Error): void => settle(() => reject(died(cause.message)))
    const exited = (code: number): void => settle(() => reject(died(`it ended with ${code}`)))
    worker.on('message', heard).on('error', failed).on('exit', exited)
    signal.addEventListener('abort', aborted, { once: true })
    enough?.addEventListener('abort', stopSoon, { once: true })
    tell({ say: 'call', call })
    if (enough?.aborted === true) stopSoon()
  })
}

const died = (why: string): NodeError => new NodeError('ENGINE_DIED', { what: 'the engine stopped', why })
