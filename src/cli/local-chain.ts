/**
 * The ground of a local network: a development chain in this process, a client of its own for every node, and real time.
 *
 * Everybody is registered, staked and permitted from block 0, so that weights can land in the first cycle.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChainClient, createChain } from '../chain/client.ts'
import { createDevChain, DEV_ACCOUNTS, DEV_BALANCE, type DevChain, type DevChainOptions } from '../chain/dev/index.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import { PRESETS, type Preset } from '../protocol/preset.ts'
import { NETUID } from '../sim/genesis.ts'
import type { Founders, MakeGround } from '../sim/ground.ts'
import type { SimKeys } from '../sim/keys.ts'
import { assert } from '../util/assert.ts'
import { hexBytes } from '../util/bytes.ts'
import { followCensus } from './census.ts'
import { createLocalPeers } from './local-peers.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'

export type LocalOptions = {
  readonly blockMs: number
  /** 0 for any that is free. */
  readonly port: number
  readonly signal: AbortSignal
}

/** Joining takes a block to be included and one to be final; twice that, and two for a machine that is busy. */
const JOIN_BLOCKS = 6
/** Meanwhile the hosts of all peers start and find one another. */
const JOIN_MS = 5_000
/** Who is behind by more than this many blocks is late. */
const LAG_BLOCKS = 2
const LOOKS_PER_BLOCK = 10

export const createLocalGround =
  ({ blockMs, port, signal }: LocalOptions): MakeGround =>
  async (founders, preset) => {
    const dev = await createDevChain({ blockMs, port, ...genesisOf(founders, PRESETS[preset]) })
    const clients = new Map<string, ChainClient>()
    // In the order in which they began; the last ends first.
    const ends: (() => void | Promise<void>)[] = [() => dev.stop()]
    const stop = async (): Promise<void> => {
      for (const end of ends.splice(0).reverse()) await end()
    }
    try {
      for (const { keys } of founders) {
        const client = await connect(dev, keys, blockMs)
        clients.set(keys.hotkey, client)
        ends.push(client.stop)
      }
      const [witness] = clients.values()
      assert(witness !== undefined, 'somebody owns the subnet')
      const census = await followCensus({ chain: witness, clock: CLOCK, log: SILENT }, { signal })
      ends.push(census.stop)
      const peers = await createLocalPeers(census)
      ends.push(peers.stop)
      const genesis = await Promise.all([...clients.values()].map((client) => client.hashOf(0, { signal })))
      return {
        ...peers,
        address: dev.url,
        clock: CLOCK,
        genesis: genesis[0] as string,
        startBlock: dev.head().number + JOIN_BLOCKS + Math.ceil(JOIN_MS / blockMs),
        lagBlocks: LAG_BLOCKS,
        head: () => dev.head().number,
        as: ({ hotkey }) => clients.get(hotkey) as ChainClient,
        step: async () => {
          const before = dev.head().number
          while (dev.head().number === before && !signal.aborted) await sleep(blockMs / LOOKS_PER_BLOCK)
        },
        stop,
      }
    } catch (error) {
      await stop()
      throw error
    }
  }

function genesisOf(founders: Founders, { finality, tempo }: Preset): Partial<DevChainOptions> {
  const [owner, ...neurons] = founders.map(({ hotkey, stake }) => ({ coldkey: hotkey, hotkey, stake }))
  assert(owner !== undefined, 'somebody owns the subnet')
  const everybody = [...Object.values(DEV_ACCOUNTS), ...founders.map(({ hotkey }) => hotkey)]
  return {
    finalityBlocks: finality,
    accounts: Object.fromEntries(everybody.map((account) => [account, DEV_BALANCE])),
    subnets: [{ netuid: NETUID, owner, neurons, tempo, weightsRateLimit: 0, commitReveal: false }],
  }
}

function connect({ url }: DevChain, { hotkey, sign }: SimKeys, blockMs: number): Promise<ChainClient> {
  const signer = { address: toSs58(hotkey), publicKey: hexBytes(hotkey), sign }
  const options = { endpoints: [url], genesis: null, netuid: NETUID, blockMs, dir: null }
  return createChain(options, { signer, clock: CLOCK, random: RANDOM, log: SILENT })
}
