/**
 * What a world stands on: its time, its pace, its chain, and what carries messages and content between peers.
 *
 * The simulation's own is virtual time over ports of memory, where between two steps of the clock everything that can
 * happen has happened. Another one may be real: the nodes do not know.
 */
import { SimulatedClock } from 'xstate'
import type { Blobs, Chain, Clock, Network, Neuron } from '../ports.ts'
import type { Constitution } from '../protocol/constitution.ts'
import { PRESETS, type PresetName } from '../protocol/preset.ts'
import { createSimBlobs } from './blobs.ts'
import { createSimChain } from './chain.ts'
import type { SimKeys } from './keys.ts'
import { createSimNetwork } from './network.ts'
import { createRandom } from './random.ts'

export type Medium = { readonly network: Network; readonly blobs: Blobs }

export type Ground = {
  /** Where others reach the chain; `null` when it is in memory. */
  readonly address: string | null
  readonly clock: Clock
  /** Of the chain. */
  readonly genesis: string
  /** What is written now is final before this block. */
  readonly startBlock: number
  /** So many blocks after a block, everybody has done what follows from it. */
  readonly lagBlocks: number
  readonly head: () => number
  /** The chain as this hotkey sees it: the same again for the same keys. */
  readonly as: (keys: SimKeys) => Chain
  /** Where the founder keeps what the constitution names, before there is a network; it is served from then on. */
  readonly founder: Blobs
  /** A peer's gossip and store, in the network of these rules; the same again for the same keys. */
  readonly join: (keys: SimKeys, constitution: Constitution) => Promise<Medium>
  /** What some peer has stored, for who looks on. */
  readonly peek: (cid: string) => Promise<Uint8Array | null>
  /** How gossip was judged, by `kind/verdict/code`. */
  readonly verdicts: () => ReadonlyMap<string, number>
  /** One block more, and everything that follows from it. */
  readonly step: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Everybody who will be there: the neurons in the order of their uids, with their keys. */
export type Founders = readonly (Neuron & { readonly keys: SimKeys })[]
export type MakeGround = (founders: Founders, preset: PresetName) => Promise<Ground>

/** Messages take a part of a block, and never longer than people would believe. */
const DELAY_MS_MAX = 400
const DELAY_PER_BLOCK = 0.4
/** Between two blocks, time passes in steps, so that messages arrive in the order of their delays. */
const STEPS_PER_BLOCK = 10
/** Validators join in block 1, which is final before this one. */
const START_BLOCK = 3

export type VirtualOptions = {
  readonly seed: number
  /** Resolves when all promises that can be settled are: a turn of the event loop. */
  readonly turn: () => Promise<void>
}

export const createVirtualGround =
  ({ seed, turn }: VirtualOptions): MakeGround =>
  async (founders, preset) => {
    const clock: SimulatedClock & Clock = new SimulatedClock()
    const { finality, blockMs } = PRESETS[preset]
    const chain = createSimChain({ seed: String(seed), finality, neurons: founders, entriesMin: 1 })
    const blobs = createSimBlobs()
    const delayMsMax = Math.min(DELAY_MS_MAX, DELAY_PER_BLOCK * blockMs)
    const random = createRandom(String(seed)).fork('network')
    const network = createSimNetwork({ delayMsMax, lossRatio: 0 }, { clock, random })
    return {
      address: null,
      clock,
      genesis: chain.genesis,
      startBlock: START_BLOCK,
      lagBlocks: 0,
      head: chain.head,
      as: ({ hotkey }) => chain.as(hotkey),
      founder: blobs.join('founder'),
      join: async ({ peerId }) => ({ network: network.join(peerId), blobs: blobs.join(peerId) }),
      peek: async (cid) => blobs.peek(cid) ?? null,
      verdicts: () => network.verdicts,
      step: async () => {
        await turn() // what was begun since the last step comes into this block
        chain.seal()
        for (let i = 0; i < STEPS_PER_BLOCK; i++) {
          await turn()
          clock.increment(blockMs / STEPS_PER_BLOCK)
        }
        await turn()
      },
      stop: async () => undefined,
    }
  }
