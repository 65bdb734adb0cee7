/**
 * A Substrate node for development, in one process: `createDevChain` and what programs and tests need of it.
 *
 * It speaks the JSON-RPC of a subtensor node to unmodified clients. It makes blocks by itself every `blockMs`, or when
 * `seal` is called.
 */
import type { Clock, Log } from '../../ports.ts'
import { assert } from '../../util/assert.ts'
import { lockDirectory, type Unlock } from '../lock.ts'
import { type Block, hex0x } from './block.ts'
import { type BlockView, Chain } from './chain.ts'
import type { Context } from './define.ts'
import { DEV_ACCOUNTS, DEV_BALANCE } from './dev-account.ts'
import { broken, openDisk } from './disk.ts'
import { ArmedFaults, type Fault } from './fault.ts'
import { aura } from './pallet/aura.ts'
import { balances, endow } from './pallet/balances.ts'
import { foundSubnet, type SubnetSpec } from './pallet/subtensor/found.ts'
import { SudoKey, sudoPallet } from './pallet/sudo.ts'
import { system } from './pallet/system.ts'
import { timestamp } from './pallet/timestamp.ts'
import { transactionPayment } from './pallet/transaction-payment.ts'
import { utility } from './pallet/utility.ts'
import { SUBTENSOR_PARTS } from './parts.ts'
import { POOL_LIMITS, type PoolLimits } from './pool.ts'
import { createRpc } from './rpc/dispatch.ts'
import { createRuntime, type Runtime, type RuntimeParts } from './runtime.ts'
import { type Server, startServer } from './server.ts'
import { State } from './state.ts'

export { DEV_ACCOUNTS, DEV_BALANCE, type DevUri } from './dev-account.ts'
export { FAULT_KINDS, type Fault, parseFault } from './fault.ts'
export type { SubnetSpec } from './pallet/subtensor/found.ts'
export { NO_PARTS } from './parts.ts'

export type DevChainOptions = {
  /** Time between blocks, 250 to 12,000; `null` when blocks are sealed by hand. */
  readonly blockMs: number | null
  /** 0, the default, takes any free port. */
  readonly port?: number
  /** Loopback unless told otherwise: nothing here is protected against strangers. */
  readonly host?: string
  /** Where the chain lives on across restarts; `null`, the default, is memory. */
  readonly dir?: string | null
  /** How many blocks the finalised head trails the best one, at least 1. */
  readonly finalityBlocks?: number
  /** How many blocks back the state can be read. */
  readonly historyBlocks?: number
  readonly specVersion?: number
  /** Public keys as hex, with their balance in rao. The development accounts when absent. */
  readonly accounts?: Readonly<Record<string, bigint>>
  /** Subnets that are there from block 0, with their neurons, stake and permits; none when absent. Keys are hex. */
  readonly subnets?: readonly SubnetSpec[]
  /** What else is in block 0, after all the rest. */
  readonly genesis?: (context: Context) => void
  /** What the runtime has beyond the framework: subtensor when absent. */
  readonly parts?: RuntimeParts
  readonly poolLimits?: PoolLimits
  readonly chainName?: string
}

export type DevChainDeps = {
  readonly log?: Log
  /** What paces blocks and delays. */
  readonly clock?: Clock
  /** Milliseconds since 1970: the time of blocks. */
  readonly nowMs?: () => number
}

/** The hash with 0x, as clients know it. */
export type BlockRef = { readonly number: number; readonly hash: string }

export type DevChain = {
  readonly url: string
  readonly port: number
  /** The next block, of all that is ready or of nothing. */
  seal(fill?: 'ready' | 'empty'): Promise<BlockRef>
  head(): BlockRef
  finalised(): BlockRef
  fault(fault: Fault): void
  /** The state after the best block, by the items of the pallets. */
  read(): BlockView
  socketCount(): number
  stop(): Promise<void>
}

export const BLOCK_MS_MIN = 250
/** Blocks of mainnet, and the pace that clients assume when blocks are sealed by hand. */
export const BLOCK_MS_MAX = 12_000
/** GRANDPA finalises about so many blocks behind. */
const FINALITY_BLOCKS = 2
/** As far back as mortal transactions can reach, see `BlockHashCount`. */
const HISTORY_BLOCKS = 2400
/** The runtime whose interface and rules are followed. */
const SPEC_VERSION = 425
const CHAIN_NAME = 'Bittensor Development'
const VERSION = '4.0.0-dev'

const NO_LOG: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const SYSTEM_CLOCK: Clock = { now: () => Date.now(), setTimeout, clearTimeout }

export async function createDevChain(options: DevChainOptions, deps: DevChainDeps = {}): Promise<DevChain> {
  const { blockMs, dir = null } = options
  assert(blockMs === null || (blockMs >= BLOCK_MS_MIN && blockMs <= BLOCK_MS_MAX), 'blocks come every 250 to 12,000 ms')
  const unlock = dir === null ? async () => {} : await lockDirectory(dir)
  try {
    return await startChain(options, deps, unlock)
  } catch (error) {
    await unlock()
    throw error
  }
}

