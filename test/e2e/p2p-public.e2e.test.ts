/** Peers that stand for themselves: with a card that ages while they fetch, in a crowd, and when one cannot start. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { OPEN_TO_ALL } from '../../src/p2p/admission.ts'
import { CONNECTIONS_PER_ADDRESS, ROLL_CALL_MS } from '../../src/p2p/limits.ts'
import { openMembers } from '../../src/p2p/members.ts'
import { type PublicDeps, type PublicOptions, type PublicPeer, startPublicPeer } from '../../src/p2p/public.ts'
import { openMemoryStore } from '../../src/p2p/store/index.ts'
import { verifySr25519 } from '../../src/protocol/envelope.ts'
import { BLOCK, CARD_BLOCKS, cardBytes, createCensus, keyOf, network } from '../p2p/member-stage.ts'
import { until } from './checkpoint-stage.ts'

const { clock, log, random } = SYSTEM
const ANYWHERE = '/ip4/127.0.0.1/tcp/0'
const alice = keyOf(1)
const census = createCensus(alice)
const RULES = { network, cardBlocksMax: CARD_BLOCKS, census, verify: verifySr25519, keys: null, path: null }

const running: PublicPeer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
})

async function start(options: Partial<PublicOptions> = {}, deps: Partial<PublicDeps> = {}): Promise<PublicPeer> {
  const store = await openMemoryStore({ quotaBytes: 1_000_000, freeBytesMin: 0 }, { log })
  const secret = random.bytes(32)
  const all = { secret, listen: [], announce: [], privateAllowed: true, admission: OPEN_TO_ALL, ...options }
  const peer = await startPublicPeer(all, { store, clock, log, ...deps })
  running.push(peer)
  return peer
}

/** A host for members, whose long timers run fifteen times as fast. */
async function openDoor() {
  const hurried = {
    ...clock,
    setTimeout: (fn: () => void, ms: number) => clock.setTimeout(fn, ms >= ROLL_CALL_MS ? ms / 15 : ms),
  }
  const lists = { allow: new Set<string>(), deny: new Set<string>() }
  return openMembers({ ...RULES, ...lists }, { privateAllowed: true }, { clock: hurried, log })
}

test('who fetches for longer than its card lasts shows the next one', async () => {
  const members = await openDoor()
  const { host } = await start({ listen: [ANYWHERE], admission: members.admission }, { members })
  let shown = cardBytes(alice, { sequence: 1, addresses: [] })
  const fetcher = await start({ secret: alice.peer, card: () => shown })
  const connection = await fetcher.host.dial(host.getMultiaddrs())
  await until(() => members.directory.sequenceOf(alice.hotkey) === 1)
  census.at = BLOCK + 101
  shown = cardBytes(alice, { sequence: 2, expires: BLOCK + 200, addresses: [] })
  await until(() => members.directory.sequenceOf(alice.hotkey) === 2)
  expect(connection.status).toBe('open')
  census.at = BLOCK
})

test('who dials private addresses, because a person named them, still lets no crowd in from one address', async () => {
  const { host } = await start({ listen: [ANYWHERE], limitsCrowds: true })
  const guests = await Promise.all(Array.from({ length: CONNECTIONS_PER_ADDRESS + 8 }, () => start()))
  for (const guest of guests) await guest.host.dial(host.getMultiaddrs()).catch(() => undefined)
  await sleep(500)
  expect(host.getConnections()).toHaveLength(CONNECTIONS_PER_ADDRESS)
})

test('what cannot start keeps no address', async () => {
  const { host, stop } = await start({ listen: [ANYWHERE] })
  const [address] = host.getMultiaddrs().map((each) => each.decapsulate('/p2p').toString())
  await stop()
  running.length = 0
  const members = { ...(await openDoor()), guard: () => Promise.reject(new Error('no door')) }
  await expect(start({ listen: [address ?? ''] }, { members })).rejects.toThrow('no door')
  expect((await start({ listen: [address ?? ''] })).host.status).toBe('started')
})
