/** Waits that end: gates with a number of places, changes that are told, and time limits. All of them hear a signal. */

import type { Cancel, Clock } from '../../ports.ts'
import { assert } from '../../util/assert.ts'

export type Deferred<T> = {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

/** A promise that somebody else keeps. */
export function defer<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | null = null
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  assert(settle !== null, 'an executor runs at once')
  return { promise, ...(settle as Omit<Deferred<T>, 'promise'>) }
}

export type Gate = {
  /** Resolves with the way out when there is room for so much. First come, first served. */
  enter(amount: number, opts: Cancel): Promise<() => void>
}

/** `most` may be inside at once. An amount above it counts as all of it. */
export function createGate(most: number): Gate {
  let inside = 0
  const queue: { readonly amount: number; readonly admit: () => void }[] = []
  const admitNext = (): void => {
    for (let next = queue[0]; next !== undefined && inside + next.amount <= most; next = queue[0]) {
      queue.shift()
      inside += next.amount
      next.admit()
    }
  }
  return {
    enter: (wanted, { signal }) => {
      const amount = Math.min(wanted, most)
      let isInside = true
      const leave = (): void => {
        if (!isInside) return
        isInside = false
        inside -= amount
        admitNext()
      }
      if (signal.aborted) return Promise.reject(signal.reason)
      if (queue.length === 0 && inside + amount <= most) {
        inside += amount
        return Promise.resolve(leave)
      }
      const { promise, resolve, reject } = defer<() => void>()
      const entry = {
        amount,
        admit: () => {
          signal.removeEventListener('abort', giveUp)
          resolve(leave)
        },
      }
      const giveUp = (): void => {
        queue.splice(queue.indexOf(entry), 1)
        reject(signal.reason)
        admitNext()
      }
      signal.addEventListener('abort', giveUp, { once: true })
      queue.push(entry)
      return promise
    },
  }
}

/** Wakes whoever waits for something to be different, without saying what. */
export type Changes = {
  tell(): void
  /** Resolves with the next change, after `ms`, or when the signal is aborted: never rejects. */
  next(ms: number, opts: Cancel): Promise<void>
}

export function createChanges(clock: Clock): Changes {
  const waiting = new Set<() => void>()
  return {
    tell: () => {
      for (const wake of [...waiting]) wake()
    },
    next: (ms, { signal }) =>
      new Promise((resolve) => {
        const wake = (): void => {
          clock.clearTimeout(timer)
          waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        const timer = clock.setTimeout(wake, ms)
        waiting.add(wake)
        signal.addEventListener('abort', wake, { once: true })
        if (signal.aborted) wake()
      }),
  }
}

/** Does the work under a signal that is aborted with the given one, or after `ms`. */
export async function within<T>(
  { clock, ms, signal }: { readonly clock: Clock; readonly ms: number } & Cancel,
  work: (opts: Cancel) => Promise<T>,
): Promise<T> {
  assert(ms > 0, 'a time limit is some time')
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal.reason)
  const timer = clock.setTimeout(() => controller.abort(new Error(`not done within ${ms} ms`)), ms)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    return await work({ signal: controller.signal })
  } finally {
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
