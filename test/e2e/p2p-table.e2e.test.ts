/** Cards in the table of peers among real hosts: an old one that is put again is refused, by who stores and by who asks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { afterEach, expect, test } from 'vitest'
import { networkOf } from '../../src/protocol/constitution.ts'
import { sealCard } from '../../src/protocol/peer-card.ts'
import type { SimKeys } from '../../src/sim/keys.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { never } from '../contracts/harness.ts'
import { createSubnet, keysOf, type Member, RULES } from './p2p-member-stage.ts'

const [alice, bob, carol, mallory, dave] = ['alice', 'bob', 'carol', 'mallory', 'dave'].map(keysOf) as [
  SimKeys,
  SimKeys,
  SimKeys,
  SimKeys,
  SimKeys,
]
const subnet = createSubnet(alice, bob, carol, mallory, dave)
afterEach(subnet.stop)

const PORT = 4001
const BLOCK = 100
const key = utf8(`/card/${alice.hotkey}`)
/** Later than whatever the hosts have sealed themselves. */
const START = Date.now() + 1_000_000

/** Alice's cards by their order, each at an address of its own. A hotkey signs differently every time. */
const [FIRST, SECOND, THIRD] = [1, 2, 3].map((sequence) =>
  sealCard(networkOf(RULES), alice, 0, {
    peerId: alice.peerId,
    addresses: [`/ip4/127.0.0.1/tcp/${PORT + sequence}`],
    expires: BLOCK + RULES.limits.cardBlocks,
    sequence: START + sequence,
  }),
) as [Uint8Array, Uint8Array, Uint8Array]

/** How many took it. */
async function put({ peer }: Member, card: Uint8Array): Promise<number> {
  let taken = 0
  for await (const event of peer.host.services.dht.put(key, card, { signal: AbortSignal.timeout(20_000) })) {
    if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE' && event.record !== undefined) taken += 1
  }
  return taken
}

async function get({ peer }: Member): Promise<readonly string[]> {
  const found: string[] = []
  for await (const event of peer.host.services.dht.get(key, { signal: AbortSignal.timeout(20_000) })) {
    if (event.name === 'VALUE') found.push(toHex(event.value))
  }
  return found
}

/** Everybody knows everybody, by a card and in the table. */
async function startAll(all: readonly SimKeys[]): Promise<readonly Member[]> {
  const members: Member[] = []
  for (const keys of all) {
    // Alice stores her card a while after she has said it.
    const member = await subnet.start({ keys, hurry: keys === alice ? 50 : 1 })
    for (const { address } of members) await member.peer.host.dial(multiaddr(address))
    members.push(member)
  }
  const sizeOf = ({ peer }: Member): number =>
    (peer.host.services.dht as unknown as { routingTable: { size: number } }).routingTable.size
  await expect.poll(() => Math.min(...members.map(sizeOf)), { timeout: 20_000 }).toBe(all.length - 1)
  return members
}

test('who was not heard is found in the table, and a replay brings no old card back', async () => {
  const [a, b, c, m] = (await startAll([alice, bob, carol, mallory])) as [Member, Member, Member, Member]
  // What alice says is stored, by herself and without being told to.
  await a.peer.network.publish('card', FIRST, { signal: never })
  await expect.poll(() => get(b), { timeout: 20_000 }).toEqual([toHex(FIRST)])
  await a.peer.network.publish('card', SECOND, { signal: never })
  await expect.poll(() => get(b), { timeout: 20_000 }).toEqual([toHex(SECOND)])
  expect(await put(a, SECOND)).toBe(3)

  expect(await put(m, FIRST)).toBe(0)
  for (const member of [b, c, a]) expect(await get(member)).toEqual([toHex(SECOND)])

  // Mallory still serves the old one, and the newcomer asks everybody, Mallory first.
  // Alice herself is not met: she is elsewhere than her card says, and would show a newer one.
  const d = await subnet.start({ keys: dave, deny: new Set([alice.peerId]) })
  for (const { address } of [m, b, c]) await d.peer.host.dial(multiaddr(address))
  await expect.poll(() => get(d), { timeout: 20_000 }).toEqual([toHex(SECOND)])
}, 90_000)

test('who knows a newer card takes no older one from the table', async () => {
  const [b, m] = (await startAll([bob, mallory])) as [Member, Member]
  await b.peer.network.publish('card', SECOND, { signal: never })
  // The library stores what its own host puts without a question.
  await put(m, FIRST)
  expect(await get(b)).toEqual([])
  await sleep(100)
  expect(await put(m, THIRD)).toBe(1)
  expect(await get(b)).toEqual([toHex(THIRD)])
}, 90_000)

test('nothing else is stored: neither keys nor who provides what', async () => {
  const [b, m] = (await startAll([bob, mallory])) as [Member, Member]
  const { dht } = m.peer.host.services
  const publicKey = m.peer.host.peerId.publicKey
  let taken = 0
  const own = new Uint8Array([...utf8('/pk/'), ...m.peer.host.peerId.toMultihash().bytes])
  const record = new Uint8Array([8, 1, 18, 32, ...(publicKey?.raw ?? [])])
  for await (const event of dht.put(own, record, { signal: AbortSignal.timeout(10_000) })) {
    if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE' && event.record !== undefined) taken += 1
  }
  expect(taken).toBe(0)
  const cid = CID.parse(networkOf(RULES).constitution)
  const provided = async (): Promise<void> => {
    for await (const _ of dht.provide(cid, { signal: AbortSignal.timeout(5_000) }));
  }
  await provided().catch(() => undefined)
  const { datastore } = (b.peer.host as unknown as { components: { datastore: MemoryOf } }).components
  expect([...datastore.data.keys()].filter((name) => name.startsWith('/dht/'))).toEqual([])
}, 60_000)

type MemoryOf = { readonly data: ReadonlyMap<string, unknown> }
