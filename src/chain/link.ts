/**
 * The link to the chain: one socket at a time, watched, thrown away and built anew when it fails (protocol §2).
 *
 * A link never repairs a socket. When it closes, or no head has come for three block times, its generation ends: all that
 * waits on it fails at once, and the next generation begins at the next endpoint, after a growing, jittered pause. So at
 * most two sockets exist: the one that is ending and the one that begins. Best and finalised heads are kept apart; finalised
 * ones are told one by one, and those missed during an outage are told when it is over.
 */
import { ApiPromise } from '@polkadot/api'
import jsonrpc from '@polkadot/types/interfaces/jsonrpc'
import { NodeError } from '../errors.ts'
import type { Block, Cancel, ChainEvent, Clock, Log, Random, Unsubscribe } from '../ports.ts'
import { withoutPrefix } from '../util/bytes.ts'
import { hashAt } from './read.ts'
import { createSocket, type Socket } from './socket.ts'

export type LinkOptions = {
  readonly endpoints: readonly string[]
  /** How long a block takes; the watchdog counts in these. `null` asks the chain. */
  readonly blockMs: number | null
  /** Refuse an endpoint that serves another chain; `null` takes the first that answers. */
  readonly genesis: string | null
}
export type LinkDeps = { readonly clock: Clock; readonly random: Random; readonly log: Log }

export type Health = {
  readonly endpoint: string
  readonly connected: boolean
  readonly best: Block | null
  readonly finalised: Block | null
  /** Milliseconds since the last head. */
  readonly lagMs: number | null
  /** Why the chain cannot be relied on at the moment. */
  readonly degraded: string | null
  /** How many sockets were made so far. */
  readonly generations: number
  readonly blockMs: number
}

export type Link = {
  /** Does its work with the present API. A reading that fails with its generation is done again with the next. */
  readonly use: <T>(work: (api: ApiPromise) => Promise<T>, opts: Cancel) => Promise<T>
  readonly watch: (listener: (event: ChainEvent) => void) => Unsubscribe
  readonly health: () => Health
  readonly stop: () => void
  /** Nothing more comes, and whoever waits for something is to give up. */
  readonly isStopped: () => boolean
}

/** Until a chain has said otherwise. */
const MAINNET_BLOCK_MS = 12_000
/** Without a head for this many block times a socket is dead, whatever it says of itself. */
const SILENT_BLOCKS = 3
/** A request that takes longer is one that a closed window would not wait for. */
const REQUEST_BLOCKS = 2
const REQUEST_MS_MIN = 2_000
const CONNECT_MS = 15_000
const PAUSE_MS_MIN = 100
const PAUSE_MS_MAX = 15_000
/** A reading is tried on this many generations: one may be dying when it starts, and the next one too. */
const TRIES = 3
/** After an outage longer than this the node starts from the present head: a cycle has ended without it. */
const GAP_BLOCKS_MAX = 1_024

type Generation = { readonly api: ApiPromise; readonly ended: Promise<void> }
type Waiter = { readonly give: (generation: Generation) => void; readonly refuse: () => void }

export function createLink(options: LinkOptions, deps: LinkDeps): Link {
  hush()
  return new LinkKeeper(options, deps).start()
}

/** How the library begins what it prints, behind the time. */
const PRINTED = /^ +(API\/INIT|API\/AUGMENTATION|RPC-CORE|REGISTRY|METADATA): *$/
let isHushed = false

/** The library prints errors and upgrades to wherever our results go; ours are told to whoever asked. */
function hush(): void {
  if (isHushed) return
  isHushed = true
  for (const methods of Object.values(jsonrpc)) {
    for (const method of Object.values(methods)) Object.assign(method, { noErrorLog: true })
  }
  for (const level of ['log', 'warn', 'error'] as const) {
    const print = console[level].bind(console)
    console[level] = (...parts: unknown[]) => {
      if (typeof parts[1] !== 'string' || !PRINTED.test(parts[1])) print(...parts)
    }
  }
}

class LinkKeeper {
  private readonly options: LinkOptions
  private readonly deps: LinkDeps
  private blockMs: number
  private readonly listeners = new Set<(event: ChainEvent) => void>()
  private readonly waiters = new Set<Waiter>()
  private current: Generation | null = null
  private best: Block | null = null
  private finalised: Block | null = null
  private headAtMs: number | null = null
  private degraded: string | null = 'not connected yet'
  private endpoint = 0
  private generations = 0
  private failures = 0
  private stopped = false
  /** Ends the present generation, with the reason. */
  private condemn: ((why: string) => void) | null = null
  private endPause: () => void = () => undefined
  /** Filling a gap of finalised blocks takes reads: they are told in order all the same. */
  private telling: Promise<void> = Promise.resolve()

  constructor(options: LinkOptions, deps: LinkDeps) {
    this.options = options
    this.deps = deps
    this.blockMs = options.blockMs ?? MAINNET_BLOCK_MS
  }

