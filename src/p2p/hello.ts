/**
 * Hello: who does not know a peer asks it for its card and shows its own. One exchange on a stream, and the stream is over.
 *
 * A frame is a length (u16, big endian) and so many bytes: a card in its envelope, or nothing from who has none.
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { Cancel, Clock } from '../ports.ts'
import { CARD_BYTES_MAX } from '../protocol/limits.ts'
import { concat } from '../util/bytes.ts'
import { HELLO_MS, HELLOS_BURST, HELLOS_PER_SECOND } from './limits.ts'
import { messageParts } from './pull/stream.ts'
import { defer, within } from './pull/wait.ts'
import { createRates } from './rate.ts'
import { orAborted } from './store/abort.ts'

export const HELLO_PROTOCOL = '/wheelwright/hello/1'
/** One that is answered, and one that its asker has given up. */
const STREAMS_MAX = 2
const LENGTH_BYTES = 2

export type HelloDeps = {
  readonly host: Libp2p
  readonly clock: Clock
  /** Our own card, or nothing. */
  readonly own: () => Uint8Array | null
  /** A card that a peer has shown: not judged, and perhaps not its own. */
  readonly heard: (peerId: string, card: Uint8Array) => void
}
export type Hello = {
  /** Throws when the peer does not speak this protocol, or not in time. What it shows is heard before this resolves. */
  readonly ask: (connection: Connection, ms: number) => Promise<void>
  readonly close: () => Promise<void>
}

export async function speakHello({ host, clock, own, heard }: HelloDeps): Promise<Hello> {
  const closing = new AbortController()
  const rates = createRates({ burst: HELLOS_BURST, perSecond: HELLOS_PER_SECOND }, clock)
  const limit = { clock, ms: HELLO_MS, signal: closing.signal }

  const exchange = async (stream: Stream, peerId: string, opts: Cancel): Promise<void> => {
    try {
      const ended = new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))
      const answer = readFrame(stream)
      stream.send(frameOf(own()))
      const card = await orAborted(answer, opts.signal)
      if (card.length > 0) heard(peerId, card)
      await stream.close(opts)
      // Nobody waits for the other side's end, but it comes.
      within(limit, ({ signal }) => orAborted(ended, signal)).catch((error) => stream.abort(error))
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }
  const answer = (stream: Stream, { remotePeer }: Connection): void => {
    const peerId = remotePeer.toString()
    if (rates.takes(peerId)) within(limit, (opts) => exchange(stream, peerId, opts)).catch(() => undefined)
    else stream.abort(new Error('too many cards'))
  }
  // Before all relaying is over: who is met through a relay is asked there.
  const bounds = { maxInboundStreams: STREAMS_MAX, maxOutboundStreams: STREAMS_MAX, runOnLimitedConnection: true }
  await host.handle(HELLO_PROTOCOL, answer, bounds)
  return {
    ask: (connection, ms) =>
      within({ ...limit, ms }, async (opts) => {
        const stream = await connection.newStream([HELLO_PROTOCOL], { ...bounds, ...opts })
        await exchange(stream, connection.remotePeer.toString(), opts)
      }),
    close: async () => {
      closing.abort(new Error('the host stops'))
      await host.unhandle(HELLO_PROTOCOL)
    },
  }
}

function frameOf(card: Uint8Array | null): Uint8Array {
  const bytes = card ?? new Uint8Array()
  return concat(Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes)
}

/** Holds no more than a frame, and hears on when it has one: whoever says more has not understood, and is cut off. */
function readFrame(stream: Stream): Promise<Uint8Array> {
  const { promise, resolve, reject } = defer<Uint8Array>()
  promise.catch(() => undefined)
  let bytes: Uint8Array = new Uint8Array()
  const refuse = (): void => {
    const error = new Error('this is no card')
    reject(error)
    stream.abort(error)
  }
  stream.addEventListener('message', ({ data }) => {
    if (bytes.length + data.byteLength > LENGTH_BYTES + CARD_BYTES_MAX) return refuse()
    bytes = concat(bytes, ...messageParts(data))
    const [high, low] = bytes
    if (high === undefined || low === undefined) return
    const length = high * 256 + low
    if (length > CARD_BYTES_MAX || bytes.length > LENGTH_BYTES + length) refuse()
    else if (bytes.length === LENGTH_BYTES + length) resolve(bytes.subarray(LENGTH_BYTES))
  })
  for (const type of ['close', 'remoteCloseWrite'] as const) {
    stream.addEventListener(type, () => reject(new Error('the stream ended before the card did')))
  }
  return promise
}
