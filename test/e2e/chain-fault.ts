/**
 * Writes of one client while everything goes wrong between it and the chain, one fault at a time.
 *
 * Blocks come fast and by hand, so that thousands of faults fit into minutes; what is measured is measured in blocks. Every
 * write must be in the chain exactly once, whatever was done to its socket, its transaction or its block.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChainClient } from '../../src/chain/client.ts'
import type { DevChain, Fault } from '../../src/chain/dev/index.ts'
import { extrinsicsOf } from '../../src/chain/writer.ts'
import { toHex, u64 } from '../../src/util/bytes.ts'
import { connect, createSigners, createSubnetChain } from './chain-stage.ts'

type Kind = Fault['kind']
/** Before the write: what hits the transaction. While it is under way: what hits the socket or the blocks. */
const FAULTS: readonly { readonly fault: Fault; readonly when: 'before' | 'during' }[] = [
  { fault: { kind: 'drop' }, when: 'during' },
  { fault: { kind: 'silent' }, when: 'during' },
  { fault: { kind: 'swallow', count: 1 }, when: 'before' },
  { fault: { kind: 'unanswered', count: 1 }, when: 'before' },
  { fault: { kind: 'delay', count: 3, delayMs: 300 }, when: 'before' },
  { fault: { kind: 'duplicate', count: 5 }, when: 'before' },
  { fault: { kind: 'refuse', count: 1, code: 1014 }, when: 'before' },
  { fault: { kind: 'refuse', count: 1, code: 1013 }, when: 'before' },
  { fault: { kind: 'refuse', count: 1, code: 1012 }, when: 'before' },
  { fault: { kind: 'refuse', count: 1, code: 1010 }, when: 'before' },
  { fault: { kind: 'fork', count: 1, fate: 'again' }, when: 'during' },
  { fault: { kind: 'fork', count: 1, fate: 'lost' }, when: 'during' },
  { fault: { kind: 'upgrade' }, when: 'during' },
]

export type Figures = {
  readonly faults: number
  readonly lost: number
  readonly duplicated: number
  readonly socketsMax: number
  /** Per kind: how many blocks a write took that was hit, 99th percentile and most; without a fault it takes 3 or 4. */
  readonly blocks: { readonly [kind: string]: { readonly count: number; readonly p99: number; readonly most: number } }
  readonly errors: readonly string[]
}

/** A write may be late, but not later than this. */
const WINDOW_BLOCKS = 48

export async function runChainFaults(count: number, blockMs: number): Promise<Figures> {
  const [signer] = await createSigners()
  const dev = await createSubnetChain([signer], { historyBlocks: 512 })
  const client = await connect(dev, signer, blockMs)
  const pace = setInterval(() => void dev.seal(), blockMs)
  const taken = new Map<string, number[]>()
  const errors: string[] = []
  let [lost, duplicated, socketsMax] = [0, 0, 0]
  const watch = setInterval(() => {
    socketsMax = Math.max(socketsMax, dev.socketCount())
  }, 5)
  try {
    for (let i = 0; i < count; i++) {
      const { fault, when } = FAULTS[i % FAULTS.length] as (typeof FAULTS)[number]
      const from = dev.head().number
      const bytes = u64(i + 1)
      const blocks = await writeUnder(dev, client, bytes, fault, when, blockMs).catch((error) => {
        errors.push(`${fault.kind}: ${String(error)}`)
        return null
      })
      const times = await timesInChain(client, toHex(bytes), from, dev.head().number)
      if (blocks === null || times === 0) lost += 1
      if (times > 1) duplicated += 1
      if (blocks !== null) taken.set(labelOf(fault), [...(taken.get(labelOf(fault)) ?? []), blocks])
    }
  } finally {
    clearInterval(pace)
    clearInterval(watch)
    client.stop()
    await dev.stop()
  }
  const blocks = Object.fromEntries([...taken].map(([kind, all]) => [kind, spread(all)]))
  return { faults: count, lost, duplicated, socketsMax, blocks, errors }
}

const labelOf = (fault: Fault): string =>
  fault.kind === 'refuse'
    ? `refuse ${fault.code}`
    : fault.kind === 'fork'
      ? `fork ${fault.fate}`
      : (fault.kind satisfies Kind)

function spread(values: readonly number[]): { readonly count: number; readonly p99: number; readonly most: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const p99 = sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? 0
  return { count: sorted.length, p99, most: sorted.at(-1) ?? 0 }
}

async function writeUnder(
  dev: DevChain,
  client: ChainClient,
  bytes: Uint8Array,
  fault: Fault,
  when: 'before' | 'during',
  blockMs: number,
): Promise<number> {
  const from = dev.head().number
  if (when === 'before') dev.fault(fault)
  const signal = AbortSignal.timeout(WINDOW_BLOCKS * blockMs * 4)
  const landing = client.writeSlot(bytes, { lastBlock: from + WINDOW_BLOCKS, signal })
  landing.catch(() => undefined)
  if (when === 'during') {
    await sleep(1.3 * blockMs)
    dev.fault(fault)
  }
  await landing
  return dev.head().number - from
}

/** Through the client itself, once it is well again. */
async function timesInChain(client: ChainClient, hex: string, from: number, to: number): Promise<number> {
  return client.link.use(
    async (api) => {
      let times = 0
      for (let number = from + 1; number <= to; number++) {
        const hash = await api.rpc.chain.getBlockHash(number)
        times += (await extrinsicsOf(api, hash.toHex())).filter((extrinsic) => extrinsic.includes(hex)).length
      }
      return times
    },
    { signal: AbortSignal.timeout(30_000) },
  )
}
