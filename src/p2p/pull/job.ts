/**
 * One fetch: brings all blocks of a root into the store, from every peer that has some of them.
 *
 * Nodes come first and are judged one by one, so that size and shape are known before a leaf is asked for. What is in the
 * store already is not fetched, and that is all there is to resuming after a crash.
 */
import { hash } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import type { Cancel, Clock, Log } from '../../ports.ts'
import { equalBytes } from '../../util/bytes.ts'
import { DAG_PB, RAW } from '../store/cid.ts'
import { LEAF_BYTES_MAX } from '../store/limits.ts'
import { type Child, readFileNode } from './file-node.ts'
import type { Misdeed } from './lane.ts'
import { BLOCK_BYTES_MAX, NODE_BYTES_MAX, PROGRESS_MS } from './limits.ts'
import { type Block, createPlan, type Plan, type Wanted } from './plan.ts'
import { type Changes, createChanges, defer } from './wait.ts'
import { type Bounds, isPullable } from './wire.ts'

export type PullStore = {
  get(cid: CID, opts: Cancel): Promise<Uint8Array | null>
  has(cid: CID): Promise<boolean>
  /** `verified` says that the bytes have been hashed a moment ago and are what the CID says: the store need not again. */
  put(cid: CID, bytes: Uint8Array, opts: Cancel & { readonly verified: true }): Promise<void>
}
export type PullProgress = { readonly doneBytes: number; readonly totalBytes: number }
export type PullStats = {
  /** Bytes of blocks that arrived, whatever became of them. */
  receivedBytes: number
  /** Of these, what had arrived before, and what was not what was asked for. */
  duplicateBytes: number
  refusedBytes: number
}

export type Ended = Misdeed | 'absent' | 'too-large' | 'unreachable' | 'relayed-only'
export type JobDeps = {
  readonly store: PullStore
  readonly clock: Clock
  readonly log: Log
  readonly self: string
  readonly stats: PullStats
  readonly misbehaved: (peerId: string, misdeed: Misdeed) => void
}
export type JobTask = {
  readonly root: CID
  readonly bytesMax: number
  /** A node is taken as a block, without what is below it. */
  readonly isShallow: boolean
  readonly onProgress: (progress: PullProgress) => void
}

export type Job = {
  readonly deps: JobDeps
  readonly task: JobTask
  readonly plan: Plan
  readonly changes: Changes
  /** Aborted when the job is over, however it ended. */
  readonly over: AbortController
  /** Peers that were asked, and why no more. `null` while they are. */
  readonly tried: Map<string, Ended | null>
  /** A file may have the same block in many places: zeros, for one. It is wanted once. */
  readonly seen: Set<string>
  /** Steps under way that may add blocks. */
  opening: number
  /** From the begin until connected peers were asked once: somebody may yet be found, so nobody is the last one. */
  isSearching: boolean
  doneBytes: number
  totalBytes: number
  /** Of pieces that were asked for a second time because the first peer is slow. */
  againBytes: number
  arrivedMs: number
  beganMs: number
  readonly ended: Promise<void>
  /** The first of these two ends the job. */
  readonly finish: () => void
  readonly fail: (error: unknown) => void
}

export function createJob(task: JobTask, deps: JobDeps): Job {
  const over = new AbortController()
  const { promise, resolve, reject } = defer<void>()
  return {
    deps,
    task,
    plan: createPlan(deps.self),
    changes: createChanges(deps.clock),
    over,
    tried: new Map(),
    seen: new Set(),
    opening: 0,
    isSearching: false,
    doneBytes: 0,
    totalBytes: 0,
    againBytes: 0,
    arrivedMs: deps.clock.now(),
    beganMs: deps.clock.now(),
    ended: promise,
    finish: () => {
      resolve()
      over.abort(new Error('the fetch is over'))
    },
    fail: (error) => {
      reject(error)
      over.abort(new Error('the fetch is over'))
    },
  }
}

const NODE_BOUNDS: Bounds = { bytesMin: 1, bytesMax: NODE_BYTES_MAX }

/** Wants the root: from the store what is there, from peers what is not. */
export async function beginJob(job: Job): Promise<void> {
  const { root, bytesMax } = job.task
  if (!isPullable(root)) throw malformed(job, 'its CID is of another kind')
  const most = root.code === RAW ? LEAF_BYTES_MAX : BLOCK_BYTES_MAX
  const bounds = root.code === DAG_PB ? NODE_BOUNDS : { bytesMin: 0, bytesMax: Math.min(bytesMax, most) }
  await want(job, [{ cid: root, bounds, place: null, isRoot: true }])
}

/** Adds what is not in the store to the plan, and opens the nodes that are. */
async function want(job: Job, wanted: readonly Wanted[]): Promise<void> {
  const { plan, deps, over } = job
  job.opening += 1
  try {
    const missing: Wanted[] = []
    for (const block of wanted) {
      over.signal.throwIfAborted()
      if (job.seen.has(String(block.cid))) {
        job.doneBytes += isNode(job, block) ? (block.place?.bytes ?? 0) : block.bounds.bytesMax
        continue
      }
      job.seen.add(String(block.cid))
      const isHere = await deps.store.has(block.cid)
      const node = isHere && isNode(job, block) ? await deps.store.get(block.cid, { signal: over.signal }) : null
      if (node !== null) await open(job, block, node)
      else if (isHere && !isNode(job, block)) job.doneBytes += block.bounds.bytesMax
      else missing.push(block)
    }
    plan.add(missing)
  } finally {
    job.opening -= 1
  }
  settle(job)
}

