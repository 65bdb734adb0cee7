/**
 * One peer that a fetch takes from: several workers that ask for pieces, and one that asks what it has by now.
 *
 * A peer that does anything but answer is dropped for this fetch, with all that it was asked; its work falls to others.
 */
import type { Cancel, Clock } from '../../ports.ts'
import { DAG_PB } from '../store/cid.ts'
import { type Ended, isGenuine, type Job, keep, settle } from './job.ts'
import type { Misdeed } from './lane.ts'
import {
  BLOCK_BYTES_MAX,
  DUPLICATE_SHARE,
  HAVE_CIDS_MAX,
  HAVE_MS,
  IDLE_MS,
  SILENT_MS,
  SLOW_MS,
  SPARE_MS,
  WORKERS_PER_SOURCE,
} from './limits.ts'
import type { Link, LinkOutcome } from './link.ts'
import { type Block, createHoldings, type Holdings, type Piece } from './plan.ts'
import type { Gate } from './wait.ts'
import { bitmapBytes, decodeBitmap } from './wire.ts'

export type Source = {
  readonly job: Job
  readonly peerId: string
  readonly link: Link
  readonly holdings: Holdings
  readonly flight: Gate
  readonly silence: Silence
  /** Aborted when the peer is dropped, or the job is over. */
  readonly done: AbortController
  readonly drop: (ended: Ended, why: string) => void
}

export type SourceDeps = { readonly link: Link; readonly flight: Gate; readonly sources: Map<string, Source> }

/** Takes from the peer until the job is over or the peer is dropped. Never rejects. */
export async function runSource(job: Job, peerId: string, { link, flight, sources }: SourceDeps): Promise<void> {
  const done = new AbortController()
  const stop = (): void => done.abort(new Error('the fetch is over'))
  job.over.signal.addEventListener('abort', stop, { once: true })
  if (job.over.signal.aborted) stop()
  const holdings = createHoldings(peerId)
  const drop = (ended: Ended, why: string): void => {
    if (done.signal.aborted) return
    job.tried.set(peerId, ended)
    job.plan.forget(holdings)
    sources.delete(peerId)
    share(job, sources)
    done.abort(new Error(why))
    tell(job, peerId, ended, why)
  }
  const silence = createSilence(job.deps.clock)
  const source: Source = { job, peerId, link, holdings, flight, silence, done, drop }
  job.tried.set(peerId, null)
  sources.set(peerId, source)
  try {
    const workers = Array.from({ length: WORKERS_PER_SOURCE }, () => work(source))
    await Promise.all([...workers, follow(source, sources)])
    // Others have brought what it owed before it was given up.
    if (job.tried.get(peerId) === null && silence.isLasting()) tell(job, peerId, 'stalled', 'it leaves us waiting')
  } catch (error) {
    job.fail(error)
  } finally {
    job.over.signal.removeEventListener('abort', stop)
    sources.delete(peerId)
    link.release()
    settle(job)
  }
}

const MISDEEDS: ReadonlySet<string> = new Set<Misdeed>([
  'wrong-bytes',
  'wrong-length',
  'bad-frame',
  'stalled',
  'closed',
  'unreachable',
])

type Silence = {
  /** A question is put; the end of it is told with what is returned. */
  readonly begin: () => () => void
  readonly heard: () => void
  /** Whether the last that the peer did was to leave questions without a byte for too long, while they were open. */
  readonly isLasting: () => boolean
}

function createSilence(clock: Clock): Silence {
  let [questions, sinceMs, isLasting] = [0, 0, false]
  return {
    begin: () => {
      if (questions === 0) sinceMs = clock.now()
      questions += 1
      return () => {
        questions -= 1
        if (clock.now() - sinceMs >= SILENT_MS) isLasting = true
      }
    },
    heard: () => {
      sinceMs = clock.now()
      isLasting = false
    },
    isLasting: () => isLasting,
  }
}

function tell({ deps, task }: Job, peerId: string, ended: Ended, why: string): void {
  deps.log.debug('a peer is not asked any more', { peer: peerId, cid: String(task.root), reason: ended, why })
  if (MISDEEDS.has(ended)) deps.misbehaved(peerId, ended as Misdeed)
}

async function work(source: Source): Promise<void> {
  const { job, holdings } = source
  const { signal } = source.done
  const { now } = job.deps.clock
  const again = (piece: Piece): boolean => mayAskAgain(job, piece)
  let ownMs = now()
  while (!signal.aborted) {
    const spared = isSpared(job, ownMs)
    const picked = job.plan.pick(holdings, { again, spared })
    if (picked === null) await job.changes.next(IDLE_MS, { signal })
    else {
      await askFor(source, picked.piece, picked.blocks)
      if (spared) ownMs = now()
    }
  }
}

/**
 * Whether others who fetch the same may still bring what is theirs: while blocks come, and for twice as long again as our
 * share took. With one other peer that only says that it fetches, a transfer takes twice its time at worst.
 */
function isSpared({ deps, arrivedMs, beganMs }: Job, ownMs: number): boolean {
  const nowMs = deps.clock.now()
  const patienceMs = Math.max(SPARE_MS, 2 * (ownMs - beganMs))
  return nowMs - arrivedMs < SPARE_MS && nowMs - ownMs < patienceMs
}

/** A second peer is asked when the first has been silent, or is slow and second copies are few. */
function mayAskAgain({ deps, againBytes, totalBytes }: Job, piece: Piece): boolean {
  const nowMs = deps.clock.now()
  const isSilent = nowMs - piece.heardMs >= SILENT_MS
  const isSlow = nowMs - piece.askedMs >= SLOW_MS && againBytes + piece.bytes <= totalBytes * DUPLICATE_SHARE
  return piece.askers.size === 1 && (isSilent || isSlow)
}

