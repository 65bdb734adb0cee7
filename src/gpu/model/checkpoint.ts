/**
 * A model's directory as Hugging Face lays it out: `config.json`, one safetensors file or several with an index. Headers are
 * read and judged, tensors stay where they are: a weight is a place in a file until somebody computes with it.
 */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { NodeError } from '../../errors.ts'
import { bf16ToF32, f16ToF32 } from '../../protocol/float.ts'
import { judgeSafetensors, readHeaderLength } from '../../protocol/safetensors.ts'
import { byteLength, DTYPES, type Dtype } from '../../protocol/tensor.ts'
import type { Constant, Dtype as GraphDtype } from '../graph/graph.ts'
import { sizeOf } from '../graph/graph.ts'
import { type Architecture, readConfig } from './config.ts'
import { createLayout, type Layout, type Weight } from './layout.ts'

export type StoredTensor = {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly path: string
  /** From the begin of the file. */
  readonly offset: number
  readonly bytes: number
}

export type Checkpoint = {
  readonly directory: string
  readonly model: Architecture
  readonly layout: Layout
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

export const CONFIG = 'config.json'
export const SINGLE = 'model.safetensors'
export const INDEX = 'model.safetensors.index.json'
/** Configurations have a few kilobytes; an index has a line for every tensor. */
export const CONFIG_BYTES_MAX = 1024 * 1024
const INDEX_BYTES_MAX = 64 * 1024 * 1024

const GRAPH_DTYPES: { readonly [D in Dtype]?: GraphDtype } = { F32: 'f32', BF16: 'bf16', F16: 'f16' }

export async function openCheckpoint(directory: string): Promise<Checkpoint> {
  const model = readConfig(await readJson(join(directory, CONFIG), CONFIG_BYTES_MAX))
  const tensors = await readTensors(directory)
  return { directory, model, layout: createLayout(model, (name) => tensors.get(name)?.shape ?? null), tensors }
}

async function readTensors(directory: string): Promise<ReadonlyMap<string, StoredTensor>> {
  const isSharded = await stat(join(directory, INDEX)).then(
    () => true,
    () => false,
  )
  if (!isSharded)
    return new Map((await readShard(join(directory, SINGLE))).tensors.map((tensor) => [tensor.name, tensor]))
  const wanted = indexOf(await readJson(join(directory, INDEX), INDEX_BYTES_MAX))
  const tensors = new Map<string, StoredTensor>()
  for (const file of new Set(wanted.values())) {
    for (const tensor of (await readShard(join(directory, file))).tensors) {
      if (wanted.get(tensor.name) === file) tensors.set(tensor.name, tensor)
    }
  }
  for (const [name, file] of wanted) {
    if (!tensors.has(name)) throw malformed(`${file} lacks the tensor ${name}`, `${INDEX} says that it is there`)
  }
  return tensors
}

/** File names only: an index must not lead out of its directory. */
function indexOf(json: unknown): ReadonlyMap<string, string> {
  const map = typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : null
  if (typeof map !== 'object' || map === null) throw malformed(`${INDEX} has no weight_map`, 'every index has one')
  const entries = Object.entries(map)
  for (const [name, file] of entries) {
    if (typeof file === 'string' && file === basename(file) && file.endsWith('.safetensors')) continue
    throw malformed(`${INDEX} names no file for ${name}`, 'a shard is a safetensors file beside the index')
  }
  return new Map(entries as [string, string][])
}

export type Shard = { readonly tensors: readonly StoredTensor[]; readonly metadata: ReadonlyMap<string, string> }

export async function readShard(path: string): Promise<Shard> {
  const file = await openFile(path)
  try {
    const { size } = await file.stat()
    const headerBytes = readHeaderLength(await bytesAt(file, 0, Math.min(8, size)), size)
    if (typeof headerBytes !== 'number') throw invalid(path, headerBytes)
    const verdict = judgeSafetensors(await bytesAt(file, 8, headerBytes), size)
    if (verdict.kind === 'reject') throw invalid(path, verdict)
    const tensors = verdict.tensors.map(({ name, dtype, shape, begin, end }) => {
      return { name, dtype, shape, path, offset: 8 + headerBytes + begin, bytes: end - begin }
    })
    return { tensors, metadata: verdict.metadata }
  } finally {
    await file.close()
  }
}

/** A weight as a constant of a graph: mapped, not read. */
export function constantOf({ tensors }: Checkpoint, { tensor, first, shape }: Weight): Constant {
  const stored = tensors.get(tensor) as StoredTensor
  const dtype = GRAPH_DTYPES[stored.dtype]
  if (dtype === undefined) throw malformed(`${tensor} is of ${stored.dtype}`, 'weights are F32, BF16 or F16')
  const width = DTYPES[stored.dtype].bytes
  const data = {
    at: 'file',
    path: stored.path,
    offset: stored.offset + first * width,
    bytes: sizeOf(shape) * width,
  } as const
  return { name: keyOf({ tensor, first }), value: { dtype, shape }, data }
}

export const keyOf = ({ tensor, first }: Pick<Weight, 'tensor' | 'first'>): string =>
  first === 0 ? tensor : `${tensor}#${first}`

/** A weight as numbers, for what is trained or swapped. */
export async function readWeight({ tensors }: Checkpoint, weight: Weight): Promise<Float32Array> {
  const stored = tensors.get(weight.tensor) as StoredTensor
  const width = DTYPES[stored.dtype].bytes
  const bytes = await readBytes(stored.path, stored.offset + weight.first * width, sizeOf(weight.shape) * width)
  return floatsOf(stored.dtype, bytes)
}

export const readStored = ({ path, offset, bytes }: StoredTensor): Promise<Uint8Array> => readBytes(path, offset, bytes)

export function floatsOf(dtype: Dtype, bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  const { buffer, byteOffset, byteLength: length } = aligned
  if (dtype === 'F32') return new Float32Array(buffer, byteOffset, length / 4)
  const halves = new Uint16Array(buffer, byteOffset, length / 2)
  const floats = new Float32Array(halves.length)
  if (dtype === 'BF16') bf16ToF32(halves, floats)
  else if (dtype === 'F16') f16ToF32(halves, floats)
  else throw malformed(`a weight is of ${dtype}`, 'weights are F32, BF16 or F16')
  return floats
}

async function readBytes(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await openFile(path)
  try {
    return await bytesAt(file, offset, length)
  } finally {
    await file.close()
  }
}

export async function bytesAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  for (let read = 0; read < length; ) {
    const { bytesRead } = await file.read(bytes, read, length - read, offset + read)
    if (bytesRead === 0) throw malformed('a file of the model ends early', 'it was shorter than it said')
    read += bytesRead
  }
  return bytes
}

