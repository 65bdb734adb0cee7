/**
 * What becomes of a transaction: it is sent again and looked for until its fate is final.
 *
 * Only the chain tells a fate. It landed when a final block holds it; it is dead when its era is over, or another one has
 * its nonce, and every block until then was searched. What a pool says of it decides how it goes on, and ends it in one case
 * alone: these bytes were never given to anybody before.
 */
import type { ApiPromise } from '@polkadot/api'
import { NodeError } from '../errors.ts'
import type { Cancel, Log } from '../ports.ts'
import type { Sent } from './journal.ts'
import type { Link } from './link.ts'
import { bestNumber, finalHead, hashAt, stateAt } from './read.ts'
import { explainDispatch, explainRefusal } from './refusal.ts'
import type { Signer } from './sign.ts'
import { RpcError } from './socket.ts'
import { standsIn, type Write } from './write.ts'

export type Fate =
  | { readonly is: 'landed'; readonly block: number }
  /** Included and refused, or refused before anybody had it. */
  | { readonly is: 'failed'; readonly error: NodeError }
  /** It can never be included any more. */
  | { readonly is: 'dead' }
  /** The endpoint takes these bytes no more, though they may still be somewhere: others must have the same nonce. */
  | { readonly is: 'banned' }

export type FateDeps = { readonly link: Link; readonly signer: Pick<Signer, 'address'>; readonly log: Log }

/** Not in a block after this many: sent again, because something swallowed it. */
const SWALLOWED_BLOCKS = 2

/** Bytes of an earlier run are `known`: somebody may have them, and they are looked for until they are dead. */
export type Origin = 'new' | 'known'

type Seen = {
  readonly origin: Origin
  wasSent: boolean
  /** What the pool said against it, once it has answered. */
  refused: Fate | null
  /** Where it stands in the best chain. */
  included: { readonly block: number; readonly hash: string } | null
  /** The last block that was searched. */
  scanned: number
  /** The first block that no endpoint has any more. */
  unread: number | null
  /** The best block at which it was last sent. */
  sentAt: number
}

/** Sends an entry and watches the chain. A link that is away is waited for: the bytes are somewhere, and so is their fate. */
export async function follow(deps: FateDeps, entry: Sent, origin: Origin, { signal }: Cancel): Promise<Fate> {
  const { link } = deps
  const heads = createHeads(link, signal)
  const seen: Seen = {
    origin,
    wasSent: false,
    refused: null,
    included: null,
    scanned: entry.since,
    unread: null,
    sentAt: Number.NEGATIVE_INFINITY,
  }
  try {
    for (;;) {
      const fate = await link.use((api) => look(api, deps, entry, seen), { signal }).catch(laterIfAway(link))
      if (fate !== null) return fate
      await heads.next()
    }
  } finally {
    heads.stop()
  }
}

/** `null` when the chain is away for now; what else failed, and a link that was stopped, stays an error. */
export const laterIfAway =
  (link: Pick<Link, 'isStopped'>) =>
  (error: unknown): null => {
    if (error instanceof NodeError && error.code === 'CHAIN_UNAVAILABLE' && !link.isStopped()) return null
    throw error
  }

/** One look at the chain: `null` while nothing is final. */
async function look(api: ApiPromise, deps: FateDeps, entry: Sent, seen: Seen): Promise<Fate | null> {
  const { log, signer } = deps
  // What nobody has is in no block.
  if (seen.origin === 'new' && !seen.wasSent) return give(api, log, entry, seen, await bestNumber(api))
  // In this order, and never behind it: what is final has been searched then.
  const { number: final, hash } = await finalHead(api)
  const [head, nonce] = await Promise.all([bestNumber(api), nonceAt(api, hash, signer.address)])
  const best = Math.max(final, head)
  await search(api, entry, seen, { best, final })
  if (seen.included !== null) return seen.included.block <= final ? judge(api, log, entry, seen.included) : null
  const isTaken = nonce > entry.nonce
  if (isTaken && seen.unread !== null) return presumed(log, entry, seen.unread)
  if (isTaken || final >= entry.dies - 1) return { is: 'dead' }
  if (seen.refused !== null) return seen.refused
  const isDue = best < entry.dies - 1 && best - seen.sentAt >= SWALLOWED_BLOCKS
  return isDue ? give(api, log, entry, seen, best) : null
}

/** Hands it to the endpoint, once more or for the first time. */
async function give(api: ApiPromise, log: Log, entry: Sent, seen: Seen, best: number): Promise<Fate | null> {
  seen.sentAt = best
  log.info('a transaction is sent', { kind: entry.kind, block: best, lastBlock: entry.lastBlock })
  await Promise.race([send(api, log, entry, seen), answerTime(api)])
  return seen.refused
}

