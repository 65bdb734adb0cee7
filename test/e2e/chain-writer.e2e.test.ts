/** Writes that must land once, between endpoints that lie, crashes, and others who use the same key. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { type ChainClient, createChain } from '../../src/chain/client.ts'
import type { DevChain, DevChainOptions } from '../../src/chain/dev/index.ts'
import { Account } from '../../src/chain/dev/pallet/system.ts'
import { extrinsicsOf } from '../../src/chain/fate.ts'
import { hashAt } from '../../src/chain/read.ts'
import { SYSTEM } from '../../src/chain/system.ts'
import type { Write } from '../../src/chain/write.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import {
  type Between,
  createSigners,
  createSubnetChain,
  hotkeyOf,
  type Interposed,
  interpose,
  NETUID,
  type Rpc,
  SILENT,
  untilHeard,
} from './chain-stage.ts'

const { clock, random } = SYSTEM

const [alice] = await createSigners()
const patience = () => AbortSignal.timeout(30_000)
/** Nothing here is silent by itself. */
const BLOCK_MS = 600_000
const SEAL_MS = 40

const AMOUNT = 123_456_789_012n
const AMOUNT_HEX = toHex(new Uint8Array(new BigUint64Array([AMOUNT]).buffer))
const STAKE: Write = {
  kind: 'call',
  effect: { pallet: 'subtensorModule', name: 'addStake', args: [`0x${hotkeyOf(alice)}`, NETUID, String(AMOUNT)] },
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function startChain(options: Partial<DevChainOptions> = {}): Promise<DevChain> {
  const dev = await createSubnetChain([alice], options)
  ends.push(() => dev.stop())
  return dev
}

async function open(url: string, dev: DevChain, dir: string | null = null): Promise<ChainClient> {
  const options = { endpoints: [url], genesis: null, netuid: NETUID, blockMs: BLOCK_MS, dir }
  const client = await createChain(options, { signer: alice, clock, random, log: SILENT })
  ends.push(() => client.stop())
  await untilHeard(client, dev)
  return client
}

async function proxyTo(dev: DevChain, between: Between = {}): Promise<Interposed> {
  const proxy = await interpose(dev, between)
  ends.push(() => proxy.close())
  return proxy
}

/** The first answer to this method, and only that one, is the lie. */
function lieOnce(dev: DevChain, method: string, lie: Rpc): Promise<Interposed> {
  let isArmed = true
  const down: Between['down'] = (message, request) => {
    if (request?.['method'] !== method || !isArmed) return message
    isArmed = false
    return answerOf(message, lie)
  }
  return proxyTo(dev, { down })
}

const answerOf = ({ jsonrpc, id }: Rpc, lie: Rpc): Rpc => ({ jsonrpc, id, ...lie })

/** Seals until the write has its end. */
async function sealWhile<T>(dev: DevChain, work: Promise<T>, blocksMax = 90): Promise<T> {
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  over.catch(() => undefined)
  for (let i = 0; i < blocksMax && !isOver; i++) {
    await sleep(SEAL_MS)
    if (!isOver) await dev.seal()
  }
  return over
}

async function blocksWith(client: ChainClient, hex: string, to: number): Promise<readonly number[]> {
  return client.link.use(
    async (api) => {
      const found: number[] = []
      for (let number = 1; number <= to; number++) {
        const extrinsics = (await extrinsicsOf(api, await hashAt(api, number))) ?? []
        for (const extrinsic of extrinsics) if (extrinsic.includes(hex)) found.push(number)
      }
      return found
    },
    { signal: patience() },
  )
}

async function stakedOnce(dev: DevChain, client: ChainClient): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await sleep(SEAL_MS)
    await dev.seal()
  }
  await untilHeard(client, dev)
  expect(await blocksWith(client, AMOUNT_HEX, dev.head().number)).toHaveLength(1)
}

const refusal = (code: number, message: string, data?: string): Rpc => ({
  error: data === undefined ? { code, message } : { code, message, data },
})

test.each([
  ['an ancient birth block', refusal(1010, 'Invalid Transaction', 'Transaction has an ancient birth block')],
  ['a bad signature', refusal(1010, 'Invalid Transaction', 'Transaction has a bad signature')],
  ['a full pool', refusal(1016, 'Immediately Dropped')],
  ['an error of its own', refusal(-32603, 'Internal error')],
  ['a temporary ban', refusal(1012, 'Transaction is temporarily banned')],
])('an endpoint that passes a stake on and tells of %s does not make it twice', async (_, answer) => {
  const dev = await startChain()
  const proxy = await lieOnce(dev, 'author_submitExtrinsic', answer)
  const client = await open(proxy.url, dev)
  const landing = await sealWhile(dev, client.write(STAKE, { lastBlock: 60, signal: patience() }))
  expect(landing.block).toBeGreaterThan(0)
  await stakedOnce(dev, client)
})

