/** A subnet for the tests of who is who: keys, cards of any sequence, a census that a test writes. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { SimulatedClock } from 'xstate'
import { type Census, type DirectoryOptions, openDirectory } from '../../src/p2p/directory.ts'
import type { Clock, Log } from '../../src/ports.ts'
import { type Verify, verifySr25519 } from '../../src/protocol/envelope.ts'
import { peerIdOf, sealCard } from '../../src/protocol/peer-card.ts'
import { BLOCK, type Key, keyOf, network } from '../protocol/world.ts'

export type { Key }
export { BLOCK, keyOf, network }

export const CARD_BLOCKS = 200
export const peerOf = ({ peer }: Key): string => peerIdOf(ed25519.getPublicKey(peer))

export const PUBLIC = '/ip4/8.8.4.4/tcp/4001'

export type CardChange = {
  readonly sequence?: number
  readonly expires?: number
  readonly addresses?: readonly string[]
  /** Whose peer it names. */
  readonly peer?: Key
}

export function cardBytes(key: Key, change: CardChange = {}): Uint8Array {
  const { sequence = 1, expires = BLOCK + 100, addresses = [PUBLIC], peer = key } = change
  const keys = { ...key, prove: (claim: Uint8Array) => ed25519.sign(claim, peer.peer) }
  return sealCard(network, keys, 0, { peerId: peerOf(peer), addresses: [...addresses], expires, sequence })
}

export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

export type TestCensus = Census & { at: number; members: Set<string> }

export function createCensus(...keys: readonly Key[]): TestCensus {
  const census: TestCensus = {
    at: BLOCK,
    members: new Set(keys.map(({ hotkey }) => hotkey)),
    block: () => census.at,
    registered: () => census.members,
  }
  return census
}

type Change = Partial<DirectoryOptions> & { readonly log?: Log; readonly verify?: Verify }

export async function createDirectory(census: Census, change: Change = {}) {
  const { log = SILENT, verify = verifySr25519, ...options } = change
  const clock: SimulatedClock & Clock = new SimulatedClock()
  const directory = await openDirectory(
    { network, cardBlocksMax: CARD_BLOCKS, privateAllowed: true, path: null, ...options },
    { census, verify, clock, log },
  )
  return { directory, clock }
}
