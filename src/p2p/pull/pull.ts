/**
 * The client of the bulk path: brings content into the store, from named peers and from connected ones that have it.
 *
 * Who asks for the same content at the same time shares one fetch, which ends when the last of them loses interest.
 */
import type { Libp2p } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { Cancel, Clock, Log, PeerAddress } from '../../ports.ts'
import {
  beginJob,
  createJob,
  isAnybodyLeft,
  type Job,
  type JobDeps,
  type PullProgress,
  type PullStats,
  type PullStore,
  settle,
  watch,
} from './job.ts'
import type { Misdeed } from './lane.ts'
import {
  BLOCK_BYTES_MAX,
  CANDIDATES_MAX,
  FETCHES_MAX,
  FLIGHT_BYTES_MAX,
  GET_CIDS_MAX,
  PULL_PROTOCOL,
  SCAN_MS,
  SCAN_MS_MAX,
  SOURCES_MAX,
} from './limits.ts'
import { createLinks, type Link, type Links } from './link.ts'
import { have, runSource, type Source } from './source.ts'
import { createChanges, createGate, defer, type Gate } from './wait.ts'

export type FetchOptions = Cancel & {
  /** What the file or the document may have; of a file, without its nodes. */
  readonly bytesMax: number
  /** Whom to ask first, wherever they are; they are dialled. */
  readonly from: readonly PeerAddress[]
  readonly onProgress?: (progress: PullProgress) => void
}
export type Pull = {
  /**
   * Resolves when all blocks are in the store. Throws BLOB_UNAVAILABLE with what was tried, BLOB_TOO_LARGE before more than
   * was agreed on was taken, BLOB_MALFORMED when it is no file of the profile, or what the store throws.
   */
  fetch(cid: CID, opts: FetchOptions): Promise<void>
  /** One block from connected peers, not stored and not looked into. Throws likewise. */
  block(cid: CID, opts: Cancel): Promise<Uint8Array>
  stats(): Readonly<PullStats> & { readonly lanes: number }
}
export type PullDeps = {
  readonly libp2p: Libp2p
  readonly store: PullStore
  readonly clock: Clock
  readonly log: Log
  /** Hears of every peer that is not asked any more because of what it did. */
  readonly misbehaved?: (peerId: string, misdeed: Misdeed) => void
}

/** A job with everybody who waits for it. */
type Fetch = {
  readonly job: Job
  readonly named: PeerAddress[]
  readonly sources: Map<string, Source>
  readonly listeners: Set<(progress: PullProgress) => void>
  users: number
}
type Shared = { readonly libp2p: Libp2p; readonly links: Links; readonly flight: Gate; readonly turns: Gate }

export function createPull({ libp2p, store, clock, log, misbehaved = () => undefined }: PullDeps): Pull {
  const stats: PullStats = { receivedBytes: 0, duplicateBytes: 0, refusedBytes: 0 }
  const links = createLinks({ libp2p, clock })
  const shared = { libp2p, links, flight: createGate(FLIGHT_BYTES_MAX), turns: createGate(FETCHES_MAX) }
  const jobDeps = { store, clock, log, stats, misbehaved, self: libp2p.peerId.toString() }
  const fetches = new Map<string, Fetch>()

  return {
    fetch: async (cid, { bytesMax, from, onProgress, signal }) => {
      signal.throwIfAborted()
      const key = `${cid}/${bytesMax}`
      const running = fetches.get(key)
      const known = running?.job.over.signal.aborted ? undefined : running
      const fetch = known ?? createFetch({ root: cid, bytesMax, isShallow: false }, jobDeps)
      if (onProgress !== undefined) fetch.listeners.add(onProgress)
      join(fetch, from, shared)
      if (known === undefined) {
        fetches.set(key, fetch)
        void run(fetch, shared).finally(() => fetches.get(key) === fetch && fetches.delete(key))
      }
      try {
        await taken(fetch, { signal })
      } finally {
        if (onProgress !== undefined) fetch.listeners.delete(onProgress)
        if (fetch.users === 0 && fetches.get(key) === fetch) fetches.delete(key)
      }
    },
    block: async (cid, { signal }) => {
      signal.throwIfAborted()
      const held: { bytes: Uint8Array | null } = { bytes: null }
      const fetch = createFetch(
        { root: cid, bytesMax: BLOCK_BYTES_MAX, isShallow: true },
        { ...jobDeps, store: holderOf(held) },
      )
      void run(fetch, shared)
      await taken(fetch, { signal })
      return held.bytes ?? new Uint8Array(0)
    },
    stats: () => ({ ...stats, lanes: links.lanes() }),
  }
}

function createFetch(task: { root: CID; bytesMax: number; isShallow: boolean }, deps: JobDeps): Fetch {
  const listeners = new Set<(progress: PullProgress) => void>()
  const onProgress = (progress: PullProgress): void => {
    for (const listener of listeners) listener(progress)
  }
  const job = createJob({ ...task, onProgress }, deps)
  return { job, named: [], sources: new Map(), listeners, users: 0 }
}

