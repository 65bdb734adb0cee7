/** What the chain commands share: the flags that say which chain and which key, and a client that is closed at the end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChainClient, createChain } from '../chain/client.ts'
import { NETWORK_NAMES, networkOf } from '../chain/network.ts'
import { developmentSigner } from '../chain/uri.ts'
import type { Signer } from '../chain/writer.ts'
import { NodeError } from '../errors.ts'
import type { Log, Random } from '../ports.ts'
import { toHex } from '../util/bytes.ts'
import type { NETWORK_FLAGS } from './chain-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable } from './io.ts'

/** Every window of a command: long enough for a rate limit of mainnet. */
export const COMMAND_BLOCKS = 240
/** A person waits for an answer: whoever refuses this often is not there. */
const ATTEMPTS = 4
/** A chain that has not answered by then will not. */
const CONNECT_MS = 20_000

type Opened = {
  readonly chain: ChainClient
  readonly signal: AbortSignal
  readonly best: number
  /** Hex of the key that signs; empty for readers. */
  readonly hotkey: string
}

/** Runs with a client that has seen a head, and closes it whatever happens. */
export async function withChain<T>(
  flags: FlagValues<typeof NETWORK_FLAGS> & { readonly uri?: string | undefined },
  io: Io,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const network = networkOf(flags.network)
  if (network === null) {
    throw new NodeError('USAGE', {
      what: `--network cannot be '${printable(flags.network)}'`,
      why: `it takes ${NETWORK_NAMES.join(', ')}, or addresses that begin with ws:// or wss://`,
    })
  }
  const signer = flags.uri === undefined ? null : await signerOf(flags.uri, network.isLocal)
  const options = { endpoints: network.endpoints, genesis: null, netuid: flags.netuid, blockMs: null, dir: null }
  const chain = await createChain(options, { signer, clock: CLOCK, random: RANDOM, log: SILENT })
  const late = AbortSignal.timeout(CONNECT_MS)
  try {
    const best = await firstHead(chain, AbortSignal.any([io.signal, late]))
    return await work({ chain, signal: io.signal, best, hotkey: signer === null ? '' : toHex(signer.publicKey) })
  } catch (error) {
    if (late.aborted && error === late.reason) throw noAnswer(chain)
    throw error
  } finally {
    chain.stop()
  }
}

async function signerOf(uri: string, isLocal: boolean): Promise<Signer> {
  if (isLocal) return developmentSigner(uri)
  throw new NodeError('USAGE', {
    what: '--uri is for local chains',
    why: 'everybody knows the development keys, and a secret on a command line is no secret',
    remedy: 'name a wallet with --wallet and --hotkey',
  })
}

const noAnswer = (chain: ChainClient): NodeError => {
  const { endpoint, degraded } = chain.health()
  return new NodeError('CHAIN_UNAVAILABLE', {
    what: `${endpoint} does not answer`,
    why: degraded ?? 'it sends no blocks',
  })
}

async function firstHead(chain: ChainClient, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { best, finalised, generations } = chain.health()
    if (best !== null && finalised !== null) return best.number
    if (best === null && generations > ATTEMPTS) throw noAnswer(chain)
    await sleep(20, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

const CLOCK = { now: () => performance.now(), setTimeout, clearTimeout }
const RANDOM: Random = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) }
const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
