/**
 * Whether a device computes what the CPU computes: losses and gradients of two small mixtures, which between them have every
 * operation that a model of the five families has. A driver that is wrong is wrong without a word.
 */
import { NodeError } from '../../errors.ts'
import { createBuilder } from '../graph/build.ts'
import type { Graph, Value } from '../graph/graph.ts'
import type { Tensor } from '../graph/interpret.ts'
import { keyOf } from '../model/checkpoint.ts'
import { readConfig } from '../model/config.ts'
import { createLayout, type Weight } from '../model/layout.ts'
import { addLoss, tokenFeeds } from '../model/loss-graph.ts'
import { everyWeight, newTensors, normalOf } from '../model/new.ts'
import type { Device } from './device.ts'
import { createSession, type Feeds } from './session.ts'

/** How far the loss was from that of the CPU, and the gradient that was furthest: relative to their size. */
export type Agreement = { readonly loss: number; readonly gradients: number }

/** A device's own order of summing costs about 1e-6; what is wrong is mostly off by as much as there is. */
const LOSS_MAX = 1e-5
const GRADIENT_MAX = 1e-3

const SMALL = {
  vocab_size: 41,
  hidden_size: 16,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 64,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  num_experts_per_tok: 2,
}
/** Heads that share keys, norms and clips of them, experts that are weighed anew. */
const HEADS = {
  ...SMALL,
  model_type: 'olmoe',
  num_key_value_heads: 2,
  num_experts: 4,
  clip_qkv: 1.5,
  norm_topk_prob: true,
}
/** Keys that are folded, pairs side by side, a dense layer, shared experts, groups of experts. */
const LATENT = {
  ...SMALL,
  model_type: 'deepseek_v2',
  num_key_value_heads: 4,
  first_k_dense_replace: 1,
  kv_lora_rank: 8,
  q_lora_rank: null,
  qk_nope_head_dim: 4,
  qk_rope_head_dim: 4,
  v_head_dim: 8,
  moe_intermediate_size: 12,
  n_routed_experts: 4,
  n_shared_experts: 1,
  n_group: 2,
  topk_group: 1,
  topk_method: 'group_limited_greedy',
  num_experts_per_tok: 1,
  routed_scaling_factor: 1.5,
  norm_topk_prob: false,
}

const checked = new Map<Device, Promise<Agreement>>()

/** Throws DEVICE_UNFIT when it does not. Asked once in a process: drivers do not change under it. */
export function checkDevice(device: Device): Promise<Agreement> {
  const known = checked.get(device) ?? compareWithCpu(device, (graph, feeds) => computed(graph, feeds, device))
  checked.set(device, known)
  return known
}

export async function compareWithCpu(
  name: string,
  compute: (graph: Graph, feeds: Feeds) => Promise<Feeds>,
): Promise<Agreement> {
  const worst = { loss: 0, gradients: 0 }
  for (const config of [HEADS, LATENT]) {
    const { graph, feeds } = sampleOf(config)
    const wanted = await computed(graph, feeds, 'cpu')
    const made = await compute(graph, feeds)
    for (const [output, { data }] of wanted) {
      const off = distance(floats(made.get(output)), data as Float32Array)
      const [kind, max] = output === LOSS ? (['loss', LOSS_MAX] as const) : (['gradients', GRADIENT_MAX] as const)
      // What is not a number is within no limit.
      if (!(off <= max)) throw unfit(name, output, off)
      worst[kind] = Math.max(worst[kind], off)
    }
  }
  return worst
}

/** Relative to the size of the second one. */
function distance(a: Float32Array, b: Float32Array): number {
  const size = (values: Float32Array): number => Math.hypot(...values)
  return size(a.map((x, i) => x - (b[i] as number))) / Math.max(size(b), 1e-6)
}

const floats = (tensor: Tensor | undefined): Float32Array => tensor?.data as Float32Array

const unfit = (device: string, output: string, off: number): NodeError =>
  new NodeError('DEVICE_UNFIT', {
    what: `${device} computes something else than the CPU`,
    why: `of a small model, the ${output} is off by ${off.toPrecision(2)} of its size`,
    remedy: 'Update the driver of the device, or compute with --device cpu.',
  })

/** Sessions are not given back: what a device has compiled for them, the work that follows finds ready. */
async function computed(graph: Graph, feeds: Feeds, device: Device): Promise<Feeds> {
  return (await createSession(graph, { device, threads: 1 })).run(feeds)
}

const LOSS = 'loss'
const [BATCH, PLACES] = [2, 8]

/** All weights are trained, and drawn anew, the same each time. */
function sampleOf(config: unknown): { readonly graph: Graph; readonly feeds: Feeds } {
  const model = readConfig(config)
  const layout = createLayout(model, (_name, wanted) => wanted ?? null)
  const uniform = createUniform()
  const weights = [...newTensors(config, normalOf(uniform))].map(({ name, shape, bytes }) => {
    return [name, { dtype: 'f32', shape, data: new Float32Array(bytes.buffer) }] as const
  })
  const tokens = Array.from({ length: BATCH }, () =>
    Array.from({ length: PLACES + 1 }, () => Math.floor(uniform() * model.vocabulary)),
  )
  const b = createBuilder()
  const inputs = new Map(weights.map(([name, { shape }]) => [name, b.input(name, { dtype: 'f32', shape })]))
  const weigh = (weight: Weight): Value => inputs.get(keyOf(weight)) as Value
  const batch = { batch: BATCH, places: PLACES }
  const trained = everyWeight(model, layout)
  const made = addLoss(b, { model, layout }, weigh, trained, batch, (losses) => b.mean(losses, [0]))
  b.output(LOSS, made.loss)
  for (const [i, weight] of trained.entries()) b.output(`gradient of ${keyOf(weight)}`, made.gradients[i] as Value)
  return { graph: b.finish(), feeds: new Map([...weights, ...tokenFeeds(tokens, PLACES)]) }
}

/** Lehmer's: the same numbers on every machine. */
function createUniform(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