/** A store that is one block in memory. */
const holderOf = (held: { bytes: Uint8Array | null }): PullStore => ({
  has: async () => false,
  get: async () => null,
  put: async (_, bytes) => {
    held.bytes = bytes
  },
})

/** Waits as one of those who want it; the last one to leave ends it. */
async function taken(fetch: Fetch, { signal }: Cancel): Promise<void> {
  const { job } = fetch
  fetch.users += 1
  const { promise: left, reject } = defer<never>()
  const leave = (): void => reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  try {
    await Promise.race([job.ended, left])
  } finally {
    signal.removeEventListener('abort', leave)
    fetch.users -= 1
    if (fetch.users === 0) job.fail(signal.reason)
  }
}

/** Until the job is over, whatever ends it. Never rejects. */
async function run(fetch: Fetch, shared: Shared): Promise<void> {
  const { job } = fetch
  const { signal } = job.over
  job.ended.catch(() => undefined)
  try {
    const leave = await shared.turns.enter(1, { signal })
    try {
      job.isSearching = true
      await beginJob(job)
      if (!job.plan.isDone()) await search(fetch, shared)
      else job.finish()
    } finally {
      leave()
    }
  } catch (error) {
    job.fail(error)
  }
}

/** Takes from the named peers, and looks for others among the connected ones: at once when there are none. */
async function search(fetch: Fetch, shared: Shared): Promise<void> {
  const { job } = fetch
  const { signal } = job.over
  job.arrivedMs = job.beganMs = job.deps.clock.now()
  const watching = watch(job)
  addNamed(fetch, shared)
  for (let ms = SCAN_MS, isFirst = true; !signal.aborted; ms = Math.min(2 * ms, SCAN_MS_MAX)) {
    const untilMs = job.deps.clock.now() + ms
    // What is small may be here before the first look is due; for what is large, it is due at once.
    const isDue = (): boolean => !isAnybodyLeft(job) || (isFirst && job.plan.blocks.length > GET_CIDS_MAX / 4)
    while (!signal.aborted && !isDue() && job.deps.clock.now() < untilMs) {
      await job.changes.next(untilMs - job.deps.clock.now(), { signal })
    }
    if (!signal.aborted) await scan(fetch, shared)
    // From now on the fetch may end because nobody is left.
    job.isSearching = false
    isFirst = false
    settle(job)
    // Whoever was asked last is gone, and what it sent is still being stored: a look at nobody must not keep the disk waiting.
    if (!isAnybodyLeft(job)) await createChanges(job.deps.clock).next(ms, { signal })
  }
  await watching
}

function join(fetch: Fetch, from: readonly PeerAddress[], shared: Shared): void {
  const { job, named } = fetch
  for (const peer of from) {
    if (peer.peerId === job.deps.self || job.tried.has(peer.peerId)) continue
    // Whoever is waiting for a place counts as somebody who is left.
    job.tried.set(peer.peerId, null)
    named.push(peer)
  }
  if (job.isSearching || fetch.sources.size > 0) addNamed(fetch, shared)
}

function addNamed(fetch: Fetch, shared: Shared): void {
  while (fetch.sources.size < SOURCES_MAX) {
    const peer = fetch.named.shift()
    if (peer === undefined) return
    begin(fetch, peer.peerId, shared.links.acquire(peer), shared)
  }
}

function begin(fetch: Fetch, peerId: string, link: Link, shared: Shared): void {
  const { job, sources } = fetch
  void runSource(job, peerId, { link, sources, flight: shared.flight }).finally(() => {
    if (!job.over.signal.aborted) addNamed(fetch, shared)
  })
}

/** Asks connected peers that speak the protocol whether they have the root; those that do are sources from now on. */
async function scan(fetch: Fetch, shared: Shared): Promise<void> {
  const { job, sources } = fetch
  const candidates = await candidatesOf(fetch, shared.libp2p)
  await Promise.all(
    candidates.map(async (peerId) => {
      const link = shared.links.acquire({ peerId, addresses: [] })
      const outcome = await have(link, [{ cid: job.task.root }], { signal: job.over.signal })
      const isHolder = outcome.kind === 'known' && outcome.bits[0] === true
      if (isHolder && sources.size < SOURCES_MAX && !sources.has(peerId) && !job.over.signal.aborted) {
        return begin(fetch, peerId, link, shared)
      }
      link.release()
      if (!job.tried.has(peerId)) job.tried.set(peerId, outcome.kind === 'known' ? 'absent' : 'unreachable')
    }),
  )
}

async function candidatesOf({ job, sources }: Fetch, libp2p: Libp2p): Promise<readonly string[]> {
  const found: string[] = []
  for (const id of libp2p.getPeers()) {
    const peerId = id.toString()
    const ended = job.tried.get(peerId)
    if (sources.has(peerId) || (ended !== undefined && ended !== 'absent')) continue
    const { protocols } = await libp2p.peerStore.get(id).catch(() => ({ protocols: [] }))
    if ((protocols as readonly string[]).includes(PULL_PROTOCOL)) found.push(peerId)
    if (found.length === CANDIDATES_MAX) break
  }
  return found
}
