/**
 * Commits of weights that are not revealed yet: what is owed, on disk, so that a validator that restarts forgets nothing.
 */
import { NodeError } from '../errors.ts'
import type { Cancel, Landing } from '../ports.ts'
import { createQueue } from '../util/queue.ts'
import { readIfThere, replaceFile } from './state-file.ts'
import type { Effects } from './write.ts'

/** Where a commit landed, and in which epoch the chain says that it was. */
export type Committed = { readonly block: number; readonly epoch: number }
/** A commit whose reveal is owed by us; `landed` is `null` before it is in the chain. */
export type OwedReveal = Effects['weights-reveal'] & { readonly landed: Committed | null }
/** A commit whose reveal is owed by the chain. */
export type OwedByChain = Pick<Effects['weights-timelocked'], 'commit' | 'round'> & {
  readonly uids: readonly number[]
  readonly values: readonly number[]
  /** Where the commit landed; `null` before it did. */
  readonly block: number | null
}
export type Owed = OwedReveal | OwedByChain

export type Debts = {
  readonly all: () => readonly Owed[]
  readonly add: (debt: Owed) => Promise<void>
  /** In the place of one that is there; nothing when it is not. */
  readonly change: (debt: Owed, next: Owed) => Promise<void>
  /** With what came of it: a landing, an error, or nothing that is worth telling. */
  readonly drop: (gone: readonly Owed[], end: Landing | NodeError | null) => Promise<void>
  /** Resolves when nothing is owed any more: with the last end, or `null` when there was none. */
  readonly whenNone: (opts: Cancel) => Promise<Landing | null>
}

/** From the file of an earlier run, and kept there. */
export const openDebts = async (path: string): Promise<Debts> => createDebts(await readOwed(path), path)

/** Without a path for a program that stays until they are done. */
export function createDebts(found: readonly Owed[], path: string | null): Debts {
  let owed = found
  let last: Landing | NodeError | null = null
  const idle = new Set<() => void>()
  const then = createQueue()
  /** One file, and several who change it: each change begins with what the one before it left. */
  const keep = (change: (before: readonly Owed[]) => readonly Owed[]): Promise<void> =>
    then(async () => {
      const next = change(owed)
      if (path !== null) await replaceFile(path, JSON.stringify(next))
      owed = next
      if (owed.length === 0) for (const wake of idle) wake()
    })
  return {
    all: () => owed,
    add: (debt) => keep((before) => [...before, debt]),
    change: (debt, next) => keep((before) => before.map((each) => (each === debt ? next : each))),
    drop: (gone, end) => {
      last = end ?? last
      return keep((before) => before.filter((debt) => !gone.includes(debt)))
    },
    whenNone: ({ signal }) =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          idle.delete(end)
          signal.removeEventListener('abort', onAbort)
          if (last instanceof NodeError) reject(last)
          else resolve(last)
        }
        const onAbort = (): void => {
          idle.delete(end)
          reject(signal.reason)
        }
        signal.addEventListener('abort', onAbort, { once: true })
        idle.add(end)
        if (owed.length === 0) end()
      }),
  }
}

async function readOwed(path: string): Promise<readonly Owed[]> {
  const text = (await readIfThere(path)) ?? '[]'
  try {
    return JSON.parse(text) as readonly Owed[]
  } catch (cause) {
    const why = 'it is not what was written'
    throw new NodeError('JOURNAL_DAMAGED', { what: `${path} cannot be read`, why, cause })
  }
}
