/**
 * Serves blocks to peers: answers one request after the other on each stream, block by block.
 *
 * Streams of libp2p take whatever they are given and keep it in memory, so the next slice is handed over when the last
 * was taken, and the next block is read from the store only then. What peers can make us hold is bounded three times:
 * streams of each and in all, blocks at once, requests a second.
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { Cancel, Clock, Log } from '../../ports.ts'
import { createRates } from '../rate.ts'
import {
  PULL_PROTOCOL,
  RATE_WAIT_MS,
  REQUESTS_BURST,
  REQUESTS_PER_SECOND,
  SERVED_BLOCKS_MAX,
  SERVED_IDLE_MS,
  SERVED_MAX,
  SERVED_PER_PEER,
  TAKE_MS,
} from './limits.ts'
import { createOutlet, messageParts, type Outlet } from './stream.ts'
import { createChanges, createGate } from './wait.ts'
import { ABSENT, createRequestReader, encodeBitmap, lengthBytes, type PullRequest } from './wire.ts'

/** What is served: a view of the store that hides what is withheld. */
export type ServedStore = {
  get(cid: CID, opts: Cancel): Promise<Uint8Array | null>
  has(cid: CID): Promise<boolean>
}
export type PullServer = {
  /** Bytes of blocks that were handed to streams, and the streams there are. */
  stats(): { readonly sentBytes: number; readonly streams: number }
  /** Ends every stream and takes no more. */
  close(): Promise<void>
}
export type ServeDeps = {
  readonly libp2p: Libp2p
  readonly store: ServedStore
  readonly clock: Clock
  readonly log: Log
}

export async function servePull({ libp2p, store, clock, log }: ServeDeps): Promise<PullServer> {
  const sessions = new Map<Stream, string>()
  const closing = new AbortController()
  const rates = createRates({ burst: REQUESTS_BURST, perSecond: REQUESTS_PER_SECOND }, clock)
  const shared = { store, clock, slots: createGate(SERVED_BLOCKS_MAX), sentBytes: 0 }

  const isFull = (peerId: string): boolean =>
    sessions.size >= SERVED_MAX || [...sessions.values()].filter((id) => id === peerId).length >= SERVED_PER_PEER

  const accept = (stream: Stream, { remotePeer }: Connection): void => {
    const peerId = remotePeer.toString()
    if (closing.signal.aborted || isFull(peerId)) {
      stream.abort(new Error('no more streams are served'))
      return
    }
    sessions.set(stream, peerId)
    void serveStream(stream, { ...deps(peerId), signal: closing.signal })
      .catch((error: unknown) => {
        log.debug('serving a peer ended', { peer: peerId, why: String(error) })
        stream.abort(error instanceof Error ? error : new Error(String(error)))
      })
      .finally(() => sessions.delete(stream))
  }
  const deps = (peerId: string) => ({
    shared,
    // Late, not refused: an honest peer that is quick waits a little, another waits for ever.
    pace: async ({ signal }: Cancel): Promise<void> => {
      while (!rates.takes(peerId) && !signal.aborted) await createChanges(clock).next(RATE_WAIT_MS, { signal })
    },
  })
  const bounds = { maxInboundStreams: SERVED_PER_PEER, maxOutboundStreams: SERVED_PER_PEER }
  await libp2p.handle(PULL_PROTOCOL, accept, bounds)
  return {
    stats: () => ({ sentBytes: shared.sentBytes, streams: sessions.size }),
    close: async () => {
      closing.abort(new Error('the server closes'))
      for (const stream of sessions.keys()) stream.abort(new Error('the server closes'))
      await libp2p.unhandle(PULL_PROTOCOL)
    },
  }
}

type Shared = {
  readonly store: ServedStore
  readonly clock: Clock
  readonly slots: ReturnType<typeof createGate>
  sentBytes: number
}
type Session = { readonly shared: Shared; readonly pace: (opts: Cancel) => Promise<void> } & Cancel

/** Until the peer closes the stream, is silent for too long, or sends what is no request. */
async function serveStream(stream: Stream, { shared, pace, signal }: Session): Promise<void> {
  const { clock } = shared
  const ended = new AbortController()
  const changes = createChanges(clock)
  const reader = createRequestReader()
  const outlet = createOutlet(stream, clock)
  // A second one, because a quick peer has all of an answer before we hear that the stream has taken it.
  const waiting: PullRequest[] = []
  let broken: string | null = null

  const hear = (part: Uint8Array): void => {
    if (broken !== null) return
    const read = reader.push(part)
    if (read.kind === 'broken') broken = read.why
    if (read.kind === 'request') waiting.push(read.request)
    if (waiting.length > 1) broken = 'asks before the last answer is over'
    changes.tell()
  }
  const close = (): void => {
    ended.abort(new Error('the stream is closed'))
  }
  const stop = (): void => ended.abort(signal.reason)
  stream.addEventListener('message', ({ data }) => messageParts(data).forEach(hear))
  stream.addEventListener('close', close)
  stream.addEventListener('remoteCloseWrite', close)
  signal.addEventListener('abort', stop)
  try {
    let idleSinceMs = clock.now()
    while (!ended.signal.aborted) {
      if (broken !== null) throw new Error(broken)
      const request = waiting.shift()
      if (request !== undefined) {
        await pace({ signal: ended.signal })
        await answer(request, { shared, outlet, signal: ended.signal })
        idleSinceMs = clock.now()
      } else {
        await changes.next(SERVED_IDLE_MS, { signal: ended.signal })
        if (clock.now() - idleSinceMs >= SERVED_IDLE_MS && waiting.length === 0) break
      }
    }
    if (stream.status === 'open') await stream.close({ signal: AbortSignal.timeout(TAKE_MS) })
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

const NOTHING = new Uint8Array(0)

async function answer(
  { kind, cids }: PullRequest,
  { shared, outlet, signal }: { readonly shared: Shared; readonly outlet: Outlet } & Cancel,
): Promise<void> {
  if (kind === 'have') {
    const bits: boolean[] = []
    for (const cid of cids) bits.push(await shared.store.has(cid))
    const bitmap = encodeBitmap(bits)
    await outlet.send(lengthBytes(bitmap.length), bitmap, { signal })
    return
  }
  for (const cid of cids) {
    const leave = await shared.slots.enter(1, { signal })
    try {
      const bytes = await shared.store.get(cid, { signal })
      await outlet.send(lengthBytes(bytes?.length ?? ABSENT), bytes ?? NOTHING, { signal })
      shared.sentBytes += bytes?.length ?? 0
    } finally {
      leave()
    }
  }
}