async function startChain(options: DevChainOptions, deps: DevChainDeps, unlock: Unlock): Promise<DevChain> {
  const { log = NO_LOG, clock = SYSTEM_CLOCK } = deps
  const { blockMs, port = 0, host = '127.0.0.1', chainName = CHAIN_NAME } = options
  const { chain, close } = openChain(options, { log, nowMs: deps.nowMs ?? Date.now })
  const faults = new ArmedFaults()
  const rpc = createRpc({ chain, faults, info: { chainName, version: VERSION }, log })
  const server = await startServer({ host, port }, { rpc, log, clock, faults }).catch((error: unknown) => {
    close()
    throw error
  })
  const stopPace = blockMs === null ? null : keepPace(chain, blockMs, clock)
  log.info('the development chain is up', { port: server.port, block: chain.head().number })
  return {
    url: `ws://${host}:${server.port}`,
    port: server.port,
    seal: async (fill) => refOf(chain.seal(fill)),
    head: () => refOf(chain.head()),
    finalised: () => refOf(chain.finalised()),
    fault: (fault) => inject(fault, chain, faults, server),
    read: () => {
      const view = chain.viewAt(chain.head().number)
      assert(view !== null, 'the state of the head is there')
      return view
    },
    socketCount: server.socketCount,
    stop: async () => {
      stopPace?.()
      await server.stop()
      close()
      await unlock()
    },
  }
}

/** The framework's pallets and these, in the order of their indices, which is the order in which they begin a block. */
export function createDevRuntime(slotMs: number, parts: RuntimeParts): Runtime {
  const framework = [system, timestamp(slotMs), aura(slotMs), balances, transactionPayment, utility, sudoPallet]
  const pallets = [...framework, ...parts.pallets].sort((a, b) => a.index - b.index)
  return createRuntime(pallets, parts.apis, parts.types)
}

export type OpenChain = { readonly chain: Chain; readonly close: () => void }

/** The chain without a server, and without a lock on its directory. */
export function openChain(
  options: DevChainOptions,
  deps: { readonly log: Log; readonly nowMs: () => number },
): OpenChain {
  const { log, nowMs } = deps
  const slotMs = options.blockMs ?? BLOCK_MS_MAX
  const historyBlocks = options.historyBlocks ?? HISTORY_BLOCKS
  const { dir = null } = options
  const runtime = createDevRuntime(slotMs, options.parts ?? SUBTENSOR_PARTS)
  const items = runtime.pallets.flatMap((pallet) => pallet.storage)
  const state = new State(items, runtime.codecs, historyBlocks)
  const opened = dir === null ? null : openDisk(dir, historyBlocks, log)
  const chain = new Chain(
    {
      slotMs,
      historyBlocks,
      finalityBlocks: options.finalityBlocks ?? FINALITY_BLOCKS,
      specVersion: options.specVersion ?? SPEC_VERSION,
      genesis: (context) => buildGenesis(context, options),
      poolLimits: options.poolLimits ?? POOL_LIMITS,
    },
    { runtime, state, log, nowMs, store: opened?.disk ?? null },
  )
  const stored = opened?.restored ?? null
  if (stored === null) chain.begin()
  else if (!chain.resume(stored)) throw broken(dir ?? '', 'it was written by a runtime with other storage')
  return { chain, close: () => opened?.disk.close() }
}

function buildGenesis(context: Context, options: DevChainOptions): void {
  const everyone = Object.fromEntries(Object.values(DEV_ACCOUNTS).map((key) => [key, DEV_BALANCE]))
  for (const [account, amount] of Object.entries(options.accounts ?? everyone)) endow(context, account, amount)
  context.set(SudoKey, [], DEV_ACCOUNTS['//Alice'])
  const { parts = SUBTENSOR_PARTS, subnets = [] } = options
  parts.genesis(context)
  for (const subnet of subnets) foundSubnet(context, subnet)
  options.genesis?.(context)
}

function inject(fault: Fault, chain: Chain, faults: ArmedFaults, server: Server): void {
  switch (fault.kind) {
    case 'drop':
      server.drop()
      return
    case 'silent':
      server.silence()
      return
    case 'fork':
      chain.fork(fault.count, fault.fate)
      return
    case 'upgrade':
      chain.upgrade()
      return
    default:
      faults.arm(fault)
  }
}

const refOf = ({ number, hash }: Block): BlockRef => ({ number, hash: hex0x(hash) })

/** The next block is due a fixed time after the last was, so that a slow block does not slow the chain. */
function keepPace(chain: Chain, blockMs: number, clock: Clock): () => void {
  let dueMs = clock.now() + blockMs
  let timer: unknown
  const wait = (): void => {
    const seal = () => {
      chain.seal()
      dueMs = Math.max(dueMs + blockMs, clock.now())
      wait()
    }
    timer = clock.setTimeout(seal, Math.max(0, dueMs - clock.now()))
  }
  wait()
  return () => clock.clearTimeout(timer)
}
