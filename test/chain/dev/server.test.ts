import { request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createDevChain, type DevChain, NO_PARTS } from '../../../src/chain/dev/index.ts'
import { NodeError } from '../../../src/errors.ts'

const running: DevChain[] = []
afterEach(async () => {
  for (const dev of running.splice(0)) await dev.stop()
})
async function start(port = 0): Promise<DevChain> {
  const dev = await createDevChain({ blockMs: null, parts: NO_PARTS, port })
  running.push(dev)
  return dev
}
async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url)
  await new Promise((resolve) => socket.once('open', resolve))
  return socket
}
const next = (socket: WebSocket) =>
  new Promise<{ id: unknown; result?: unknown; error?: { code: number } }>((resolve) =>
    socket.once('message', (data) => resolve(JSON.parse(String(data)))),
  )
const closed = (socket: WebSocket) => new Promise<number>((resolve) => socket.once('close', (code) => resolve(code)))
const ask = (socket: WebSocket, method: string, ...params: unknown[]) =>
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))

describe('a socket', () => {
  test('that talks nonsense is answered and may go on', async () => {
    const socket = await connect((await start()).url)
    for (const nonsense of ['nonsense', '\u0000', '{"a":', Buffer.from([0xff, 0xfe])]) {
      socket.send(nonsense)
      expect((await next(socket)).error?.code).toBe(-32700)
    }
    ask(socket, 'system_chainType')
    expect((await next(socket)).result).toBe('Development')
  })

  test('that sends too much at once is closed', async () => {
    const socket = await connect((await start()).url)
    socket.send('x'.repeat(16 * 1024 * 1024))
    expect(await closed(socket)).toBe(1009)
  })

  test('that does not read is cut off, and the chain goes on', async () => {
    const dev = await start()
    const socket = await connect(dev.url)
    socket.pause()
    for (let i = 0; i < 1000; i++) ask(socket, 'state_getMetadata')
    const other = await connect(dev.url)
    while (dev.socketCount() > 1) {
      ask(other, 'system_chain')
      await next(other)
    }
    expect((await dev.seal()).number).toBe(1)
  })

  test('that leaves takes its subscriptions with it', async () => {
    const dev = await start()
    const socket = await connect(dev.url)
    ask(socket, 'chain_subscribeNewHeads')
    await next(socket)
    const other = await connect(dev.url)
    socket.terminate()
    while (dev.socketCount() > 1) {
      ask(other, 'system_chain')
      await next(other)
    }
    expect((await dev.seal()).number).toBe(1)
  })

  test('too many are turned away', async () => {
    const dev = await start()
    const sockets = await Promise.all(Array.from({ length: 100 }, () => connect(dev.url)))
    const one = new WebSocket(dev.url)
    expect(await closed(one)).toBe(1013)
    for (const socket of sockets) socket.terminate()
  })
})

test('a browser that comes by without a WebSocket is told so', async () => {
  const { port } = await start()
  const status = await new Promise((resolve) => {
    request({ port, host: '127.0.0.1' }, (response) => resolve(response.statusCode)).end()
  })
  expect(status).toBe(426)
})

test('it listens on loopback alone', async () => {
  expect((await start()).url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/)
})

test('a port that is taken is said', async () => {
  const { port } = await start()
  const error = await start(port).catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(NodeError)
  expect(error).toMatchObject({ code: 'CHAIN_PORT_TAKEN', data: { port } })
})

test('stopping ends all sockets', async () => {
  const dev = await start()
  const socket = await connect(dev.url)
  const end = closed(socket)
  await running.splice(0)[0]?.stop()
  expect(await end).toBe(1006)
})
