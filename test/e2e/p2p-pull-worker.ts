/** A process that serves a file from memory, or fetches one into a folder; the test tells it which. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import type { PullStore } from '../../src/p2p/pull/job.ts'
import { createPull } from '../../src/p2p/pull/pull.ts'
import { servePull } from '../../src/p2p/pull/serve.ts'
import type { PeerAddress } from '../../src/ports.ts'
import {
  addFile,
  addressOf,
  clock,
  createHost,
  createMemoryStore,
  fileOf,
  MIB,
  never,
  SILENT,
} from '../p2p/pull/stage.ts'

export type Order =
  | { readonly op: 'serve'; readonly mib: number; readonly sendMsPerBlock: number }
  | {
      readonly op: 'fetch'
      readonly cid: string
      readonly from: readonly PeerAddress[]
      readonly folder: string | null
    }
export type Report = {
  readonly type: 'serving' | 'progress' | 'fetched' | 'failed'
  readonly address?: PeerAddress
  readonly cid?: string
  readonly doneBytes?: number
  readonly receivedBytes?: number
  readonly rssMib?: number
  readonly misdeeds?: readonly string[]
  readonly why?: string
}

const RSS_EVERY_MS = 20
const tell = (report: Report): void => void process.send?.(report)

async function serve({ mib, sendMsPerBlock }: Order & { op: 'serve' }): Promise<void> {
  const [host, store] = [await createHost(), createMemoryStore()]
  const cid = await addFile(store, fileOf(mib * MIB))
  const get: typeof store.get = async (wanted, opts) => {
    // So slow that a test can come between.
    if (sendMsPerBlock > 0) await new Promise((resolve) => setTimeout(resolve, sendMsPerBlock))
    return store.get(wanted, opts)
  }
  await servePull({ libp2p: host, store: { ...store, get }, clock, log: SILENT })
  tell({ type: 'serving', address: addressOf(host), cid: String(cid) })
}

async function fetch({ cid, from, folder }: Order & { op: 'fetch' }): Promise<void> {
  const misdeeds: string[] = []
  let rss = 0
  setInterval(() => {
    rss = Math.max(rss, process.memoryUsage.rss())
  }, RSS_EVERY_MS)
  const store = folder === null ? createSink() : await createFolder(folder)
  const misbehaved = (_: string, misdeed: string) => void misdeeds.push(misdeed)
  const pull = createPull({ libp2p: await createHost(), store, clock, log: SILENT, misbehaved })
  const onProgress = ({ doneBytes }: { readonly doneBytes: number }) => tell({ type: 'progress', doneBytes })
  await pull.fetch(CID.parse(cid), { bytesMax: 4_096 * MIB, from, onProgress, ...never })
  tell({ type: 'fetched', receivedBytes: pull.stats().receivedBytes, rssMib: rss / MIB, misdeeds })
}

/** A file for each block, whole or not at all: what a kill leaves is what a store would have. */
async function createFolder(folder: string): Promise<PullStore> {
  await mkdir(folder, { recursive: true })
  const here = new Set((await readdir(folder)).filter((name) => !name.endsWith('.part')))
  return {
    has: async (cid) => here.has(String(cid)),
    get: async (cid) => (here.has(String(cid)) ? new Uint8Array(await readFile(join(folder, String(cid)))) : null),
    put: async (cid, bytes) => {
      const path = join(folder, String(cid))
      await writeFile(`${path}.part`, bytes)
      await rename(`${path}.part`, path)
      here.add(String(cid))
    },
  }
}

/** Forgets every block, so that the memory of the process is that of the transfer. */
function createSink(): PullStore {
  const here = new Set<string>()
  return {
    has: async (cid) => here.has(String(cid)),
    get: async () => null,
    put: async (cid) => void here.add(String(cid)),
  }
}

process.on('message', (order: Order) => {
  const done = order.op === 'serve' ? serve(order) : fetch(order)
  done.catch((error: unknown) => tell({ type: 'failed', why: String(error) }))
})
