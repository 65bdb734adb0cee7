/**
 * Brings a checkpoint into the store from peers that were named: over our protocol from all who speak it, and over bitswap
 * from other IPFS software, which may have cut the file in another form.
 */
import { join } from 'node:path'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { openPeerKey } from '../chain/peer-key.ts'
import { NodeError } from '../errors.ts'
import { OPEN_TO_ALL } from '../p2p/admission.ts'
import { fetchOverBitswap } from '../p2p/bitswap.ts'
import { checkAddress } from '../p2p/host.ts'
import { meet } from '../p2p/meet.ts'
import { type PublicPeer, startPublicPeer } from '../p2p/public.ts'
import { PULL_PROTOCOL, type PullProgress } from '../p2p/pull/index.ts'
import type { Store } from '../p2p/store/index.ts'
import type { PeerAddress } from '../ports.ts'
import { type Io, printable, writeJson } from './io.ts'
import type { Passport } from './membership.ts'
import { listOf } from './peer-flags.ts'
import { createProgress } from './progress.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'

export type Wanted = {
  readonly cid: CID
  /** Multiaddrs, separated by commas. */
  readonly from: string
  /** Where others who fetch the same find what is here already. Likewise; empty for nowhere. */
  readonly listen: string
  /** Of the store. Who serves meanwhile is the same peer the next time, as `serve` is. */
  readonly dir: string
  readonly json: boolean
  /** Who fetches, for peers that serve members of a subnet alone. */
  readonly passport: Passport | null
}
export type Dropped = { readonly peer: string; readonly misdeed: string }
export type Fetched = { readonly receivedBytes: number; readonly dropped: readonly Dropped[] }

const SECRET_BYTES = 32
const DIAL_MS = 15_000
const BITSWAP = '/ipfs/bitswap/1.2.0'

export async function fetchCheckpoint(store: Store, wanted: Wanted, io: Io): Promise<Fetched> {
  const { cid, from, listen, dir, passport } = wanted
  const named = sourcesOf(from)
  if (await store.has(cid)) return { receivedBytes: 0, dropped: [] }
  if (named.length === 0) {
    throw new NodeError('BLOB_UNAVAILABLE', {
      what: `${cid} is not in this store as a whole`,
      why: 'no peer was named to fetch it from',
      remedy: 'Name one or more with --from; `wheelwright checkpoint serve` prints its address.',
      data: { cid: String(cid) },
    })
  }
  const stranger = listen === '' ? RANDOM.bytes(SECRET_BYTES) : (await openPeerKey(join(dir, 'peer.key'))).secret
  const dropped: Dropped[] = []
  const peer = await startPublicPeer(
    {
      secret: passport?.secret ?? stranger,
      ...(passport === null ? {} : { card: passport.card }),
      listen: listOf(listen),
      announce: [],
      privateAllowed: true, // it dials nobody but those that a person named
      limitsCrowds: true, // but anybody may dial it
      admission: OPEN_TO_ALL,
    },
    { store, clock: CLOCK, log: SILENT, misbehaved: (id, misdeed) => void dropped.push({ peer: id, misdeed }) },
  )
  if (listen !== '') tellAddresses(peer, wanted, io)
  const beforeBytes = store.usedBytes()
  const progress = createProgress('fetching', io, CLOCK)
  const isDropped = (id: string): boolean => dropped.some(({ peer: each }) => each === id)
  const onProgress = (state: PullProgress): void =>
    progress.update({ ...state, sources: peer.host.getPeers().filter((id) => !isDropped(String(id))).length })
  try {
    await fetchFrom(peer, await meetAll(peer, named, { dropped, io }), {
      store,
      cid,
      dropped,
      onProgress,
      signal: io.signal,
    })
    return { receivedBytes: store.usedBytes() - beforeBytes, dropped }
  } finally {
    progress.end()
    await peer.stop()
  }
}

/** In time for whoever starts a moment later. */
function tellAddresses({ host }: PublicPeer, { json }: Wanted, { stdout, stderr }: Io): void {
  const addrs = host.getMultiaddrs().map(String)
  if (json) writeJson(stdout, { peerId: host.peerId.toString(), addrs })
  else stderr.write(`others who fetch it may name this peer as well:\n${addrs.map((each) => `  ${each}\n`).join('')}`)
}

