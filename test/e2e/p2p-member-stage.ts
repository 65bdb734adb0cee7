/** Whole peers of a subnet on loopback: registered or not, with a log that is kept. */
import { SYSTEM } from '../../src/chain/system.ts'
import type { Membership } from '../../src/p2p/members.ts'
import { type Peer, type PeerOptions, startPeer } from '../../src/p2p/peer.ts'
import { openMemoryStore } from '../../src/p2p/store/index.ts'
import { type Constitution, networkOf } from '../../src/protocol/constitution.ts'
import { verifySr25519 } from '../../src/protocol/envelope.ts'
import { createKeys, type SimKeys } from '../../src/sim/keys.ts'
import { createRandom } from '../../src/sim/random.ts'
import { constitution } from '../protocol/world.ts'

const LONG_MS = 10_000

export type Member = {
  readonly peer: Peer
  readonly keys: SimKeys
  readonly address: string
  /** What it has logged, by message. */
  readonly told: readonly (readonly [message: string, fields: object])[]
}
export type MemberOptions = Partial<Pick<Membership, 'allow' | 'deny' | 'path'>> & {
  readonly keys: SimKeys
  readonly entries?: readonly string[]
  /** How many times as fast its long timers run, those for what need not happen soon. */
  readonly hurry?: number
}

export const keysOf = (name: string): SimKeys => createKeys(createRandom(name))
export const RULES: Constitution = constitution

/** A subnet whose registrations a test writes. */
export function createSubnet(...registered: readonly SimKeys[]) {
  const members = new Set(registered.map(({ hotkey }) => hotkey))
  const running: Peer[] = []
  const start = async ({ keys, entries = [], hurry = 1, ...lists }: MemberOptions): Promise<Member> => {
    const told: [string, object][] = []
    const tell = (message: string, fields: object = {}): void => void told.push([message, fields])
    const log = { debug: tell, info: tell, warn: tell, error: tell }
    const store = await openMemoryStore({ quotaBytes: 64 * 1024 ** 2, freeBytesMin: 0 }, { log })
    const network = networkOf(RULES)
    const options: PeerOptions = {
      network: network.constitution,
      secret: keys.peerSecret,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      privateAllowed: true,
      relay: false,
      entries,
      membership: {
        network,
        cardBlocksMax: RULES.limits.cardBlocks,
        allow: new Set(),
        deny: new Set(),
        path: null,
        ...lists,
        keys,
        census: { block: () => 100, registered: () => members },
        verify: verifySr25519,
      },
    }
    const { clock: system } = SYSTEM
    const clock = {
      ...system,
      setTimeout: (fn: () => void, ms: number) => system.setTimeout(fn, ms < LONG_MS ? ms : ms / hurry),
    }
    const peer = await startPeer(options, { store, clock, log })
    running.push(peer)
    return { peer, keys, told, address: String(peer.host.getMultiaddrs()[0]) }
  }
  const stop = async (): Promise<void> => {
    await Promise.all(running.splice(0).map((peer) => peer.stop()))
  }
  return { members, start, stop }
}

export const isConnected = (a: Member, b: Member): boolean =>
  a.peer.host.getConnections(b.peer.host.peerId).some(({ status }) => status === 'open')
