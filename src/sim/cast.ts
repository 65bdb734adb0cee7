/**
 * The cast of a simulated network: who is there, and which ports each of them plays with. A rogue has one honest port
 * replaced by a lying one.
 */
import type { RoleOptions } from '../actors/start.ts'
import type { Rogue, Role } from '../event.ts'
import type { Network, Ports, Trainer } from '../ports.ts'
import { PRESETS, type Preset, type PresetName } from '../protocol/preset.ts'
import { createToyData } from './data.ts'
import { createToyEvaluator, createToyTrainer, type ToyEngineOptions } from './engine.ts'
import { DOMAINS, GROUPS } from './genesis.ts'
import { createRandom, type SeededRandom } from './random.ts'
import {
  type Copied,
  copycatTrainer,
  hubTrainer,
  lateNetwork,
  liarEvaluator,
  noiseTrainer,
  sybilTrainer,
  watchedTrainer,
} from './rogue.ts'

export type Part = {
  readonly name: string
  readonly role: Extract<Role, 'validator' | 'miner'>
  readonly rogue: Rogue | null
  readonly play: (ports: Ports, random: SeededRandom) => RoleOptions
}

export type CastOptions = {
  readonly seed: number
  readonly validators: number
  readonly minersPerGroup: number
  readonly rogues: readonly Rogue[]
  readonly preset: PresetName
}

const ENGINE: ToyEngineOptions = { groups: GROUPS, rate: 0.25, noise: 0.8 }
const SYBIL_KEYS = 3
/** A late reveal comes when the evaluation is long under way. */
const lateBlocks = ({ windows }: Preset): number => windows.reveal + windows.evaluate - 1

export function createCast({ seed, validators, minersPerGroup, rogues, preset }: CastOptions): readonly Part[] {
  const copied: Copied = { tensors: [] }
  const honest = Array.from({ length: validators }, (_, i) => validator(`validator-${i + 1}`, null, seed))
  const miners = GROUPS.flatMap(({ name }, g) =>
    Array.from({ length: minersPerGroup }, (_, i) =>
      miner(`miner-${name}-${i + 1}`, name, null, (ports, random) => {
        const trainer = createToyTrainer(ENGINE, { blobs: ports.blobs, random })
        // Somebody has to be copied.
        return { trainer: g === 0 && i === 0 ? watchedTrainer(trainer, copied) : trainer }
      }),
    ),
  )
  return [...honest, ...miners, ...rogues.flatMap((rogue) => ROGUE_PARTS[rogue]({ seed, copied, preset }))]
}

type Wrapped = { readonly trainer: Trainer; readonly network?: Network }

const miner = (
  name: string,
  group: string,
  rogue: Rogue | null,
  wrap: (ports: Ports, random: SeededRandom) => Wrapped,
): Part => ({
  name,
  role: 'miner',
  rogue,
  play: (ports, random) => ({ role: 'miner', group, ports: { ...ports, ...wrap(ports, random) } }),
})

const validator = (name: string, rogue: Rogue | null, seed: number): Part => ({
  name,
  role: 'validator',
  rogue,
  play: (ports, random) => {
    const honest = createToyEvaluator(ENGINE, ports)
    const evaluator = rogue === 'liar' ? liarEvaluator(honest) : honest
    return {
      role: 'validator',
      ports: { ...ports, evaluator, data: createToyData(DOMAINS, random, createRandom(`${seed}/common`)) },
    }
  },
})

const [first, second = first] = GROUPS.map(({ name }) => name) as [string, ...string[]]

type Plot = { readonly seed: number; readonly copied: Copied; readonly preset: PresetName }

const ROGUE_PARTS: { readonly [R in Rogue]: (plot: Plot) => readonly Part[] } = {
  noise: () => [
    miner('rogue-noise', first, 'noise', ({ blobs }, random) => ({ trainer: noiseTrainer({ blobs, random }) })),
  ],
  copycat: ({ copied }) => [
    miner('rogue-copycat', first, 'copycat', ({ blobs }, random) => ({
      trainer: copycatTrainer({ blobs, random }, copied),
    })),
  ],
  late: ({ preset }) => [
    miner('rogue-late', second, 'late', ({ blobs, network, chain }, random) => ({
      trainer: createToyTrainer(ENGINE, { blobs, random }),
      network: lateNetwork(network, chain, lateBlocks(PRESETS[preset])),
    })),
  ],
  hub: () => [
    miner('rogue-hub', second, 'hub', ({ blobs }, random) => ({
      trainer: hubTrainer({ blobs, random }, createToyTrainer(ENGINE, { blobs, random })),
    })),
  ],
  sybil: ({ seed }) =>
    Array.from({ length: SYBIL_KEYS }, (_, i) =>
      miner(`rogue-sybil-${i + 1}`, second, 'sybil', ({ blobs }, random) => {
        const operator = createRandom(`${seed}/part/rogue-sybil`)
        return { trainer: sybilTrainer({ blobs, random }, createToyTrainer(ENGINE, { blobs, random: operator })) }
      }),
    ),
  liar: ({ seed }) => [validator('rogue-liar', 'liar', seed)],
}
