/**
 * Commits of weights that are not revealed yet: what is owed, on disk, so that a validator that restarts forgets nothing.
 */
import { NodeError } from '../errors.ts'
import type { Cancel, Landing } from '../ports.ts'
import { readIfThere, replaceFile } from './state-file.ts'
import type { Effects } from './write.ts'

/** A commit whose reveal is owed by us, with the epoch in which it landed; `null` before it did. */
export type OwedReveal = Effects['weights-reveal'] & { readonly epoch: number | null }
/** A commit whose reveal is owed by the chain. */
export type OwedByChain = {
  readonly uids: readonly number[]
  readonly values: readonly number[]
  /** Hex of the ciphertext. */
  readonly commit: string
  readonly round: string
  /** Where the commit landed. */
  readonly block: number
}
export type Owed = OwedReveal | OwedByChain

export type Debts = {
  readonly all: () => readonly Owed[]
  readonly keep: (next: readonly Owed[]) => Promise<void>
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
  const keep = async (next: readonly Owed[]): Promise<void> => {
    owed = next
    if (path !== null) await replaceFile(path, JSON.stringify(next))
    if (owed.length === 0) for (const wake of idle) wake()
  }
  return {
    all: () => owed,
    keep,
    drop: (gone, end) => {
      last = end ?? last
      return keep(owed.filter((debt) => !gone.includes(debt)))
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
