/**
 * Tensors by their manifests: stored, read back and checked, judged and merged, whatever computes with them.
 *
 * What a manifest of a peer says is a claim until its bytes have been seen; the arithmetic is the protocol's (§5, §7).
 */
import { NodeError } from '../errors.ts'
import type { Blobs, Cancel, MergeMember, ModelRef, PeerAddress } from '../ports.ts'
import type { TensorEntry } from '../protocol/manifest.ts'
import { allFinite, judgeNorm, mergeTensor, normSquares } from '../protocol/merge-tensor.ts'
import type { Reason } from '../protocol/reason.ts'
import { isTrainable, tensorDigest } from '../protocol/tensor.ts'
import { assert } from '../util/assert.ts'
import { toHex } from '../util/bytes.ts'
import { compareText } from '../util/compare.ts'
import { fetchModel, fetchPart, type Source } from './document.ts'

export type Tensors = ReadonlyMap<string, TensorEntry>

/** A tensor as it stands in manifests. */
export async function storeTensor(
  blobs: Blobs,
  { name, dtype, shape }: Pick<TensorEntry, 'name' | 'dtype' | 'shape'>,
  bytes: Uint8Array,
  opts: { readonly withheld: boolean } & Cancel,
): Promise<TensorEntry> {
  const cid = await blobs.put(bytes, { codec: 'raw', ...opts })
  return { name, dtype, shape, bytes: bytes.length, sha256: toHex(tensorDigest(dtype, shape, bytes)), cid }
}

/** All tensors of a model, by name; what is malformed has none. */
export async function modelTensors(blobs: Source, { manifest, from }: ModelRef, { signal }: Cancel): Promise<Tensors> {
  const model = await fetchModel(blobs, manifest, { from, signal })
  if (model === null) return new Map()
  const tensors: (readonly [string, TensorEntry])[] = []
  for (const { name } of model.parts) tensors.push(...((await fetchPart(blobs, model, name, { from, signal })) ?? []))
  return new Map(tensors)
}

/** The tensors of one part: a group's, for who trains it. */
export async function partTensors(
  blobs: Source,
  { manifest, from }: ModelRef,
  part: string,
  { signal }: Cancel,
): Promise<Tensors> {
  const model = await fetchModel(blobs, manifest, { from, signal })
  return (model === null ? null : await fetchPart(blobs, model, part, { from, signal })) ?? new Map()
}

/** The bytes under an entry's CID, or `null` when they are not what the entry says: a peer wrote both. */
async function readClaimed(
  blobs: Source,
  { cid, dtype, shape, bytes: length, sha256 }: TensorEntry,
  from: readonly PeerAddress[],
  opts: Cancel,
): Promise<Uint8Array | null> {
  const bytes = await blobs.get(cid, { bytesMax: length, from, ...opts }).catch((error) => {
    if (error instanceof NodeError && error.code === 'BLOB_TOO_LARGE') return null
    throw error
  })
  return bytes?.length === length && toHex(tensorDigest(dtype, shape, bytes)) === sha256 ? bytes : null
}

/** A tensor that was judged before: it is what its manifest says, or it is damaged. */
export async function readTensor(
  blobs: Source,
  entry: TensorEntry,
  from: readonly PeerAddress[],
  opts: Cancel,
): Promise<Uint8Array> {
  const bytes = await readClaimed(blobs, entry, from, opts)
  if (bytes !== null) return bytes
  throw new NodeError('BLOB_UNAVAILABLE', { what: `tensor ${entry.name} is damaged`, why: 'its digest differs' })
}

export type Inspection = {
  readonly model: ModelRef
  readonly tensors: readonly TensorEntry[]
  readonly from: readonly PeerAddress[]
  readonly normRatioMilli: number
}

/** Fetches and checks every tensor of a submission: digest, finite values, norm of the change. `null` when sound. */
export async function inspectTensors(blobs: Source, inspection: Inspection, opts: Cancel): Promise<Reason | null> {
  const base = await modelTensors(blobs, inspection.model, opts)
  for (const batch of batches(inspection.tensors)) {
    const reasons = await Promise.all(batch.map((entry) => inspectTensor(blobs, inspection, base, entry, opts)))
    const reason = reasons.find((each) => each !== null)
    if (reason !== undefined) return reason
  }
  return null
}

async function inspectTensor(
  blobs: Source,
  { model, from, normRatioMilli }: Inspection,
  base: Tensors,
  entry: TensorEntry,
  opts: Cancel,
): Promise<Reason | null> {
  const bytes = await readClaimed(blobs, entry, from, opts)
  if (bytes === null) return 'TENSOR_DIGEST'
  if (!isTrainable(entry.dtype) || !allFinite(entry.dtype, bytes)) return 'TENSOR_NOT_FINITE'
  const held = base.get(entry.name)
  assert(held !== undefined, 'names were judged before bytes are fetched')
  const values = await readTensor(blobs, held, model.from, opts)
  const norms = normSquares({ dtype: entry.dtype, base: values, values: bytes })
  return judgeNorm(norms, normRatioMilli).kind === 'reject' ? 'NORM_TOO_LARGE' : null
}

/** What is read at once: many small tensors, or one large one. */
const BATCH_TENSORS_MAX = 16
const BATCH_BYTES_MAX = 8 * 2 ** 20

function batches(entries: readonly TensorEntry[]): readonly (readonly TensorEntry[])[] {
  const all: TensorEntry[][] = []
  let bytes = 0
  for (const entry of entries) {
    const last = all.at(-1)
    bytes += entry.bytes
    if (last !== undefined && last.length < BATCH_TENSORS_MAX && bytes <= BATCH_BYTES_MAX) last.push(entry)
    else {
      all.push([entry])
      bytes = entry.bytes
    }
  }
  return all
}

export type Merging = { readonly model: ModelRef; readonly etaPpm: number; readonly members: readonly MergeMember[] }

/** The tensors that a merge changes, one after the other, in the order of their names. */
export async function* mergedTensors(
  blobs: Source,
  { model, etaPpm, members }: Merging,
  opts: Cancel,
): AsyncGenerator<{ readonly entry: TensorEntry; readonly bytes: Uint8Array }> {
  const base = await modelTensors(blobs, model, opts)
  const names = new Set(members.flatMap(({ tensors }) => tensors.map((tensor) => tensor.name)))
  for (const name of [...names].toSorted(compareText)) {
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
    yield { entry, bytes: allFinite(entry.dtype, bytes) ? bytes : values }
  }
}

/** The same, stored: what `Evaluator.merge` answers. */
export async function storeMerged(blobs: Blobs, merging: Merging, opts: Cancel): Promise<readonly TensorEntry[]> {
  const changed: TensorEntry[] = []
  for await (const { entry, bytes } of mergedTensors(blobs, merging, opts)) {
    changed.push(await storeTensor(blobs, entry, bytes, { withheld: false, ...opts }))
  }
  return changed
}
