/** The link against endpoints that lag, lie, stall, fall silent and come back, over real WebSockets. */
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Keyring } from '@polkadot/keyring'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { ChainClient } from '../../src/chain/client.ts'
import type { DevChain, DevChainOptions } from '../../src/chain/dev/index.ts'
import { createSocket, RpcError } from '../../src/chain/socket.ts'
import type { ChainEvent, Log } from '../../src/ports.ts'
import {
  type Between,
  createSigners,
  createSubnetChain,
  hotkeyOf,
  type Interposed,
  interpose,
  NETUID,
  openAt,
  type Rpc,
  untilHeard,
} from './chain-stage.ts'

const [alice, bob, charlie] = await createSigners()
const signal = AbortSignal.timeout(110_000)
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function chain(options: Partial<DevChainOptions> = {}, blocks = 0): Promise<DevChain> {
  const dev = await createSubnetChain([alice, bob, charlie], options)
  ends.push(() => dev.stop())
  for (let i = 0; i < blocks; i++) await dev.seal()
  return dev
}

async function proxyTo(dev: DevChain, between: Between = {}): Promise<Interposed> {
  const proxy = await interpose(dev, between)
  ends.push(() => proxy.close())
  return proxy
}

async function open(endpoints: readonly string[], options: Parameters<typeof openAt>[1] = {}): Promise<ChainClient> {
  const client = await openAt(endpoints, options)
  ends.push(() => client.stop())
  return client
}

function hear(client: ChainClient): ChainEvent[] {
  const events: ChainEvent[] = []
  client.watch((event) => events.push(event))
  return events
}

const until = (fits: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(fits()).toBe(true), { timeout: 10_000, interval: 10 })
const isNews = (message: Rpc, type: string): boolean => message['method'] === type
/** A notification with another result. */
const saying = (message: Rpc, result: unknown): Rpc => ({
  ...message,
  params: { ...(message['params'] as Rpc), result },
})
const resultOf = (message: Rpc): Rpc => (message['params'] as Rpc)['result'] as Rpc

describe('what was final', () => {
  test('an endpoint that is behind is not used, and one that is beside serves another chain', async () => {
    const [ahead, other] = [await chain({}, 20), await chain({}, 5)]
    const proxy = await proxyTo(ahead)
    const client = await open([proxy.url], { blockMs: 500 })
    await untilHeard(client, ahead)
    const told = client.health().finalised
    const waiting = client.hashOf(18, { signal })
    expect(await waiting).toBe(told?.hash)
    proxy.target = other.url
    proxy.drop()
    await until(() => /behind: its finalised head is 3/.test(client.health().degraded ?? ''))
    const late = client.hashOf(18, { signal })
    for (let i = 0; i < 20; i++) await other.seal()
    await expect(late).rejects.toMatchObject({ code: 'CHAIN_FOREIGN', why: expect.stringContaining('was final') })
    await expect(client.hashOf(1, { signal })).rejects.toMatchObject({ code: 'CHAIN_FOREIGN' })
    expect(client.health()).toMatchObject({ connected: false, finalised: told })
    // Where the first one is back, all goes on.
    proxy.target = ahead.url
    await until(() => client.health().connected)
    expect(await client.hashOf(18, { signal })).toBe(told?.hash)
  })

  test('where all endpoints serve another chain, whoever waits is told', async () => {
    const dev = await chain({}, 3)
    const client = await open([dev.url], { genesis: 'ff'.repeat(32) })
    await expect(client.hashOf(0, { signal })).rejects.toMatchObject({ code: 'CHAIN_FOREIGN' })
  })

  test('a chain on which nothing becomes final is degraded, and is read all the same', async () => {
    const dev = await chain({ finalityBlocks: 18 })
    const client = await open([dev.url])
    await untilHeard(client, dev)
    const events = hear(client)
    for (let i = 0; i < 17; i++) await dev.seal()
    await untilHeard(client, dev)
    expect(events.at(-2)).toEqual({ type: 'chain.degraded', why: 'nothing has become final for 17 blocks' })
    expect(await client.hashOf(0, { signal })).toHaveLength(64)
    expect(client.health().generations).toBe(1)
  })

  test('where nothing becomes final, another endpoint is tried', async () => {
    const stuck = await chain({ finalityBlocks: 100 }, 20)
    const sound = await chain({}, 20)
    const client = await open([stuck.url, sound.url])
    await untilHeard(client, sound)
    expect(client.health()).toMatchObject({ endpoint: sound.url, degraded: null })
  })

  test('a block that was told is waited for at an endpoint that does not know it for a moment', async () => {
    const dev = await chain({}, 6)
    let lies = 0
    const proxy = await proxyTo(dev)
    const client = await open([proxy.url])
    await untilHeard(client, dev)
    const { number, hash } = client.health().finalised ?? expect.fail('nothing is final')
    const early = await client.hashOf(1, { signal })
    const down: Between['down'] = (message, request) =>
      request?.['method'] === 'chain_getFinalizedHead' && lies++ < 3 ? { ...message, result: `0x${early}` } : message
    proxy.between = { down }
    expect(await client.hashOf(number, { signal })).toBe(hash)
    lies = Number.NEGATIVE_INFINITY
    await expect(client.hashOf(number, { signal })).rejects.toMatchObject({ code: 'BLOCK_UNKNOWN' })
  })
})

