/**
 * The writer of one key: one transaction in flight, on disk before it is sent, done when its effect was read back.
 *
 * A transaction is never believed. Until its fate is final it stays in the journal, and its effect is signed anew with the
 * same nonce alone, so that one of all its forms lands at most: a lost answer, a dead socket or a restart changes nothing of
 * that. What an earlier run left open is settled before anything new.
 */
import { NodeError } from '../errors.ts'
import type { Cancel, Landing, Log } from '../ports.ts'
import { withoutPrefix } from '../util/bytes.ts'
import { createQueue } from '../util/queue.ts'
import { createHeads, type Fate, follow, laterIfAway } from './fate.ts'
import type { Journal, Sent } from './journal.ts'
import type { Link } from './link.ts'
import { bestNumber, finalHead, stateAt } from './read.ts'
import { type Signer, signWrite } from './sign.ts'
import { isSeenInState, standsIn, type Write } from './write.ts'

export type WriterDeps = { readonly link: Link; readonly journal: Journal; readonly signer: Signer; readonly log: Log }

export type Pending = { readonly kind: string; readonly lastBlock: number; readonly sinceBlock: number }
export type Writer = {
  /** Resolves when the effect stands in a finalised block. Writes of one key follow one another. */
  readonly write: (write: Write, opts: Opts) => Promise<Landing>
  readonly pending: () => readonly Pending[]
}
type Opts = { readonly lastBlock: number } & Cancel

/** Writes that wait for their turn. */
const QUEUE_MAX = 32
/** What an earlier run began so many blocks ago at most is what is asked for again now, not a second one of its kind. */
const RECENT_BLOCKS = 256

export function createWriter(deps: WriterDeps): Writer {
  const queue = createQueue()
  let queued = 0
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    if (queued >= QUEUE_MAX) {
      const why = `${QUEUE_MAX} writes wait already`
      return Promise.reject(new NodeError('CHAIN_UNAVAILABLE', { what: 'the queue of writes is full', why }))
    }
    queued += 1
    return queue(work).finally(() => {
      queued -= 1
    })
  }
  /** Landings of writes that an earlier run began, by what they were. */
  const recovered = new Map<string, Landing>()
  return {
    write: (write, opts) =>
      inTurn(async () => {
        await settleJournal(deps, recovered, opts)
        return (await recall(deps, recovered, write, opts)) ?? land(deps, write, opts)
      }),
    pending: () => deps.journal.open().map(({ kind, lastBlock, since }) => ({ kind, lastBlock, sinceBlock: since })),
  }
}

const keyOf = ({ kind, effect }: Pick<Sent, 'kind' | 'effect'>): string => JSON.stringify([kind, effect])

/** Of this chain alone: a journal may have been moved. */
async function settleJournal(deps: WriterDeps, recovered: Map<string, Landing>, { signal }: Opts): Promise<void> {
  const { journal, log } = deps
  if (journal.open().length === 0) return
  const genesis = await patiently(deps, async (api) => withoutPrefix(api.genesisHash.toHex()), { signal })
  for (const entry of journal.open().filter((sent) => sent.genesis === genesis)) {
    const fate = await follow(deps, entry, 'known', { signal })
    log.info('a write of an earlier run was settled', { kind: entry.kind, fate: fate.is })
    if (fate.is === 'landed') recovered.set(keyOf(entry), { block: fate.block })
    await journal.settled(entry.id)
  }
}

/** What the state does not show is remembered once: who asks again after a crash means the same write. */
async function recall(
  deps: WriterDeps,
  recovered: Map<string, Landing>,
  write: Write,
  { signal }: Opts,
): Promise<Landing | null> {
  const landing = recovered.get(keyOf(write))
  recovered.delete(keyOf(write))
  if (landing === undefined || isSeenInState(write)) return null
  const best = await patiently(deps, bestNumber, { signal })
  return best - landing.block <= RECENT_BLOCKS ? landing : null
}

async function land(deps: WriterDeps, write: Write, { lastBlock, signal }: Opts): Promise<Landing> {
  const { link, journal, signer, log } = deps
  const heads = createHeads(link, signal)
  let instead: Sent | null = null
  try {
    for (;;) {
      const [standing, best] = await Promise.all([
        instead === null ? alreadyStands(deps, write, { signal }) : null,
        patiently(deps, bestNumber, { signal }),
      ])
      if (standing !== null) return { block: standing }
      if (best >= lastBlock) throw windowMissed(write.kind, lastBlock)
      const terms = { lastBlock, instead }
      const entry: Sent = await patiently(deps, (api) => signWrite(api, signer, write, terms), { signal })
      await journal.sent(entry, instead?.id ?? null)
      const fate: Fate = await follow(deps, entry, 'new', { signal })
      if (fate.is !== 'banned') await journal.settled(entry.id)
      if (fate.is === 'landed' && fate.block <= lastBlock) return { block: fate.block }
      if (fate.is === 'landed') throw windowMissed(write.kind, lastBlock)
      if (fate.is === 'failed') throw fate.error
      // Whoever refuses one form after the other is asked once a block.
      if (instead !== null) await heads.next()
      instead = fate.is === 'banned' ? entry : null
      log.warn('a transaction is signed anew', { kind: write.kind, lastBlock, why: fate.is })
    }
  } finally {
    heads.stop()
  }
}

/** The same effect asked for twice is written once. */
async function alreadyStands(deps: WriterDeps, write: Write, opts: Cancel): Promise<number | null> {
  if (!isSeenInState(write)) return null
  const { block } = await patiently(
    deps,
    async (api) => ({ block: await standsIn(await stateAt(api, (await finalHead(api)).hash), write) }),
    opts,
  )
  return block
}

/** A link that is away is waited for: the window tells when it is too late, and the caller when nobody wants it any more. */
async function patiently<T>(
  { link }: WriterDeps,
  work: (api: Parameters<Parameters<Link['use']>[0]>[0]) => Promise<T>,
  { signal }: Cancel,
): Promise<T> {
  const heads = createHeads(link, signal)
  try {
    for (;;) {
      const done = await link.use(async (api) => ({ value: await work(api) }), { signal }).catch(laterIfAway(link))
      if (done !== null) return done.value
      await heads.next()
    }
  } finally {
    heads.stop()
  }
}

const windowMissed = (kind: string, lastBlock: number): NodeError =>
  new NodeError('WINDOW_MISSED', {
    what: `a write (${kind}) is not in the finalised state of block ${lastBlock}`,
    why: 'it was not included in time',
    data: { kind, lastBlock },
  })
