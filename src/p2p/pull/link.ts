/**
 * The lanes to one peer, shared by all fetches that take from it: opened when they are needed, lent for one question,
 * closed when nobody has fetched from the peer for a moment: many small things in a row need one lane.
 */
import type { Libp2p } from '@libp2p/interface'
import type { Cancel, Clock, PeerAddress } from '../../ports.ts'
import { dialDirect, RelayedOnlyError } from '../dial.ts'
import { createLane, type Lane, type Outcome, type Question } from './lane.ts'
import { LANES_PER_PEER, LINGER_MS, OPEN_MS_MAX, PULL_PROTOCOL, SERVED_PER_PEER } from './limits.ts'
import { createGate, within } from './wait.ts'

export type LinkOutcome = Outcome | { readonly kind: 'unreachable' | 'relayed-only'; readonly why: string }
export type Link = {
  /** Never rejects. Waits for a lane first. */
  ask(question: Question, opts: Cancel): Promise<LinkOutcome>
  release(): void
}
export type Links = {
  /** Throws nothing: a peer that cannot be reached says so when it is asked. */
  acquire(peer: PeerAddress): Link
  /** Streams that are open, for those who count. */
  lanes(): number
}

type Shared = {
  users: number
  /** Closes what is idle, when nobody has come back. */
  closing: unknown
  readonly gate: ReturnType<typeof createGate>
  readonly idle: Lane[]
  readonly all: Set<Lane>
}

type LinkDeps = { readonly libp2p: Libp2p; readonly clock: Clock }

export function createLinks({ libp2p, clock }: LinkDeps): Links {
  const peers = new Map<string, Shared>()

  /** Asks on a lane of its own, or says that there was none to be had. */
  const askOnce = async (peer: PeerAddress, shared: Shared, question: Question, opts: Cancel): Promise<LinkOutcome> => {
    let lane = shared.idle.pop()
    while (lane !== undefined && !lane.isOpen()) {
      shared.all.delete(lane)
      lane = shared.idle.pop()
    }
    try {
      lane ??= await openLane({ libp2p, clock }, peer, opts)
    } catch (error) {
      // What is no peer id or no address, nobody there, no such protocol: the peer is of no use, and that is all.
      const kind = error instanceof RelayedOnlyError ? 'relayed-only' : 'unreachable'
      return opts.signal.aborted ? { kind: 'cancelled' } : { kind, why: String(error) }
    }
    shared.all.add(lane)
    const outcome = await lane.ask(question, opts)
    if (outcome.kind !== 'answered') drop(shared, lane)
    else shared.idle.push(lane)
    // A server that has enough streams ends a new one without a word, and has done nothing wrong.
    const isRefused = outcome.kind === 'failed' && outcome.reason === 'closed' && !lane.isUsed()
    return isRefused ? { kind: 'unreachable', why: 'the peer takes no more streams' } : outcome
  }

  const ask = async (peer: PeerAddress, shared: Shared, question: Question, opts: Cancel): Promise<LinkOutcome> => {
    for (;;) {
      const leave = await shared.gate.enter(1, opts).catch(() => null)
      if (leave === null) return { kind: 'cancelled' }
      const outcome = await askOnce(peer, shared, question, opts)
      // While other lanes are open there are as many as the peer grants: the place is kept, so that nobody tries again.
      const isOneTooMany = outcome.kind === 'unreachable' && shared.all.size > 0
      if (!isOneTooMany) {
        leave()
        return outcome
      }
    }
  }

  return {
    acquire: (peer) => {
      const shared = peers.get(peer.peerId) ?? createShared()
      peers.set(peer.peerId, shared)
      shared.users += 1
      clock.clearTimeout(shared.closing)
      let isHeld = true
      return {
        ask: (question, opts) => ask(peer, shared, question, opts),
        release: () => {
          if (!isHeld) return
          isHeld = false
          shared.users -= 1
          if (shared.users > 0) return
          shared.closing = clock.setTimeout(() => {
            peers.delete(peer.peerId)
            for (const lane of shared.idle.splice(0)) drop(shared, lane)
          }, LINGER_MS)
        },
      }
    },
    lanes: () => [...peers.values()].reduce((sum, { all }) => sum + all.size, 0),
  }
}

const openLane = ({ libp2p, clock }: LinkDeps, peer: PeerAddress, { signal }: Cancel): Promise<Lane> =>
  within({ clock, ms: OPEN_MS_MAX, signal }, async (limit) => {
    const connection = await dialDirect(libp2p, peer, limit)
    const stream = await connection.newStream([PULL_PROTOCOL], { ...limit, maxOutboundStreams: SERVED_PER_PEER })
    return createLane(stream, clock)
  })

const createShared = (): Shared => ({
  users: 0,
  closing: undefined,
  gate: createGate(LANES_PER_PEER),
  idle: [],
  all: new Set(),
})

function drop(shared: Shared, lane: Lane): void {
  shared.all.delete(lane)
  if (lane.isOpen()) lane.close()
}
