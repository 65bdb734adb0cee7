/**
 * Lets Helia fetch single blocks from our peers, and over bitswap only when none of them has it.
 *
 * Helia races all brokers that it is given, so that two of them would each bring every block; therefore ours holds the other.
 */
import { isStartable, start, stop } from '@libp2p/interface'
import type { BlockBroker, BlockRetrievalOptions, SessionBlockBroker } from 'helia'
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import type { Pull } from './pull.ts'
import { isPullable } from './wire.ts'

type Retrieve = NonNullable<BlockBroker['retrieve']>
export type PullBroker = Required<Pick<BlockBroker, 'name' | 'retrieve' | 'announce' | 'createSession'>> & {
  isStarted(): boolean
  start(): Promise<void>
  stop(): Promise<void>
}

export function createPullBroker(pull: Pick<Pull, 'block'>, fallback: BlockBroker): PullBroker {
  const retrieveOr = (other: Retrieve | undefined): Retrieve => {
    const elsewhere: Retrieve = other ?? (() => Promise.reject(new Error(`${fallback.name} retrieves nothing`)))
    return (cid, options) => retrieve(pull, cid, { elsewhere, options: options ?? {} })
  }
  let isStarted = false
  return {
    name: 'pull',
    retrieve: retrieveOr(fallback.retrieve?.bind(fallback)),
    announce: async (cid, options) => fallback.announce?.(cid, options),
    createSession: (options): SessionBlockBroker => {
      const session = fallback.createSession?.(options)
      return {
        name: 'pull-session',
        addPeer: async (peer, opts) => session?.addPeer(peer, opts),
        announce: async (cid, opts) => session?.announce?.(cid, opts),
        retrieve: retrieveOr(session?.retrieve?.bind(session)),
      }
    },
    // Helia starts the brokers that it was given, more than once, and knows nothing of the one that is held here.
    isStarted: () => isStarted,
    start: async () => {
      if (isStarted) return
      isStarted = true
      if (isStartable(fallback)) await start(fallback)
    },
    stop: async () => {
      if (!isStarted) return
      isStarted = false
      if (isStartable(fallback)) await stop(fallback)
    },
  }
}

async function retrieve(
  pull: Pick<Pull, 'block'>,
  cid: CID,
  { elsewhere, options }: { readonly elsewhere: Retrieve; readonly options: BlockRetrievalOptions },
): Promise<Uint8Array> {
  const signal = options.signal ?? new AbortController().signal
  if (!isPullable(cid)) return elsewhere(cid, options)
  try {
    return await pull.block(cid, { signal })
  } catch (error) {
    if (!(error instanceof NodeError)) throw error
    return elsewhere(cid, options)
  }
}
