/** A development chain without sockets, with one subnet whose validators have dense weights from the first block on. */
import type { Chain } from '../src/chain/dev/chain.ts'
import { openChain, type SubnetSpec } from '../src/chain/dev/index.ts'
import * as s from '../src/chain/dev/pallet/subtensor/storage.ts'
import { assert } from '../src/util/assert.ts'
import { NO_LOG } from '../test/chain/dev/world.ts'
import { createRandom } from '../test/protocol/world.ts'

export const NETUID = 1
const STAKE = 1_000_000_000_000n
const WEIGHT_MAX = 65_535
const OWNER = 'ff'.repeat(32)

export type SubnetOptions = {
  /** Public keys of those with stake and permits, from uid 1. Uid 0 is the owner, which validates nothing. */
  readonly validators: readonly string[]
  /** All of them, with the owner. */
  readonly neuronCount: number
  readonly tempo: number
  readonly yuma3: boolean
  /** The chain's own default when absent. */
  readonly historyBlocks?: number
}

/** A key that nobody can sign with. */
export const keyAt = (i: number): string => (i + 1).toString(16).padStart(64, '0')

/** A second passes with every block. */
export function openSubnetChain(options: SubnetOptions): Chain {
  const { validators, neuronCount, tempo, yuma3, historyBlocks } = options
  const miners = Array.from({ length: neuronCount - validators.length - 1 }, (_, i) => keyAt(validators.length + i))
  const subnet: SubnetSpec = {
    netuid: NETUID,
    owner: { coldkey: OWNER, hotkey: OWNER },
    neurons: [
      ...validators.map((key) => ({ coldkey: key, hotkey: key, stake: STAKE })),
      ...miners.map((key) => ({ coldkey: key, hotkey: key })),
    ],
    tempo,
    weightsRateLimit: 0,
    minAllowedWeights: 1,
    commitReveal: false,
    yuma3,
  }
  const random = createRandom(1)
  let nowMs = 1_800_000_000_000
  const { chain } = openChain(
    {
      blockMs: null,
      accounts: Object.fromEntries(validators.map((key) => [key, STAKE])),
      subnets: [subnet],
      genesis: (context) => {
        const row = () => Array.from({ length: neuronCount }, (_, uid) => [uid, 1 + random.below(WEIGHT_MAX)] as const)
        for (const i of validators.keys()) context.set(s.Weights, [NETUID, i + 1], row())
        // Weights count when they are younger than the neurons they are for.
        context.set(
          s.LastUpdate,
          [NETUID],
          Array.from({ length: neuronCount }, () => 1n),
        )
      },
      ...(historyBlocks === undefined ? {} : { historyBlocks }),
    },
    { log: NO_LOG, nowMs: () => (nowMs += 1_000) },
  )
  return chain
}

/** An epoch that pays nobody is no measure of one that does. */
export function assertPays(chain: Chain, validatorCount: number): void {
  const paid = (shares: readonly number[]) => shares.filter((share) => share > 0).length
  const miners = chain.state.get(s.Incentive, NETUID)
  assert(paid(chain.state.get(s.Dividends, NETUID)) >= validatorCount, 'every validator earns in the epoch')
  assert(paid(miners) > miners.length / 2, 'most miners earn in the epoch')
}
