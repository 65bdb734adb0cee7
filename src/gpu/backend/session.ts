/**
 * A graph made ready to run by onnxruntime, which is imported in this folder alone.
 *
 * A run computes on the calling thread until it is done, so whoever must not stall has it elsewhere.
 */
import { stat } from 'node:fs/promises'
import { posix } from 'node:path'
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { assert } from '../../util/assert.ts'
import { fixed, type Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/interpret.ts'
import { optimise } from '../graph/pass.ts'
import { emit } from '../onnx/emit.ts'
import type { OnnxModel } from '../onnx/model.ts'
import { writeOnnx } from '../onnx/write.ts'
import type { Device } from './device.ts'

export type SessionOptions = {
  readonly device: Device
  /** Of the CPU; what another device leaves to it runs there too. */
  readonly threads: number
}

export type Feeds = ReadonlyMap<string, Tensor>
export type Session = {
  /** What has to be fed. */
  readonly inputs: Graph['inputs']
  /** `into`: where to write an output instead of making room for it. */
  readonly run: (feeds: Feeds, into?: Feeds) => Promise<ReadonlyMap<string, Tensor>>
  readonly release: () => Promise<void>
}

const ORT_TYPES = { f32: 'float32', i64: 'int64', bool: 'bool' } as const
const DTYPES = { float32: 'f32', int64: 'i64', bool: 'bool' } as const

export async function createSession(graph: Graph, options: SessionOptions): Promise<Session> {
  const optimised = optimise(graph)
  const session = await openSession(emitFor(optimised, options), optimised, options)
  const outputs = optimised.outputs.map(({ name }) => name)
  return {
    inputs: optimised.inputs,
    run: async (feeds, into = new Map()) => {
      const fetches = Object.fromEntries(outputs.map((name) => [name, ortOf(into.get(name))]))
      const made = await session.run(ortFeeds(feeds), fetches)
      return new Map(outputs.map((name) => [name, tensorOf(made[name] as OrtTensor)]))
    },
    release: () => session.release(),
  }
}

/** The operators that are onnxruntime's own are trusted on the CPU alone. */
export const emitFor = (graph: Graph, { device }: SessionOptions): OnnxModel =>
  emit(graph, { contrib: device === 'cpu' })

/** `kept` are outputs that stay where the device has them; only WebGPU can. */
export async function openSession(
  model: OnnxModel,
  graph: Graph,
  { device, threads }: SessionOptions,
  kept: readonly string[] = [],
): Promise<InferenceSession> {
  const located = model.graph.outputs.map(({ name }) => [name, kept.includes(name) ? 'gpu-buffer' : 'cpu'] as const)
  return InferenceSession.create(writeOnnx(model), {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(await mapping(graph)),
    ...(kept.length > 0 && device === 'webgpu' ? { preferredOutputLocation: Object.fromEntries(located) } : {}),
  })
}

/**
 * Weights that lie in files are mapped. Of files beyond this size nothing is copied into another layout or worked out in
 * advance: the system keeps their pages and may drop them again. Below, the copies are worth a tenth of the time. The size of
 * the files and not of what a graph takes from them, because a large model is many graphs.
 */
const COPIED_BYTES_MAX = 512 * 2 ** 20

async function mapping({ constants }: Graph): Promise<InferenceSession.SessionOptions> {
  const paths = new Set(constants.flatMap(({ data }) => (data.at === 'file' ? [data.path] : [])))
  const [folder, ...others] = new Set([...paths].map((path) => posix.dirname(path)))
  assert(others.length === 0, 'a session maps files of one folder')
  const session = { intra_op: { allow_spinning: '0' } }
  if (folder === undefined) return { extra: { session } }
  const mapped = { ...session, model_external_initializers_file_folder_path: folder }
  const sizes = await Promise.all([...paths].map(async (path) => (await stat(path)).size))
  if (sizes.reduce((sum, size) => sum + size, 0) <= COPIED_BYTES_MAX) return { extra: { session: mapped } }
  const extra = {
    session: { ...mapped, disable_prepacking: '1' },
    optimization: { disable_specified_optimizers: 'ConstantFolding' },
  }
  // Every session keeps what its largest run needed, and a large model has many.
  return { extra, enableCpuMemArena: false }
}

function ortFeeds(feeds: Feeds): Record<string, OrtTensor> {
  return Object.fromEntries([...feeds].map(([name, tensor]) => [name, ortOf(tensor)]))
}

export function ortOf(tensor: Tensor): OrtTensor
export function ortOf(tensor: Tensor | undefined): OrtTensor | null
export function ortOf(tensor: Tensor | undefined): OrtTensor | null {
  if (tensor === undefined) return null
  const { dtype, shape, data } = tensor
  assert(dtype === 'f32' || dtype === 'i64' || dtype === 'bool', 'weights of half precision are constants, never fed')
  return new OrtTensor(ORT_TYPES[dtype], data as Float32Array, shape)
}

export function tensorOf({ type, dims, data }: OrtTensor): Tensor {
  assert(type === 'float32' || type === 'int64' || type === 'bool', `a graph puts out numbers, not ${type}`)
  return { dtype: DTYPES[type], shape: fixed(dims), data: data as Tensor['data'] }
}
