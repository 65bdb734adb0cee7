/**
 * One fetch for all who want the same content at the same time. It ends early only when nobody wants it any more; who
 * joined one that failed has its own try, because it may know other providers or allow more bytes.
 */
import type { Cancel } from '../../ports.ts'
import { orAborted } from './abort.ts'

export type SharedFetch = (name: string, work: (opts: Cancel) => Promise<void>, opts: Cancel) => Promise<Fetched>
export type Fetched = 'own' | 'joined'

type Running = { readonly stop: AbortController; readonly result: Promise<void>; waiting: number }

/** Throws what the own work threw; the failure of somebody else's is only `joined`. */
export function createSharedFetch(): SharedFetch {
  const running = new Map<string, Running>()

  const begin = (name: string, work: (opts: Cancel) => Promise<void>): Running => {
    const stop = new AbortController()
    const result = work({ signal: stop.signal }).finally(() => {
      if (running.get(name) === one) running.delete(name)
    })
    result.catch(() => undefined) // told to those who wait, and there may be none left
    const one: Running = { stop, result, waiting: 0 }
    running.set(name, one)
    return one
  }
  return async (name, work, { signal }) => {
    signal.throwIfAborted()
    const joined = running.get(name)
    const one = joined ?? begin(name, work)
    one.waiting++
    try {
      await orAborted(joined === undefined ? one.result : one.result.catch(() => undefined), signal)
    } finally {
      if (--one.waiting === 0) {
        if (running.get(name) === one) running.delete(name) // a newcomer must not join what is about to be stopped
        one.stop.abort(new Error('nobody waits for it any more'))
      }
    }
    return joined === undefined ? 'own' : 'joined'
  }
}
