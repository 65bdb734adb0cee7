/**
 * `wheelwright peers`: joins a network for some seconds, and tells whom it has met. As a stranger it meets those who let
 * strangers in, which are its entry peers; with a wallet whose hotkey is registered, everybody.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PeerId } from '@libp2p/interface'
import { NodeError } from '../errors.ts'
import { OPEN_TO_ALL } from '../p2p/admission.ts'
import { keepConnected } from '../p2p/connect.ts'
import { type Host, startHost } from '../p2p/host.ts'
import { showCard } from '../p2p/members.ts'
import { PULL_PROTOCOL } from '../p2p/pull/index.ts'
import { MESSAGE_KINDS } from '../protocol/envelope.ts'
import { topicOf } from '../protocol/gossip.ts'
import { sourcesOf } from './checkpoint-fetch.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { networkNamed, withPassportOf } from './peer-flags.ts'
import type { PEERS_FLAGS } from './peers-table.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'

type PeerSeen = {
  readonly peerId: string
  readonly addresses: readonly string[]
  /** `null` when it did not answer. */
  readonly latencyMs: number | null
  readonly protocols: readonly string[]
  readonly servesCheckpoints: boolean
}

const SECRET_BYTES = 32
const PING_MS = 5_000

export async function run(flags: FlagValues<typeof PEERS_FLAGS>, io: Io): Promise<void> {
  const { subnet, seconds, json } = flags
  const entries = sourcesOf(flags.entry).flatMap(({ addresses }) => addresses)
  const network = await networkNamed(subnet)
  if (entries.length === 0) {
    throw new NodeError('USAGE', {
      what: '--entry is missing',
      why: 'the first peer is met by its address',
      remedy: 'name an entry peer: --entry ADDRESS',
    })
  }
  await withPassportOf(flags, io, async (passport) => {
    const host = await startHost({
      network,
      secret: passport?.secret ?? RANDOM.bytes(SECRET_BYTES),
      listen: [],
      announce: [],
      privateAllowed: flags.private,
      relay: false,
      admission: OPEN_TO_ALL,
    })
    if (passport !== null) await showCard(host, passport.card(), CLOCK)
    const disconnect = keepConnected({ entries }, { host, clock: CLOCK, log: SILENT })
    try {
      await sleep(seconds * 1_000, undefined, { signal: io.signal }).catch(() => undefined)
      const met = await Promise.all(host.getPeers().map((id) => look(host, id)))
      if (met.length === 0) throw nobody(entries.length)
      const found = met.filter((peer) => isOf(network, host, peer))
      if (found.length === 0) throw foreign(network, met.length)
      tell(network, found, { json, io })
    } finally {
      disconnect()
      await host.stop()
    }
  })
}

async function look(host: Host, id: PeerId): Promise<PeerSeen> {
  const { protocols } = await host.peerStore.get(id).catch(() => ({ protocols: [] as string[] }))
  const latencyMs = await host.services.ping.ping(id, { signal: AbortSignal.timeout(PING_MS) }).catch(() => null)
  return {
    peerId: id.toString(),
    addresses: host.getConnections(id).map(({ remoteAddr }) => remoteAddr.toString()),
    latencyMs,
    protocols,
    servesCheckpoints: protocols.includes(PULL_PROTOCOL),
  }
}

/** Names of protocols carry the network's name; who only dials has none of these, and listens to topics of it. */
const isOf = (network: string, { services }: Host, { peerId, protocols }: PeerSeen): boolean =>
  protocols.some((protocol) => protocol.endsWith(`/${network}`)) ||
  MESSAGE_KINDS.some((kind) =>
    services.pubsub.getSubscribers(topicOf(network, kind)).some((id) => id.toString() === peerId),
  )

function tell(network: string, found: readonly PeerSeen[], { json, io }: { json: boolean; io: Io }): void {
  if (json) writeJson(io.stdout, { network, peers: found })
  else io.stdout.write(`${found.map(textOf).join('')}${found.length} of ${network}\n`)
}

function textOf({ peerId, addresses, latencyMs, protocols, servesCheckpoints }: PeerSeen): string {
  const latency = latencyMs === null ? 'no answer' : `${latencyMs} ms`
  const serves = servesCheckpoints ? 'serves checkpoints' : 'serves no checkpoints'
  const lines = [`${peerId}  ${latency}  ${serves}`, ...addresses, protocols.join(' ')]
  return `${lines.map(printable).join('\n    ')}\n`
}

const foreign = (network: string, met: number): NodeError =>
  new NodeError('PEERS_UNAVAILABLE', {
    what: `nobody of ${network} was met`,
    why: met === 1 ? 'the peer that answers is of another network' : `the ${met} peers that answer are of others`,
    remedy: 'Check that --entry names entry peers of the network that --subnet names.',
  })

const nobody = (tried: number): NodeError =>
  new NodeError('PEERS_UNAVAILABLE', {
    what: tried === 1 ? 'the entry peer does not answer' : `none of ${tried} entry peers answers`,
    why: 'nobody was met in the time that was given',
    remedy: 'Check the addresses, and say --private where they are private; `wheelwright doctor --entry` looks closer.',
  })
