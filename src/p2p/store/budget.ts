/**
 * How much may be stored: the operator's limit, and what must stay free on the disk. A write that would pass either fails
 * before it begins, so that a full disk never meets a half-written block.
 */
import { NodeError } from '../../errors.ts'
import { isFull } from './disk-file.ts'

export type BudgetOptions = {
  /** The operator's limit for everything in the store. */
  readonly quotaBytes: number
  /** What others on this machine need of the disk. */
  readonly freeBytesMin: number
}

export type Budget = {
  /** Counts what lies there already, or was moved here. */
  count(bytes: number): void
  release(bytes: number): void
  /**
   * Runs the write when there is room for it, also on the disk that it goes to, where that is one of this machine. Throws
   * DISK_QUOTA otherwise, and when the disk says so itself.
   */
  spend(bytes: number, write: () => Promise<void>, freeBytes?: () => Promise<number>): Promise<void>
  usedBytes(): number
}

export function createBudget({ quotaBytes, freeBytesMin }: BudgetOptions): Budget {
  let used = 0
  /** Promised to writes whose bytes the disk may not have counted yet. */
  let pending = 0

  const refused = (why: string, cause?: unknown): NodeError => {
    const usedBytes = used - pending
    return new NodeError('DISK_QUOTA', {
      what: 'a block was not stored',
      why: `${why}; the store holds ${usedBytes} of at most ${quotaBytes} bytes`,
      data: { usedBytes, quotaBytes, freeBytesMin },
      cause,
    })
  }

  return {
    count: (bytes) => {
      used += bytes
    },
    release: (bytes) => {
      used -= bytes
    },
    usedBytes: () => used,
    spend: async (bytes, write, freeBytes = async () => Number.POSITIVE_INFINITY) => {
      if (used + bytes > quotaBytes) throw refused(`${bytes} bytes more would pass the limit`)
      used += bytes
      pending += bytes
      try {
        const free = await freeBytes()
        if (free - pending < freeBytesMin) throw refused(`the disk has ${free} bytes free and keeps ${freeBytesMin}`)
        await write()
      } catch (error) {
        used -= bytes
        throw isFull(error) ? refused('the disk is full', error) : error
      } finally {
        pending -= bytes
      }
    },
  }
}
