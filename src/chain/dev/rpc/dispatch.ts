/**
 * From the text of a message to its answer, for one connection: single requests, batches and subscriptions.
 *
 * It knows no socket. What a client sends never throws; a bug of ours is an "Internal error" for the client and a line in
 * the log.
 */
import type { Log } from '../../../ports.ts'
import type { Chain } from '../chain.ts'
import type { ArmedFaults } from '../fault.ts'
import { RpcError, rpcError } from '../rpc-error.ts'
import { authorMethods } from './author.ts'
import { chainMethods } from './chain.ts'
import { createParams, type Methods, type Subscription, Unanswered } from './method.ts'
import { runtimeMethods } from './runtime.ts'
import { stateMethods } from './state.ts'
import { type SystemInfo, systemMethods } from './system.ts'

export type Rpc = {
  /** A new connection. `send` is called with whole messages. */
  connect(send: (message: string) => void): RpcConnection
}

export type RpcConnection = {
  receive(text: string): void
  /** Ends all subscriptions. */
  close(): void
}

/** Both of Substrate, per connection. */
const SUBSCRIPTIONS_MAX = 1024
const BATCH_MAX = 1024

type Request = { readonly id: string | number | null; readonly method: string; readonly params: readonly unknown[] }
/** `after` is what must happen when the answer is out: notifications never overtake the id of their subscription. */
type Answer = { readonly result: unknown; readonly after: (() => void) | null }

export type RpcDeps = {
  readonly chain: Chain
  readonly faults: ArmedFaults
  readonly info: SystemInfo
  readonly log: Log
}

export function createRpc({ chain, faults, info, log }: RpcDeps): Rpc {
  const all: readonly Methods[] = [
    chainMethods(chain),
    stateMethods(chain),
    runtimeMethods(chain),
    authorMethods(chain, faults),
    systemMethods(chain, info),
  ]
  const calls = new Map(all.flatMap((methods) => Object.entries(methods.calls)))
  const subscriptions = new Map(all.flatMap((methods) => Object.entries(methods.subscriptions)))
  const ends = new Set([...subscriptions.values()].map(({ end }) => end))
  const names = [...calls.keys(), ...subscriptions.keys(), ...ends, 'rpc_methods'].sort()
  calls.set('rpc_methods', () => ({ methods: names }))
  // Counted across connections, so that an id of an earlier connection is never another subscription now.
  let lastId = 0

  const answer = ({ method, params }: Request, link: Link): Answer => {
    const subscription = subscriptions.get(method)
    if (subscription !== undefined) {
      if (link.open.size >= SUBSCRIPTIONS_MAX) throw rpcError.tooManySubscriptions(SUBSCRIPTIONS_MAX)
      const id = `S${++lastId}`
      return { result: id, after: link.add(id, subscription.open(createParams(params))) }
    }
    if (ends.has(method)) return { result: link.end(String(params[0])), after: null }
    const call = calls.get(method)
    if (call === undefined) throw rpcError.unknownMethod()
    return { result: call(createParams(params)) ?? null, after: null }
  }

  /** `null` when the answer must get lost. */
  const respond = (raw: unknown, link: Link): Response | null => {
    const request = requestOf(raw)
    if (request === null) return { json: failure(null, rpcError.request()), after: null }
    try {
      const { result, after } = answer(request, link)
      return { json: { jsonrpc: '2.0', id: request.id, result }, after }
    } catch (error) {
      if (error instanceof Unanswered) return null
      if (error instanceof RpcError) return { json: failure(request.id, error), after: null }
      log.error('a request crashed', { method: request.method, why: String(error) })
      return { json: failure(request.id, rpcError.internal()), after: null }
    }
  }

  return {
    connect: (send) => {
      const link = createLink(send)
      return {
        receive: (text) => {
          const raw = parse(text)
          if (raw === undefined) {
            send(JSON.stringify(failure(null, rpcError.parse())))
            return
          }
          const isBatch = Array.isArray(raw) && raw.length > 0 && raw.length <= BATCH_MAX
          const responses = (isBatch ? raw : [raw]).flatMap((each) => respond(each, link) ?? [])
          const json = responses.map((each) => each.json)
          if (json.length > 0) send(JSON.stringify(isBatch ? json : json[0]))
          for (const { after } of responses) after?.()
        },
        close: link.close,
      }
    },
  }
}

type Response = { readonly json: object; readonly after: Answer['after'] }

/** The open subscriptions of a connection, with how to stop each. */
type Link = ReturnType<typeof createLink>

function createLink(send: (message: string) => void) {
  const open = new Map<string, () => void>()
  return {
    open,
    add: (id: string, { notification, start }: Subscription): (() => void) => {
      open.set(id, () => {})
      return () => {
        const stop = start((result) => {
          const params = { subscription: id, result }
          send(JSON.stringify({ jsonrpc: '2.0', method: notification, params }))
        })
        if (open.has(id)) open.set(id, stop)
        else stop() // ended in the same batch that opened it
      }
    },
    end: (id: string): boolean => {
      open.get(id)?.()
      return open.delete(id)
    },
    close: (): void => {
      for (const stop of open.values()) stop()
      open.clear()
    },
  }
}

/** `undefined` for what is no JSON at all. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function requestOf(raw: unknown): Request | null {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return null
  const { id = null, method, params = [] } = raw as { readonly [name: string]: unknown }
  const isId = id === null || typeof id === 'string' || typeof id === 'number'
  return isId && typeof method === 'string' && Array.isArray(params) ? { id, method, params } : null
}

const failure = (id: Request['id'], { code, message, data }: RpcError) => ({
  jsonrpc: '2.0',
  id,
  error: { code, message, ...(data === undefined ? {} : { data }) },
})