/** Looks for the signed bytes in every block since they could be there; a fork makes it look again. */
async function search(
  api: ApiPromise,
  entry: Sent,
  seen: Seen,
  { best, final }: { readonly best: number; readonly final: number },
): Promise<void> {
  if (seen.included !== null) {
    const hash = await hashAt(api, seen.included.block)
    if (hash === seen.included.hash) return
    // A fork took it back: whoever made the other blocks may never have heard of it.
    seen.included = null
    seen.sentAt = Number.NEGATIVE_INFINITY
  }
  // What is not final may have been replaced since we looked.
  const from = Math.max(entry.since, Math.min(seen.scanned, final)) + 1
  for (let number = from; number <= Math.min(best, entry.dies); number++) {
    const hash = await hashAt(api, number)
    const extrinsics = await extrinsicsOf(api, hash)
    if (extrinsics === null) seen.unread ??= number
    else if (placeOf(extrinsics, entry) !== -1) seen.included = { block: number, hash }
    seen.scanned = number
    if (seen.included !== null) return
  }
}

/** Where in a block one of the transactions for this effect stands. */
const placeOf = (extrinsics: readonly string[], { signed, earlier }: Sent): number =>
  extrinsics.findIndex((extrinsic) => extrinsic === signed || earlier.includes(extrinsic))

/** As hex, undecoded: somebody else's extrinsics need not be understood. `null` where the endpoint has dropped the block. */
export async function extrinsicsOf(api: ApiPromise, hash: string): Promise<readonly string[] | null> {
  const raw = (await api.rpc.chain.getBlock.raw(`0x${hash}`)) as unknown as {
    block?: { extrinsics?: readonly string[] }
  } | null
  return raw?.block?.extrinsics ?? null
}

/** Transactions of an account that are in the chain at a block: a nonce below that is taken. */
async function nonceAt(api: ApiPromise, hash: string, address: string): Promise<number> {
  const { at } = await stateAt(api, hash)
  const account = (await at.query['system']?.['account']?.(address))?.toJSON() as { nonce?: unknown } | undefined
  return Number(account?.nonce ?? 0)
}

/** It is in a final block: did it do what it was for? */
async function judge(
  api: ApiPromise,
  log: Log,
  entry: Sent,
  { block, hash }: { readonly block: number; readonly hash: string },
): Promise<Fate> {
  try {
    const index = placeOf((await extrinsicsOf(api, hash)) ?? [], entry)
    const failure = await explainDispatch(api, hash, index)
    if (failure !== null) return { is: 'failed', error: failure }
    const stands = await standsIn(await stateAt(api, hash), { kind: entry.kind, effect: entry.effect } as Write)
    if (stands !== null) return { is: 'landed', block }
  } catch (error) {
    if (!isPruned(error)) throw error
    return presumed(log, entry, block)
  }
  const why = `block ${block} holds another value: another process may write with the same key`
  return {
    is: 'failed',
    error: new NodeError('COMMITMENT_LOST', { what: `a write (${entry.kind}) was overwritten`, why }),
  }
}

/** Of a run that ended long ago. It was in the chain once, as far as anybody can tell, and must not be so again. */
function presumed(log: Log, { kind }: Sent, block: number): Fate {
  log.warn('a transaction landed where nobody can look any more', { kind, block })
  return { is: 'landed', block }
}

/** Substrate's "state already discarded" and "unknown block". */
const isPruned = (error: unknown): boolean =>
  /discarded|unknown block|not found/i.test(error instanceof Error ? `${error.message} ${String(error.cause)}` : '')

/** An answer may be lost while the transaction is not: the blocks decide, and nobody waits for the answer. */
async function send(api: ApiPromise, log: Log, entry: Sent, seen: Seen): Promise<void> {
  const isFirst = seen.origin === 'new' && !seen.wasSent
  seen.wasSent = true
  try {
    await api.rpc.author.submitExtrinsic(entry.signed)
  } catch (error) {
    if (error instanceof NodeError) return
    if (error instanceof RpcError) log.warn('the pool refused a transaction', { kind: entry.kind, code: error.code })
    // What the library cannot encode any more is of an earlier runtime.
    const refusal = error instanceof RpcError ? explainRefusal(error, entry.kind) : ({ is: 'banned' } as const)
    // A refusal ends it only where nobody else can have the bytes; else it may be on its way, and the next block tells.
    const isEnd = seen.origin === 'new' && (refusal?.is === 'banned' || isFirst)
    seen.refused = isEnd ? refusal : null
    if (seen.refused === null) seen.sentAt -= SWALLOWED_BLOCKS - 1
  }
}

/** Any other question that was asked after it: when that is answered, the answer to it is late or lost. */
const answerTime = async (api: ApiPromise): Promise<void> => void (await api.rpc.chain.getFinalizedHead())

export type Heads = { readonly next: () => Promise<void>; readonly stop: () => void }

/** Waits for the next head, or any other news of the link. */
export function createHeads(link: Link, signal: AbortSignal): Heads {
  let wake: () => void = () => undefined
  let fresh = false
  const unwatch = link.watch(() => {
    fresh = true
    wake()
  })
  fresh = false // what `watch` tells at once is not news
  const onAbort = (): void => wake()
  signal.addEventListener('abort', onAbort)
  return {
    next: async () => {
      if (!fresh && !signal.aborted && !link.isStopped()) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      fresh = false
      signal.throwIfAborted()
    },
    stop: () => {
      unwatch()
      signal.removeEventListener('abort', onAbort)
    },
  }
}
