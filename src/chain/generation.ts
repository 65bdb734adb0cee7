/**
 * One generation of the link: from a new socket to its end, and everybody who waits on it.
 *
 * Whoever waits is known by a function that is forgotten as soon as the wait is over: a generation may live for months, and
 * must not keep what was read in it.
 */
import { NodeError } from '../errors.ts'

/** Why a generation is over. */
export type End = { readonly why: string; readonly error: unknown; readonly isUpgrade: boolean }

/** Words of an endpoint are cut off after so many characters. */
const WORDS_MAX = 300

export class Generation {
  isOver = false
  readonly ended: Promise<End>
  private readonly users = new Set<(error: Error) => void>()
  private resolve: (end: End) => void = () => undefined

  constructor() {
    this.ended = new Promise((resolve) => {
      this.resolve = resolve
    })
  }

  /** The first reason counts. */
  end(error: unknown, isUpgrade = false): void {
    if (this.isOver) return
    this.isOver = true
    this.resolve({ why: wordsOf(error), error, isUpgrade })
    for (const reject of this.users) reject(unavailable('the connection was lost'))
  }

  /** Ends with the work, with the generation or with the caller, whatever comes first. */
  async during<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.isOver) throw unavailable('the connection was lost')
    let leave = (): void => undefined
    const broken = new Promise<never>((_, reject) => {
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      this.users.add(reject)
      leave = () => {
        signal.removeEventListener('abort', onAbort)
        this.users.delete(reject)
      }
    })
    try {
      return await Promise.race([work(), broken])
    } finally {
      leave()
    }
  }
}

export const unavailable = (why: string): NodeError =>
  new NodeError('CHAIN_UNAVAILABLE', { what: 'the chain does not answer', why })

export const isUnavailable = (error: unknown): boolean =>
  error instanceof NodeError && error.code === 'CHAIN_UNAVAILABLE'

/** What an error says, in a line: it may be an endpoint's words. */
export function wordsOf(error: unknown): string {
  const text = error instanceof NodeError ? error.why : error instanceof Error ? error.message : String(error)
  return text.replace(/[^\x20-\x7e]/g, ' ').slice(0, WORDS_MAX)
}
