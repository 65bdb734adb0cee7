/**
 * The engine of the simulation: trains, judges and merges the toy model behind the Trainer and Evaluator ports. Tensors,
 * manifests, digests and the arithmetic of the merge are the real ones.
 */
import { inspectTensors, mergedTensors, modelTensors, readTensor, storeMerged, storeTensor } from '../library/tensor.ts'
import type { Blobs, Cancel, Evaluator, ModelRef, Overlay, Trainer } from '../ports.ts'
import type { TensorEntry } from '../protocol/manifest.ts'
import { assert } from '../util/assert.ts'
import type { SeededRandom } from './random.ts'
import { bytesOfFloats, floatsOfBytes, type ToyGroup, toyLoss, toyTarget, toyTensor } from './toy.ts'

const TENSOR_BYTES = 1024 * 1024

export type ToyEngineOptions = {
  readonly groups: readonly ToyGroup[]
  /** How far a cycle of training goes towards the target. */
  readonly rate: number
  /** How wrong a miner's own data is about the target. */
  readonly noise: number
}

export function createToyTrainer(
  { rate, noise }: ToyEngineOptions,
  { blobs, random }: { readonly blobs: Blobs; readonly random: SeededRandom },
): Trainer {
  return {
    train: async ({ model, group, cycle }, { signal }) => {
      const entry = await groupTensor(blobs, model, group, { signal })
      const weights = floatsOfBytes(await blobs.get(entry.cid, { bytesMax: TENSOR_BYTES, from: model.from, signal }))
      const luck = random.fork(`train/${group}/${cycle}`)
      const target = toyTarget(group)
      const trained = weights.map((w, k) => w + rate * ((target[k] ?? 0) + noise * (2 * luck.next() - 1) - w))
      return [await storeTensor(blobs, entry, bytesOfFloats(trained), { withheld: true, signal })]
    },
  }
}

export async function groupTensor(blobs: Blobs, model: ModelRef, group: string, opts: Cancel): Promise<TensorEntry> {
  const entry = (await modelTensors(blobs, model, opts)).get(toyTensor(group))
  assert(entry !== undefined, 'every group of the toy has its tensor')
  return entry
}

async function weightsOf(
  blobs: Blobs,
  groups: readonly ToyGroup[],
  model: ModelRef,
  overlay: Overlay,
  opts: Cancel,
): Promise<ReadonlyMap<string, Float32Array>> {
  const base = await modelTensors(blobs, model, opts)
  const over = new Map<string, Uint8Array>()
  if (overlay.kind === 'merge') {
    for await (const { entry, bytes } of mergedTensors(blobs, { model, ...overlay }, opts)) over.set(entry.name, bytes)
  }
  const weights = new Map<string, Float32Array>()
  for (const { name } of groups) {
    const tensor = toyTensor(name)
    const changed = overlay.kind === 'values' ? overlay.tensors.find((entry) => entry.name === tensor) : undefined
    const entry = changed ?? base.get(tensor)
    if (entry === undefined) continue
    weights.set(name, floatsOfBytes(over.get(tensor) ?? (await readTensor(blobs, entry, model.from, opts))))
  }
  return weights
}

export function createToyEvaluator(
  { groups }: Pick<ToyEngineOptions, 'groups'>,
  { blobs }: { readonly blobs: Blobs },
): Evaluator {
  return {
    losses: async ({ model, overlay, samples, checkpoints, goOn }, opts) => {
      const weights = await weightsOf(blobs, groups, model, overlay, opts)
      const losses: number[] = []
      for (const sequence of samples.sequences) {
        if (checkpoints.includes(losses.length)) {
          if (!goOn([...losses])) return losses
          opts.signal.throwIfAborted()
        }
        losses.push(toyLoss(groups, weights, sequence))
      }
      return losses
    },
    inspect: (task, opts) => inspectTensors(blobs, task, opts),
    merge: (task, opts) => storeMerged(blobs, task, opts),
  }
}