  start(): Link {
    void this.run()
    return {
      use: (work, opts) => this.use(work, opts),
      watch: (listener) => {
        this.listeners.add(listener)
        if (this.best !== null) listener({ type: 'block.best', block: this.best })
        if (this.finalised !== null) listener({ type: 'block.finalised', block: this.finalised })
        if (this.degraded !== null) listener({ type: 'chain.degraded', why: this.degraded })
        return () => this.listeners.delete(listener)
      },
      health: () => this.health(),
      isStopped: () => this.stopped,
      stop: () => {
        this.stopped = true
        this.condemn?.('stopped')
        this.endPause()
        for (const { refuse } of this.waiters) refuse()
        this.tell({ type: 'chain.degraded', why: 'stopped' })
      },
    }
  }

  private get url(): string {
    return this.options.endpoints[this.endpoint % this.options.endpoints.length] ?? ''
  }

  private health(): Health {
    return {
      endpoint: this.url,
      connected: this.current !== null,
      best: this.best,
      finalised: this.finalised,
      lagMs: this.headAtMs === null ? null : this.deps.clock.now() - this.headAtMs,
      degraded: this.degraded,
      generations: this.generations,
      blockMs: this.blockMs,
    }
  }

  /** One generation after the other, until stopped. */
  private async run(): Promise<void> {
    while (!this.stopped) {
      const why = await this.generation()
      if (this.stopped) return
      this.degrade(why)
      this.endpoint += 1
      await this.pause()
    }
  }

  /** From a new socket to its end; the reason of the end. */
  private async generation(): Promise<string> {
    const { log } = this.deps
    const requestMs = Math.max(REQUEST_MS_MIN, REQUEST_BLOCKS * this.blockMs)
    this.generations += 1
    const socket = createSocket({ url: this.url, requestMs })
    const ended = new Promise<string>((resolve) => {
      this.condemn = resolve
      socket.on('disconnected', () => resolve('the socket closed'))
      socket.on('error', (error) => resolve(error instanceof Error ? error.message : String(error)))
    })
    const watchdog = this.watchOver()
    try {
      const api = await Promise.race([this.connect(socket), ended.then((why) => Promise.reject(new Error(why)))])
      this.current = { api, ended: ended.then(() => undefined) }
      for (const { give } of this.waiters) give(this.current)
      this.waiters.clear()
      return await ended
    } catch (error) {
      log.debug('no link', { endpoint: this.url, why: error instanceof Error ? error.message : String(error) })
      return error instanceof Error ? error.message : String(error)
    } finally {
      this.deps.clock.clearTimeout(watchdog.timer)
      this.current = null
      this.condemn = null
      socket.end()
    }
  }

  private async connect(socket: Socket): Promise<ApiPromise> {
    const { clock } = this.deps
    const late = clock.setTimeout(() => this.condemn?.(`no connection within ${CONNECT_MS} ms`), CONNECT_MS)
    try {
      const api = await ApiPromise.create({ provider: socket, noInitWarn: true, throwOnConnect: true })
      this.checkChain(api)
      if (this.options.blockMs === null) this.blockMs = blockMsOf(api)
      await api.rpc.chain.subscribeNewHeads((header) => {
        const block = { number: header.number.toNumber(), hash: withoutPrefix(header.hash.toHex()) }
        void this.lookForFork(api, block, withoutPrefix(header.parentHash.toHex()))
        this.headed(block)
      })
      await api.rpc.chain.subscribeFinalizedHeads((header) => {
        const block = { number: header.number.toNumber(), hash: withoutPrefix(header.hash.toHex()) }
        this.telling = this.telling.then(() => this.finalise(api, block)).catch(() => undefined)
      })
      return api
    } finally {
      clock.clearTimeout(late)
    }
  }

  private checkChain(api: ApiPromise): void {
    const genesis = withoutPrefix(api.genesisHash.toHex())
    if (this.options.genesis === null || genesis === this.options.genesis) return
    throw new NodeError('CHAIN_FOREIGN', {
      what: `${this.url} serves another chain`,
      why: `its genesis is ${genesis}, expected was ${this.options.genesis}`,
    })
  }

  /** A socket can look open and be dead: only heads prove that it lives. */
  private watchOver(): { timer: unknown } {
    const { clock } = this.deps
    const bornMs = clock.now()
    const watchdog: { timer: unknown } = { timer: null }
    const look = (): void => {
      const lastMs = Math.max(bornMs, this.headAtMs ?? 0)
      const silentMs = SILENT_BLOCKS * this.blockMs
      const waitMs = this.current === null ? CONNECT_MS + silentMs : silentMs
      if (clock.now() - lastMs > waitMs) this.condemn?.(`no head for ${SILENT_BLOCKS} block times`)
      watchdog.timer = clock.setTimeout(look, this.blockMs / 4)
    }
    watchdog.timer = clock.setTimeout(look, this.blockMs / 4)
    return watchdog
  }

