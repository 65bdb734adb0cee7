/** A development chain with a subnet of three validators, and clients that have heard of its head. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { type ChainClient, type ChainOptions, createChain } from '../../src/chain/client.ts'
import { createDevChain, type DevChain, type DevChainOptions } from '../../src/chain/dev/index.ts'
import type { Signer } from '../../src/chain/sign.ts'
import { SYSTEM } from '../../src/chain/system.ts'
import { developmentSigner } from '../../src/chain/uri.ts'
import type { Log } from '../../src/ports.ts'
import { toHex } from '../../src/util/bytes.ts'

const { clock, random } = SYSTEM
export const SILENT = SYSTEM.log

const STAKE = 1_000_000_000_000n
export const NETUID = 1

export const hotkeyOf = ({ publicKey }: Signer): string => toHex(publicKey)

export async function createSigners(): Promise<readonly [Signer, Signer, Signer]> {
  const [alice, bob, charlie] = await Promise.all(['//Alice', '//Bob', '//Charlie'].map(developmentSigner))
  return [alice, bob, charlie] as [Signer, Signer, Signer]
}

/** Uid 0 is the owner; the signers follow with stake and permits. */
export async function createSubnetChain(
  signers: readonly Signer[],
  options: Partial<DevChainOptions>,
): Promise<DevChain> {
  const owner = hotkeyOf(await developmentSigner('//Dave'))
  const neurons = signers.map((signer) => ({ coldkey: hotkeyOf(signer), hotkey: hotkeyOf(signer), stake: STAKE }))
  const subnet = {
    netuid: NETUID,
    owner: { coldkey: owner, hotkey: owner },
    neurons,
    // A hotkey may write 3,100 bytes in an epoch: 31 times. Here an epoch is over before that.
    tempo: 8,
    weightsRateLimit: 0,
    commitReveal: false,
  }
  return createDevChain({ blockMs: null, finalityBlocks: 2, subnets: [subnet], ...options })
}

export async function connect(
  dev: DevChain,
  signer: Signer | null,
  blockMs: number,
  log: Log = SILENT,
): Promise<ChainClient> {
  const options = { endpoints: [dev.url], genesis: null, netuid: NETUID, blockMs, dir: null }
  const client = await createChain(options, { signer, clock, random, log })
  await untilHeard(client, dev)
  return client
}

/** Until the client knows the chain's heads. */
export async function untilHeard(client: ChainClient, dev: DevChain): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    const { best, finalised } = client.health()
    if (best?.number === dev.head().number && finalised?.number === dev.finalised().number) return
    await sleep(5)
  }
  throw new Error('the client has not heard of the head')
}

export type Rpc = { readonly [field: string]: unknown }
/** What stands between a client and its node: each may change a message, or keep it back with `null`. */
export type Between = {
  /** May take its time: the request waits meanwhile. */
  readonly up?: (request: Rpc) => Rpc | null | Promise<Rpc | null>
  /** An answer comes with the request that it is for, a notification with `null`. */
  readonly down?: (message: Rpc, request: Rpc | null) => Rpc | null
}
export type Interposed = {
  readonly url: string
  /** Where new sockets go. */
  target: string
  between: Between
  /** Sockets that were ever opened. */
  sockets: number
  /** Says something to everybody. */
  readonly tell: (message: Rpc) => void
  readonly drop: () => void
  readonly close: () => void
}

/** Takes what a node says and changes it, as an endpoint may that is faulty or lies. */
export async function interpose(dev: DevChain, between: Between = {}): Promise<Interposed> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const drop = (): void => {
    for (const socket of server.clients) socket.terminate()
  }
  const proxy: Interposed = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: dev.url,
    between,
    sockets: 0,
    tell: (message) => {
      for (const socket of server.clients) socket.send(JSON.stringify(message))
    },
    drop,
    close: () => {
      drop()
      server.close()
    },
  }
  server.on('connection', (near) => {
    proxy.sockets += 1
    const requests = new Map<unknown, Rpc>()
    const far = new WebSocket(proxy.target)
    const opened = once(far, 'open').catch(() => near.terminate())
    near.on('message', async (data) => {
      const request = JSON.parse(String(data)) as Rpc
      requests.set(request['id'], request)
      await opened
      const passed = await (proxy.between.up ?? same)(request)
      if (passed !== null) far.send(JSON.stringify(passed))
    })
    far.on('message', (data) => {
      const message = JSON.parse(String(data)) as Rpc
      const passed = (proxy.between.down ?? same)(message, requests.get(message['id']) ?? null)
      requests.delete(message['id'])
      if (passed !== null) near.send(JSON.stringify(passed))
    })
    for (const side of [near, far]) side.on('error', () => undefined)
    near.on('close', () => far.terminate())
    far.on('close', () => near.terminate())
  })
  return proxy
}

const same = (message: Rpc): Rpc => message

/** A client of whatever endpoints, connected or not. */
export const openAt = (
  endpoints: readonly string[],
  { signer = null, log = SILENT, ...options }: Partial<ChainOptions> & { signer?: Signer | null; log?: Log } = {},
): Promise<ChainClient> =>
  createChain(
    { endpoints, genesis: null, netuid: NETUID, blockMs: 600_000, dir: null, ...options },
    { signer, clock, random, log },
  )