async function askFor(source: Source, piece: Piece, blocks: readonly Block[]): Promise<void> {
  const { job, flight, peerId } = source
  const asking = new AbortController()
  const stop = (): void => asking.abort(new Error('the piece is here, or the peer is not asked any more'))
  source.done.signal.addEventListener('abort', stop, { once: true })
  if (piece.askers.size > 0) job.againBytes += piece.bytes
  piece.askers.set(peerId, stop)
  piece.askedMs = piece.heardMs = job.deps.clock.now()
  const { signal } = asking
  try {
    const leave = await flight.enter(piece.bytes, { signal })
    try {
      await take(source, { piece, blocks, signal })
    } finally {
      leave()
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    source.done.signal.removeEventListener('abort', stop)
    piece.askers.delete(peerId)
    job.changes.tell()
  }
}

/** Asks for blocks, and keeps what comes while more is coming. */
async function take(
  source: Source,
  { piece, blocks, signal }: { readonly piece: Piece; readonly blocks: readonly Block[] } & Cancel,
): Promise<void> {
  const { job, link, holdings, silence } = source
  const { stats, clock } = job.deps
  const keeping: Promise<void>[] = []
  let isWrong = false
  const hear = (part: number, bytes: Uint8Array | null): boolean => {
    const block = blocks[part] as Block
    if (bytes === null) {
      job.plan.claim(holdings, block, false)
      if (block.isRoot) source.drop('absent', 'the peer has it not')
      return true
    }
    stats.receivedBytes += bytes.length
    isWrong = !isGenuine(block, bytes)
    if (isWrong) stats.refusedBytes += bytes.length
    if (!isWrong && block.isHere) stats.duplicateBytes += bytes.length
    if (!isWrong && !block.isHere) keeping.push(keep(job, block, bytes))
    return !isWrong
  }
  const heard = (): void => {
    piece.heardMs = clock.now()
    silence.heard()
  }
  const request = {
    kind: 'get',
    cids: blocks.map(({ cid }) => cid),
    bounds: blocks.map(({ bounds }) => bounds),
  } as const
  const answered = silence.begin()
  const outcome = await link.ask({ ...request, hear, heard }, { signal }).finally(answered)
  if (isWrong) source.drop('wrong-bytes', 'a block has another hash than its CID')
  else dropFor(source, outcome, blocks)
  await Promise.all(keeping)
}

function dropFor(source: Source, outcome: LinkOutcome, blocks: readonly Block[] | null): void {
  if (outcome.kind === 'unreachable' || outcome.kind === 'relayed-only') source.drop(outcome.kind, outcome.why)
  if (outcome.kind !== 'failed') return
  const [first] = blocks ?? []
  const isDocument = first?.isRoot === true && first.cid.code !== DAG_PB
  // Nobody can tell whether a document is larger than agreed without taking it all, so the peer's word has to do.
  const isTooLarge = isDocument && outcome.reason === 'wrong-length' && (outcome.length ?? 0) <= BLOCK_BYTES_MAX
  source.drop(isTooLarge ? 'too-large' : outcome.reason, outcome.why)
}

/** Asks what the peer has: all of it once, and again and again while it has only a part. */
async function follow(source: Source, sources: ReadonlyMap<string, Source>): Promise<void> {
  const { job, holdings } = source
  const { signal } = source.done
  let roundMs = 0
  while (!signal.aborted) {
    const unknown = job.plan.unknown(holdings, HAVE_CIDS_MAX)
    const isNew = unknown.some(({ index }) => !holdings.claims.has(index))
    const waitMs = roundMs + HAVE_MS - job.deps.clock.now()
    if (unknown.length === 0) await job.changes.next(IDLE_MS, { signal })
    else if (!isNew && waitMs > 0) await job.changes.next(waitMs, { signal })
    else {
      roundMs = job.deps.clock.now()
      await ask(source, unknown)
      share(job, sources)
    }
  }
}

async function ask(source: Source, blocks: readonly Block[]): Promise<void> {
  const { job, link, holdings, silence } = source
  const answered = silence.begin()
  const outcome = await have(link, blocks, { signal: source.done.signal }).finally(answered)
  if (outcome.kind !== 'known') return dropFor(source, outcome, null)
  silence.heard()
  for (const [i, block] of blocks.entries()) job.plan.claim(holdings, block, outcome.bits[i] === true)
  holdings.isPartial = outcome.bits.includes(false)
  job.changes.tell()
}

export type HaveOutcome = LinkOutcome | { readonly kind: 'known'; readonly bits: readonly boolean[] }

/** What the peer says of these blocks, or why it says nothing. */
export async function have(link: Link, blocks: readonly Pick<Block, 'cid'>[], opts: Cancel): Promise<HaveOutcome> {
  const bytes = bitmapBytes(blocks.length)
  const answer: { bits: readonly boolean[] | null } = { bits: null }
  const hear = (_: number, bitmap: Uint8Array | null): boolean => {
    answer.bits = bitmap === null ? null : decodeBitmap(bitmap, blocks.length)
    return answer.bits !== null
  }
  const cids = blocks.map(({ cid }) => cid)
  const outcome = await link.ask({ kind: 'have', cids, bounds: [{ bytesMin: bytes, bytesMax: bytes }], hear }, opts)
  if (outcome.kind === 'stopped') return { kind: 'failed', reason: 'bad-frame', why: 'a bitmap is none' }
  return outcome.kind === 'answered' && answer.bits !== null ? { kind: 'known', bits: answer.bits } : outcome
}

/** Who has a part only fetches the same, and takes its share of the work. */
function share({ plan }: Job, sources: ReadonlyMap<string, Source>): void {
  plan.share([...sources.values()].map(({ holdings }) => holdings).filter(({ isPartial }) => isPartial))
}
