/**
 * What is being written at the moment, and must not be freed meanwhile. While a hold is open, every block that is stored
 * belongs to it, whoever stores it: to keep a block too long costs space until the next time, to free it costs a file.
 */
import type { CID } from 'multiformats/cid'

/** `root` is what is on its way; what is here of it already stays too. */
export type Hold = { readonly root: CID | null; close(): void }

export type Holds = {
  open(root?: CID): Hold
  note(key: string): void
  has(key: string): boolean
  roots(): readonly CID[]
}

export function createHolds(): Holds {
  const open = new Map<Hold, Set<string>>()
  return {
    open: (root) => {
      const hold: Hold = { root: root ?? null, close: () => void open.delete(hold) }
      open.set(hold, new Set())
      return hold
    },
    note: (key) => {
      for (const keys of open.values()) keys.add(key)
    },
    has: (key) => [...open.values()].some((keys) => keys.has(key)),
    roots: () => [...open.keys()].flatMap(({ root }) => root ?? []),
  }
}
