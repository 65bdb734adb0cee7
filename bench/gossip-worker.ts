/** One peer of the gossip bench, in a process of its own: it says what it is told to, and tells what it heard and when. */
import * as sr25519 from '@scure/sr25519'
import { SYSTEM } from '../src/chain/system.ts'
import { OPEN_TO_ALL } from '../src/p2p/admission.ts'
import { keepConnected } from '../src/p2p/connect.ts'
import { createGossip } from '../src/p2p/gossip.ts'
import { startHost } from '../src/p2p/host.ts'
import { topicOf } from '../src/protocol/gossip.ts'
import { ACCEPT, reject } from '../src/protocol/verdict.ts'
import { concat } from '../src/util/bytes.ts'

const { clock, log } = SYSTEM

export type Order =
  | { readonly type: 'start'; readonly entry: string; readonly network: string }
  | { readonly type: 'say'; readonly id: number }
  | { readonly type: 'stop' }
export type Report =
  | { readonly type: 'ready' }
  /** How many others are known to hear. */
  | { readonly type: 'peers'; readonly count: number }
  | { readonly type: 'heard'; readonly id: number; readonly ms: number }
  | { readonly type: 'memory'; readonly rssMiB: number }

const MESSAGE_BYTES = 1_024
const SIGNATURE_BYTES = 64
const never = new AbortController().signal
const tell = (report: Report): void => void process.send?.(report)
const secret = sr25519.secretFromSeed(new Uint8Array(32).fill(7))
const publicKey = sr25519.getPublicKey(secret)

/** The processes of one machine share this clock. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

function compose(id: number): Uint8Array {
  const body = new Uint8Array(MESSAGE_BYTES - SIGNATURE_BYTES)
  const view = new DataView(body.buffer)
  view.setUint32(0, id)
  view.setFloat64(8, nowMs())
  return concat(sr25519.sign(secret, body), body)
}

async function start({ entry, network }: Extract<Order, { type: 'start' }>): Promise<(id: number) => Promise<void>> {
  const host = await startHost({
    network,
    secret: crypto.getRandomValues(new Uint8Array(32)),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    privateAllowed: true,
    relay: false,
    admission: OPEN_TO_ALL,
  })
  const gossip = createGossip(network, { host, clock })
  gossip.subscribe('report', (_, bytes) => {
    const body = bytes.subarray(SIGNATURE_BYTES)
    if (!sr25519.verify(body, bytes.subarray(0, SIGNATURE_BYTES), publicKey)) return reject('SIGNATURE_BAD')
    const view = new DataView(body.buffer, body.byteOffset)
    tell({ type: 'heard', id: view.getUint32(0), ms: nowMs() - view.getFloat64(8) })
    return ACCEPT
  })
  keepConnected({ entries: [entry] }, { host, clock, log })
  const topic = topicOf(network, 'report')
  setInterval(() => tell({ type: 'peers', count: host.services.pubsub.getSubscribers(topic).length }), 500)
  return (id) => gossip.publish('report', compose(id), { signal: never })
}

let say: (id: number) => Promise<void> = async () => undefined
process.on('message', async (order: Order) => {
  switch (order.type) {
    case 'start':
      say = await start(order)
      return tell({ type: 'ready' })
    case 'say':
      return void (await say(order.id))
    case 'stop':
      tell({ type: 'memory', rssMiB: process.memoryUsage().rss / 2 ** 20 })
      return void setTimeout(() => process.exit(0), 100)
  }
})
