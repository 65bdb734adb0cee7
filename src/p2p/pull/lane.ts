/**
 * One stream to a server, and one question on it at a time.
 *
 * Bytes of an answer go from the stream's own buffers to their place in one copy. Whatever the peer does, a question ends:
 * with the answer, or with a reason why there is none. After a reason the stream is gone.
 */
import type { Stream } from '@libp2p/interface'
import type { Cancel, Clock } from '../../ports.ts'
import { assert } from '../../util/assert.ts'
import { ANSWER_BYTES_PER_SECOND_MIN, ANSWER_MS, SILENT_MS, STALL_MS } from './limits.ts'
import { messageParts } from './stream.ts'
import {
  type AnswerRead,
  type Bounds,
  createAnswerReader,
  encodeRequest,
  type PartHearer,
  type PullRequest,
} from './wire.ts'

/**
 * What a peer did, for the log and for whoever keeps score. Wrong bytes and bad frames are its own doing; a wrong length may
 * be the fault of whoever made the file, and to stall, to close or not to be there may be bad luck.
 */
export type Misdeed = 'wrong-bytes' | 'wrong-length' | 'bad-frame' | 'stalled' | 'closed' | 'unreachable'
export type Outcome =
  | { readonly kind: 'answered' | 'stopped' | 'cancelled' }
  | { readonly kind: 'failed'; readonly reason: Misdeed; readonly why: string; readonly length?: number }

export type Question = PullRequest & {
  readonly bounds: readonly Bounds[]
  /** Hears the parts of the answer as they come. When it says no, the lane is given up. */
  readonly hear: PartHearer
  /** Hears of every portion that arrives. */
  readonly heard?: (bytes: number) => void
}

export type Lane = {
  readonly isOpen: () => boolean
  /** The peer has said something on it. */
  readonly isUsed: () => boolean
  /** Never rejects. */
  ask(question: Question, opts: Cancel): Promise<Outcome>
  close(): void
}

export function createLane(stream: Stream, clock: Clock): Lane {
  /** Takes what arrives; without a question, anything is too much. */
  let take: ((part: Uint8Array) => void) | null = null
  let lose: (() => void) | null = null
  let isUsed = false
  stream.addEventListener('message', ({ data }) => {
    isUsed = true
    for (const part of messageParts(data)) {
      if (take === null) stream.abort(new Error('the peer says what nobody asked'))
      else take(part)
    }
  })
  const ended = (): void => lose?.()
  stream.addEventListener('close', ended)
  stream.addEventListener('remoteCloseWrite', ended)
  const isOpen = (): boolean => stream.status === 'open' && stream.remoteWriteStatus === 'writable'

  const ask = (question: Question, { signal }: Cancel): Promise<Outcome> =>
    new Promise((resolve) => {
      assert(take === null, 'one question at a time')
      let lastMs = clock.now()
      const untilMs = lastMs + answerMs(question.bounds)
      const reader = createAnswerReader(question.bounds, question.hear)
      const end = (outcome: Outcome): void => {
        if (lose === null) return
        take = lose = null
        clock.clearTimeout(timer)
        signal.removeEventListener('abort', cancel)
        if (outcome.kind !== 'answered') stream.abort(new Error(outcome.kind === 'failed' ? outcome.why : outcome.kind))
        resolve(outcome)
      }
      const fail = (reason: Misdeed, why: string): void => end({ kind: 'failed', reason, why })
      const cancel = (): void => end({ kind: 'cancelled' })
      const watch = (): void => {
        const nowMs = clock.now()
        if (nowMs - lastMs >= STALL_MS) fail('stalled', `no byte for ${STALL_MS} ms`)
        else if (nowMs >= untilMs) fail('stalled', 'an answer took too long')
        else timer = clock.setTimeout(watch, Math.min(lastMs + STALL_MS, untilMs) - nowMs)
      }
      let timer = clock.setTimeout(watch, STALL_MS)
      take = (part) => {
        lastMs = clock.now()
        question.heard?.(part.length)
        const outcome = outcomeOf(reader.push(part))
        if (outcome !== null) end(outcome)
      }
      lose = () => {
        // The host gives up a connection that answers nothing, often before we do: that is no other end than ours.
        const isSilent = clock.now() - lastMs >= SILENT_MS
        fail(isSilent ? 'stalled' : 'closed', 'the stream ended before the answer did')
      }
      signal.addEventListener('abort', cancel)
      if (signal.aborted) return cancel()
      if (!isOpen()) return lose()
      stream.send(encodeRequest(question))
    })

  return { isOpen, isUsed: () => isUsed, ask, close: () => void closeQuietly(stream) }
}

function outcomeOf(read: AnswerRead): Outcome | null {
  switch (read.kind) {
    case 'more':
      return null
    case 'done':
      return { kind: 'answered' }
    case 'stopped':
      return { kind: 'stopped' }
    case 'broken':
      return { kind: 'failed', reason: 'bad-frame', why: read.why }
    case 'wrong-length':
      return { kind: 'failed', reason: 'wrong-length', why: 'a part has a wrong length', length: read.length }
  }
}

/** A lane that is idle has nothing to flush, so closing waits for nobody; a reset would look like a failure over there. */
async function closeQuietly(stream: Stream): Promise<void> {
  try {
    await stream.close({ signal: AbortSignal.timeout(STALL_MS) })
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
  }
}

function answerMs(bounds: readonly Bounds[]): number {
  const bytes = bounds.reduce((sum, { bytesMax }) => sum + bytesMax, 0)
  return ANSWER_MS + (bytes / ANSWER_BYTES_PER_SECOND_MIN) * 1_000
}
