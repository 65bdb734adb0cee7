/** A process with one whole peer, on whichever machine of the bench it was started; the test tells it what to do. */
import { SYSTEM } from '../../src/chain/system.ts'
import { NodeError } from '../../src/errors.ts'
import { startPeer } from '../../src/p2p/peer.ts'
import { openMemoryStore } from '../../src/p2p/store/index.ts'
import type { PeerAddress } from '../../src/ports.ts'
import { NETWORK } from './p2p-stage.ts'

export type Order =
  | { readonly op: 'start'; readonly listen: readonly string[]; readonly entries: readonly string[] }
  | { readonly op: 'add'; readonly bytes: number }
  | { readonly op: 'fetch'; readonly cid: string; readonly from: PeerAddress }
  | { readonly op: 'look' }
export type Link = { readonly address: string; readonly direction: string; readonly isLimited: boolean }
export type Report = {
  readonly self: PeerAddress
  readonly links: readonly Link[]
  readonly cid?: string
  readonly bytes?: number
  readonly failure?: { readonly code: string; readonly why: string }
}

const { clock, log, random } = SYSTEM
const QUOTA_BYTES = 256 * 1024 ** 2
const FETCH_MS = 60_000
const PART_BYTES = 65_536

const store = await openMemoryStore({ quotaBytes: QUOTA_BYTES, freeBytesMin: 0 }, { log })
let peer: Awaited<ReturnType<typeof startPeer>> | null = null

async function* noise(bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += PART_BYTES) yield random.bytes(Math.min(PART_BYTES, bytes - at))
}

async function obey(order: Order): Promise<Partial<Report>> {
  switch (order.op) {
    case 'start': {
      const { listen, entries } = order
      const place = { network: NETWORK, listen, announce: [], privateAllowed: false, relay: false, entries }
      peer = await startPeer({ ...place, secret: random.bytes(32) }, { store, clock, log })
      return {}
    }
    case 'add': {
      const { cid } = await store.addFile(noise(order.bytes), {
        bytes: order.bytes,
        signal: AbortSignal.timeout(FETCH_MS),
      })
      return { cid: String(cid) }
    }
    case 'fetch': {
      const options = { bytesMax: QUOTA_BYTES, from: [order.from], signal: AbortSignal.timeout(FETCH_MS) }
      return { bytes: (await peer?.blobs.get(order.cid, options))?.length ?? 0 }
    }
    case 'look':
      return {}
  }
}

function look(): Pick<Report, 'self' | 'links'> {
  const connections = peer?.host.getConnections() ?? []
  const links = connections.map(({ remoteAddr, direction, limits }) => ({
    address: remoteAddr.toString(),
    direction,
    isLimited: limits !== undefined,
  }))
  return { self: peer?.network.self ?? { peerId: '', addresses: [] }, links }
}

const failureOf = (error: unknown): NonNullable<Report['failure']> =>
  error instanceof NodeError ? { code: error.code, why: error.why } : { code: 'INTERNAL', why: String(error) }

process.on('message', (order: Order) => {
  obey(order).then(
    (done) => process.send?.({ ...look(), ...done }),
    (error: unknown) => process.send?.({ ...look(), failure: failureOf(error) }),
  )
})