describe('heads', () => {
  test('an endpoint that lags is no fork, other blocks at the old height are one', async () => {
    const dev = await chain({}, 3)
    const heads: Rpc[] = []
    const down: Between['down'] = (message) => {
      if (isNews(message, 'chain_newHead')) heads.push(message)
      return message
    }
    const proxy = await proxyTo(dev, { down })
    const client = await open([proxy.url])
    await untilHeard(client, dev)
    const events = hear(client)
    for (let i = 0; i < 5; i++) await dev.seal()
    await untilHeard(client, dev)
    for (const head of heads.slice(-4)) proxy.tell(head)
    await dev.seal()
    await untilHeard(client, dev)
    expect(events.filter(({ type }) => type === 'chain.forked')).toEqual([])
    dev.fault({ kind: 'fork', count: 1, fate: 'again' })
    await dev.seal()
    await untilHeard(client, dev)
    expect(events.filter(({ type }) => type === 'chain.forked')).toHaveLength(1)
  })

  const head = (type: string, change: (head: Rpc) => unknown) => (message: Rpc) =>
    isNews(message, type) ? saying(message, change(resultOf(message))) : message
  test.each<[string, (message: Rpc) => Rpc]>([
    ['no best head', head('chain_newHead', () => null)],
    ['a best head that is text', head('chain_newHead', () => 'x')],
    ['a best head without roots', head('chain_newHead', ({ number }) => ({ number }))],
    ['a best head with a log of nothing', head('chain_newHead', (is) => ({ ...is, digest: { logs: [null, 7] } }))],
    ['a best head beyond all numbers', head('chain_newHead', (is) => ({ ...is, number: '0xffffffffff' }))],
    ['a best head far ahead', head('chain_newHead', (is) => ({ ...is, number: '0x7fffffff' }))],
    ['no finalised head', head('chain_finalizedHead', () => null)],
    ['a finalised head far ahead', head('chain_finalizedHead', (is) => ({ ...is, number: '0x7fffffff' }))],
    ['no version of the runtime', head('state_runtimeVersion', () => null)],
    ['a version that is text', head('state_runtimeVersion', (is) => ({ ...is, specVersion: 'x' }))],
  ])('%s ends no process and poisons nothing', async (_, down) => {
    const dev = await chain({}, 3)
    const proxy = await proxyTo(dev)
    const client = await open([proxy.url], { blockMs: 400 })
    await untilHeard(client, dev)
    proxy.between = { down }
    dev.fault({ kind: 'upgrade' })
    for (let i = 0; i < 3; i++) {
      await dev.seal()
      await sleep(30)
    }
    expect(client.health().best?.number).toBeLessThan(10)
    expect(client.health().finalised?.number).toBeLessThan(10)
    proxy.between = {}
    await dev.seal()
    await untilHeard(client, dev)
    await until(() => client.health().degraded === null)
    expect(await client.hashOf(dev.finalised().number, { signal })).toBe(dev.finalised().hash.slice(2))
  })

  test('an upgrade of the runtime is met with a new socket, and nobody hears of it', async () => {
    const dev = await chain({}, 3)
    const client = await open([dev.url])
    await untilHeard(client, dev)
    const events = hear(client)
    const specOf = () => client.link.use(async (api) => api.runtimeVersion.specVersion.toNumber(), { signal })
    const before = await specOf()
    dev.fault({ kind: 'upgrade' })
    await dev.seal()
    await until(() => client.health().generations === 2)
    expect(await specOf()).toBe(before + 1)
    expect(events.filter(({ type }) => type === 'chain.degraded')).toEqual([])
  })
})

