/** Ends a wait when its signal is aborted, whatever becomes of what was waited for. */

export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** A stream that may stall: a source that never answers cannot be told to end either, so it is only left. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void> {
  const stream = source[Symbol.asyncIterator]()
  let isOver = false
  try {
    while (!isOver) {
      const step = await orAborted(stream.next(), signal)
      if (step.done === true) isOver = true
      else yield step.value
    }
  } finally {
    if (!isOver) void Promise.resolve(stream.return?.()).catch(() => undefined)
  }
}
