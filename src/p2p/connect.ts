/**
 * Keeps a host connected: to the entry peers it was told of, and to as many others as a mesh needs. Whose cards are held are
 * dialled first, at the addresses that these name; then who was met through others.
 *
 * Nothing here gives up: an entry peer that is away is tried again, later and later, for as long as the host runs.
 */
import { hash } from 'node:crypto'
import type { PeerId, PeerInfo } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Clock, Log, PeerAddress, Unsubscribe } from '../ports.ts'
import { compareNumber, compareText } from '../util/compare.ts'
import type { Acquaintances } from './acquaintances.ts'
import { targetOf } from './dial.ts'
import type { Host } from './host.ts'
import { within } from './pull/wait.ts'

export type ConnectOptions = {
  /** Multiaddrs, each with the peer id that must answer there. */
  readonly entries: readonly string[]
}
export type ConnectDeps = {
  readonly host: Host
  readonly clock: Clock
  readonly log: Log
  /** Where there are members. */
  readonly acquaintances?: Pick<Acquaintances, 'known' | 'search'>
}

/** Enough for a mesh of six with some to choose from; more come in by themselves. */
const PEERS_WANTED = 16
/** A topic that few listen to needs those few: who is connected to none of them hears nothing, among however many others. */
const LISTENERS_WANTED = 4
const LOOK_MS = 2_000
const PAUSE_MS_MAX = 60_000
const DIAL_MS = 10_000
/** Discovered peers that wait to be dialled. */
const CANDIDATES_MAX = 256
/** Of each kind that is dialled in one look. Who does not answer takes all of its time, and so nobody waits for more of them. */
const DIALS_AT_ONCE = 8
/** Who has a card and does not answer is tried again after this. */
const AWAY_MS = 30_000

export function keepConnected({ entries }: ConnectOptions, deps: ConnectDeps): Unsubscribe {
  const { host, clock, log, acquaintances } = deps
  const stopped = new AbortController()
  const candidates = new Map<string, PeerId>()
  const nextKnown = createRounds(host, clock)
  let timer: unknown
  let failures = 0

  const dial = async (target: () => Parameters<Host['dial']>[0]): Promise<boolean> => {
    try {
      await within({ clock, ms: DIAL_MS, signal: stopped.signal }, (opts) => host.dial(target(), opts))
      return true
    } catch {
      return false
    }
  }
  const dialEntries = async (): Promise<void> => {
    const away = entries.filter((entry) => !isConnected(host, entry))
    const answers = await Promise.all(away.map((entry) => dial(() => multiaddr(entry))))
    const isLonely = host.getConnections().length === 0
    failures = answers.includes(false) ? failures + 1 : 0
    if (isLonely && away.length > 0) log.warn('no entry peer answers', { tried: away.length, times: failures })
  }
  const isShort = (): boolean => {
    const { pubsub } = host.services
    const isDeaf = pubsub.getTopics().some((topic) => pubsub.getSubscribers(topic).length < LISTENERS_WANTED)
    return isDeaf || host.getConnections().length < PEERS_WANTED
  }
  const dialKnown = async (): Promise<void> => {
    if (acquaintances === undefined || !isShort()) return
    // A card may hold what reads like an address and is none.
    await Promise.all(nextKnown(acquaintances.known()).map((peer) => dial(() => targetOf(peer).addresses)))
  }
  const dialCandidates = async (): Promise<void> => {
    if (!isShort()) return
    const turn = [...candidates].slice(0, DIALS_AT_ONCE)
    for (const [id] of turn) candidates.delete(id)
    const unmet = turn.filter(([, peer]) => host.getConnections(peer).length === 0)
    await Promise.all(unmet.map(([, peer]) => dial(() => peer)))
  }
  const discovered = ({ detail: { id } }: CustomEvent<PeerInfo>): void => {
    if (id.equals(host.peerId) || candidates.size >= CANDIDATES_MAX) return
    candidates.set(id.toString(), id)
  }
  const look = async (): Promise<void> => {
    await dialEntries()
    await dialKnown()
    await dialCandidates()
    if (isShort()) await acquaintances?.search({ signal: stopped.signal })
    if (stopped.signal.aborted) return
    const pauseMs = Math.min(PAUSE_MS_MAX, LOOK_MS * 2 ** Math.min(failures, 5))
    timer = clock.setTimeout(() => void look(), failures === 0 ? LOOK_MS : pauseMs)
  }
  host.addEventListener('peer:discovery', discovered)
  void look()
  return () => {
    stopped.abort()
    clock.clearTimeout(timer)
    host.removeEventListener('peer:discovery', discovered)
  }
}

/**
 * Those to dial now: not connected, and not tried a moment ago; who was not tried for longest comes first, so that everybody's
 * turn comes however many are away. Among equals in an order of our own, or everybody would dial the same few; by hash,
 * because then all of these orders together make a graph that hangs together.
 */
function createRounds(host: Host, clock: Clock): (known: readonly PeerAddress[]) => readonly PeerAddress[] {
  const triedMs = new Map<string, number>()
  const own = host.peerId.toString()
  const lastMs = ({ peerId }: PeerAddress): number => triedMs.get(peerId) ?? Number.NEGATIVE_INFINITY
  return (known) => {
    const nowMs = clock.now()
    const names = new Set(known.map(({ peerId }) => peerId))
    for (const peerId of triedMs.keys()) if (!names.has(peerId)) triedMs.delete(peerId)
    const here = new Set(host.getPeers().map(String))
    const due = known.filter(
      (peer) =>
        peer.addresses.length > 0 && peer.peerId !== own && !here.has(peer.peerId) && nowMs - lastMs(peer) >= AWAY_MS,
    )
    const order = new Map(due.map(({ peerId }) => [peerId, hash('sha256', own + peerId)]))
    const turn = due
      .toSorted(
        (a, b) =>
          compareNumber(lastMs(a), lastMs(b)) || compareText(order.get(a.peerId) ?? '', order.get(b.peerId) ?? ''),
      )
      .slice(0, DIALS_AT_ONCE)
    for (const { peerId } of turn) triedMs.set(peerId, nowMs)
    return turn
  }
}

const isConnected = (host: Host, entry: string): boolean =>
  host.getConnections().some(({ remotePeer }) => entry.endsWith(`/p2p/${remotePeer.toString()}`))
