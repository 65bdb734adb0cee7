/**
 * What the bulk path costs beside plain HTTP, raw streams and bitswap: one machine, loopback, a process for each end.
 *
 * Runs go round all paths, each in fresh processes after a warm-up, so that a noisy second costs each of them a little.
 * Ratios are those of medians. Everything goes from memory to memory and is hashed on arrival; to disk once more, unjudged.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { assert } from '../src/util/assert.ts'
import { MIB } from '../test/p2p/pull/stage.ts'
import { type Result, resultOf } from './harness.ts'
import type { Fetched, Keep, Offer, Path, Task } from './transfer-worker.ts'

const REPEATS = 3
const SMALL_MIB = 256
const LARGE_MIB = 1_024
const WARM_UP_MIB = 32
const DOWNLOADERS = 3
/** A run that takes longer has gone wrong. */
const RUN_MS_MAX = 120_000

const HTTP_RATIO_MIN = 0.45
const BITSWAP_RATIO_MIN = 2.5
const SEED_RATIO_MAX = 1.4
const RECEIVED_RATIO_MAX = 1.02
const RSS_RATIO_MAX = 1.1

/** What a row is judged by: its value over that of another. The row's own target follows from it. */
type Ratio = { readonly over: string; readonly value: number; readonly target: number }
export type TransferResult = Result & { readonly ratio?: Ratio }

type Worker = {
  readonly process: ChildProcess
  readonly ask: <T>(task: Task) => Promise<T>
}

function startWorker(): Worker {
  const child = fork(new URL('./transfer-worker.ts', import.meta.url), {
    execArgv: [...process.execArgv, '--import', new URL('../bin/quiet.js', import.meta.url).href],
  })
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let next = 0
  child.on('message', ({ id, result, error }: { id: number; result: never; error?: string }) => {
    const waiter = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) waiter?.resolve(result)
    else waiter?.reject(new Error(error))
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`a worker ended with ${code}`))
  })
  const ask = <T>(task: Task): Promise<T> =>
    new Promise((resolve, reject) => {
      waiting.set(next, { resolve, reject })
      child.send({ id: next++, task })
    })
  return { process: child, ask }
}

async function withWorkers<T>(count: number, work: (workers: readonly Worker[]) => Promise<T>): Promise<T> {
  const workers = Array.from({ length: count }, startWorker)
  const end = (): void => workers.forEach(({ process }) => void process.kill('SIGKILL'))
  const timer = setTimeout(end, RUN_MS_MAX)
  try {
    return await work(workers)
  } finally {
    clearTimeout(timer)
    end()
  }
}

type Run = { readonly path: Path; readonly mib: number; readonly keep: Keep }

/** One transfer between two fresh processes, after a small one. */
const transfer = ({ path, mib, keep }: Run): Promise<Fetched> =>
  withWorkers(2, async ([server, client]) => {
    assert(server !== undefined && client !== undefined, 'two ends')
    const small = await server.ask<Offer>({ op: 'serve', path, mib: WARM_UP_MIB, seed: 7 })
    await client.ask({ op: 'ready', path, keep })
    if (path !== 'http') await client.ask({ op: 'connect', to: [small] })
    await client.ask<Fetched>({ op: 'fetch', path, keep, mib: WARM_UP_MIB, offer: small })
    const offer = await server.ask<Offer>({ op: 'serve', path, mib, seed: 1 })
    return client.ask<Fetched>({ op: 'fetch', path, keep, mib, offer })
  })

type Swarm = { readonly seedBytes: number; readonly receivedBytes: number }

/** One seed, and three that fetch at the same time and are connected; only the seed is named to them. */
const swarm = (mib: number): Promise<Swarm> =>
  withWorkers(1 + DOWNLOADERS, async ([seed, ...clients]) => {
    assert(seed !== undefined, 'a seed')
    const offer = await seed.ask<Offer>({ op: 'serve', path: 'pull', mib, seed: 1 })
    const places = await Promise.all(
      clients.map((client) => client.ask<Offer>({ op: 'ready', path: 'pull', keep: 'memory' })),
    )
    for (const [i, client] of clients.entries()) {
      await client.ask({ op: 'connect', to: [offer, ...places.slice(i + 1)] })
    }
    const task = { op: 'fetch', path: 'pull', keep: 'memory', mib, offer } as const
    const fetched = await Promise.all(clients.map((client) => client.ask<Fetched>(task)))
    const receivedBytes = fetched.reduce((sum, each) => sum + each.receivedBytes, 0) / DOWNLOADERS
    return { seedBytes: await seed.ask<number>({ op: 'sent' }), receivedBytes }
  })

const RUNS: readonly Run[] = [
  ...[SMALL_MIB, LARGE_MIB].flatMap((mib) =>
    (['http', 'stream', 'pull'] as const).map((path): Run => ({ path, mib, keep: 'sink' })),
  ),
  // A gigabyte over bitswap takes 5 GB of memory in its two stores, and says nothing that a quarter does not.
  { path: 'bitswap', mib: SMALL_MIB, keep: 'sink' },
  { path: 'http', mib: SMALL_MIB, keep: 'disk' },
  { path: 'pull', mib: SMALL_MIB, keep: 'disk' },
]

