/**
 * Deltas in files: changed tensors, whole, under the names of the model that they belong to. Judged before a tensor of them
 * is read; that their numbers are finite shows when they are.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NodeError } from '../../errors.ts'
import { allFinite } from '../../protocol/merge-tensor.ts'
import { isTrainable, sameShape, type TrainableDtype } from '../../protocol/tensor.ts'
import { type Checkpoint, readShard, type StoredTensor } from '../model/checkpoint.ts'
import { piecesOf, weightsOf } from './pieces.ts'

/** The name of the file in a directory that training or merging wrote. */
export const DELTA = 'delta.safetensors'

/** By name, with types that can be trained. */
export type DeltaTensor = StoredTensor & { readonly dtype: TrainableDtype }
export type Delta = { readonly path: string; readonly tensors: ReadonlyMap<string, DeltaTensor> }

/** A file, or a directory that holds one; every tensor of it has to be one that may change, of the model's shape and type. */
export async function openDelta(checkpoint: Checkpoint, named: string): Promise<Delta> {
  const path = await stat(named).then(
    (found) => (found.isDirectory() ? join(named, DELTA) : named),
    () => named,
  )
  const trainable = new Set(
    piecesOf(checkpoint)
      .flatMap(weightsOf)
      .map((weight) => weight.tensor),
  )
  const tensors = new Map<string, DeltaTensor>()
  for (const tensor of (await readShard(path)).tensors) {
    const { name, dtype, shape } = tensor
    const base = checkpoint.tensors.get(name)
    if (base === undefined) throw unfit(path, `it has ${name}`, 'the model has no tensor of this name')
    if (!trainable.has(name)) throw unfit(path, `it changes ${name}`, 'only experts and routing rows may change')
    if (!sameShape(base.shape, shape) || base.dtype !== dtype || !isTrainable(dtype)) {
      throw unfit(path, `its ${name} is ${dtype} [${shape}]`, `the model's is ${base.dtype} [${base.shape}]`)
    }
    tensors.set(name, { ...tensor, dtype })
  }
  if (tensors.size === 0) throw unfit(path, 'it is empty', 'a delta holds at least one tensor')
  return { path, tensors }
}

/** Bytes of a tensor, wherever it is cut. */
export function demandFinite({ path, name, dtype }: StoredTensor, bytes: Uint8Array): void {
  if (!allFinite(dtype, bytes))
    throw unfit(path, `${name} holds what is not a finite number`, 'nobody can go on from it')
}

const unfit = (path: string, what: string, why: string): NodeError =>
  new NodeError('DELTA_INVALID', { what: `${path}: ${what}`, why, data: { path } })
