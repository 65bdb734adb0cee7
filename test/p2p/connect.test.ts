import { peerIdFromString } from '@libp2p/peer-id'
import { ed25519 } from '@noble/curves/ed25519.js'
import { afterEach, expect, test } from 'vitest'
import { SimulatedClock } from 'xstate'
import { keepConnected } from '../../src/p2p/connect.ts'
import type { Host } from '../../src/p2p/host.ts'
import type { Cancel, Clock } from '../../src/ports.ts'
import { peerIdOf } from '../../src/protocol/peer-card.ts'
import { SILENT } from './member-stage.ts'

const ADDRESS = '/ip4/8.8.4.4/tcp/1'
const idOf = (n: number): string => {
  const secret = new Uint8Array(32)
  new DataView(secret.buffer).setUint16(0, n)
  return peerIdOf(ed25519.getPublicKey(secret))
}
const idsOf = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => idOf(1 + i))
const [me, entry] = [peerIdFromString(idOf(1_000)), idOf(1_001)]

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** Keeps a host connected that is connected to nobody, and whose every dial gets no answer until it is given up. */
function stage({ entries = [], known = [] }: { entries?: readonly string[]; known?: readonly string[] }) {
  const clock: SimulatedClock & Clock = new SimulatedClock()
  const heard: ((event: unknown) => void)[] = []
  const dialled: string[] = []
  let searches = 0
  const host = {
    peerId: me,
    getConnections: () => [],
    getPeers: () => [],
    addEventListener: (_: string, listener: (event: unknown) => void) => void heard.push(listener),
    removeEventListener: () => undefined,
    services: { pubsub: { getTopics: () => [], getSubscribers: () => [] } },
    dial: (target: unknown, { signal }: Cancel) => {
      dialled.push(String(target).split('/p2p/').at(-1) ?? '')
      return new Promise((_, refuse) => signal.addEventListener('abort', () => refuse(signal.reason)))
    },
  } as unknown as Host
  const acquaintances = {
    known: () => known.map((peerId) => ({ peerId, addresses: [ADDRESS] })),
    search: async () => void searches++,
  }
  const deps = { host, clock, log: SILENT, acquaintances }
  ends.push(keepConnected({ entries: entries.map((id) => `${ADDRESS}/p2p/${id}`) }, deps))
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      clock.increment(1_000)
      await new Promise(setImmediate)
    }
  }
  const discover = (ids: readonly string[]): void => {
    for (const id of ids) for (const hear of heard) hear({ detail: { id: peerIdFromString(id) } })
  }
  return { dialled, discover, pass, searches: () => searches }
}

test('of two hundred members who are all away, every one is dialled before one is dialled again and again', async () => {
  const members = idsOf(200)
  const { dialled, pass } = stage({ known: members })
  await pass(15 * 60)
  expect(new Set(dialled).size).toBe(members.length)
  const times = members.map((id) => dialled.filter((each) => each === id).length)
  expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1)
})

test('who has just been tried is left alone for a while', async () => {
  const { dialled, pass } = stage({ known: idsOf(1) })
  await pass(29)
  expect(dialled).toHaveLength(1)
  await pass(20)
  expect(dialled).toHaveLength(2)
})

test('peers of hearsay that never answer hold up neither entries, nor members, nor the search', async () => {
  const [member = '', ...ghosts] = idsOf(257)
  const { dialled, discover, pass, searches } = stage({ entries: [entry], known: [member] })
  discover(ghosts)
  await pass(10 * 60)
  const times = (id: string): number => dialled.filter((each) => each === id).length
  expect(times(entry)).toBeGreaterThanOrEqual(5)
  expect(times(member)).toBeGreaterThanOrEqual(5)
  expect(searches()).toBeGreaterThanOrEqual(5)
  expect(dialled.filter((id) => ghosts.includes(id)).length).toBeGreaterThan(40)
})
