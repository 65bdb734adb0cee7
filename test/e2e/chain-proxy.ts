/** An endpoint between a client and its chain that answers what it likes. */
import { WebSocket, WebSocketServer } from 'ws'

type Question = { readonly id: number; readonly method: string; readonly params: readonly unknown[] }
type RpcAnswer = { readonly result: unknown } | { readonly error: { code: number; message: string; data?: string } }
export type Lie = {
  /** Instead of what the chain would say. */
  readonly answer: RpcAnswer
  /** The chain hears the question all the same. */
  readonly passOn: boolean
}
export type Proxy = {
  readonly url: string
  /** All sockets end without a word. */
  readonly drop: () => void
  readonly stop: () => void
}

/** `lie` may take its time: the question waits meanwhile. */
export async function createProxy(target: string, lie: (question: Question) => Promise<Lie | null>): Promise<Proxy> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await new Promise((resolve) => server.once('listening', resolve))
  const sockets = new Set<WebSocket>()
  server.on('connection', (near) => {
    sockets.add(near)
    const far = new WebSocket(target)
    const opened = new Promise((resolve) => far.once('open', resolve))
    const lies = new Map<number, RpcAnswer>()
    const answer = (id: number, said: RpcAnswer): void => near.send(JSON.stringify({ jsonrpc: '2.0', id, ...said }))
    near.on('message', async (data) => {
      const question = JSON.parse(String(data)) as Question
      const lied = await lie(question)
      if (lied !== null && !lied.passOn) return answer(question.id, lied.answer)
      if (lied !== null) lies.set(question.id, lied.answer)
      await opened
      if (far.readyState === WebSocket.OPEN) far.send(String(data))
    })
    far.on('message', (data) => {
      const { id } = JSON.parse(String(data)) as { id?: number }
      const lied = id === undefined ? undefined : lies.get(id)
      if (near.readyState !== WebSocket.OPEN) return
      if (lied !== undefined && id !== undefined) answer(id, lied)
      else near.send(String(data))
    })
    near.on('close', () => {
      sockets.delete(near)
      far.terminate()
    })
    for (const side of [near, far]) side.on('error', () => undefined)
    far.on('close', () => near.terminate())
  })
  const drop = (): void => {
    for (const socket of sockets) socket.terminate()
  }
  const { port } = server.address() as { port: number }
  return {
    url: `ws://127.0.0.1:${port}`,
    drop,
    stop: () => {
      drop()
      server.close()
    },
  }
}
