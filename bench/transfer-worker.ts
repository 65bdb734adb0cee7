/**
 * One end of a transfer, in a process of its own: it serves a file over one of the paths, or fetches it and hashes it.
 *
 * Told by messages of its parent what to do; answers each with one. Files are made in memory from a seed.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import type { Libp2p, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'
import type { PullStore } from '../src/p2p/pull/job.ts'
import { createPull } from '../src/p2p/pull/pull.ts'
import { type PullServer, servePull } from '../src/p2p/pull/serve.ts'
import { createOutlet, messageParts } from '../src/p2p/pull/stream.ts'
import { DAG_PB } from '../src/p2p/store/cid.ts'
import { openStore } from '../src/p2p/store/index.ts'
import {
  addFile,
  addressOf,
  clock,
  createHost,
  createMemoryStore,
  fileOf,
  hostOptions,
  type MemoryStore,
  MIB,
  never,
  SILENT,
} from '../test/p2p/pull/stage.ts'

export type Path = 'http' | 'stream' | 'pull' | 'bitswap'
export type Keep = 'sink' | 'memory' | 'disk'
export type ServeTask = { readonly op: 'serve'; readonly path: Path; readonly mib: number; readonly seed: number }
export type Offer = {
  readonly port: number
  readonly cid: string
  readonly peerId: string
  readonly addresses: string[]
}
export type ReadyTask = { readonly op: 'ready'; readonly path: Path; readonly keep: Keep }
export type ConnectTask = { readonly op: 'connect'; readonly to: readonly Offer[] }
export type FetchTask = {
  readonly op: 'fetch'
  readonly path: Path
  readonly keep: Keep
  readonly mib: number
  readonly offer: Offer
}
export type Fetched = {
  readonly ms: number
  readonly rssMib: number
  readonly cpuSeconds: number
  readonly receivedBytes: number
}
export type Task = ServeTask | ReadyTask | ConnectTask | FetchTask | { readonly op: 'sent' }

const RAW_PROTOCOL = '/wheelwright/bench/raw'
const SLICE = MIB
const NOTHING = new Uint8Array(0)
const RSS_EVERY_MS = 20

/** What this process has, once it was told to have it. */
let host: Libp2p | null = null
let server: PullServer | null = null
let store: MemoryStore | null = null
let helia: Awaited<ReturnType<typeof createHelia>> | null = null

const hostHere = (): Libp2p => host ?? helia?.libp2p ?? fail('there is no host')
const fail = (why: string): never => {
  throw new Error(why)
}

async function createHelia() {
  const made = withBitswap(withLibp2pLight(createHeliaLight({ blockstore: new MemoryBlockstore() }), hostOptions()))
  await made.start()
  return made
}

const offerOf = (libp2p: Libp2p, cid: string): Offer => {
  const { peerId, addresses } = addressOf(libp2p)
  return { port: 0, cid, peerId, addresses: [...addresses] }
}

/** May be told again: then it serves another file as well, from the same place. */
async function serve({ path, mib, seed }: ServeTask): Promise<Offer> {
  const file = fileOf(mib * MIB, seed)
  if (path === 'http') return { port: await serveHttp(file), cid: '', peerId: '', addresses: [] }
  if (path === 'bitswap') {
    helia ??= await createHelia()
    return offerOf(helia.libp2p, String(await unixfs(helia).addBytes(file)))
  }
  host ??= await createHost()
  if (path === 'stream') {
    await host.handle(RAW_PROTOCOL, (stream) => sendAll(stream, file), { force: true })
    return offerOf(host, '')
  }
  store ??= createMemoryStore()
  server ??= await servePull({ libp2p: host, store, clock, log: SILENT })
  return offerOf(host, String(await addFile(store, file)))
}

async function sendAll(stream: Stream, file: Uint8Array): Promise<void> {
  const outlet = createOutlet(stream, clock)
  for (let at = 0; at < file.length; at += SLICE) await outlet.send(NOTHING, file.subarray(at, at + SLICE), never)
  await stream.close()
}

