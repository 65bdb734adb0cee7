/** The ports Trainer and Evaluator over real engines: models as directories, tensors by their manifests. */
import { fetchModel, fetchPart } from '../../library/document.ts'
import {
  inspectTensors,
  mergedTensors,
  partTensors,
  readTensor,
  storeMerged,
  storeTensor,
} from '../../library/tensor.ts'
import type { Blobs, Cancel, Evaluator, ModelRef, Overlay, Trainer } from '../../ports.ts'
import { LOSS_NANO_MAX } from '../../protocol/limits.ts'
import type { TensorEntry } from '../../protocol/manifest.ts'
import { tokensOf } from '../../protocol/shard.ts'
import type { NamedBytes } from '../model/delta.ts'
import type { AdamW } from '../train/adamw.ts'
import type { Schedule } from '../train/schedule.ts'
import type { Engines } from '../worker/engine.ts'
import type { Folder } from './folder.ts'

export type EngineDeps = { readonly blobs: Blobs; readonly folder: Folder; readonly engines: Engines }

export type TrainerOptions = {
  readonly steps: number
  readonly batch: number
  readonly schedule: Schedule
  readonly adam: AdamW
  readonly normMax: number
  /** What this miner trains on in a cycle. */
  readonly data: (domain: string, cycle: number) => Promise<readonly Uint32Array[]>
}

export function createTrainer(options: TrainerOptions, { blobs, folder, engines }: EngineDeps): Trainer {
  const { data, ...training } = options
  return {
    train: async ({ model, group, domain, cycle, enough }, { signal }) => {
      const directory = await folder.open(blobs, model, { signal })
      const tensors = [...(await partTensors(blobs, model, group, { signal })).keys()]
      const sequences = await data(domain, cycle)
      const call = { kind: 'train', directory, tensors, sequences, ...training } as const
      const made = await engines.call(call, { signal, enough })
      const stored: TensorEntry[] = []
      for (const { bytes, ...tensor } of made) {
        stored.push(await storeTensor(blobs, tensor, bytes, { withheld: true, signal }))
      }
      return stored
    },
  }
}

export function createEvaluator({ blobs, folder, engines }: EngineDeps): Evaluator {
  return {
    losses: async ({ model, overlay, samples, checkpoints, goOn }, { signal }) => {
      const directory = await folder.open(blobs, model, { signal })
      const changes = await changesOf(blobs, model, overlay, { signal })
      const call = {
        kind: 'losses',
        directory,
        open: await openOf(blobs, model, changes, { signal }),
        changes,
        samples: samples.name,
        sequences: samples.sequences.map(tokensOf),
        checkpoints,
      } as const
      const nano = (losses: readonly number[]): readonly number[] => losses.map(toNano)
      return nano(await engines.call(call, { signal, goOn: (losses) => goOn(nano(losses)) }))
    },
    inspect: (task, opts) => inspectTensors(blobs, task, opts),
    merge: (task, opts) => storeMerged(blobs, task, opts),
  }
}

/** Losses are written down as whole numbers; what is not finite is as bad as can be written. */
const toNano = (loss: number): number =>
  loss < LOSS_NANO_MAX / 1e9 ? Math.max(0, Math.round(loss * 1e9)) : LOSS_NANO_MAX

async function changesOf(
  blobs: Blobs,
  model: ModelRef,
  overlay: Overlay,
  opts: Cancel,
): Promise<readonly NamedBytes[]> {
  const changes: NamedBytes[] = []
  if (overlay.kind === 'values') {
    for (const entry of overlay.tensors) changes.push({ ...entry, bytes: await readTensor(blobs, entry, [], opts) })
  } else if (overlay.kind === 'merge') {
    for await (const { entry, bytes } of mergedTensors(blobs, { model, ...overlay }, opts))
      changes.push({ ...entry, bytes })
  }
  return changes
}

/** All tensors of the parts that changes touch: whoever changes some of a group shares what was computed for the group. */
async function openOf(
  blobs: Blobs,
  model: ModelRef,
  changes: readonly NamedBytes[],
  { signal }: Cancel,
): Promise<readonly string[]> {
  const changed = new Set(changes.map(({ name }) => name))
  const manifest = changed.size === 0 ? null : await fetchModel(blobs, model.manifest, { from: model.from, signal })
  const open: string[] = []
  for (const { name } of manifest?.parts ?? []) {
    const tensors = await fetchPart(blobs, manifest as NonNullable<typeof manifest>, name, { from: model.from, signal })
    const names = [...(tensors?.keys() ?? [])]
    if (names.some((tensor) => changed.has(tensor))) open.push(...names)
  }
  return open
}