test('a nonce that somebody else has used, told by an endpoint that lags, costs a few blocks and not the window', async () => {
  const dev = await startChain()
  const first = await open(dev.url, dev)
  await sealWhile(dev, first.writeSlot(utf8('first'), { lastBlock: 60, signal: patience() }))
  first.stop()
  const proxy = await lieOnce(dev, 'system_accountNextIndex', { result: 0 })
  const client = await open(proxy.url, dev)
  const from = dev.head().number
  await sealWhile(dev, client.write(STAKE, { lastBlock: from + 60, signal: patience() }))
  expect(dev.head().number - from).toBeLessThan(12)
  await stakedOnce(dev, client)
})

test('blocks that come while a look is under way are looked at before a transaction is called dead', async () => {
  const dev = await startChain()
  let looks = 0
  const proxy = await proxyTo(dev, {
    up: async (request) => {
      // Far more than the era, between two answers of one look.
      if (request['method'] === 'chain_getHeader' && ++looks === 9) for (let i = 0; i < 70; i++) await dev.seal()
      return request
    },
  })
  const client = await open(proxy.url, dev)
  await sealWhile(dev, client.write(STAKE, { lastBlock: 200, signal: patience() }))
  await stakedOnce(dev, client)
})

test('the same stake after a crash is the one that was begun, also when its state is kept no more', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
  ends.push(() => rmSync(dir, { recursive: true }))
  const dev = await startChain({ historyBlocks: 16 })
  const crashing = await open(dev.url, dev, dir)
  const crash = new AbortController()
  const begun = crashing.write(STAKE, { lastBlock: 60, signal: crash.signal })
  begun.catch(() => undefined)
  while (crashing.health().pending.length === 0) await sleep(5)
  await sleep(10 * SEAL_MS) // and sent
  crash.abort(new Error('killed'))
  crashing.stop()
  for (let i = 0; i < 40; i++) await dev.seal()

  const client = await open(dev.url, dev, dir)
  expect(client.health().pending).toHaveLength(1)
  const landing = await sealWhile(dev, client.write(STAKE, { lastBlock: dev.head().number + 60, signal: patience() }))
  expect(landing.block).toBe(1)
  expect(client.health().pending).toEqual([])
  // Its block is gone, so it is counted by what it left: and a second one that is meant is a second one.
  const stakes = () => dev.read().get(Account, hotkeyOf(alice)).nonce
  expect(stakes()).toBe(1)
  await sealWhile(dev, client.write(STAKE, { lastBlock: dev.head().number + 60, signal: patience() }))
  expect(stakes()).toBe(2)
})

test('a banned form and the one in its place are never both off the record', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
  ends.push(() => rmSync(dir, { recursive: true }))
  const dev = await startChain()
  const crash = new AbortController()
  let isBanned = false
  const proxy = await proxyTo(dev, {
    up: (request) => {
      if (isBanned) crash.abort(new Error('killed'))
      return request
    },
    down: (message, request) => {
      if (request?.['method'] !== 'author_submitExtrinsic') return message
      isBanned = true
      return answerOf(message, refusal(1012, 'Transaction is temporarily banned'))
    },
  })
  const crashing = await open(proxy.url, dev, dir)
  await expect(crashing.write(STAKE, { lastBlock: 60, signal: crash.signal })).rejects.toThrow()
  crashing.stop()
  const client = await open(dev.url, dev, dir)
  expect(client.health().pending).toHaveLength(1)
  await sealWhile(dev, client.write(STAKE, { lastBlock: 60, signal: patience() }))
  await stakedOnce(dev, client)
})

test('connections that drop again and again cost no window', async () => {
  const dev = await startChain()
  const proxy = await proxyTo(dev)
  const client = await open(proxy.url, dev)
  const work = client.writeSlot(utf8('through all of it'), { lastBlock: 80, signal: patience() })
  work.catch(() => undefined)
  for (let i = 0; i < 6; i++) {
    await sleep(60)
    proxy.drop()
  }
  expect((await sealWhile(dev, work)).block).toBeGreaterThan(0)
})

test('a client that was stopped leaves nobody waiting', async () => {
  const dev = await startChain()
  const client = await open(dev.url, dev)
  const work = client.writeSlot(utf8('never'), { lastBlock: 80, signal: patience() })
  work.catch(() => undefined)
  await sleep(100)
  client.stop()
  await expect(work).rejects.toMatchObject({ code: 'CHAIN_UNAVAILABLE' })
})