/** Each with the peer id that must answer, because a fetch that knows nobody cannot name who misbehaves. */
export function sourcesOf(text: string): readonly PeerAddress[] {
  return listOf(text).map((address) => {
    checkAddress(address)
    const peerId = multiaddr(address)
      .getComponents()
      .findLast(({ name }) => name === 'p2p')?.value
    if (peerId !== undefined) return { peerId, addresses: [address] }
    throw new NodeError('ADDRESS_INVALID', {
      what: `'${printable(address)}' does not say which peer is there`,
      why: 'it does not end with /p2p/ and a peer id',
    })
  })
}

type Met = PeerAddress & { readonly protocols: readonly string[] }

/** Those that answer, and what they speak. */
async function meetAll(
  peer: PublicPeer,
  named: readonly PeerAddress[],
  { dropped, io }: { readonly dropped: Dropped[]; readonly io: Io },
): Promise<readonly Met[]> {
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(DIAL_MS)])
  const failures: string[] = []
  const answers = await Promise.all(
    named.map(async (source): Promise<Met | null> => {
      try {
        return { ...source, protocols: await meet(peer.host, source, { signal }) }
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
        dropped.push({ peer: source.peerId, misdeed: 'unreachable' })
        return null
      }
    }),
  )
  io.signal.throwIfAborted()
  const met = answers.filter((answer) => answer !== null)
  if (met.length > 0) return met
  const what = named.length === 1 ? 'the peer does not answer' : `none of the ${named.length} peers answers`
  throw new NodeError('BLOB_UNAVAILABLE', {
    what,
    why: failures[0] ?? 'nothing is heard of it',
    remedy: 'Check the address, and that `wheelwright checkpoint serve` runs there; then run the same command again.',
  })
}

type Fetching = {
  readonly store: Store
  readonly cid: CID
  readonly dropped: Dropped[]
  readonly onProgress: (progress: PullProgress) => void
  readonly signal: AbortSignal
}

async function fetchFrom({ pull, helia }: PublicPeer, met: readonly Met[], wanted: Fetching): Promise<void> {
  const { cid, store, dropped, onProgress, signal } = wanted
  const from = met.filter(({ protocols }) => protocols.includes(PULL_PROTOCOL))
  const others = met.filter(({ protocols }) => protocols.includes(BITSWAP))
  const bytesMax = Number.MAX_SAFE_INTEGER // the quota of the store is the limit
  const options = { bytesMax, from, onProgress, signal }
  const pulled = from.length === 0 ? noneOf(met) : await failureOf(pull.fetch(cid, options))
  if (pulled === null) return
  // Leaves that are nodes themselves are longer than any node of ours, and nobody is to blame for that.
  const isLonger = dropped.some(({ misdeed }) => misdeed === 'wrong-length')
  const isForeign = pulled.code === 'BLOB_MALFORMED' || isLonger
  // Our own peers have said already that they have it not; in a form that is not ours they send it over bitswap alone.
  const isElsewhere = others.some(({ protocols }) => !protocols.includes(PULL_PROTOCOL))
  const isWorthIt = isForeign ? others.length > 0 : pulled.code === 'BLOB_UNAVAILABLE' && isElsewhere
  if (!isWorthIt) throw pulled
  await fetchOverBitswap(cid, { onProgress, signal }, { helia, store, clock: CLOCK })
  // Nobody is to blame for a form of another kind.
  if (isForeign)
    dropped.splice(0, Number.POSITIVE_INFINITY, ...dropped.filter(({ misdeed }) => misdeed === 'unreachable'))
}

const failureOf = (work: Promise<void>): Promise<NodeError | null> =>
  work.then(
    () => null,
    (error: unknown) => {
      if (error instanceof NodeError) return error
      throw error
    },
  )

const noneOf = (met: readonly Met[]): NodeError =>
  new NodeError('BLOB_UNAVAILABLE', {
    what: 'nothing was fetched',
    why: `of ${met.length} peers that answer, none speaks ${PULL_PROTOCOL} or ${BITSWAP}`,
  })
