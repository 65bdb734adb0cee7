/**
 * The link to the chain: one socket at a time, watched, thrown away and built anew when it fails (protocol §2).
 *
 * A link never repairs a socket. When it closes, tells nonsense, or no head has come for three block times, its generation
 * ends: all that waits on it fails at once, and the next generation begins at the next endpoint: at once after one that had
 * worked, else after a jittered pause that doubles. So at most two sockets exist: the one that is ending and the one that
 * begins. An upgrade of the runtime ends a generation too, without a word: what the library knows of a chain is never mended.
 */
import { ApiPromise } from '@polkadot/api'
import { NodeError } from '../errors.ts'
import type { Block, Cancel, ChainEvent, Clock, Log, Random, Unsubscribe } from '../ports.ts'
import { type End, Generation, isUnavailable, unavailable, wordsOf } from './generation.ts'
import { type Feed, Heads, meetEndpoint } from './heads.ts'
import { parseEndpoint, shownAddress } from './network.ts'
import { QUIET_RPC, quietly } from './quiet.ts'
import { createSocket, isRecord, RpcError, type Socket } from './socket.ts'

export type LinkOptions = {
  readonly endpoints: readonly string[]
  /** How long a block takes; the watchdog counts in these. `null` asks the chain. */
  readonly blockMs: number | null
  /** Refuse an endpoint that serves another chain; `null` takes the first that answers. */
  readonly genesis: string | null
}
export type LinkDeps = { readonly clock: Clock; readonly random: Random; readonly log: Log }

