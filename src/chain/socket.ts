/**
 * One WebSocket to one endpoint, as `@polkadot/api` wants its provider: it lives once and is then thrown away.
 *
 * The library's own provider reconnects by itself, silently loses watched transactions in doing so, and cannot end a socket
 * whose other side has gone silent. Here every request has a deadline, a closed socket ends everything on it at once, and
 * `end` does not wait for the other side. What to do after that is decided in link.ts.
 *
 * The library is told that there are no subscriptions: of its own it makes one only, to follow upgrades, and what goes wrong
 * in that one ends the process. Those that we need are made here, and what they hear is judged by whoever made them.
 */
import type {
  ProviderInterface,
  ProviderInterfaceCallback,
  ProviderInterfaceEmitCb,
  ProviderInterfaceEmitted,
} from '@polkadot/rpc-provider/types'
import { WebSocket } from 'ws'
import { NodeError } from '../errors.ts'
import { shownAddress } from './network.ts'

export type SocketOptions = {
  readonly url: string
  /** A request without an answer after this is an error, and the socket a suspect. */
  readonly requestMs: number
}

/** The metadata of a full runtime is about 2 MiB as hex; a block with all extrinsics at most 10. */
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024
/** The library asks for storage in batches; more than this at once is a leak of ours. */
const REQUESTS_MAX = 4_096
/** More notifications, or larger ones, than come before the answer to a subscription are not kept for it. */
const ORPHANS_MAX = 16
const ORPHAN_CHARS_MAX = 16 * 1024

export type Socket = ProviderInterface & {
  /** Ends the socket now, also when nobody answers on the other side. */
  readonly end: () => void
}

