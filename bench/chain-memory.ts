/**
 * Whether a chain that runs for long holds its memory: the heap after a collection, at some blocks of one chain.
 *
 * By its defaults a chain keeps the state of 2,400 blocks and 4,800 blocks themselves, so that the first of the figures is
 * of a chain that has not filled either, and from block 6,000 on both are full.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Keyring } from '@polkadot/keyring'
import type { Chain } from '../src/chain/dev/chain.ts'
import { LastUpdate } from '../src/chain/dev/pallet/subtensor/storage.ts'
import { assert } from '../src/util/assert.ts'
import { keyOf, type Pair, sign } from '../test/chain/dev/world.ts'
import { assertPays, NETUID, openSubnetChain } from './chain-subnet.ts'
import { type Result, resultOf } from './harness.ts'

const NEURONS = 64
const VALIDATORS = 16
const TEMPO = 100
/** One validator after the other sets its weights anew; without that they would be idle after 5,000 blocks. */
const WEIGHTS_EVERY = 50
const FIRST = 2_000
const FULL = 6_000
const LAST = 10_000
const GROWTH_MIB_MAX = 5
const MIB = 1024 * 1024
const WEIGHT_MAX = 65_535

export async function chainMemory(): Promise<readonly Result[]> {
  const keyring = new Keyring({ type: 'sr25519' })
  const pairs = Array.from({ length: VALIDATORS }, (_, i) => keyring.addFromUri(`//bench//validator//${i}`))
  const chain = openSubnetChain({ validators: pairs.map(keyOf), neuronCount: NEURONS, tempo: TEMPO, yuma3: true })
  const heapAt = async (block: number) => {
    sealTo(chain, block, pairs)
    return heapMib()
  }
  const [first, full, last] = [await heapAt(FIRST), await heapAt(FULL), await heapAt(LAST)]
  assertPays(chain, VALIDATORS)
  const updates = chain.state.get(LastUpdate, NETUID).slice(1, 1 + VALIDATORS)
  assert(
    updates.every((update) => update > LAST - WEIGHTS_EVERY * (VALIDATORS + 1)),
    'weights were set all the time',
  )
  const setup = `${NEURONS} neurons, ${VALIDATORS} with dense weights, an epoch every ${TEMPO} blocks, weights set every ${WEIGHTS_EVERY}`
  const row = (name: string, includes: string, value: number, target: number | null = null) =>
    resultOf({ name, includes, unit: 'MiB', target }, [value])
  return [
    row(`heap at block ${FIRST}`, `the whole process after GC, heap and buffers, taken once; ${setup}`, first),
    row(`heap at block ${LAST}`, 'the same chain', last),
    row(
      'heap growth',
      `from block ${FIRST} to ${LAST}; the histories of state and blocks fill up meanwhile`,
      last - first,
      GROWTH_MIB_MAX,
    ),
    row(
      'heap growth, when full',
      `from block ${FULL} to ${LAST}, both histories full: what never stops growing`,
      last - full,
    ),
  ]
}

function sealTo(chain: Chain, block: number, pairs: readonly Pair[]): void {
  while (chain.head().number < block) {
    const { number } = chain.head()
    const pair = pairs[(number / WEIGHTS_EVERY) % pairs.length]
    if (pair !== undefined) chain.submit(setWeights(chain, pair, number))
    chain.seal()
  }
}

function setWeights(chain: Chain, pair: Pair, block: number): Uint8Array {
  const dests = Array.from({ length: NEURONS }, (_, uid) => uid)
  const weights = dests.map((uid) => 1 + ((uid * 7_919 + block * 104_729) % WEIGHT_MAX))
  const args = { netuid: NETUID, dests, weights, version_key: 0n }
  return sign(chain, pair, { pallet: 'SubtensorModule', name: 'set_weights', args })
}

async function heapMib(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) {
    collect()
    await turn()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / MIB
}