  private headed(block: Block): void {
    this.headAtMs = this.deps.clock.now()
    this.failures = 0
    if (this.degraded !== null) {
      this.degraded = null
      this.tell({ type: 'chain.recovered' })
    }
    this.best = block
    this.tell({ type: 'block.best', block })
  }

  /** Is the head that we had among the ancestors of the new one? Told before the new head is, where that is known at once. */
  private async lookForFork(api: ApiPromise, to: Block, parent: string): Promise<void> {
    const from = this.best
    if (from === null || from.hash === to.hash) return
    const ahead = to.number - from.number
    const tell = (): void => this.tell({ type: 'chain.forked', from, to })
    if (ahead <= 0 || (ahead === 1 && parent !== from.hash)) return tell()
    if (ahead === 1) return
    // Heads were missed: the chain itself knows what stands at the old height.
    const hash = await hashAt(api, from.number).catch(() => null)
    if (hash !== null && hash !== from.hash) tell()
  }

  /** Every finalised block, also those between the last one that we heard and this one. */
  private async finalise(api: ApiPromise, block: Block): Promise<void> {
    const first =
      this.finalised === null ? block.number : Math.max(this.finalised.number + 1, block.number - GAP_BLOCKS_MAX)
    for (let number = first; number < block.number; number++) {
      this.finalised = { number, hash: await hashAt(api, number) }
      this.tell({ type: 'block.finalised', block: this.finalised })
    }
    if (this.finalised !== null && block.number <= this.finalised.number) return
    this.finalised = block
    this.tell({ type: 'block.finalised', block })
  }

  private tell(event: ChainEvent): void {
    for (const listener of [...this.listeners]) listener(event)
  }

  private degrade(why: string): void {
    this.failures += 1
    this.deps.log.warn('chain degraded', { endpoint: this.url, generation: this.generations })
    const isNews = this.degraded === null
    this.degraded = why
    if (isNews) this.tell({ type: 'chain.degraded', why })
  }

  /** Twice as long after every failure, and never the same for two nodes. */
  private pause(): Promise<void> {
    const { clock, random } = this.deps
    const [a = 0, b = 0] = random.bytes(2)
    const jitter = (256 * a + b) / 65_536
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(this.failures - 1, 8)) * (0.5 + jitter)
    // The first failure of a link that worked is answered at once: a window may be closing.
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, this.failures <= 1 ? 0 : pauseMs)
      this.endPause = () => {
        clock.clearTimeout(timer)
        resolve()
      }
    })
  }

  private async use<T>(work: (api: ApiPromise) => Promise<T>, { signal }: Cancel): Promise<T> {
    let last: unknown = null
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const generation = await this.present(signal)
      const aborted = whenAborted(signal)
      try {
        const dead = generation.ended.then(() => Promise.reject(unavailable('the connection was lost')))
        return await Promise.race([work(generation.api), dead, aborted.promise])
      } catch (error) {
        signal.throwIfAborted()
        last = error
        // What the node answered stays its answer; only what broke with the generation is asked again.
        if (this.current === generation && !isUnavailable(error)) throw error
        if (this.current === generation) this.condemn?.('a request had no answer')
      } finally {
        aborted.forget()
      }
    }
    throw last
  }

  /** The generation that lives, or the next one. */
  private present(signal: AbortSignal): Promise<Generation> {
    signal.throwIfAborted()
    if (this.stopped) return Promise.reject(unavailable('the link was stopped'))
    if (this.current !== null) return Promise.resolve(this.current)
    return new Promise((resolve, reject) => {
      const refuse = (): void => {
        this.waiters.delete(waiter)
        reject(signal.aborted ? signal.reason : unavailable('the link was stopped'))
      }
      const give = (generation: Generation): void => {
        signal.removeEventListener('abort', refuse)
        resolve(generation)
      }
      const waiter: Waiter = { give, refuse }
      this.waiters.add(waiter)
      signal.addEventListener('abort', refuse, { once: true })
    })
  }
}

/** Substrate's own convention: blocks come every two minimum periods. */
function blockMsOf(api: ApiPromise): number {
  const period = Number(api.consts['timestamp']?.['minimumPeriod']?.toString() ?? 0)
  return period > 0 ? 2 * period : MAINNET_BLOCK_MS
}

const unavailable = (why: string): NodeError =>
  new NodeError('CHAIN_UNAVAILABLE', { what: 'the chain does not answer', why })
const isUnavailable = (error: unknown): boolean => error instanceof NodeError && error.code === 'CHAIN_UNAVAILABLE'

function whenAborted(signal: AbortSignal): { readonly promise: Promise<never>; readonly forget: () => void } {
  let forget = (): void => undefined
  const promise = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    forget = () => signal.removeEventListener('abort', onAbort)
  })
  return { promise, forget: () => forget() }
}
