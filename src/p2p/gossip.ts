/**
 * The Network port over gossipsub, and the one border through which gossip comes in: bytes → gate → accept, ignore, reject.
 *
 * What is accepted goes on to other peers, and what is rejected costs its sender score; both are gossipsub's to do. Here are
 * the rate limit, the count of verdicts, and the framing of a repetition.
 */
import { type GossipSub, TopicValidatorResult } from '@libp2p/gossipsub'
import type { Libp2p } from '@libp2p/interface'
import type { Clock, Gate, Network, PeerAddress } from '../ports.ts'
import type { MessageKind } from '../protocol/envelope.ts'
import { topicOf } from '../protocol/gossip.ts'
import { ADDRESSES_MAX, MESSAGE_BYTES_MAX } from '../protocol/limits.ts'
import { reject, type Verdict } from '../protocol/verdict.ts'
import { concat } from '../util/bytes.ts'
import { MESSAGES_BURST, MESSAGES_PER_SECOND } from './limits.ts'
import { createRates } from './rate.ts'
import { cardForm } from './relay.ts'

export type GossipDeps = {
  readonly host: Libp2p<{ readonly pubsub: GossipSub } & Record<string, unknown>>
  readonly clock: Clock
  /** Hears what was accepted, and what this host says itself. */
  readonly heard?: (kind: MessageKind, bytes: Uint8Array) => void
}
export type Gossip = Network & {
  /** How messages were judged, by `kind/verdict/code`. */
  readonly verdicts: ReadonlyMap<string, number>
}

const RESULTS: { readonly [K in Verdict['kind']]: TopicValidatorResult } = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}

/**
 * A message that this host has seen is not sent by it again, though others may lack it: it was ignored when it came early, or
 * its author sent it to a part of the network alone. So a message has a first byte that says how often it was said.
 */
const SAYINGS_MAX = 4

/** `network` is the CID of the constitution. */
export function createGossip(network: string, { host, clock, heard = () => undefined }: GossipDeps): Gossip {
  const { pubsub } = host.services
  const verdicts = new Map<string, number>()
  const gates = new Map<MessageKind, Gate>()
  const rates = createRates({ burst: MESSAGES_BURST, perSecond: MESSAGES_PER_SECOND }, clock)

  const count = (kind: MessageKind, label: string): void => {
    const key = `${kind}/${label}`
    verdicts.set(key, (verdicts.get(key) ?? 0) + 1)
  }
  const judge = (kind: MessageKind, from: string, data: Uint8Array): TopicValidatorResult => {
    if (!rates.takes(from)) {
      count(kind, 'ignore/RATE_LIMITED')
      return TopicValidatorResult.Ignore
    }
    const verdict = unframed(data, (bytes) => gates.get(kind)?.(from, bytes) ?? null)
    if (verdict === null) return TopicValidatorResult.Ignore
    if (verdict.kind === 'accept') heard(kind, data.subarray(1))
    count(kind, verdict.kind === 'accept' ? 'accept' : `${verdict.kind}/${verdict.code}`)
    return RESULTS[verdict.kind]
  }
  return {
    verdicts,
    get self() {
      return selfOf(host)
    },
    publish: async (kind, bytes, { signal }) => {
      signal.throwIfAborted()
      heard(kind, bytes)
      const topic = topicOf(network, kind)
      for (let said = 0; said < SAYINGS_MAX; said++) {
        try {
          await pubsub.publish(topic, concat(Uint8Array.of(said), bytes))
          return
        } catch (error) {
          if (!isDuplicate(error)) throw error
        }
      }
    },
    subscribe: (kind, gate) => {
      const topic = topicOf(network, kind)
      gates.set(kind, gate)
      pubsub.topicValidators.set(topic, (peer, { data }) => judge(kind, peer.toString(), data))
      pubsub.subscribe(topic)
      return () => {
        if (gates.get(kind) !== gate) return
        gates.delete(kind)
        pubsub.unsubscribe(topic)
        pubsub.topicValidators.delete(topic)
      }
    },
  }
}

/** As cards name a peer. */
export function selfOf(host: Libp2p): PeerAddress {
  const addresses = host.getMultiaddrs().map((address) => cardForm(address.toString()))
  return { peerId: host.peerId.toString(), addresses: addresses.slice(0, ADDRESSES_MAX) }
}

/** Read off before the gate: what it judges is what its author signed. */
function unframed(data: Uint8Array, gate: (bytes: Uint8Array) => Verdict | null): Verdict | null {
  if (data.length > 1 + MESSAGE_BYTES_MAX) return reject('MESSAGE_TOO_LARGE')
  const [said] = data
  if (said === undefined || said >= SAYINGS_MAX) return reject('MESSAGE_MALFORMED')
  return gate(data.subarray(1))
}

const isDuplicate = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('PublishError.Duplicate')
