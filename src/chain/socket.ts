/**
 * One WebSocket to one endpoint, as `@polkadot/api` wants its provider: it lives once and is then thrown away.
 *
 * The library's own provider reconnects by itself, silently loses watched transactions in doing so, and cannot end a socket
 * whose other side has gone silent. Here every request has a deadline, a closed socket ends everything on it at once, and
 * `end` does not wait for the other side. What to do after that is decided in link.ts.
 */
import type {
  ProviderInterface,
  ProviderInterfaceCallback,
  ProviderInterfaceEmitCb,
  ProviderInterfaceEmitted,
} from '@polkadot/rpc-provider/types'
import { WebSocket } from 'ws'
import { NodeError } from '../errors.ts'

export type SocketOptions = {
  readonly url: string
  /** A request without an answer after this is an error, and the socket a suspect. */
  readonly requestMs: number
}

/** The metadata of a full runtime is about 2 MiB as hex; a block with all extrinsics at most 10. */
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024
/** The library asks for storage in batches; more than this at once is a leak of ours. */
const REQUESTS_MAX = 4_096
const ORPHANS_MAX = 64

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
  readonly hasSubscriptions = true
  readonly isClonable = false
  private readonly options: SocketOptions
  private readonly wire: WebSocket
  private readonly waiting = new Map<number, Waiting>()
  private readonly subscriptions = new Map<string, ProviderInterfaceCallback>()
  /** Notifications can overtake the answer that tells their subscription: they wait for it, few and briefly. */
  private readonly orphans = new Map<string, unknown[]>()
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

  /** It connects when it is made, and never again. */
  async connect(): Promise<void> {
    return undefined
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

  async subscribe(
    type: string,
    method: string,
    params: unknown[],
    callback: ProviderInterfaceCallback,
  ): Promise<number | string> {
    const id = String(await this.send(method, params))
    const key = `${type}/${id}`
    this.subscriptions.set(key, callback)
    for (const result of this.orphans.get(key) ?? []) callback(null, result)
    this.orphans.delete(key)
    return id
  }

  async unsubscribe(type: string, method: string, id: number | string): Promise<boolean> {
    this.subscriptions.delete(`${type}/${id}`)
    return this.isConnected && Boolean(await this.send(method, [id]))
  }

  private receive(text: string): void {
    const message = parseMessage(text)
    if (message === null) return
    if (message.id === null) this.notify(`${message.method}/${message.subscription}`, message.result)
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

  private notify(key: string, result: unknown): void {
    const callback = this.subscriptions.get(key)
    if (callback !== undefined) callback(null, result)
    else if (this.orphans.size < ORPHANS_MAX)
      this.orphans.set(key, [...(this.orphans.get(key) ?? []).slice(1 - ORPHANS_MAX), result])
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
    this.orphans.clear()
  }

  private unavailable(why: string): NodeError {
    return new NodeError('CHAIN_UNAVAILABLE', { what: `${this.options.url} does not answer`, why })
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

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
