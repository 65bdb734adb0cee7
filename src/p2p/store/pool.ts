/** Some pieces of work at the same time, but never more than a number. */
export type Pool = {
  /** Begins the work when there is room. Throws what failed before. */
  run(work: () => Promise<void>): Promise<void>
  /** When all work has ended. Throws what failed first. */
  done(): Promise<void>
}

export function createPool(max: number): Pool {
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  const check = (): void => {
    if (failures.length > 0) throw failures[0]
  }
  return {
    run: async (work) => {
      while (running.size >= max) await Promise.race(running)
      check()
      const one = work()
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(one))
      running.add(one)
    },
    done: async () => {
      await Promise.all(running)
      check()
    },
  }
}
