/**
 * The writer of one key: one transaction in flight, on disk before it is sent, done when its effect was read back.
 *
 * A transaction is never believed, and while it could still land its effect is signed anew only with the same nonce, so
 * that one of them lands at most: a lost answer, a dead socket or a restart leaves it in the journal, and the journal is settled before anything new. Sending the same
 * signed bytes again is harmless, because a nonce counts once; their mortality says when they are dead for certain.
 */
import type { ApiPromise } from '@polkadot/api'
import { NodeError } from '../errors.ts'
import type { Cancel, Landing, Log } from '../ports.ts'
import { withoutPrefix } from '../util/bytes.ts'
import { createQueue } from '../util/queue.ts'
import type { Journal, Sent } from './journal.ts'
import type { Link } from './link.ts'
import { bestNumber, finalHead, hashAt, type State, stateAt } from './read.ts'
import { explainDispatch, explainRefusal } from './refusal.ts'
import { RpcError } from './socket.ts'
import { callOf, standsIn, type Write } from './write.ts'

/** Signs for one account; the secret stays behind it. */
export type Signer = {
  /** SS58. */
  readonly address: string
  readonly publicKey: Uint8Array
  /** A signature of 64 bytes over exactly these bytes. */
  readonly sign: (bytes: Uint8Array) => Uint8Array
}

export type WriterDeps = { readonly link: Link; readonly journal: Journal; readonly signer: Signer; readonly log: Log }

export type Pending = { readonly kind: string; readonly lastBlock: number; readonly sinceBlock: number }
export type Writer = {
  /** Resolves when the effect stands in a finalised block. Writes of one key follow one another. */
  readonly write: (write: Write, opts: { readonly lastBlock: number } & Cancel) => Promise<Landing>
  readonly pending: () => readonly Pending[]
}

/** Not in a block after this many: sent again, because something swallowed it. */
const SWALLOWED_BLOCKS = 2
/** Mortality is a power of two of blocks, and four is the least that a chain knows. */
const ERA_BLOCKS_MIN = 4
const ERA_BLOCKS_MAX = 64
/** Writes that wait for their turn. */
const QUEUE_MAX = 32

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
  return {
    write: (write, opts) =>
      inTurn(async () => {
        await recoverAll(deps, opts)
        return land(deps, write, opts)
      }),
    pending: () =>
      deps.journal.open().map(({ kind, lastBlock, signedAt }) => ({ kind, lastBlock, sinceBlock: signedAt })),
  }
}

/** The fate of a transaction that was sent at some time. */
type Fate =
  | { readonly is: 'landed'; readonly block: number }
  | { readonly is: 'failed'; readonly error: NodeError }
  /** It can never be included any more. */
  | { readonly is: 'dead' }
  /** The endpoint takes these bytes no more, though they may still be somewhere: others must have the same nonce. */
  | { readonly is: 'banned' }
  /** Its window is over; whether it lands does not matter any more. */
  | { readonly is: 'missed' }

async function recoverAll(deps: WriterDeps, opts: Cancel): Promise<void> {
  for (const entry of deps.journal.open()) {
    const fate = await follow(deps, entry, opts)
    deps.log.info('a write of an earlier run was settled', { kind: entry.kind, fate: fate.is })
    await deps.journal.settled(entry.id)
  }
}

async function land(
  deps: WriterDeps,
  write: Write,
  { lastBlock, signal }: { readonly lastBlock: number } & Cancel,
): Promise<Landing> {
  const { link, journal } = deps
  let banned: Sent | null = null
  for (;;) {
    const standing = await alreadyStands(link, write, signal)
    if (standing !== null) return { block: standing }
    const best = await link.use(bestNumber, { signal })
    if (best >= lastBlock) throw windowMissed(write.kind, lastBlock)
    const entry: Sent = await sign(deps, write, lastBlock, banned, signal)
    await journal.sent(entry)
    const fate = await follow(deps, entry, { signal })
    await journal.settled(entry.id)
    if (fate.is === 'landed') return { block: fate.block }
    if (fate.is === 'failed') throw fate.error
    if (fate.is === 'missed') throw windowMissed(write.kind, lastBlock)
    banned = fate.is === 'banned' ? entry : null
    deps.log.warn('a transaction is signed anew', { kind: write.kind, lastBlock, why: fate.is })
  }
}