const isNode = ({ task }: Job, { cid }: Wanted): boolean => cid.code === DAG_PB && !task.isShallow

/** A node that was judged asks for what is below it. */
async function open(job: Job, block: Wanted, bytes: Uint8Array): Promise<void> {
  const node = judge(job, block, bytes)
  if (block.isRoot) job.totalBytes = node.bytes
  await want(job, node.children.map(wantedOf))
}

function judge(job: Job, { cid, place, isRoot }: Wanted, bytes: Uint8Array) {
  const node = readFileNode(bytes, place)
  if (typeof node === 'string') throw malformed(job, `${cid} ${node}`)
  if (isRoot && node.bytes > job.task.bytesMax) throw tooLarge(job, node.bytes)
  return node
}

function wantedOf(child: Child): Wanted {
  const { cid, bytes } = child
  const isLeaf = cid.code === RAW
  const bounds = isLeaf ? { bytesMin: bytes, bytesMax: bytes } : NODE_BOUNDS
  return { cid, bounds, place: isLeaf ? null : child, isRoot: false }
}

/** True when the bytes are what the CID says: the one time that a block is hashed. */
export const isGenuine = ({ cid }: Block, bytes: Uint8Array): boolean =>
  equalBytes(hash('sha256', bytes, 'buffer'), cid.multihash.digest)

/** Stores a genuine block; a node is judged before. What fails here ends the fetch, for no peer can do better. */
export async function keep(job: Job, block: Block, bytes: Uint8Array): Promise<void> {
  const { deps, over } = job
  job.opening += 1
  try {
    if (isNode(job, block)) judge(job, block, bytes)
    await deps.store.put(block.cid, bytes, { signal: over.signal, verified: true })
    if (over.signal.aborted) return
    job.plan.arrived(block)
    job.arrivedMs = deps.clock.now()
    if (isNode(job, block)) await open(job, block, bytes)
    else job.doneBytes += bytes.length
    job.task.onProgress({ doneBytes: job.doneBytes, totalBytes: Math.max(job.totalBytes, job.doneBytes) })
  } catch (error) {
    job.fail(error)
  } finally {
    job.opening -= 1
  }
  settle(job)
}

/** Ends the job when all is here, or when nobody is left to ask. */
export function settle(job: Job): void {
  job.changes.tell()
  if (job.opening > 0) return
  if (job.plan.isDone()) job.finish()
  else if (!job.isSearching && !isAnybodyLeft(job)) job.fail(unavailable(job))
}

export const isAnybodyLeft = ({ tried }: Job): boolean => [...tried.values()].includes(null)

/** Gives up when nothing comes although there are peers: they wait for one another, or for somebody who is gone. */
export async function watch(job: Job): Promise<void> {
  const { clock } = job.deps
  const { signal } = job.over
  while (!signal.aborted) {
    await job.changes.next(PROGRESS_MS / 8, { signal })
    if (clock.now() - job.arrivedMs >= PROGRESS_MS) return job.fail(unavailable(job))
  }
}

function unavailable({ task, tried, plan }: Job): NodeError {
  const reasons = [...tried.values()].map((reason) => reason ?? 'no progress')
  if (reasons.includes('too-large') && !plan.isDone()) {
    return new NodeError('BLOB_TOO_LARGE', {
      what: `${task.root} was not fetched`,
      why: `it is larger than ${task.bytesMax} bytes, say those who have it`,
      data: { cid: String(task.root), bytesMax: task.bytesMax },
    })
  }
  if (reasons.length > 0 && reasons.every((reason) => reason === 'relayed-only')) {
    return new NodeError('BLOB_UNAVAILABLE', {
      what: `${task.root} was not fetched`,
      why: 'who may have it is met through a relay, which carries no files, and neither side can dial the other',
      remedy: 'Fetch from a machine that others can dial, or name a peer with an address of its own.',
      data: { cid: String(task.root), peers: reasons.length },
    })
  }
  const counts = [...new Set(reasons)].map((reason) => `${reasons.filter((each) => each === reason).length} ${reason}`)
  return new NodeError('BLOB_UNAVAILABLE', {
    what: `${task.root} was not fetched`,
    why: reasons.length === 0 ? 'there is no peer to ask' : `of ${reasons.length} peers asked: ${counts.join(', ')}`,
    data: { cid: String(task.root), peers: reasons.length },
  })
}

const tooLarge = ({ task }: Job, sizeBytes: number): NodeError =>
  new NodeError('BLOB_TOO_LARGE', {
    what: `${task.root} was not fetched`,
    why: `it has ${sizeBytes} bytes, and ${task.bytesMax} were agreed on`,
    data: { cid: String(task.root), bytes: sizeBytes, bytesMax: task.bytesMax },
  })

const malformed = ({ task }: Job, why: string): NodeError =>
  new NodeError('BLOB_MALFORMED', { what: `${task.root} was not fetched`, why, data: { cid: String(task.root) } })
