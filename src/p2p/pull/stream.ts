/**
 * What libp2p's streams lack: knowing when what was sent is out of our hands.
 *
 * `send` never refuses, and `onDrain` of this version resolves at once for ever after its first time, so the buffer of a
 * slow peer would grow without bound. Here the stream's own events are heard instead.
 */
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import type { Cancel, Clock } from '../../ports.ts'
import { SLICE_BYTES, SLICE_BYTES_MAX, SLICE_BYTES_MIN, SLICE_MS_MAX, SLICE_MS_MIN, TAKE_MS } from './limits.ts'

type Data = StreamMessageEvent['data']

/** The pieces that a message has in memory, as they are: joining them would copy. */
export const messageParts = (data: Data): readonly Uint8Array[] => (data instanceof Uint8Array ? [data] : [...data])

export type Outlet = {
  /**
   * Sends a head and what belongs to it, slice by slice, each when the last was taken. Throws when the stream ends, when
   * the signal is aborted, or when nothing is taken for too long.
   */
  send(head: Uint8Array, bytes: Uint8Array, opts: Cancel): Promise<void>
}

/**
 * A slice becomes a frame, which costs both sides something whatever its size, but streams of a connection take turns by
 * frames. So slices grow while they are taken in no time, and shrink when others would have to wait.
 */
export function createOutlet(stream: Stream, clock: Clock): Outlet {
  let sliceBytes = SLICE_BYTES
  const adapt = (ms: number): void => {
    if (ms < SLICE_MS_MIN) sliceBytes = Math.min(2 * sliceBytes, SLICE_BYTES_MAX)
    if (ms > SLICE_MS_MAX) sliceBytes = Math.max(sliceBytes / 2, SLICE_BYTES_MIN)
  }
  return {
    send: async (head, bytes, { signal }) => {
      let at = 0
      do {
        signal.throwIfAborted()
        const slice = bytes.subarray(at, at + sliceBytes)
        const startMs = clock.now()
        // In one frame with its head, and without a copy.
        stream.send(at === 0 ? new Uint8ArrayList(head, slice) : slice)
        if (!isTaken(stream)) await untilTaken(stream, { clock, signal })
        at += slice.length
        adapt(clock.now() - startMs)
      } while (at < bytes.length)
    },
  }
}

const isTaken = (stream: Stream): boolean => stream.writeBufferLength === 0 && !stream.writableNeedsDrain

function untilTaken(stream: Stream, { clock, signal }: { readonly clock: Clock } & Cancel): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = stream.writeBufferLength
    const end = (error: unknown): void => {
      clock.clearTimeout(timer)
      for (const type of ['drain', 'idle'] as const) stream.removeEventListener(type, look)
      stream.removeEventListener('close', close)
      signal.removeEventListener('abort', abort)
      if (error === null) resolve()
      else reject(error)
    }
    // The stream sends on in a microtask of its own, which was queued before this one.
    const look = (): void => queueMicrotask(() => isTaken(stream) && end(null))
    const close = (): void => end(new Error('the stream was closed'))
    const abort = (): void => end(signal.reason)
    const check = (): void => {
      const isTaking = stream.writeBufferLength < left
      left = stream.writeBufferLength
      if (isTaking) timer = clock.setTimeout(check, TAKE_MS)
      else end(new Error('the peer takes nothing'))
    }
    let timer = clock.setTimeout(check, TAKE_MS)
    for (const type of ['drain', 'idle'] as const) stream.addEventListener(type, look)
    stream.addEventListener('close', close)
    signal.addEventListener('abort', abort)
    if (stream.status !== 'open') close()
  })
}