/** The same effect asked for twice is written once. */
async function alreadyStands(link: Link, write: Write, signal: AbortSignal): Promise<number | null> {
  return link.use(async (api) => (await standsIn(await stateAt(api, (await finalHead(api)).hash), write)) ?? null, {
    signal,
  })
}

const windowMissed = (kind: string, lastBlock: number): NodeError =>
  new NodeError('WINDOW_MISSED', {
    what: `a write (${kind}) is not in the finalised state of block ${lastBlock}`,
    why: 'it was not included in time',
    data: { kind, lastBlock },
  })

/**
 * Mortality ends with the window: a write that missed it must not come after all. Where fewer blocks are left than the
 * shortest era has, the era began before.
 */
function eraOf(best: number, lastBlock: number): { readonly birth: number; readonly period: number } {
  let period = ERA_BLOCKS_MIN
  while (2 * period <= Math.min(ERA_BLOCKS_MAX, lastBlock - best + 1)) period *= 2
  return { birth: Math.max(0, Math.min(best, lastBlock + 1 - period)), period }
}

async function sign(
  { link, signer }: WriterDeps,
  write: Write,
  lastBlock: number,
  banned: Sent | null,
  signal: AbortSignal,
): Promise<Sent> {
  return link.use(
    async (api) => {
      const best = await bestNumber(api)
      const { birth, period } = eraOf(best, lastBlock)
      const nonce = banned?.nonce ?? (await api.rpc.system.accountNextIndex(signer.address)).toNumber()
      const era = api.createType('ExtrinsicEra', { current: birth, period })
      const tx = callOf(api, write)
      const options = { nonce, era, blockHash: `0x${await hashAt(api, birth)}` }
      await tx.signAsync(pairOf(signer), options)
      return {
        id: withoutPrefix(tx.hash.toHex()),
        kind: write.kind,
        effect: write.effect,
        lastBlock,
        nonce,
        signed: tx.toHex(),
        earlier: banned === null ? [] : [...banned.earlier, banned.signed],
        signedAt: banned?.signedAt ?? best,
        dies: birth + period,
      }
    },
    { signal },
  )
}

/** What the library takes for a key pair: it calls `sign` and reads three fields. */
const pairOf = (signer: Signer): never =>
  ({
    address: signer.address,
    addressRaw: signer.publicKey,
    publicKey: signer.publicKey,
    type: 'sr25519',
    isLocked: false,
    sign: (bytes: Uint8Array, options?: { withType?: boolean }) => {
      const signature = signer.sign(bytes)
      return options?.withType === true ? Uint8Array.of(1, ...signature) : signature
    },
  }) as never

/** Sends an entry and watches the chain until its fate is final. */
async function follow(deps: WriterDeps, entry: Sent, { signal }: Cancel): Promise<Fate> {
  const { link } = deps
  const heads = createHeads(link, signal)
  const seen: Seen = { refused: null, included: null, scanned: entry.signedAt, sentAt: Number.NEGATIVE_INFINITY }
  try {
    for (;;) {
      const fate = await link.use((api) => look(api, deps.log, entry, seen), { signal })
      if (fate !== null) return fate
      await heads.next()
    }
  } finally {
    heads.stop()
  }
}

type Seen = {
  /** What the pool said against it, once it has answered. */
  refused: Fate | null

  /** Where the transaction stands in the best chain. */
  included: { readonly block: number; readonly hash: string } | null
  /** The last block that was searched. */
  scanned: number
  /** The best block at which it was last sent. */
  sentAt: number
}

/** One look at the chain: `null` while nothing is final. */
async function look(api: ApiPromise, log: Log, entry: Sent, seen: Seen): Promise<Fate | null> {
  const best = await bestNumber(api)
  const { number: final } = await finalHead(api)
  await search(api, entry, seen, best, final)
  if (seen.included !== null) return seen.included.block <= final ? judge(api, entry, seen.included) : null
  // It may still land until it dies, but too late to matter; what is written next has the next nonce and comes after it.
  if (final >= entry.lastBlock) return { is: 'missed' }
  if (final >= entry.dies) return { is: 'dead' }
  if (seen.refused !== null) return seen.refused
  if (best < entry.dies && best - seen.sentAt >= SWALLOWED_BLOCKS) {
    seen.sentAt = best
    log.info('a transaction is sent', { kind: entry.kind, block: best, lastBlock: entry.lastBlock })
    await Promise.race([send(api, log, entry, seen), answerTime(api)])
  }
  return seen.refused
}

