/**
 * The WebSocket in front of the RPC: sockets come and go, slow readers and large messages do not hurt the chain.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { NodeError } from '../../errors.ts'
import type { Clock, Log } from '../../ports.ts'
import type { ArmedFaults } from './fault.ts'
import type { Rpc, RpcConnection } from './rpc/dispatch.ts'

export type Server = {
  readonly port: number
  socketCount(): number
  /** See the faults of these names. */
  drop(): void
  silence(): void
  stop(): Promise<void>
}

export type ServerOptions = { readonly host: string; readonly port: number }

export type ServerDeps = {
  readonly rpc: Rpc
  readonly log: Log
  readonly clock: Clock
  readonly faults: ArmedFaults
}

/** Of Substrate: a request of 15 MiB at most, and so many connections. */
const MESSAGE_BYTES_MAX = 15 * 1024 * 1024
const SOCKETS_MAX = 100
/** A reader who is so far behind is cut off: what is not read waits in our memory. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024
const UPGRADE_REQUIRED = 426
const TRY_AGAIN_LATER = 1013

export async function startServer({ host, port }: ServerOptions, deps: ServerDeps): Promise<Server> {
  const http = createServer((_request, response) => response.writeHead(UPGRADE_REQUIRED).end('this is a WebSocket\n'))
  await new Promise<void>((resolve, reject) => {
    http.once('error', (cause) => reject(portError(host, port, cause)))
    http.listen(port, host, resolve)
  })
  const sockets = new WebSocketServer({ server: http, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false })
  const silenced = new WeakSet<WebSocket>()
  sockets.on('connection', (socket) => {
    if (sockets.clients.size > SOCKETS_MAX) socket.close(TRY_AGAIN_LATER, 'too many connections')
    else serve(socket, () => silenced.has(socket), deps)
  })
  const drop = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  return {
    port: (http.address() as AddressInfo).port,
    socketCount: () => sockets.clients.size,
    drop,
    silence: () => {
      for (const socket of sockets.clients) silenced.add(socket)
    },
    stop: async () => {
      drop()
      sockets.close()
      await new Promise<void>((resolve) => {
        http.close(() => resolve())
      })
    },
  }
}

function serve(socket: WebSocket, isSilent: () => boolean, { rpc, log, clock, faults }: ServerDeps): void {
  const send = (message: string): void => {
    if (socket.readyState !== socket.OPEN || isSilent()) return
    if (socket.bufferedAmount > UNREAD_BYTES_MAX) {
      log.warn('a client reads too slowly and was cut off')
      socket.terminate()
    } else socket.send(message)
  }
  const connection: RpcConnection = rpc.connect((message) => {
    const delay = faults.take('delay')
    if (delay !== null) clock.setTimeout(() => send(message), delay.delayMs)
    else send(message)
    if (faults.take('duplicate') !== null) send(message)
  })
  socket.on('message', (data: RawData) => {
    if (!isSilent()) connection.receive(String(data))
  })
  socket.on('error', (error) => log.debug('a socket failed', { why: error.message }))
  socket.on('close', () => connection.close())
}

const portError = (host: string, port: number, cause: NodeJS.ErrnoException): NodeError =>
  new NodeError('CHAIN_PORT_TAKEN', {
    what: `the development chain cannot listen on ${host}:${port}`,
    why: cause.message,
    ...(cause.code === 'EADDRINUSE' ? {} : { remedy: 'Name an address of this machine with --host.' }),
    data: { host, port },
    cause,
  })