export async function openFile(path: string): Promise<FileHandle> {
  return open(path).catch((cause) => {
    throw unreadable(path, cause)
  })
}

export async function readJson(path: string, bytesMax: number): Promise<unknown> {
  const { size } = await stat(path).catch((cause) => {
    throw unreadable(path, cause)
  })
  if (size > bytesMax) throw malformed(`${basename(path)} has ${size} bytes`, `at most ${bytesMax} are read`)
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new NodeError('MODEL_MALFORMED', { what: `${path} is not JSON`, why: String(cause), cause })
  }
}

export const unreadable = (path: string, cause: unknown): NodeError =>
  new NodeError('FILE_UNREADABLE', {
    what: `cannot read ${path}`,
    why: cause instanceof Error ? cause.message : String(cause),
    remedy: 'Name the directory of a model: config.json and *.safetensors, as Hugging Face saves them.',
    cause,
  })

const malformed = (what: string, why: string): NodeError => new NodeError('MODEL_MALFORMED', { what, why })

const invalid = (path: string, { field, problem }: { readonly field: string; readonly problem: string }): NodeError =>
  new NodeError('SAFETENSORS_INVALID', { what: `${path}: ${field}`, why: problem })

/** Of a tensor of this kind; it was judged before that there is an answer. */
export const bytesOf = (dtype: Dtype, shape: readonly number[]): number => byteLength(dtype, shape) ?? 0
