/**
 * The cast of a simulated network: who is there, and which ports each of them plays with. A rogue has one honest port
 * replaced by a lying one.
 */
import type { RoleOptions } from '../actors/start.ts'
import type { Rogue, Role } from '../event.ts'
import type { Network, Ports, Trainer } from '../ports.ts'
import { PRESETS, type Preset, type PresetName } from '../protocol/preset.ts'
import type { Kit } from './kit.ts'
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
  readonly kit: Kit
}

const SYBIL_KEYS = 3
/** A late reveal comes when the evaluation is long under way. */
const lateBlocks = (preset: Preset, kit: Kit): number => {
  const windows = { ...preset.windows, ...kit.windows }
  return windows.reveal + windows.evaluate - 1
}

export function createCast({ seed, validators, minersPerGroup, rogues, preset, kit }: CastOptions): readonly Part[] {
  const copied: Copied = { tensors: [] }
  const honest = Array.from({ length: validators }, (_, i) => validator(kit, `validator-${i + 1}`, null, seed))
  const miners = kit.groups.flatMap(({ name }, g) =>
    Array.from({ length: minersPerGroup }, (_, i) =>
      miner(`miner-${name}-${i + 1}`, name, null, (ports, random) => {
        const trainer = kit.trainer(ports.blobs, random)
        // Somebody has to be copied.
        return { trainer: g === 0 && i === 0 ? watchedTrainer(trainer, copied) : trainer }
      }),
    ),
  )
  const [first = '', second = first] = kit.groups.map(({ name }) => name)
  const plot: Plot = { seed, copied, preset, kit, first, second }
  return [...honest, ...miners, ...rogues.flatMap((rogue) => ROGUE_PARTS[rogue](plot))]
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

const validator = (kit: Kit, name: string, rogue: Rogue | null, seed: number): Part => ({
  name,
  role: 'validator',
  rogue,
  play: (ports, random) => {
    const honest = kit.evaluator(ports.blobs)
    const evaluator = rogue === 'liar' ? liarEvaluator(honest) : honest
    return {
      role: 'validator',
      ports: { ...ports, evaluator, data: kit.data(random, createRandom(`${seed}/common`)) },
    }
  },
})

type Plot = {
  readonly seed: number
  readonly copied: Copied
  readonly preset: PresetName
  readonly kit: Kit
  /** Groups that are cheated in. */
  readonly first: string
  readonly second: string
}

const ROGUE_PARTS: { readonly [R in Rogue]: (plot: Plot) => readonly Part[] } = {
  noise: ({ kit: { noise }, first }) => [
    miner('rogue-noise', first, 'noise', ({ blobs }, random) => ({ trainer: noiseTrainer({ blobs, random, noise }) })),
  ],
  copycat: ({ copied, first }) => [
    miner('rogue-copycat', first, 'copycat', ({ blobs }) => ({ trainer: copycatTrainer({ blobs }, copied) })),
  ],
  late: ({ preset, kit, second }) => [
    miner('rogue-late', second, 'late', ({ blobs, network, chain }, random) => ({
      trainer: kit.trainer(blobs, random),
      network: lateNetwork(network, chain, lateBlocks(PRESETS[preset], kit)),
    })),
  ],
  hub: ({ kit, second }) => [
    miner('rogue-hub', second, 'hub', ({ blobs }, random) => ({
      trainer: hubTrainer({ blobs }, kit.trainer(blobs, random)),
    })),
  ],
  sybil: ({ seed, kit, second }) =>
    Array.from({ length: SYBIL_KEYS }, (_, i) =>
      miner(`rogue-sybil-${i + 1}`, second, 'sybil', ({ blobs }, random) => {
        const operator = createRandom(`${seed}/part/rogue-sybil`)
        return { trainer: sybilTrainer({ blobs, random, noise: kit.noise }, kit.trainer(blobs, operator)) }
      }),
    ),
  liar: ({ seed, kit }) => [validator(kit, 'rogue-liar', 'liar', seed)],
}