const NAMES: Readonly<Record<Path, string>> = {
  http: 'plain HTTP',
  stream: 'one libp2p stream over TLS',
  pull: 'pull over TLS',
  bitswap: 'Helia bitswap over TLS',
}

/** HTTP writes one file, and the store of a node one for each block. */
const nameOf = ({ path, mib, keep }: Run): string => {
  const disk = path === 'http' ? ' to a file' : ' to a store on disk'
  return `${NAMES[path]}, ${mib} MiB${keep === 'disk' ? disk : ''}`
}

export async function transferResults(): Promise<readonly TransferResult[]> {
  const fetched = new Map<string, Fetched[]>()
  const swarms: Swarm[] = []
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const run of RUNS) {
      const name = nameOf(run)
      fetched.set(name, [...(fetched.get(name) ?? []), await transfer(run)])
    }
    swarms.push(await swarm(SMALL_MIB))
  }
  const of = (run: Run): readonly Fetched[] => fetched.get(nameOf(run)) ?? []
  return [...RUNS.map((run) => speed(run, of)), ...memory(of), ...swarmed(swarms)]
}

type Of = (run: Run) => readonly Fetched[]

/** Megabytes a second, against what it is to be compared with. */
function speed(run: Run, of: Of): TransferResult {
  const rates = (each: Run): readonly number[] => of(each).map(({ ms }) => (each.mib * MIB) / 1e3 / ms)
  const cpu = medianOf(of(run).map(({ cpuSeconds }) => (cpuSeconds * 1e9) / (run.mib * MIB)))
  const includes = `megabytes; ${cpu.toFixed(2)} CPU s/GB where it arrives`
  const row = (target: number | null) => resultOf({ name: nameOf(run), includes, unit: '/s', target }, rates(run))
  const http = { ...run, path: 'http' } as const
  const bitswap = { ...run, path: 'bitswap' } as const
  if (run.path === 'pull' && run.keep === 'sink') {
    return judged(row, { over: nameOf(http), of: medianOf(rates(http)), target: HTTP_RATIO_MIN })
  }
  if (run.path === 'bitswap') {
    // Its row is judged the other way round: ours must be so many times as fast.
    const ours = medianOf(rates({ ...bitswap, path: 'pull' }))
    const value = ours / medianOf(rates(run))
    const over = `${nameOf({ ...run, path: 'pull' })}, over this`
    return {
      ...row(null),
      met: value >= BITSWAP_RATIO_MIN,
      ratio: { over, value: round(value), target: BITSWAP_RATIO_MIN },
    }
  }
  return row(null)
}

/** A row whose target is a share of another figure. */
function judged(
  row: (target: number) => Result,
  { over, of, target }: { readonly over: string; readonly of: number; readonly target: number },
): TransferResult {
  const result = row(round(of * target))
  const value = round(result.value / of)
  return { ...result, includes: `${result.includes}; ${value} of ${over}`, ratio: { over, value, target } }
}

/** A transfer of four times the size must not take more memory: nothing of the file is kept where it arrives. */
function memory(of: Of): readonly TransferResult[] {
  const peaks = (mib: number) => of({ path: 'pull', mib, keep: 'sink' }).map(({ rssMib }) => rssMib)
  const name = (mib: number) => `memory of pull, ${mib} MiB`
  const includes = 'peak RSS of the process that fetches, into a sink that drops every block'
  const row = (mib: number) => (target: number | null) =>
    resultOf({ name: name(mib), includes, unit: 'MiB', target }, peaks(mib))
  const over = { over: name(SMALL_MIB), of: medianOf(peaks(SMALL_MIB)), target: RSS_RATIO_MAX }
  return [row(SMALL_MIB)(null), judged(row(LARGE_MIB), over)]
}

function swarmed(swarms: readonly Swarm[]): readonly TransferResult[] {
  const size = SMALL_MIB
  const row = (name: string, includes: string, bytes: readonly number[]) => (target: number) =>
    resultOf(
      { name, includes, unit: 'MiB', target },
      bytes.map((each) => each / MIB),
    )
  const over = (target: number) => ({ over: 'the size of the file', of: size, target })
  const who = `${DOWNLOADERS} that fetch ${size} MiB at once and are connected, only the seed named`
  const sent = row(
    'sent by the seed',
    who,
    swarms.map(({ seedBytes }) => seedBytes),
  )
  const received = row(
    'received by each',
    `${who}; mean`,
    swarms.map(({ receivedBytes }) => receivedBytes),
  )
  return [judged(sent, over(SEED_RATIO_MAX)), judged(received, over(RECEIVED_RATIO_MAX))]
}

const medianOf = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
const round = (figure: number): number => Math.round(figure * 100) / 100
