/**
 * Gossip among twenty processes that find one another through an entry peer: signed messages of 1 KiB, five a second in all,
 * each verified by everybody who hears it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SYSTEM } from '../src/chain/system.ts'
import { startEntryPeer } from '../src/p2p/entry.ts'
import type { Order, Report } from './gossip-worker.ts'
import { type Result, resultOf } from './harness.ts'

const { clock, log } = SYSTEM

const PEERS = 20
const MESSAGES = 300
const PER_SECOND = 5
/** A mesh of six is full when a peer knows more than that. */
const KNOWN_MIN = 8
/** Before the first message, and after the last. */
const SETTLE_MS = 5_000
const GIVE_UP_MS = 60_000
const NETWORK = 'bafyreic4uuhk4e4i4dnzw5hgl33vkdtj7ho2mek5d2dklidzgxassbty3y'

export async function gossipResults(): Promise<readonly Result[]> {
  const secret = crypto.getRandomValues(new Uint8Array(32))
  const place = { network: NETWORK, secret, listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], privateAllowed: true }
  const entry = await startEntryPeer({ ...place, entries: [] }, { clock, log })
  const heard: number[] = []
  const known = new Map<number, number>()
  const memory: number[] = []
  const peers = Array.from({ length: PEERS }, (_, i) => {
    const peer = fork(join(import.meta.dirname, 'gossip-worker.ts'), { execArgv: process.execArgv })
    peer.on('message', (report: Report) => {
      if (report.type === 'heard') heard.push(report.ms)
      if (report.type === 'peers') known.set(i, report.count)
      if (report.type === 'memory') memory.push(report.rssMiB)
    })
    return peer
  })
  try {
    for (const peer of peers) tell(peer, { type: 'start', entry: entry.addresses[0] ?? '', network: NETWORK })
    await untilKnown(known)
    await sleep(SETTLE_MS) // meshes are grafted with the heartbeats
    for (let id = 0; id < MESSAGES; id++) {
      tell(peers[id % PEERS] as ChildProcess, { type: 'say', id })
      await sleep(1_000 / PER_SECOND)
    }
    await sleep(SETTLE_MS)
  } finally {
    for (const peer of peers) tell(peer, { type: 'stop' })
    await Promise.all(peers.map((peer) => new Promise((resolve) => peer.once('exit', resolve))))
    await entry.stop()
  }
  return figuresOf(heard, memory)
}

const tell = (peer: ChildProcess, order: Order): void => void (peer.connected && peer.send(order))

async function untilKnown(known: ReadonlyMap<number, number>): Promise<void> {
  const startMs = performance.now()
  while (known.size < PEERS || Math.min(...known.values()) < KNOWN_MIN) {
    if (performance.now() - startMs > GIVE_UP_MS)
      throw new Error(`peers did not find one another: ${[...known.values()]}`)
    await sleep(200)
  }
}

function figuresOf(heard: readonly number[], memory: readonly number[]): readonly Result[] {
  const sorted = heard.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
  const [p50, p99] = [at(0.5), at(0.99)]
  const row = (name: string, includes: string, unit: Result['unit'], target: number | null, value: number): Result =>
    resultOf({ name, includes, unit, target }, [value])
  const all = MESSAGES * (PEERS - 1)
  return [
    row(
      'gossip: delivered',
      `${heard.length} of ${all} deliveries, ${PEERS} processes`,
      '% at least',
      100,
      (100 * heard.length) / all,
    ),
    row('gossip: p99 / p50', 'from the author to a peer that has verified it', 'x at most', 4, p99 / p50),
    row('gossip: p50', 'the same', 'ms', null, p50),
    row('gossip: p99', 'the same', 'ms', null, p99),
    resultOf({ name: 'gossip: memory of a peer', includes: 'resident, at the end', unit: 'MiB', target: null }, memory),
  ]
}
