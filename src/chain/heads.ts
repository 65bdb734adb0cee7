/**
 * The heads of the chain: what an endpoint tells of them is judged here, kept, and told on.
 *
 * Best and finalised heads are kept apart. Finalised ones are told one by one, those missed during an outage when it is over,
 * and what was told final once must be final at every later endpoint. A finalised head, and a best one far from the last,
 * counts only when the endpoint's own chain has it at that height, so that one absurd number does no harm. A fork is told
 * only when other blocks stand where ours stood: an endpoint that lags is none.
 */
import type { ApiPromise } from '@polkadot/api'
import type { Header } from '@polkadot/types/interfaces'
import { NodeError } from '../errors.ts'
import type { Block, ChainEvent } from '../ports.ts'
import { withoutPrefix } from '../util/bytes.ts'
import { isUnavailable, wordsOf } from './generation.ts'
import { hashAt } from './read.ts'
import { isRecord } from './socket.ts'

/** One generation of the link, as far as heads are concerned. */
export type Feed = {
  readonly api: ApiPromise
  /** Ends the generation. */
  readonly condemn: (why: string) => void
  readonly isOver: () => boolean
  /** The finalised head of this endpoint, which may be ahead of what was told. */
  final: number
  /** How many heads it told that were higher than any before. */
  news: number
}

export type HeadsDeps = {
  readonly now: () => number
  readonly tell: (event: ChainEvent) => void
  /** A best head is about to be told: it is a sign of life. */
  readonly alive: (feed: Feed, best: Block) => void
}

/** So many of the last best heads are compared with what an endpoint tells. */
const RECENT_BLOCKS = 64
/** After an outage longer than this the node starts from the present head: a cycle has ended without it. */
const GAP_BLOCKS_MAX = 1_024

/** What the library makes of the hash of a block that is not there. */
const NO_HASH = '0'.repeat(64)

type Head = Block & { readonly parent: string }

export class Heads {
  best: Block | null = null
  finalised: Block | null = null
  /** When a best head was heard. */
  atMs: number | null = null
  private readonly deps: HeadsDeps
  /** The last best heads, by height. */
  private readonly recent = new Map<number, string>()
  /** Judging a head may take a question: they are told in order all the same. */
  private tellingBest: Promise<void> = Promise.resolve()
  private tellingFinal: Promise<void> = Promise.resolve()

  constructor(deps: HeadsDeps) {
    this.deps = deps
  }

  /** Throws when it is no head at all. */
  hearBest(feed: Feed, value: unknown): void {
    const head = headOf(feed.api, value)
    this.tellingBest = this.tellingBest.then(() => this.takeBest(feed, head)).catch((error) => giveUp(feed, error))
  }

  /** Throws likewise. */
  hearFinal(feed: Feed, value: unknown): void {
    const head = headOf(feed.api, value)
    this.tellingFinal = this.tellingFinal.then(() => this.takeFinal(feed, head)).catch((error) => giveUp(feed, error))
  }

  private async takeBest(feed: Feed, { parent, ...block }: Head): Promise<void> {
    if (feed.isOver()) return
    const from = this.best
    const isNear = from !== null && block.number <= from.number + 1
    if (!isNear && (await hashAt(feed.api, block.number)) !== block.hash) return
    const isFork = from !== null && (await this.forks(feed.api, from, block, parent))
    if (feed.isOver()) return
    if (isFork) {
      this.recent.clear()
      this.deps.tell({ type: 'chain.forked', from, to: block })
    }
    this.recent.set(block.number, block.hash)
    for (const number of [...this.recent.keys()].slice(0, -RECENT_BLOCKS)) this.recent.delete(number)
    this.atMs = this.deps.now()
    this.deps.alive(feed, block)
    this.best = block
    this.deps.tell({ type: 'block.best', block })
  }

  /** Do other blocks stand where those stood that were told? */
  private async forks(api: ApiPromise, from: Block, to: Block, parent: string): Promise<boolean> {
    const there = this.recent.get(to.number)
    if (there !== undefined) return there !== to.hash
    const before = this.recent.get(to.number - 1)
    if (before !== undefined) return before !== parent
    if (to.number < from.number) return false
    // Heads were missed: the chain itself knows what stands at the old height.
    return (await hashAt(api, from.number)) !== from.hash
  }

  /** Every finalised block, also those between the last one that we heard and this one. */
  private async takeFinal(feed: Feed, { number, hash }: Head): Promise<void> {
    if (feed.isOver()) return
    if ((await hashAt(feed.api, number)) !== hash) {
      return feed.condemn(`it told a finalised block ${number} that its chain does not have`)
    }
    feed.final = Math.max(feed.final, number)
    const last = this.finalised
    if (last !== null && last.number === number && last.hash !== hash) feed.condemn(`block ${number} was another one`)
    const first = last === null ? number : Math.max(last.number + 1, number - GAP_BLOCKS_MAX)
    for (let missed = first; missed <= number; missed++) {
      const block = { number: missed, hash: missed === number ? hash : await hashAt(feed.api, missed) }
      if (feed.isOver()) return
      if (block.hash === NO_HASH) return feed.condemn(`it does not have block ${missed}`)
      this.finalised = block
      this.deps.tell({ type: 'block.finalised', block })
    }
  }
}

/** What had no answer in time is made up for by the next head; anything else is not right here. */
function giveUp(feed: Feed, error: unknown): void {
  if (!isUnavailable(error)) feed.condemn(wordsOf(error))
}

type Ask = (method: string, params: unknown[]) => Promise<unknown>

const HASH = /^0x[0-9a-f]{64}$/i
const hashOf = (value: unknown): string => (HASH.test(String(value)) ? withoutPrefix(String(value)) : 'unknown')

/** What an endpoint has to be before it is relied on: the same chain, and not behind what was final. Returns how far it is. */
export async function meetEndpoint(
  ask: Ask,
  {
    address,
    genesis,
    finalised,
  }: { readonly address: string; readonly genesis: string | null; readonly finalised: Block | null },
): Promise<number> {
  const first = hashOf(await ask('chain_getBlockHash', [0]))
  if (genesis !== null && first !== genesis) throw foreign(address, `its genesis is ${first}, expected was ${genesis}`)
  const header = await ask('chain_getHeader', [await ask('chain_getFinalizedHead', [])])
  const final = isRecord(header) ? Number(header['number']) : Number.NaN
  if (!Number.isSafeInteger(final)) throw new Error('it does not tell its finalised head')
  if (finalised === null) return final
  const { number, hash } = finalised
  if (final < number) throw new Error(`it is behind: its finalised head is ${final}, and ${number} was final`)
  const there = hashOf(await ask('chain_getBlockHash', [number]))
  if (there !== hash) throw foreign(address, `its block ${number} is ${there}, and ${hash} was final`)
  return final
}

const foreign = (address: string, why: string): NodeError =>
  new NodeError('CHAIN_FOREIGN', { what: `${address} serves another chain`, why })

/** Block numbers have four bytes. */
const NUMBER = /^0x[0-9a-f]{1,8}$/i

function headOf({ registry }: ApiPromise, value: unknown): Head {
  const { number, parentHash, stateRoot, extrinsicsRoot } = isRecord(value) ? value : {}
  const isHead =
    NUMBER.test(String(number)) && [parentHash, stateRoot, extrinsicsRoot].every((root) => HASH.test(String(root)))
  if (!isHead) throw new Error('it told a head that is none')
  const header = registry.createType<Header>('Header', value)
  return {
    number: header.number.toNumber(),
    hash: withoutPrefix(header.hash.toHex()),
    parent: withoutPrefix(header.parentHash.toHex()),
  }
}