describe('connecting', () => {
  const METHODS =
    'chain_getBlockHash chain_getFinalizedHead chain_getHeader state_getRuntimeVersion system_chain system_properties rpc_methods state_call chain_subscribeNewHeads chain_subscribeFinalizedHeads state_subscribeRuntimeVersion'
  const ANSWERS: readonly Rpc[] = [
    { result: null },
    { result: 'x' },
    { result: [{}] },
    { error: { code: -1, message: 'no' } },
  ]
  test.each(METHODS.split(' '))(
    'whatever is answered to %s, no process ends and the next try is made',
    async (method) => {
      const dev = await chain({}, 3)
      for (const answer of ANSWERS) {
        let asked = 0
        const down: Between['down'] = (message, request) => {
          if (request?.['method'] !== method) return message
          asked += 1
          return { jsonrpc: '2.0', id: message['id'] ?? null, ...answer }
        }
        const proxy = await proxyTo(dev, { down })
        const client = await open([proxy.url], { blockMs: 400 })
        await until(() => asked > 0)
        await sleep(20)
        proxy.between = {}
        proxy.drop()
        await dev.seal()
        await untilHeard(client, dev)
        client.stop()
      }
    },
  )

  test('a socket that closes at any answer ends no process', async () => {
    const dev = await chain({}, 3)
    for (let at = 1; at < 16; at++) {
      let answers = 0
      const proxy = await proxyTo(dev)
      proxy.between = {
        down: (message) => {
          answers += 1
          if (answers === at) proxy.drop()
          return answers === at ? null : message
        },
      }
      const client = await open([proxy.url], { blockMs: 400 })
      await until(() => proxy.sockets > 1)
      await untilHeard(client, dev)
      client.stop()
    }
  })

  test('an endpoint that tells one head and closes is asked less and less', async () => {
    const dev = await chain({}, 3)
    const proxy = await proxyTo(dev)
    proxy.between = {
      down: (message) => {
        if (isNews(message, 'chain_newHead')) setTimeout(() => proxy.drop(), 10)
        return message
      },
    }
    await open([proxy.url], { blockMs: 12_000 })
    await sleep(3_000)
    expect(proxy.sockets).toBeLessThan(10)
  })

  test.each([
    ['a fragment', ['ws://127.0.0.1:9944/#x']],
    ['no protocol', ['localhost:9944']],
    ['another protocol', ['ws://127.0.0.1:1', 'http://127.0.0.1:1']],
    ['nothing', []],
  ])('an address with %s is refused in a sentence', async (_, endpoints) => {
    await expect(openAt(endpoints)).rejects.toMatchObject({ code: 'ENDPOINT_INVALID' })
  })

  test('keys of providers are told to nobody', async () => {
    const lines: string[] = []
    const say = (message: string, fields = {}): void => void lines.push(JSON.stringify({ message, fields }))
    const log: Log = { debug: say, info: say, warn: say, error: say }
    const dev = await chain()
    const { port } = new URL(dev.url)
    const client = await open([`ws://me:SECRET@127.0.0.1:${port}/SECRET?apikey=SECRET`], { log })
    await untilHeard(client, dev)
    expect(client.health().endpoint).toBe(dev.url)
    const waiting = client.link.use(() => new Promise(() => undefined), { signal })
    waiting.catch(() => undefined)
    await dev.stop()
    await until(() => client.health().generations > 2)
    const told = [...lines, JSON.stringify(client.health())].join('\n')
    expect(told).toContain('chain degraded')
    expect(told).toMatch(/"why":"[^"]*ECONNREFUSED/)
    expect(told).not.toContain('SECRET')
  })

  test('the console belongs to others, and the library says nothing on it', async () => {
    const before = [console.log, console.warn, console.error]
    const said: unknown[] = []
    for (const level of ['log', 'warn', 'error'] as const) {
      vi.spyOn(console, level).mockImplementation((...parts) => void said.push(parts))
    }
    const spied = [console.log, console.warn, console.error]
    const dev = await chain({}, 3)
    const proxy = await proxyTo(dev, {
      down: (message, request) => (request?.['method'] === 'system_chain' ? null : message),
    })
    const client = await open([proxy.url])
    await sleep(100)
    proxy.between = {}
    proxy.drop()
    await untilHeard(client, dev)
    await client.neurons(1, { signal })
    expect([console.log, console.warn, console.error]).toEqual(spied)
    vi.restoreAllMocks()
    expect([console.log, console.warn, console.error]).toEqual(before)
    expect(said).toEqual([])
  })
})