/** Looks for the signed bytes in every block since they were signed; a fork makes it look again. */
async function search(api: ApiPromise, entry: Sent, seen: Seen, best: number, final: number): Promise<void> {
  if (seen.included !== null) {
    const hash = await hashAt(api, seen.included.block)
    if (hash === seen.included.hash) return
    // A fork took it back: whoever made the other blocks may never have heard of it.
    seen.included = null
    seen.sentAt = Number.NEGATIVE_INFINITY
  }
  // What is not final may have been replaced since we looked.
  const from = Math.max(entry.signedAt, Math.min(seen.scanned, final)) + 1
  for (let number = from; number <= Math.min(best, entry.dies); number++) {
    const hash = await hashAt(api, number)
    const extrinsics = await extrinsicsOf(api, hash)
    if (placeOf(extrinsics, entry) !== -1) seen.included = { block: number, hash }
    seen.scanned = number
    if (seen.included !== null) return
  }
}

/** Where in a block one of the transactions for this effect stands. */
const placeOf = (extrinsics: readonly string[], { signed, earlier }: Sent): number =>
  extrinsics.findIndex((extrinsic) => extrinsic === signed || earlier.includes(extrinsic))

/** As hex, undecoded: somebody else's extrinsics need not be understood. */
export async function extrinsicsOf(api: ApiPromise, hash: string): Promise<readonly string[]> {
  const raw = (await api.rpc.chain.getBlock.raw(`0x${hash}`)) as unknown as {
    block?: { extrinsics?: readonly string[] }
  } | null
  return raw?.block?.extrinsics ?? []
}

/** It is in a final block: did it do what it was for? */
async function judge(api: ApiPromise, entry: Sent, { block, hash }: { block: number; hash: string }): Promise<Fate> {
  const index = placeOf(await extrinsicsOf(api, hash), entry)
  const failure = await explainDispatch(api, hash, index)
  if (failure !== null) return { is: 'failed', error: failure }
  if (block > entry.lastBlock) return { is: 'missed' }
  const state: State = await stateAt(api, hash)
  const stands = await standsIn(state, { kind: entry.kind, effect: entry.effect } as Write)
  if (stands !== null) return { is: 'landed', block }
  const why = `block ${block} holds another value: another process may write with the same key`
  return {
    is: 'failed',
    error: new NodeError('COMMITMENT_LOST', { what: `a write (${entry.kind}) was overwritten`, why }),
  }
}

/** An answer may be lost while the transaction is not: the blocks decide, and nobody waits for the answer. */
async function send(api: ApiPromise, log: Log, entry: Sent, seen: Seen): Promise<void> {
  try {
    await api.rpc.author.submitExtrinsic(entry.signed)
  } catch (error) {
    if (!(error instanceof RpcError)) return
    log.warn('the pool refused a transaction', { kind: entry.kind, code: error.code })
    seen.refused = explainRefusal(error, entry.kind)
    // It may still be on its way, or this node may be mistaken: the next block tells.
    if (seen.refused === null) seen.sentAt -= SWALLOWED_BLOCKS - 1
  }
}

/** Any other question that was asked after it: when that is answered, the answer to it is late or lost. */
const answerTime = async (api: ApiPromise): Promise<void> => void (await api.rpc.chain.getFinalizedHead())

/** Waits for the next head, or the next sign of life of the link. */
function createHeads(
  link: Link,
  signal: AbortSignal,
): { readonly next: () => Promise<void>; readonly stop: () => void } {
  let wake: () => void = () => undefined
  let fresh = false
  const unwatch = link.watch((event) => {
    if (event.type === 'chain.degraded') return
    fresh = true
    wake()
  })
  fresh = false // what `watch` tells at once is not news
  const onAbort = (): void => wake()
  signal.addEventListener('abort', onAbort)
  return {
    next: async () => {
      if (!fresh && !signal.aborted) {
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