async function serveHttp(file: Uint8Array): Promise<number> {
  const listener = http.createServer((_, response) => {
    let at = 0
    const write = (): void => {
      while (at < file.length) {
        const part = file.subarray(at, at + SLICE)
        at += part.length
        if (!response.write(part)) return void response.once('drain', write)
      }
      response.end()
    }
    write()
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  return typeof address === 'object' && address !== null ? address.port : fail('no port')
}

async function ready({ path, keep }: ReadyTask): Promise<Offer> {
  if (path === 'http') return { port: 0, cid: '', peerId: '', addresses: [] }
  if (path === 'bitswap') helia = await createHelia()
  else host = await createHost()
  if (path === 'pull' && keep === 'memory' && host !== null) {
    store = createMemoryStore()
    server = await servePull({ libp2p: host, store, clock, log: SILENT })
  }
  return offerOf(hostHere(), '')
}

async function connect({ to }: ConnectTask): Promise<null> {
  for (const { addresses } of to) await hostHere().dial(addresses.map((address) => multiaddr(address)))
  return null
}

async function fetch(task: FetchTask): Promise<Fetched> {
  let rss = 0
  const sample = (): void => {
    rss = Math.max(rss, process.memoryUsage.rss())
  }
  sample()
  const timer = setInterval(sample, RSS_EVERY_MS)
  const [cpu, start] = [process.cpuUsage(), performance.now()]
  const receivedBytes = await FETCH[task.path](task)
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  clearInterval(timer)
  sample()
  return { ms, rssMib: rss / MIB, cpuSeconds: (user + system) / 1e6, receivedBytes }
}

/** Each returns the bytes that it took. What is not ours hashes the whole, ours every block. */
const FETCH: Readonly<Record<Path, (task: FetchTask) => Promise<number>>> = {
  http: fetchHttp,
  stream: fetchStream,
  pull: fetchPull,
  bitswap: fetchBitswap,
}

async function fetchHttp({ offer, keep }: FetchTask): Promise<number> {
  const disk = keep === 'disk' ? await createDisk() : null
  const digest = createHash('sha256')
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ host: '127.0.0.1', port: offer.port }, resolve).on('error', reject)
  })
  let bytes = 0
  for await (const part of response) {
    digest.update(part)
    if (disk !== null) await disk.write(part, bytes)
    bytes += part.length
  }
  digest.digest()
  await disk?.end()
  return bytes
}

async function fetchStream({ offer, mib }: FetchTask): Promise<number> {
  const connection = await hostHere().dial(offer.addresses.map((address) => multiaddr(address)))
  const stream = await connection.newStream([RAW_PROTOCOL])
  const digest = createHash('sha256')
  let bytes = 0
  await new Promise<void>((resolve, reject) => {
    stream.addEventListener('close', () => reject(new Error('the stream ended early')))
    stream.addEventListener('message', ({ data }) => {
      for (const part of messageParts(data)) {
        digest.update(part)
        bytes += part.length
      }
      if (bytes === mib * MIB) resolve()
    })
  })
  digest.digest()
  return bytes
}

async function fetchPull({ offer, mib, keep }: FetchTask): Promise<number> {
  const disk = keep === 'disk' ? await createDiskStore() : null
  const into = keep === 'memory' ? (store ?? fail('there is no store')) : (disk?.blocks ?? createSink())
  const pull = createPull({ libp2p: hostHere(), store: into, clock, log: SILENT })
  const from = [{ peerId: offer.peerId, addresses: offer.addresses }]
  await pull.fetch(CID.parse(offer.cid), { bytesMax: mib * MIB, from, ...never })
  await disk?.end()
  return pull.stats().receivedBytes
}

/** The store of a node, with a file for each block. */
async function createDiskStore() {
  const dir = await mkdtemp(join(tmpdir(), 'wheelwright-transfer-'))
  const { blocks } = await openStore({ dir, quotaBytes: Number.MAX_SAFE_INTEGER, freeBytesMin: 0 }, { log: SILENT })
  return { blocks, end: () => rm(dir, { recursive: true, force: true }) }
}

async function fetchBitswap({ offer }: FetchTask): Promise<number> {
  if (helia === null) return fail('there is no helia')
  const digest = createHash('sha256')
  let bytes = 0
  for await (const part of unixfs(helia).cat(CID.parse(offer.cid))) {
    digest.update(part)
    bytes += part.length
  }
  digest.digest()
  return bytes
}

/** Knows which blocks came and forgets what was in them, so that memory is the transfer's own. */
function createSink(): PullStore {
  const nodes = new Map<string, Uint8Array>()
  const seen = new Set<string>()
  return {
    has: async (cid) => seen.has(String(cid)),
    get: async (cid) => nodes.get(String(cid)) ?? null,
    put: async (cid, bytes) => {
      seen.add(String(cid))
      if (cid.code === DAG_PB) nodes.set(String(cid), bytes)
    },
  }
}

type Disk = { write(bytes: Uint8Array, at: number): Promise<unknown>; end(): Promise<void> }

/** One file, written as the bytes come. */
async function createDisk(): Promise<Disk> {
  const folder = await mkdtemp(join(tmpdir(), 'wheelwright-transfer-'))
  const file = await open(join(folder, 'file'), 'w')
  return {
    write: (bytes, at) => file.write(bytes, 0, bytes.length, at),
    end: async () => {
      await file.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const OPS = {
  serve,
  ready,
  connect,
  fetch,
  sent: async () => server?.stats().sentBytes ?? 0,
} as { readonly [op in Task['op']]: (task: never) => Promise<unknown> }

process.on('message', ({ id, task }: { readonly id: number; readonly task: Task }) => {
  OPS[task.op](task as never).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: String(error instanceof Error ? error.stack : error) }),
  )
})
