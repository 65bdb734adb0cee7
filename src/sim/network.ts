/**
 * Gossip in memory: late, lost and out of order as a seed has it, never altered. A message passes the gate of everybody
 * who listens; how they judged it is counted.
 */
import type { Clock, Gate, Network } from '../ports.ts'
import type { MessageKind } from '../protocol/envelope.ts'
import type { SeededRandom } from './random.ts'

export type SimNetworkOptions = {
  /** A message takes between zero and this. */
  readonly delayMsMax: number
  readonly lossRatio: number
}

export type SimNetwork = {
  readonly join: (peerId: string) => Network
  /** How messages were judged, by `kind/verdict/code`. */
  readonly verdicts: ReadonlyMap<string, number>
}

type Peer = { readonly peerId: string; readonly gates: Map<MessageKind, Gate> }

export function createSimNetwork(
  { delayMsMax, lossRatio }: SimNetworkOptions,
  { clock, random }: { readonly clock: Clock; readonly random: SeededRandom },
): SimNetwork {
  const peers = new Map<string, Peer>()
  const verdicts = new Map<string, number>()
  const deliver = (to: Peer, from: string, kind: MessageKind, bytes: Uint8Array): void => {
    const verdict = to.gates.get(kind)?.(from, bytes)
    if (verdict === undefined) return
    const label = `${kind}/${verdict.kind}${verdict.kind === 'accept' ? '' : `/${verdict.code}`}`
    verdicts.set(label, (verdicts.get(label) ?? 0) + 1)
  }
  return {
    verdicts,
    join: (peerId) => {
      const self: Peer = { peerId, gates: new Map() }
      peers.set(peerId, self) // A restarted peer takes the place of the one that it was.
      return {
        self: { peerId, addresses: [] },
        publish: async (kind, bytes, { signal }) => {
          signal.throwIfAborted()
          const copy = bytes.slice()
          for (const peer of peers.values()) {
            if (peer.peerId === peerId || random.next() < lossRatio) continue
            clock.setTimeout(() => deliver(peer, peerId, kind, copy), random.next() * delayMsMax)
          }
        },
        subscribe: (kind, gate) => {
          self.gates.set(kind, gate)
          return () => {
            if (self.gates.get(kind) === gate) self.gates.delete(kind)
          }
        },
      }
    },
  }
}
