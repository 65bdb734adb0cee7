/**
 * Writes of clients while everything goes wrong between them and their chains, one fault at a time.
 *
 * Blocks come fast and by hand, and several chains side by side, so that thousands of faults fit into minutes; what is
 * measured is measured in blocks as they came, for machines are busy. Every write must be in the chain exactly once, whatever was done to its socket, its
 * transaction or its block.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChainClient } from '../../src/chain/client.ts'
import type { DevChain, Fault } from '../../src/chain/dev/index.ts'
import { extrinsicsOf } from '../../src/chain/fate.ts'
import { hashAt } from '../../src/chain/read.ts'
import { toHex, u64 } from '../../src/util/bytes.ts'
import { connect, createSigners, createSubnetChain } from './chain-stage.ts'
import { createWitness, type Noticed, type Witness } from './chain-witness.ts'

/** Before the write: what hits the transaction. While it is under way: what hits the socket or the blocks. */
type Plan = {
  readonly name: string
  readonly fault: Fault
  readonly when: 'before' | 'during'
  readonly notice: Noticed
}
const plansFor = (blockMs: number): readonly Plan[] => [
  { name: 'drop', fault: { kind: 'drop' }, when: 'during', notice: 'degraded' },
  { name: 'silent', fault: { kind: 'silent' }, when: 'during', notice: 'degraded' },
  { name: 'swallow', fault: { kind: 'swallow', count: 1 }, when: 'before', notice: 'sent again' },
  { name: 'unanswered', fault: { kind: 'unanswered', count: 1 }, when: 'before', notice: 'nothing' },
  { name: 'delay', fault: { kind: 'delay', count: 3, delayMs: 3 * blockMs }, when: 'before', notice: 'nothing' },
  { name: 'duplicate', fault: { kind: 'duplicate', count: 5 }, when: 'before', notice: 'nothing' },
  { name: 'refuse 1014', fault: { kind: 'refuse', count: 1, code: 1014 }, when: 'before', notice: 'refused' },
  { name: 'refuse 1013', fault: { kind: 'refuse', count: 1, code: 1013 }, when: 'before', notice: 'refused' },
  { name: 'refuse 1012', fault: { kind: 'refuse', count: 1, code: 1012 }, when: 'before', notice: 'refused' },
  { name: 'refuse 1010', fault: { kind: 'refuse', count: 1, code: 1010 }, when: 'before', notice: 'refused' },
  { name: 'fork again', fault: { kind: 'fork', count: 1, fate: 'again' }, when: 'during', notice: 'forked' },
  { name: 'fork lost', fault: { kind: 'fork', count: 1, fate: 'lost' }, when: 'during', notice: 'forked' },
  { name: 'upgrade', fault: { kind: 'upgrade' }, when: 'during', notice: 'nothing' },
]

export type Spread = { readonly p99: number; readonly most: number }
export type KindFigures = {
  readonly count: number
  /** How many of them the client had to notice; a fault that costs nothing is none. */
  readonly noticed: number
  /** Block times from the fault until the client knew. */
  readonly detected: Spread | null
  /** Block times from there until it worked again: a live link, or a transaction that the pool took. */
  readonly again: Spread | null
  /** Blocks from asking until the write was final. Without a fault it takes 3. */
  readonly final: Spread
}
export type Figures = {
  readonly faults: number
  readonly lost: number
  readonly duplicated: number
  readonly socketsMax: number
  readonly kinds: { readonly [name: string]: KindFigures }
  readonly errors: readonly string[]
}
export type FaultOptions = { readonly count: number; readonly blockMs: number; readonly lanes: number }

/** A write may be late, but not later than this. */
const WINDOW_BLOCKS = 48

type Run = {
  readonly name: string
  readonly error: string | null
  readonly times: number
  readonly final: number
  readonly detected: number | null
  readonly again: number | null
}