type Waiting = {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** An error that the node at the other end answered with. */
export class RpcError extends Error {
  readonly code: number
  readonly data: string
  constructor(code: number, message: string, data: string) {
    super(data === '' ? `${code}: ${message}` : `${code}: ${message}: ${data}`)
    this.code = code
    this.data = data
  }
}

export const createSocket = (options: SocketOptions): Socket => new Wire(options)

class Wire implements Socket {
  readonly hasSubscriptions = false
  readonly isClonable = false
  private readonly options: SocketOptions
  private readonly wire: WebSocket
  private readonly waiting = new Map<number, Waiting>()
  private readonly subscriptions = new Map<string, ProviderInterfaceCallback>()
  /** Notifications can overtake the answer that tells their subscription: they wait for it, few and briefly. */
  private orphans: { readonly key: string; readonly result: unknown; readonly chars: number }[] = []
  private unanswered = 0
  private readonly listeners = new Map<ProviderInterfaceEmitted, Set<ProviderInterfaceEmitCb>>()
  private nextId = 1

  constructor(options: SocketOptions) {
    this.options = options
    const { url, requestMs } = options
    this.wire = new WebSocket(url, {
      maxPayload: MESSAGE_BYTES_MAX,
      handshakeTimeout: requestMs,
      perMessageDeflate: false,
    })
    this.wire.on('open', () => this.emit('connected'))
    this.wire.on('error', (error) => this.emit('error', error))
    this.wire.on('close', (code) => {
      this.refuseAll(`the socket closed with ${code}`)
      this.emit('disconnected')
    })
    this.wire.on('message', (data) => this.receive(String(data)))
  }

  get isConnected(): boolean {
    return this.wire.readyState === WebSocket.OPEN
  }

  clone(): ProviderInterface {
    return createSocket(this.options)
  }

  /** It connects when it is made, and never again: this waits until it has. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isConnected) return resolve()
      this.on('connected', () => resolve())
      this.on('disconnected', () => reject(this.unavailable('the socket closed')))
    })
  }

  async disconnect(): Promise<void> {
    this.end()
  }

  end(): void {
    this.wire.terminate()
  }

  on(type: ProviderInterfaceEmitted, listener: ProviderInterfaceEmitCb): () => void {
    const all = this.listeners.get(type) ?? new Set()
    this.listeners.set(type, all.add(listener))
    return () => all.delete(listener)
  }

  // biome-ignore lint/suspicious/noExplicitAny: the shape of the library's provider
  send<T = any>(method: string, params: unknown[]): Promise<T> {
    const { requestMs } = this.options
    return new Promise((resolve, reject) => {
      if (!this.isConnected) return reject(this.unavailable('the socket is closed'))
      if (this.waiting.size >= REQUESTS_MAX) return reject(this.unavailable(`${REQUESTS_MAX} requests wait already`))
      const id = this.nextId++
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(this.unavailable(`${method} had no answer for ${requestMs} ms`))
      }, requestMs)
      this.waiting.set(id, { resolve: (result) => resolve(result as T), reject, timer })
      this.wire.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    })
  }

  /** A callback that throws is told as an error of the socket. */
  async subscribe(
    type: string,
    method: string,
    params: unknown[],
    callback: ProviderInterfaceCallback,
  ): Promise<string> {
    this.unanswered += 1
    try {
      const key = `${type}/${await this.send(method, params)}`
      this.subscriptions.set(key, callback)
      for (const orphan of this.orphans) if (orphan.key === key) this.notify(key, orphan.result, orphan.chars)
      return key.slice(type.length + 1)
    } finally {
      this.unanswered -= 1
      if (this.unanswered === 0) this.orphans = []
    }
  }

  async unsubscribe(type: string, method: string, id: number | string): Promise<boolean> {
    this.subscriptions.delete(`${type}/${id}`)
    return this.isConnected && Boolean(await this.send(method, [id]))
  }

  private receive(text: string): void {
    const message = parseMessage(text)
    if (message === null) return
    if (message.id === null) this.notify(`${message.method}/${message.subscription}`, message.result, text.length)
    else this.answer(message)
  }

  private answer(message: Answer): void {
    const entry = this.waiting.get(message.id)
    if (entry === undefined) return
    this.waiting.delete(message.id)
    clearTimeout(entry.timer)
    if (message.error !== null) entry.reject(message.error)
    else entry.resolve(message.result)
  }

  private notify(key: string, result: unknown, chars: number): void {
    const callback = this.subscriptions.get(key)
    if (callback === undefined) {
      const isKept = this.unanswered > 0 && chars <= ORPHAN_CHARS_MAX && this.orphans.length < ORPHANS_MAX
      if (isKept) this.orphans.push({ key, result, chars })
      return
    }
    try {
      callback(null, result)
    } catch (error) {
      this.emit('error', error)
    }
  }

  private emit(type: ProviderInterfaceEmitted, value?: unknown): void {
    for (const listener of [...(this.listeners.get(type) ?? [])]) listener(value)
  }

  private refuseAll(why: string): void {
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer)
      reject(this.unavailable(why))
    }
    this.waiting.clear()
    this.subscriptions.clear()
    this.orphans = []
  }

  private unavailable(why: string): NodeError {
    return new NodeError('CHAIN_UNAVAILABLE', { what: `${shownAddress(this.options.url)} does not answer`, why })
  }
}

type Answer = { readonly id: number; readonly result: unknown; readonly error: RpcError | null }
type Message =
  | Answer
  | { readonly id: null; readonly method: string; readonly subscription: string; readonly result: unknown }

/** What the other side sent is judged like everything from outside: anything odd is dropped. */
function parseMessage(text: string): Message | null {
  const value = parseJson(text)
  if (!isRecord(value)) return null
  const { id, method, params, result, error } = value
  if (typeof id === 'number') return { id, result, error: isRecord(error) ? rpcErrorOf(error) : null }
  if (typeof method !== 'string' || !isRecord(params)) return null
  return { id: null, method, subscription: String(params['subscription']), result: params['result'] }
}

const rpcErrorOf = ({ code, message, data }: Readonly<Record<string, unknown>>): RpcError =>
  new RpcError(
    Number(code),
    String(message),
    data === undefined ? '' : typeof data === 'string' ? data : JSON.stringify(data),
  )

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
