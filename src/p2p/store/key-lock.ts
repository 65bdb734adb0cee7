/** One thing at a time for one key, in the order in which it was asked for. */
export type KeyLock = <T>(key: string, work: () => Promise<T>) => Promise<T>

export function createKeyLock(): KeyLock {
  const tails = new Map<string, Promise<void>>()
  return (key, work) => {
    const result = (tails.get(key) ?? Promise.resolve()).then(work)
    const tail: Promise<void> = result.then(done, done)
    function done(): void {
      if (tails.get(key) === tail) tails.delete(key)
    }
    tails.set(key, tail)
    return result
  }
}
