/**
 * What the development chain costs: an epoch of a full subnet, transactions through a real socket, and memory over time.
 *
 * Each row says what it includes. The three parts follow one another, because a timer of one would be noise in another.
 */
import { chainMemory } from './chain-memory.ts'
import { assertPays, keyAt, openSubnetChain } from './chain-subnet.ts'
import { chainTraffic } from './chain-traffic.ts'
import { type Case, measureAll, type Result } from './harness.ts'

const NEURONS = 256
const VALIDATORS = 64
const EPOCH_MS_MAX = 50
/** An epoch with every block, so that a block is an epoch. */
const TEMPO = 1
/** The state before an epoch is kept as bytes in any case; how long, is for the memory's rows. */
const HISTORY_BLOCKS = 16

export async function chainResults(): Promise<readonly Result[]> {
  const epochs = measureAll([...(['yuma3', 'yuma2'] as const).map(epochCase), emptyCase()])
  return [...epochs, ...(await chainTraffic()), ...(await chainMemory())]
}

const subnetChain = (yuma3: boolean, tempo: number) =>
  openSubnetChain({
    validators: Array.from({ length: VALIDATORS }, (_, i) => keyAt(i)),
    neuronCount: NEURONS,
    tempo,
    yuma3,
    historyBlocks: HISTORY_BLOCKS,
  })

function epochCase(mode: 'yuma3' | 'yuma2'): Case {
  const chain = subnetChain(mode === 'yuma3', TEMPO)
  for (let i = 0; i < 2; i++) chain.seal()
  assertPays(chain, VALIDATORS)
  return {
    name: `epoch, ${mode}`,
    includes: `a whole block with it: ${NEURONS} neurons, ${VALIDATORS} with permits and weights to all; state read, consensus, bonds, payments, old state packed`,
    target: EPOCH_MS_MAX,
    unit: 'ms',
    run: () => chain.seal(),
  }
}

function emptyCase(): Case {
  const chain = subnetChain(true, 10_000)
  return {
    name: 'block without epoch',
    includes: 'the same subnet, nothing due: what the two above have on top of their epoch',
    target: null,
    unit: 'ms',
    run: () => chain.seal(),
  }
}
