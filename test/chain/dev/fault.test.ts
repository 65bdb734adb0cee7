import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { ArmedFaults, FAULT_KINDS, type Fault, parseFault } from '../../../src/chain/dev/fault.ts'
import { createDevChain, NO_PARTS } from '../../../src/chain/dev/index.ts'
import { toHex } from '../../../src/util/bytes.ts'
import { alice, createTestChain, remark, sign } from './world.ts'

const parsed: [text: string, fault: Fault | null][] = [
  ['drop', { kind: 'drop' }],
  ['silent', { kind: 'silent' }],
  ['swallow', { kind: 'swallow', count: 1 }],
  ['swallow:3', { kind: 'swallow', count: 3 }],
  ['unanswered', { kind: 'unanswered', count: 1 }],
  ['delay', { kind: 'delay', count: 1, delayMs: 3000 }],
  ['delay:50', { kind: 'delay', count: 1, delayMs: 50 }],
  ['duplicate:2', { kind: 'duplicate', count: 2 }],
  ['refuse', { kind: 'refuse', count: 1, code: 1014 }],
  ['refuse:1012', { kind: 'refuse', count: 1, code: 1012 }],
  ['fork:4', { kind: 'fork', count: 4, fate: 'again' }],
  ['fork-lost', { kind: 'fork', count: 1, fate: 'lost' }],
  ['upgrade', { kind: 'upgrade' }],
  ['refuse:7', null],
  ['quake', null],
  ['constructor', null],
  ['swallow:', null],
  ['swallow:x', null],
  ['', null],
]
test.each(parsed)('%s on the command line', (text, fault) => {
  expect(parseFault(text)).toEqual(fault)
})

test('every kind can be named', () => {
  expect(FAULT_KINDS.map((kind) => parseFault(kind) === null)).toEqual(FAULT_KINDS.map(() => false))
})

test('what was armed hits as often as it was told, first come first served', () => {
  const faults = new ArmedFaults()
  faults.arm({ kind: 'delay', count: 2, delayMs: 1 })
  faults.arm({ kind: 'delay', count: 1, delayMs: 2 })
  faults.arm({ kind: 'swallow', count: 1 })
  expect([1, 2, 3, 4].map(() => faults.take('delay')?.delayMs)).toEqual([1, 1, 2, undefined])
  expect([faults.take('swallow')?.kind, faults.take('swallow')]).toEqual(['swallow', null])
})

/** A client that only remembers what it heard. */
async function connect(url: string) {
  const socket = new WebSocket(url)
  const heard: {
    id?: number
    result?: unknown
    error?: { code: number }
    method?: string
    params?: { result: unknown }
  }[] = []
  let wake = () => {}
  socket.on('message', (data) => {
    heard.push(JSON.parse(String(data)))
    wake()
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise((resolve) => socket.once('open', resolve))
  const send = (id: number, method: string, ...params: unknown[]) =>
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
  const until = async (count: number) => {
    while (heard.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  return { socket, heard, closed, send, until }
}

describe('over a socket', () => {
  const setup = async () => {
    const timers: (() => void)[] = []
    const clock = { now: () => 0, setTimeout: (run: () => void) => timers.push(run), clearTimeout: () => {} }
    const dev = await createDevChain({ blockMs: null, parts: NO_PARTS }, { clock })
    const client = await connect(dev.url)
    return { dev, client, timers }
  }
  const twin = createTestChain().chain
  const transaction = (nonce = 0) => `0x${toHex(sign(twin, alice, remark(), { nonce }))}`
  const bodyOf = async (url: string) => {
    const other = await connect(url)
    other.send(1, 'chain_getBlock')
    await other.until(1)
    other.socket.terminate()
    const answer = other.heard[0]?.result as { block: { extrinsics: string[] } } | undefined
    return answer?.block.extrinsics
  }

  test('drop ends it, and a new one works', async () => {
    const { dev, client } = await setup()
    dev.fault({ kind: 'drop' })
    await client.closed
    expect(await bodyOf(dev.url)).toEqual([])
    await dev.stop()
  })

  test('silent leaves it open and mute for ever, and a new one works', async () => {
    const { dev, client } = await setup()
    client.send(1, 'chain_subscribeNewHeads')
    await client.until(2)
    dev.fault({ kind: 'silent' })
    client.send(2, 'system_chain')
    await dev.seal()
    await bodyOf(dev.url)
    expect([client.heard.length, client.socket.readyState]).toEqual([2, WebSocket.OPEN])
    await dev.stop()
  })

  test('swallow acknowledges a transaction that is never seen again', async () => {
    const { dev, client } = await setup()
    dev.fault({ kind: 'swallow', count: 1 })
    client.send(1, 'author_submitAndWatchExtrinsic', transaction())
    await client.until(2)
    expect(client.heard.map(({ result, params }) => result ?? params?.result)).toEqual([expect.any(String), 'ready'])
    await dev.seal()
    expect(await bodyOf(dev.url)).toHaveLength(1)
    client.send(2, 'author_submitExtrinsic', transaction())
    await client.until(3)
    await dev.seal()
    expect(await bodyOf(dev.url)).toHaveLength(2)
    await dev.stop()
  })

  test('unanswered includes a transaction and says nothing', async () => {
    const { dev, client } = await setup()
    dev.fault({ kind: 'unanswered', count: 1 })
    client.send(1, 'author_submitAndWatchExtrinsic', transaction())
    client.send(2, 'system_chain')
    await client.until(1)
    await dev.seal()
    expect(await bodyOf(dev.url)).toHaveLength(2)
    expect(client.heard.map(({ id }) => id)).toEqual([2])
    await dev.stop()
  })

  test('delay lets later messages overtake', async () => {
    const { dev, client, timers } = await setup()
    dev.fault({ kind: 'delay', count: 1, delayMs: 1000 })
    client.send(1, 'system_chain')
    client.send(2, 'system_chain')
    await client.until(1)
    timers[0]?.()
    await client.until(2)
    expect(client.heard.map(({ id }) => id)).toEqual([2, 1])
    await dev.stop()
  })

  test('duplicate says it twice', async () => {
    const { dev, client } = await setup()
    dev.fault({ kind: 'duplicate', count: 1 })
    client.send(1, 'system_chain')
    client.send(2, 'system_chain')
    await client.until(3)
    expect(client.heard.map(({ id }) => id)).toEqual([1, 1, 2])
    await dev.stop()
  })

  test.each([1010, 1012, 1013, 1014, 1016] as const)('refuse with %s, once', async (code) => {
    const { dev, client } = await setup()
    dev.fault({ kind: 'refuse', count: 1, code })
    client.send(1, 'author_submitExtrinsic', transaction())
    client.send(2, 'author_submitExtrinsic', transaction())
    await client.until(2)
    expect(client.heard.map(({ error }) => error?.code)).toEqual([code, undefined])
    await dev.stop()
  })

  test('fork replaces the last block', async () => {
    const { dev } = await setup()
    const gone = await dev.seal()
    dev.fault({ kind: 'fork', count: 1, fate: 'again' })
    expect(dev.head().number).toBe(2)
    const client = await connect(dev.url)
    client.send(1, 'chain_getBlockHash', 1)
    await client.until(1)
    expect(client.heard[0]?.result).not.toBe(gone.hash)
    await dev.stop()
  })

  test('upgrade raises the version', async () => {
    const { dev, client } = await setup()
    dev.fault({ kind: 'upgrade' })
    await dev.seal()
    client.send(1, 'state_getRuntimeVersion')
    await client.until(1)
    expect(client.heard[0]?.result).toMatchObject({ specVersion: 426 })
    await dev.stop()
  })
})
