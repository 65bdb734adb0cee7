/** What the chain commands share: the flags that say which chain and which key, and a client that is closed at the end. */
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChainClient, createChain } from '../chain/client.ts'
import { createLink, type Link } from '../chain/link.ts'
import { NETWORK_NAMES, networkOf } from '../chain/network.ts'
import type { Signer } from '../chain/sign.ts'
import { developmentSigner } from '../chain/uri.ts'
import type { KeyRole } from '../chain/wallet.ts'
import { NodeError } from '../errors.ts'
import { toHex, withoutPrefix } from '../util/bytes.ts'
import type { NETWORK_FLAGS } from './chain-table.ts'
import type { FlagValues } from './command.ts'
import type { Io } from './io.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'
import { openWallet, type WalletChoice } from './wallet-open.ts'

/** Every window of a command: long enough for a rate limit of mainnet. */
export const COMMAND_BLOCKS = 240
/** A person waits for an answer: whoever refuses this often is not there. */
const ATTEMPTS = 4
/** A chain that has not answered by then will not. */
const CONNECT_MS = 20_000

type KeyFlags = WalletChoice & {
  readonly uri: string | undefined
  readonly dir: string | undefined
  readonly 'password-file'?: string | undefined
}

export type Opened = {
  readonly chain: ChainClient
  readonly signal: AbortSignal
  readonly best: number
  /** Hex of the hotkey that it is about, whether it signs or its coldkey does; empty for readers. */
  readonly hotkey: string
}

/** Runs with a client that has seen a head, and closes it whatever happens. */
export async function withChain<T>(
  flags: FlagValues<typeof NETWORK_FLAGS> & Partial<KeyFlags>,
  io: Io,
  work: (opened: Opened) => Promise<T>,
  signedBy: KeyRole = 'hotkey',
): Promise<T> {
  const network = networkOf(flags.network)
  if (network === null) {
    throw new NodeError('USAGE', {
      what: '--network names no network', // its text may hold a key
      why: `it takes ${NETWORK_NAMES.join(', ')}, or addresses that begin with ws:// or wss://`,
    })
  }
  // Before the connection: a coldkey takes seconds to unlock, and heads would be missed.
  const { signer, hotkey } = await chooseSigner(flags, io, { isLocal: network.isLocal, signedBy })
  const options = { endpoints: network.endpoints, genesis: null, netuid: flags.netuid, blockMs: null, dir: null }
  const deps = { signer, clock: CLOCK, random: RANDOM, log: SILENT }
  const link = createLink(options, deps)
  const late = AbortSignal.timeout(CONNECT_MS)
  try {
    const best = await firstHead(link, AbortSignal.any([io.signal, late]))
    const kept = signer === null ? {} : { genesis: await genesisOf(link, io), dir: openDir(flags.dir) }
    const chain = await createChain({ ...options, ...kept }, { ...deps, link })
    try {
      return await work({ chain, signal: io.signal, best, hotkey })
    } finally {
      chain.stop()
    }
  } catch (error) {
    if (late.aborted && error === late.reason) throw noAnswer(link)
    throw error
  } finally {
    link.stop()
  }
}

/** What is kept of writes is kept for each chain by itself. */
const genesisOf = (link: Link, { signal }: Io): Promise<string> =>
  link.use(async (api) => withoutPrefix(api.genesisHash.toHex()), { signal })

/** Nobody else's business: what was sent, and with which key. */
function openDir(dir = join(homedir(), '.wheelwright', 'chain')): string {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NodeError('FILE_UNWRITABLE', { what: `${dir} cannot be made`, why, data: { path: dir }, cause })
  }
  return dir
}

type Signing = { readonly signer: Signer | null; readonly hotkey: string }

async function chooseSigner(
  flags: Partial<KeyFlags>,
  io: Io,
  { isLocal, signedBy }: { readonly isLocal: boolean; readonly signedBy: KeyRole },
): Promise<Signing> {
  const isWallet = flags.wallet !== undefined || flags.hotkey !== undefined
  if (flags.uri !== undefined && isWallet) {
    throw new NodeError('USAGE', { what: '--uri and a wallet are both given', why: 'only one of them can sign' })
  }
  if (flags.uri !== undefined) {
    const signer = await signerOf(flags.uri, isLocal)
    return { signer, hotkey: toHex(signer.publicKey) }
  }
  return isWallet ? openWallet(flags, io, signedBy) : { signer: null, hotkey: '' }
}

async function signerOf(uri: string, isLocal: boolean): Promise<Signer> {
  if (isLocal) return developmentSigner(uri)
  throw new NodeError('USAGE', {
    what: '--uri is for local chains',
    why: 'everybody knows the development keys, and a secret on a command line is no secret',
    remedy: 'name a wallet with --wallet and --hotkey',
  })
}

const noAnswer = (link: Link): NodeError => {
  const { endpoint, degraded } = link.health()
  return new NodeError('CHAIN_UNAVAILABLE', {
    what: `${endpoint} does not answer`,
    why: degraded ?? 'it sends no blocks',
  })
}

async function firstHead(link: Link, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { best, finalised, generations } = link.health()
    if (best !== null && finalised !== null) return best.number
    if (best === null && generations > ATTEMPTS) throw noAnswer(link)
    await sleep(20, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