export async function runChainFaults({ count, blockMs, lanes }: FaultOptions): Promise<Figures> {
  let socketsMax = 0
  const lane = async (first: number): Promise<readonly Run[]> => {
    const [signer] = await createSigners()
    const dev = await createSubnetChain([signer], { historyBlocks: 512 })
    const witness = createWitness()
    const client = await connect(dev, signer, blockMs, witness.log)
    client.watch(witness.hear)
    const beats = [performance.now()]
    const pace = setInterval(() => {
      beats.push(performance.now())
      void dev.seal()
    }, blockMs)
    const watch = setInterval(() => {
      socketsMax = Math.max(socketsMax, dev.socketCount())
    }, 5)
    const plans = plansFor(blockMs)
    const runs: Run[] = []
    try {
      for (let i = first; i < count; i += lanes) {
        const plan = plans[i % plans.length] as Plan
        runs.push(await runFault({ dev, client, witness, blockMs, beats }, plan, u64(i + 1)))
      }
    } finally {
      clearInterval(pace)
      clearInterval(watch)
      client.stop()
      await dev.stop()
    }
    return runs
  }
  const runs = (await Promise.all(Array.from({ length: lanes }, (_, i) => lane(i)))).flat()
  return {
    faults: runs.length,
    lost: runs.filter(({ times }) => times === 0).length,
    duplicated: runs.filter(({ times }) => times > 1).length,
    socketsMax,
    kinds: Object.fromEntries(plansFor(blockMs).map(({ name }) => [name, figuresOf(runs, name)])),
    errors: runs.flatMap(({ name, error }) => (error === null ? [] : [`${name}: ${error}`])),
  }
}

function figuresOf(all: readonly Run[], name: string): KindFigures {
  const runs = all.filter((run) => run.name === name)
  const present = (values: readonly (number | null)[]): readonly number[] => values.filter((value) => value !== null)
  const detected = present(runs.map((run) => run.detected))
  const again = present(runs.map((run) => run.again))
  return {
    count: runs.length,
    noticed: detected.length,
    detected: spread(detected),
    again: spread(again),
    final: spread(runs.map(({ final }) => final)) ?? { p99: 0, most: 0 },
  }
}

function spread(values: readonly number[]): Spread | null {
  const sorted = values.toSorted((a, b) => a - b)
  const most = sorted.at(-1)
  if (most === undefined) return null
  return { p99: sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? most, most }
}

type Lane = {
  readonly dev: DevChain
  readonly client: ChainClient
  readonly witness: Witness
  readonly blockMs: number
  /** When blocks were made. */
  readonly beats: readonly number[]
}

async function runFault(lane: Lane, { name, fault, when, notice }: Plan, bytes: Uint8Array): Promise<Run> {
  const { dev, client, witness, blockMs, beats } = lane
  const from = dev.head().number
  witness.begin()
  if (when === 'before') dev.fault(fault)
  const signal = AbortSignal.timeout(WINDOW_BLOCKS * blockMs * 4)
  const landing = client.writeSlot(bytes, { lastBlock: from + WINDOW_BLOCKS, signal })
  landing.catch(() => undefined)
  if (when === 'during') {
    await sleep(1.3 * blockMs)
    witness.begin()
    dev.fault(fault)
  }
  const error = await landing.then(
    () => null,
    (reason) => String(reason),
  )
  const final = dev.head().number - from
  const { faultMs, detectedMs, againMs } = witness.noticed(notice)
  const blocks = (fromMs: number | null, toMs: number | null): number | null =>
    fromMs === null || toMs === null ? null : beatOf(beats, toMs) - beatOf(beats, fromMs)
  const times = await timesInChain(client, toHex(bytes), from, dev.head().number)
  return { name, error, times, final, detected: blocks(faultMs, detectedMs), again: blocks(detectedMs, againMs) }
}

/** Blocks made until then, and the part of the next one. */
function beatOf(beats: readonly number[], atMs: number): number {
  const next = beats.findIndex((ms) => ms > atMs)
  const last = next === -1 ? beats.length - 1 : next - 1
  const [from, to] = [beats[last] ?? 0, beats[next]]
  return last + (to === undefined ? 0 : (atMs - from) / (to - from))
}

/** Through the client itself, once it is well again. */
async function timesInChain(client: ChainClient, hex: string, from: number, to: number): Promise<number> {
  return client.link.use(
    async (api) => {
      let times = 0
      for (let number = from + 1; number <= to; number++) {
        const hash = await hashAt(api, number)
        times += ((await extrinsicsOf(api, hash)) ?? []).filter((extrinsic) => extrinsic.includes(hex)).length
      }
      return times
    },
    { signal: AbortSignal.timeout(30_000) },
  )
}
