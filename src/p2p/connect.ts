/**
 * Keeps a host connected: to the entry peers it was told of, and through them to as many others as a mesh needs.
 *
 * Nothing here gives up: an entry peer that is away is tried again, later and later, for as long as the host runs.
 */
import type { PeerId, PeerInfo } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Clock, Log, Unsubscribe } from '../ports.ts'
import type { Host } from './host.ts'

export type ConnectOptions = {
  /** Multiaddrs, each with the peer id that must answer there. */
  readonly entries: readonly string[]
}
export type ConnectDeps = { readonly host: Host; readonly clock: Clock; readonly log: Log }

/** Enough for a mesh of six with some to choose from; more come in by themselves. */
const PEERS_WANTED = 16
/** A topic that few listen to needs those few: who is connected to none of them hears nothing, among however many others. */
const LISTENERS_WANTED = 4
const LOOK_MS = 2_000
const PAUSE_MS_MAX = 60_000
const DIAL_MS = 10_000
/** Discovered peers that wait to be dialled. */
const CANDIDATES_MAX = 256

export function keepConnected({ entries }: ConnectOptions, { host, clock, log }: ConnectDeps): Unsubscribe {
  const stopped = new AbortController()
  const candidates = new Map<string, PeerId>()
  let timer: unknown
  let failures = 0

  const dial = async (target: Parameters<Host['dial']>[0]): Promise<boolean> => {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(DIAL_MS)])
    return host.dial(target, { signal }).then(
      () => true,
      () => false,
    )
  }
  const dialEntries = async (): Promise<void> => {
    const away = entries.filter((entry) => !isConnected(host, entry))
    const answers = await Promise.all(away.map((entry) => dial(multiaddr(entry))))
    const isLonely = host.getConnections().length === 0
    failures = answers.includes(false) ? failures + 1 : 0
    if (isLonely && away.length > 0) log.warn('no entry peer answers', { tried: away.length, times: failures })
  }
  const isShort = (): boolean => {
    const { pubsub } = host.services
    const isDeaf = pubsub.getTopics().some((topic) => pubsub.getSubscribers(topic).length < LISTENERS_WANTED)
    return isDeaf || host.getConnections().length < PEERS_WANTED
  }
  const dialCandidates = async (): Promise<void> => {
    for (const [id, peer] of candidates) {
      if (!isShort() || stopped.signal.aborted) return
      candidates.delete(id)
      if (host.getConnections(peer).length === 0) await dial(peer)
    }
  }
  const discovered = ({ detail: { id } }: CustomEvent<PeerInfo>): void => {
    if (id.equals(host.peerId) || candidates.size >= CANDIDATES_MAX) return
    candidates.set(id.toString(), id)
  }
  const look = async (): Promise<void> => {
    await dialEntries()
    await dialCandidates()
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

const isConnected = (host: Host, entry: string): boolean =>
  host.getConnections().some(({ remotePeer }) => entry.endsWith(`/p2p/${remotePeer.toString()}`))
