/**
 * How gossipsub is set up: which messages are the same, whom it trusts, and what it costs to send rubbish.
 *
 * Messages carry no signature of gossipsub's: the envelope inside is signed by its hotkey already, and so the same envelope
 * is the same message, whoever says it.
 */
import { hash } from 'node:crypto'
import { type GossipsubOpts, StrictNoSign } from '@libp2p/gossipsub'
import { MESSAGE_KINDS } from '../protocol/envelope.ts'
import { topicOf } from '../protocol/gossip.ts'
import { concat, utf8 } from '../util/bytes.ts'
import { RPC_BYTES_MAX } from './limits.ts'

const ID_BYTES = 20
const LOOPBACK = ['127.0.0.1', '::1']

/** Framed by the length of the topic, or one message could be made to look like another of a longer topic. */
function idOf(topic: string, data: Uint8Array): Buffer {
  const name = utf8(topic)
  return hash('sha256', concat(Uint8Array.of(name.length & 255, name.length >> 8), name, data), 'buffer')
}

type TopicScore = Partial<NonNullable<NonNullable<GossipsubOpts['scoreParams']>['topics']>[string]>

/** A first delivery is worth a little, an invalid message costs more than hundreds of them. */
const TOPIC_SCORE: TopicScore = {
  topicWeight: 1,
  timeInMeshWeight: 0.01,
  timeInMeshQuantum: 1_000,
  timeInMeshCap: 3_600,
  firstMessageDeliveriesWeight: 1,
  firstMessageDeliveriesDecay: 0.9,
  firstMessageDeliveriesCap: 50,
  // A network says nothing for minutes and then much at once: silence is no fault.
  meshMessageDeliveriesWeight: 0,
  meshFailurePenaltyWeight: 0,
  invalidMessageDeliveriesWeight: -20,
  invalidMessageDeliveriesDecay: 0.9,
}

export function gossipOptions(network: string, privateAllowed: boolean): Partial<GossipsubOpts> {
  const topics = MESSAGE_KINDS.map((kind) => topicOf(network, kind))
  return {
    globalSignaturePolicy: StrictNoSign,
    // Before anything else is done with a copy: a message comes from every peer of the mesh.
    fastMsgIdFn: ({ topic, data }) => idOf(topic, data ?? new Uint8Array()).toString('latin1', 0, ID_BYTES),
    msgIdFn: ({ topic, data }) => new Uint8Array(idOf(topic, data).subarray(0, ID_BYTES)),
    allowedTopics: topics,
    emitSelf: false,
    floodPublish: false,
    allowPublishToZeroTopicPeers: true,
    maxInboundDataLength: RPC_BYTES_MAX,
    // Who has no address of its own hears through a relay.
    runOnLimitedConnection: true,
    scoreParams: {
      // Several nodes on one machine are a laptop; on a public address they are one operator with many faces.
      IPColocationFactorWhitelist: new Set(privateAllowed ? LOOPBACK : []),
      topics: Object.fromEntries(topics.map((topic) => [topic, TOPIC_SCORE as Required<TopicScore>])), // it has defaults
    },
  }
}