export type Health = {
  /** As it may be shown: without the keys of providers. */
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
  /**
   * Does its work with the present API. A reading that fails with its generation is done again with the next; when there is
   * none, it waits for one, but not where all endpoints serve another chain.
   */
  readonly use: <T>(work: (api: ApiPromise) => Promise<T>, opts: Cancel) => Promise<T>
  readonly watch: (listener: (event: ChainEvent) => void) => Unsubscribe
  readonly health: () => Health
  /** Everything that waits fails, and who watches hears a last `chain.degraded`. */
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
/** An endpoint that has told so many new heads works; before that, the pauses go on growing. */
const SETTLED_HEADS = 4
/** GRANDPA is two or three blocks behind. Where it is so many, nothing that hangs on final blocks happens in time. */
const FINALITY_BLOCKS_MAX = 16
const STOPPED = 'stopped'

type Live = { readonly api: ApiPromise; readonly generation: Generation }
type Waiter = { readonly give: (live: Live) => void; readonly refuse: (error: unknown) => void }

/** Throws when an endpoint is no address of a WebSocket. */
export function createLink(options: LinkOptions, deps: LinkDeps): Link {
  const { endpoints } = options
  if (endpoints.length > 0 && endpoints.every((url) => parseEndpoint(url) !== null)) {
    return new LinkKeeper(options, deps).start()
  }
  throw new NodeError('ENDPOINT_INVALID', {
    what: endpoints.length === 0 ? 'no endpoint of a chain was named' : 'an endpoint is no address of a WebSocket',
    why: 'an address begins with ws:// or wss:// and has no part behind a #',
  })
}

class LinkKeeper {
  private readonly options: LinkOptions
  private readonly deps: LinkDeps
  private readonly heads: Heads
  private blockMs: number
  private readonly listeners = new Set<(event: ChainEvent) => void>()
  private readonly waiters = new Set<Waiter>()
  /** What was found at endpoints that serve another chain, by their address. */
  private readonly foreign = new Map<string, NodeError>()
  private generation: Generation | null = null
  /** The generation as soon as it can be used. */
  private live: Live | null = null
  private degraded: string | null = 'not connected yet'
  private endpoint = 0
  private generations = 0
  private failures = 0
  /** Endpoints in a row that were left because nothing became final there. */
  private stalls = 0
  private stopped = false
  private endPause: () => void = () => undefined

  constructor(options: LinkOptions, deps: LinkDeps) {
    this.options = options
    this.deps = deps
    this.blockMs = options.blockMs ?? MAINNET_BLOCK_MS
    this.heads = new Heads({
      now: () => deps.clock.now(),
      tell: (event) => this.tell(event),
      alive: (feed, best) => this.alive(feed, best),
    })
  }

  start(): Link {
    void this.run()
    return {
      use: (work, opts) => this.use(work, opts),
      watch: (listener) => this.watch(listener),
      health: () => this.health(),
      isStopped: () => this.stopped,
      stop: () => this.stop(),
    }
  }

  private watch(listener: (event: ChainEvent) => void): Unsubscribe {
    const { best, finalised } = this.heads
    if (!this.stopped) this.listeners.add(listener)
    if (best !== null) listener({ type: 'block.best', block: best })
    if (finalised !== null) listener({ type: 'block.finalised', block: finalised })
    if (this.degraded !== null) listener({ type: 'chain.degraded', why: this.degraded })
    return () => this.listeners.delete(listener)
  }

  private tell(event: ChainEvent): void {
    for (const listener of [...this.listeners]) listener(event)
  }

  private stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.degraded = STOPPED
    this.generation?.end(wasStopped())
    this.endPause()
    for (const { refuse } of this.waiters) refuse(wasStopped())
    this.tell({ type: 'chain.degraded', why: STOPPED })
    this.listeners.clear()
  }

  private get url(): string {
    return this.options.endpoints[this.endpoint % this.options.endpoints.length] ?? ''
  }

  private health(): Health {
    const { best, finalised, atMs } = this.heads
    return {
      endpoint: shownAddress(this.url),
      connected: this.live !== null,
      best,
      finalised,
      lagMs: atMs === null ? null : this.deps.clock.now() - atMs,
      degraded: this.degraded,
      generations: this.generations,
      blockMs: this.blockMs,
    }
  }

  /** One generation after the other, until stopped. */
  private async run(): Promise<void> {
    while (!this.stopped) {
      const { why, error, isUpgrade } = await this.generate()
      if (this.stopped) return
      this.failures += 1
      if (!isUpgrade) {
        this.deps.log.warn('chain degraded', { endpoint: shownAddress(this.url), generation: this.generations, why })
        this.degrade(why)
        if (error instanceof NodeError && error.code === 'CHAIN_FOREIGN') this.foreign.set(this.url, error)
        const nowhere = this.foreignEverywhere()
        if (nowhere !== null) for (const { refuse } of this.waiters) refuse(nowhere)
        this.endpoint += 1
      }
      await this.pause()
    }
  }

  /** Where every endpoint serves another chain, there is nothing to wait for. */
  private foreignEverywhere(): NodeError | null {
    const found = this.options.endpoints.map((url) => this.foreign.get(url) ?? null)
    return found.includes(null) ? null : (found[0] ?? null)
  }

  /** From a new socket to its end. */
  private async generate(): Promise<End> {
    const generation = new Generation()
    this.generation = generation
    this.generations += 1
    const watchdog = this.watchOver(generation)
    let close = (): void => undefined
    try {
      const requestMs = Math.max(REQUEST_MS_MIN, REQUEST_BLOCKS * this.blockMs)
      const socket = createSocket({ url: this.url, requestMs })
      close = () => socket.end()
      socket.on('disconnected', () => generation.end(unavailable('the socket closed')))
      socket.on('error', (error) => generation.end(error))
      this.connect(socket, generation).then(
        (api) => this.begin({ api, generation }),
        (error) => generation.end(error),
      )
    } catch (error) {
      generation.end(error)
    }
    const end = await generation.ended
    this.deps.clock.clearTimeout(watchdog.timer)
    this.live = null
    close()
    return end
  }

  private begin(live: Live): void {
    if (live.generation.isOver) return
    this.foreign.delete(this.url)
    this.live = live
    for (const { give } of this.waiters) give(live)
    this.waiters.clear()
  }

  private async connect(socket: Socket, generation: Generation): Promise<ApiPromise> {
    const { clock } = this.deps
    const { genesis } = this.options
    const tooLate = unavailable(`no connection within ${CONNECT_MS} ms`)
    const late = clock.setTimeout(() => generation.end(tooLate), CONNECT_MS)
    try {
      await socket.connect()
      // Before the library loads the metadata, which are megabytes.
      const wanted = { address: shownAddress(this.url), genesis, finalised: this.heads.finalised }
      const final = await meetEndpoint((method, params) => socket.send(method, params), wanted)
      const options = { provider: socket, noInitWarn: true, throwOnConnect: true, rpc: QUIET_RPC }
      const api = await quietly(() => ApiPromise.create(options))
      if (this.options.blockMs === null) this.blockMs = blockMsOf(api)
      const condemn = (why: string): void => generation.end(unavailable(why))
      const feed: Feed = { api, final, news: 0, condemn, isOver: () => generation.isOver }
      await hear(socket, 'chain_newHead', 'chain_subscribeNewHeads', (head) => this.heads.hearBest(feed, head))
      await hear(socket, 'chain_finalizedHead', 'chain_subscribeFinalizedHeads', (head) =>
        this.heads.hearFinal(feed, head),
      )
      await hear(socket, 'state_runtimeVersion', 'state_subscribeRuntimeVersion', (version) => {
        if (isUpgrade(api, version)) generation.end('the runtime was upgraded', true)
      })
      return api
    } finally {
      clock.clearTimeout(late)
    }
  }

  /** A socket can look open and be dead: only heads prove that it lives. */
  private watchOver(generation: Generation): { timer: unknown } {
    const { clock } = this.deps
    const bornMs = clock.now()
    const watchdog: { timer: unknown } = { timer: null }
    const look = (): void => {
      const lastMs = Math.max(bornMs, this.heads.atMs ?? 0)
      const silentMs = SILENT_BLOCKS * this.blockMs
      const waitMs = this.live === null ? CONNECT_MS + silentMs : silentMs
      if (clock.now() - lastMs > waitMs) generation.end(unavailable(`no head for ${SILENT_BLOCKS} block times`))
      watchdog.timer = clock.setTimeout(look, this.blockMs / 4)
    }
    watchdog.timer = clock.setTimeout(look, this.blockMs / 4)
    return watchdog
  }

  /** A head is a sign of life, but a chain on which nothing becomes final is none to rely on: every window waits for that. */
  private alive(feed: Feed, { number }: Block): void {
    if (number > (this.heads.best?.number ?? -1)) feed.news += 1
    if (feed.news >= SETTLED_HEADS) this.failures = 0
    const behind = number - feed.final
    if (behind <= FINALITY_BLOCKS_MAX) this.recover()
    else this.stall(feed, `nothing has become final for ${behind} blocks`)
  }

  /** It may be this endpoint's fault. Where it is everybody's, reading goes on. */
  private stall(feed: Feed, why: string): void {
    this.degrade(why)
    if (this.stalls >= this.options.endpoints.length - 1) return
    this.stalls += 1
    feed.condemn(why)
  }

  private recover(): void {
    this.stalls = 0
    if (this.degraded === null) return
    this.degraded = null
    this.tell({ type: 'chain.recovered' })
  }

  private degrade(why: string): void {
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
      const { api, generation } = await this.present(signal)
      try {
        return await generation.during(() => work(api), signal)
      } catch (error) {
        signal.throwIfAborted()
        last = explained(error)
        // What the node answered stays its answer; only what broke with the generation is asked again.
        if (!generation.isOver && !isUnavailable(error)) throw last
        generation.end(unavailable('a request had no answer'))
      }
    }
    throw last
  }

  /** The generation that lives, or the next one. */
  private present(signal: AbortSignal): Promise<Live> {
    signal.throwIfAborted()
    if (this.stopped) return Promise.reject(wasStopped())
    if (this.live !== null && !this.live.generation.isOver) return Promise.resolve(this.live)
    const nowhere = this.foreignEverywhere()
    if (nowhere !== null) return Promise.reject(nowhere)
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiters.delete(waiter)
        signal.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter = {
        give: (live) => {
          leave()
          resolve(live)
        },
        refuse: (error) => {
          leave()
          reject(error)
        },
      }
      const onAbort = (): void => waiter.refuse(signal.reason)
      this.waiters.add(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}

const hear = (socket: Socket, type: string, method: string, listener: (value: unknown) => void): Promise<unknown> =>
  socket.subscribe(type, method, [], (_, value) => listener(value))

/** Substrate's own convention: blocks come every two minimum periods. */
function blockMsOf(api: ApiPromise): number {
  const period = Number(api.consts['timestamp']?.['minimumPeriod']?.toString() ?? 0)
  return period > 0 ? 2 * period : MAINNET_BLOCK_MS
}

function isUpgrade({ runtimeVersion }: ApiPromise, version: unknown): boolean {
  const spec = isRecord(version) ? version['specVersion'] : null
  if (!Number.isSafeInteger(spec)) throw new Error('it told a version of its runtime that is none')
  return spec !== runtimeVersion.specVersion.toNumber()
}

const wasStopped = (): NodeError => unavailable('the link was stopped')

/** What a node answered with an error, for whoever asked: the error itself is its cause. */
const explained = (error: unknown): unknown =>
  error instanceof RpcError
    ? new NodeError('CHAIN_REFUSED', {
        what: 'the chain endpoint refused a request',
        why: wordsOf(error),
        data: { rpc: error.code },
        cause: error,
      })
    : error
