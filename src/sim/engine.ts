/**
 * The engine of the simulation: trains, judges and merges the toy model behind the Trainer and Evaluator ports. Tensors,
 * manifests, digests and the arithmetic of the merge are the real ones.
 */
import { fetchModel, fetchPart } from '../actors/library.ts'
import { NodeError } from '../errors.ts'
import type { Blobs, Cancel, Evaluator, MergeMember, ModelRef, Overlay, Trainer } from '../ports.ts'
import { rawCidOf } from '../protocol/codec.ts'
import type { TensorEntry } from '../protocol/manifest.ts'
import { allFinite, judgeNorm, mergeTensor, normSquares } from '../protocol/merge-tensor.ts'
import { isTrainable, tensorDigest } from '../protocol/tensor.ts'
import { assert } from '../util/assert.ts'
import { toHex } from '../util/bytes.ts'
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

/** A tensor as it stands in manifests. */
export async function storeTensor(
  blobs: Blobs,
  { name, dtype, shape }: Pick<TensorEntry, 'name' | 'dtype' | 'shape'>,
  bytes: Uint8Array,
  opts: { readonly withheld: boolean } & Cancel,
): Promise<TensorEntry> {
  const cid = await blobs.put(bytes, { codec: 'raw', ...opts })
  assert(cid === rawCidOf(bytes), 'a tensor of one chunk is a raw block')
  return { name, dtype, shape, bytes: bytes.length, sha256: toHex(tensorDigest(dtype, shape, bytes)), cid }
}

/** All tensors of a model, by name; what is malformed has none. */
export async function modelTensors(
  blobs: Blobs,
  { manifest, from }: ModelRef,
  { signal }: Cancel,
): Promise<ReadonlyMap<string, TensorEntry>> {
  const model = await fetchModel(blobs, manifest, { from, signal })
  if (model === null) return new Map()
  const tensors: (readonly [string, TensorEntry])[] = []
  for (const { name } of model.parts) tensors.push(...((await fetchPart(blobs, model, name, { from, signal })) ?? []))
  return new Map(tensors)
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

/** The bytes under an entry's CID, or `null` when they are not what the entry says: a peer wrote both. */
async function readClaimed(
  blobs: Blobs,
  entry: TensorEntry,
  from: ModelRef['from'],
  opts: Cancel,
): Promise<Uint8Array | null> {
  const { cid, dtype, shape, bytes: length, sha256 } = entry
  const bytes = await blobs.get(cid, { bytesMax: length, from, ...opts }).catch((error) => {
    if (error instanceof NodeError && error.code === 'BLOB_TOO_LARGE') return null
    throw error
  })
  return bytes?.length === length && toHex(tensorDigest(dtype, shape, bytes)) === sha256 ? bytes : null
}

/** A tensor that was judged before: it is what its manifest says, or it is damaged. */
async function readTensor(blobs: Blobs, entry: TensorEntry, from: ModelRef['from'], opts: Cancel): Promise<Uint8Array> {
  const bytes = await readClaimed(blobs, entry, from, opts)
  if (bytes !== null) return bytes
  throw new NodeError('BLOB_UNAVAILABLE', { what: `tensor ${entry.name} is damaged`, why: 'its digest differs' })
}

type Merged = ReadonlyMap<string, { readonly entry: TensorEntry; readonly bytes: Uint8Array }>

/** The tensors that a merge changes, by name. */
async function mergeModel(
  blobs: Blobs,
  model: ModelRef,
  etaPpm: number,
  members: readonly MergeMember[],
  opts: Cancel,
): Promise<Merged> {
  const base = await modelTensors(blobs, model, opts)
  const names = new Set(members.flatMap(({ tensors }) => tensors.map((tensor) => tensor.name)))
  const merged = new Map<string, { readonly entry: TensorEntry; readonly bytes: Uint8Array }>()
  for (const name of [...names].toSorted()) {
    const entry = base.get(name)
    assert(entry !== undefined && isTrainable(entry.dtype), 'only sound submissions are merged')
    const values = await readTensor(blobs, entry, model.from, opts)
    const updates: { values: Uint8Array; weight: number }[] = []
    for (const { tensors, weight } of members) {
      const own = tensors.find((tensor) => tensor.name === name)
      updates.push({ values: own === undefined ? values : await readTensor(blobs, own, [], opts), weight })
    }
    const bytes = mergeTensor({ dtype: entry.dtype, base: values, updates, etaPpm })
    // A sum of finite numbers may overflow: then the tensor stays, on every machine alike.
    merged.set(name, { entry, bytes: allFinite(entry.dtype, bytes) ? bytes : values })
  }
  return merged
}

async function weightsOf(
  blobs: Blobs,
  groups: readonly ToyGroup[],
  model: ModelRef,
  overlay: Overlay,
  opts: Cancel,
): Promise<ReadonlyMap<string, Float32Array>> {
  const base = await modelTensors(blobs, model, opts)
  const over = overlay.kind === 'merge' ? await mergeModel(blobs, model, overlay.etaPpm, overlay.members, opts) : null
  const weights = new Map<string, Float32Array>()
  for (const { name } of groups) {
    const tensor = toyTensor(name)
    const changed = overlay.kind === 'values' ? overlay.tensors.find((entry) => entry.name === tensor) : undefined
    const entry = changed ?? base.get(tensor)
    if (entry === undefined) continue
    weights.set(name, floatsOfBytes(over?.get(tensor)?.bytes ?? (await readTensor(blobs, entry, model.from, opts))))
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
    inspect: async ({ model, tensors, from, normRatioMilli }, opts) => {
      const base = await modelTensors(blobs, model, opts)
      for (const entry of tensors) {
        const bytes = await readClaimed(blobs, entry, from, opts)
        if (bytes === null) return 'TENSOR_DIGEST'
        if (!isTrainable(entry.dtype) || !allFinite(entry.dtype, bytes)) return 'TENSOR_NOT_FINITE'
        const held = base.get(entry.name)
        assert(held !== undefined, 'names were judged before bytes are fetched')
        const values = await readTensor(blobs, held, model.from, opts)
        const norms = normSquares({ dtype: entry.dtype, base: values, values: bytes })
        if (judgeNorm(norms, normRatioMilli).kind === 'reject') return 'NORM_TOO_LARGE'
      }
      return null
    },
    merge: async ({ model, etaPpm, members }, opts) => {
      const changed: TensorEntry[] = []
      for (const { entry, bytes } of (await mergeModel(blobs, model, etaPpm, members, opts)).values()) {
        changed.push(await storeTensor(blobs, entry, bytes, { withheld: false, ...opts }))
      }
      return changed
    },
  }
}