describe('use', () => {
  test('what was read is not kept', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const dev = await chain()
    const client = await open([dev.url])
    await untilHeard(client, dev)
    const read: WeakRef<object>[] = []
    const opts = { signal: new AbortController().signal }
    for (let i = 0; i < 50; i++) {
      read.push(new WeakRef(await client.link.use(async () => ({ rows: Array.from({ length: 256 }, () => i) }), opts)))
    }
    await sleep(10)
    collect()
    expect(read.filter((each) => each.deref() !== undefined).length).toBeLessThan(5)
  })

  test('what the node refuses says so, and keeps the words of the node', async () => {
    const dev = await chain()
    const client = await open([dev.url])
    await untilHeard(client, dev)
    const refused = await client.link
      .use((api) => api.rpc.state.getRuntimeVersion.raw(`0x${'11'.repeat(32)}`), { signal })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'CHAIN_REFUSED',
      remedy: expect.stringContaining('endpoint'),
      cause: expect.any(RpcError),
    })
  })

  test('when the link is stopped, everything that waits ends, and who watches hears it', async () => {
    const dev = await chain()
    const client = await open([dev.url])
    await untilHeard(client, dev)
    const away = await open(['ws://127.0.0.1:1'])
    const events = hear(client)
    const never = new AbortController().signal
    const hanging = [client, away].map(({ link }) => link.use(() => new Promise(() => undefined), { signal: never }))
    client.stop()
    away.stop()
    for (const each of hanging) await expect(each).rejects.toMatchObject({ code: 'CHAIN_UNAVAILABLE' })
    await expect(client.hashOf(0, { signal: never })).rejects.toMatchObject({ code: 'CHAIN_UNAVAILABLE' })
    expect(events.at(-1)).toEqual({ type: 'chain.degraded', why: 'stopped' })
    expect(client.link.isStopped()).toBe(true)
    const count = events.length
    await dev.seal()
    await sleep(50)
    expect(events).toHaveLength(count)
    expect(hear(client).at(-1)).toEqual({ type: 'chain.degraded', why: 'stopped' })
  })
})

test('notifications are kept for a subscription only while it is being made, few and small', async () => {
  const dev = await chain()
  const proxy = await proxyTo(dev)
  const socket = createSocket({ url: proxy.url, requestMs: 2_000 })
  ends.push(() => socket.end())
  await socket.connect()
  await sleep(20)
  const tell = (result: string): void =>
    proxy.tell({ jsonrpc: '2.0', method: 't', params: { subscription: 's', result } })
  const down: Between['down'] = ({ id }) => ({ jsonrpc: '2.0', id: id ?? null, result: 's' })
  proxy.between = { down }
  const subscribe = async (): Promise<readonly unknown[]> => {
    const heard: unknown[] = []
    await socket.subscribe('t', 'chain_getBlockHash', [0], (_, result) => heard.push(result))
    await socket.unsubscribe('t', 'chain_getBlockHash', 's')
    return heard
  }
  tell('for nobody')
  await sleep(20)
  expect(await subscribe()).toEqual([])
  proxy.between = {
    up: (request) => {
      tell('early')
      tell('z'.repeat(100_000))
      for (let i = 0; i < 100; i++) tell('more')
      return request
    },
    down,
  }
  const heard = await subscribe()
  expect(heard[0]).toBe('early')
  expect(heard.length).toBeLessThanOrEqual(16)
  expect(heard.every((each) => String(each).length < 10)).toBe(true)
})

test('a slot stands where its own extrinsic does, whoever signed that and whatever came after it', async () => {
  const dev = await chain()
  const client = await open([dev.url])
  await untilHeard(client, dev)
  const ring = new Keyring({ type: 'sr25519' })
  const [first, second] = ['//Alice', '//Bob'].map((uri) => ring.addFromUri(uri)) as [never, never]
  await client.link.use(
    async (api) => {
      const slot = (byte: string) =>
        api.tx['commitments']?.['setCommitment']?.(NETUID, { fields: [{ Raw1: byte }] }) as never as Sendable
      const sudoAs = api.tx['sudo']?.['sudoAs'] as never as (...args: unknown[]) => Sendable
      const remark = api.tx['system']?.['remark'] as never as (...args: unknown[]) => Sendable
      await slot('0x01').signAndSend(first, { nonce: 0 })
      await slot('0x02').signAndSend(second, { nonce: 0 })
      await remark('0x01').signAndSend(second, { nonce: 1 })
      await sudoAs(charlie.address, slot('0x03')).signAndSend(first, { nonce: 1 })
    },
    { signal },
  )
  for (let i = 0; i < 4; i++) await dev.seal()
  await untilHeard(client, dev)
  const slots = await client.slots(dev.finalised().number, { signal })
  const indexOf = new Map(slots.map(({ hotkey, index }) => [hotkey, index]))
  const [a, b, c] = [alice, bob, charlie].map((signer) => indexOf.get(hotkeyOf(signer)) ?? expect.fail('no slot'))
  expect(a).toBeLessThan(b as number)
  expect(b).toBeLessThan(c as number)
  expect(c).toBeLessThan(10)
  // Where the chain does not tell, a write is behind all others.
  for (let i = 0; i < 260; i++) await dev.seal()
  await untilHeard(client, dev)
  const old = await client.slots(dev.finalised().number, { signal })
  expect(old.map(({ index }) => index)).toEqual(old.map(() => Number.MAX_SAFE_INTEGER))
})

type Sendable = { signAndSend: (pair: unknown, options: object) => Promise<unknown> }
