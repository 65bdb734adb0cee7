/**
 * Presets: clocks and constants that are known to fit together (protocol §2).
 *
 * `local` is a laptop, `seed` the 45-block cycle of the first such subnet, which leaves little to evaluate in, `mainnet`
 * the 500 blocks that it ended up with. A constitution is a preset, a chain, a model and its groups.
 */
import { cycleBlocks } from './clock.ts'
import type { Constitution } from './constitution.ts'
import type { Track } from './track.ts'

export const PRESET_NAMES = ['local', 'seed', 'mainnet'] as const
export type PresetName = (typeof PRESET_NAMES)[number]

export type Preset = {
  readonly windows: Constitution['windows']
  readonly finality: number
  readonly tempo: number
  readonly rewardCycles: number
  readonly blockMs: number
}

export const PRESETS: { readonly [P in PresetName]: Preset } = {
  /** 60 blocks of a second, an epoch of the chain in every cycle: rewards are seen within a minute. */
  local: {
    windows: { distribute: 4, train: 20, commit: 5, reveal: 6, evaluate: 8, report: 5, attest: 5, merge: 5, weigh: 2 },
    finality: 1,
    tempo: 60,
    rewardCycles: 6,
    blockMs: 1_000,
  },
  /** 45 blocks. GRANDPA finalises two to three blocks behind, so four windows on chain take 24 of them. */
  seed: {
    windows: { distribute: 2, train: 5, commit: 6, reveal: 5, evaluate: 6, report: 6, attest: 6, merge: 6, weigh: 3 },
    finality: 3,
    tempo: 360,
    rewardCycles: 8,
    blockMs: 12_000,
  },
  /** 500 blocks, 100 minutes: 18 cycles are 25 tempos. */
  mainnet: {
    windows: {
      distribute: 20,
      train: 300,
      commit: 10,
      reveal: 50,
      evaluate: 60,
      report: 20,
      attest: 20,
      merge: 15,
      weigh: 5,
    },
    finality: 5,
    tempo: 360,
    rewardCycles: 18,
    blockMs: 12_000,
  },
}

/** Constants of scoring and merging. That both gates refuse noise was measured on a toy; the engine will say it for models. */
export const SCORING: Track['scoring'] = {
  zMilli: 2_326,
  epsilonMin: 100_000,
  epsilonMax: 50_000_000,
  harmMax: 5_000_000,
  marginalFloorMilli: 20,
  roundingNano: 10_000,
  referenceMin: 1_000_000,
  samples: 256,
  checkpoints: [32, 64, 128],
}

/** The model takes the whole weighted mean, and no tensor may move by more than half of its norm. */
export const MERGE: Track['merge'] = { etaPpm: 1_000_000, normRatioMilli: 500 }

/** A peer that went silent is forgotten after this many cycles. */
const CARD_CYCLES = 12

export type Founding = {
  readonly preset: PresetName
  readonly chain: { readonly genesis: string; readonly netuid: number; readonly startBlock: number }
  readonly model: Constitution['model']
  readonly domains: Track['domains']
  readonly groups: Track['groups']
  readonly router: Track['router']
  readonly burnUid: number
  readonly submissionBytes: number
}

/** The genesis constitution of a network with one track of experts. */
export function found({
  preset: name,
  chain,
  model,
  domains,
  groups,
  router,
  burnUid,
  submissionBytes,
}: Founding): Constitution {
  const preset = PRESETS[name]
  return {
    version: 1,
    predecessor: null,
    start: { block: chain.startBlock, cycle: 0 },
    chain: { genesis: chain.genesis, netuid: chain.netuid, tempo: preset.tempo, finality: preset.finality },
    windows: preset.windows,
    model,
    tracks: [
      {
        name: 'experts',
        kind: 'experts',
        sharePpm: 1_000_000,
        domains,
        groups,
        router,
        scoring: SCORING,
        merge: MERGE,
      },
    ],
    limits: { submissionBytes, cardBlocks: CARD_CYCLES * cycleBlocks(preset) },
    rewards: { cycles: preset.rewardCycles, burnUid },
  }
}
