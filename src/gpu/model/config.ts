/**
 * `config.json` → what a model is made of. One shape for all families: they differ in a dozen switches, and a family is the
 * row that sets them. What is not known is refused by name, because a model that is nearly right trains to nonsense.
 *
 * Read as `transformers` 4 and 5 write it, with its defaults; where the two differ, both spellings are accepted.
 */
import { NodeError } from '../../errors.ts'
import { demandSound, LAYERS_MAX } from './judge-config.ts'

export type Rope =
  | { readonly type: 'default'; readonly theta: number }
  | { readonly type: 'linear'; readonly theta: number; readonly factor: number }
  | ({ readonly type: 'llama3'; readonly theta: number } & Llama3)
  | ({ readonly type: 'yarn'; readonly theta: number } & Yarn)
export type Llama3 = {
  readonly factor: number
  readonly lowFrequency: number
  readonly highFrequency: number
  readonly trainedPlaces: number
}
export type Yarn = {
  readonly factor: number
  readonly trainedPlaces: number
  readonly betaFast: number
  readonly betaSlow: number
  readonly mscale: number
  readonly mscaleAll: number
  readonly attentionFactor: number | null
  readonly truncate: boolean
}

/** Queries, keys and values from one projection each, with as many or fewer heads for keys and values. */
export type HeadAttention = {
  readonly kind: 'heads'
  readonly heads: number
  readonly keyHeads: number
  readonly width: number
  /** RMS norm of queries and keys: of the whole projection, or of every head. */
  readonly norm: 'none' | 'whole' | 'head'
  readonly clip: number | null
  readonly inBias: boolean
  readonly outBias: boolean
}
/** Multi-head latent attention: keys and values unfold from a small latent, and only a part of each key is rotated. */
export type LatentAttention = {
  readonly kind: 'latent'
  readonly heads: number
  readonly queryRank: number | null
  readonly keyRank: number
  readonly plainWidth: number
  readonly rotatedWidth: number
  readonly valueWidth: number
  readonly bias: boolean
}

export type Mixture = {
  readonly experts: number
  readonly chosen: number
  readonly width: number
  /** Whether the weights of the chosen are scaled to sum to one. */
  readonly renormalised: boolean
  readonly scale: number
  /** Experts are chosen from the best groups only. */
  readonly groups: { readonly count: number; readonly chosen: number } | null
  /** An expert that every token goes through, with a gate of its own or without. */
  readonly shared: { readonly width: number; readonly gated: boolean } | null
}

export type Architecture = {
  readonly family: Family
  readonly vocabulary: number
  readonly width: number
  readonly layers: number
  readonly eps: number
  readonly tied: boolean
  readonly rope: Rope
  readonly attention: HeadAttention | LatentAttention
  /** How far back a token sees, by layer; `null` is all the way. */
  readonly window: readonly (number | null)[]
  readonly mixture: Mixture
  /** The width of the plain network that a layer has instead of experts; `null` where it has experts. */
  readonly dense: readonly (number | null)[]
}

export const FAMILIES = ['olmoe', 'qwen3_moe', 'qwen2_moe', 'mixtral', 'deepseek_v2'] as const
export type Family = (typeof FAMILIES)[number]

export function readConfig(json: unknown): Architecture {
  const c = createReader(json)
  const family = c.text('model_type')
  if (!isFamily(family))
    throw unsupported(`model_type ${family}`, `these families can be built: ${FAMILIES.join(', ')}`)
  const activation = c.text('hidden_act', 'silu')
  if (activation !== 'silu') throw unsupported(`hidden_act ${activation}`, 'experts are gated with silu')
  const layers = c.integer('num_hidden_layers')
  if (layers > LAYERS_MAX) throw unsupported(`${layers} layers`, `at most ${LAYERS_MAX} are built`)
  const shared = {
    family,
    vocabulary: c.integer('vocab_size'),
    width: c.integer('hidden_size'),
    layers,
    eps: c.number('rms_norm_eps', family === 'olmoe' || family === 'mixtral' ? 1e-5 : 1e-6),
    tied: c.flag('tie_word_embeddings', false),
    rope: readRope(c, DEFAULT_THETA[family]),
  }
  const every = <T>(value: T): readonly T[] => Array.from({ length: layers }, () => value)
  return demandSound({ ...shared, ...FAMILY[family](c, every) })
}

type Parts = Pick<Architecture, 'attention' | 'window' | 'mixture' | 'dense'>
type Every = <T>(value: T) => readonly T[]

const DEFAULT_THETA: { readonly [F in Family]: number } = {
  olmoe: 1e4,
  qwen3_moe: 1e4,
  qwen2_moe: 1e4,
  mixtral: 1e6,
  deepseek_v2: 1e4,
}

const FAMILY: { readonly [F in Family]: (c: Reader, every: Every) => Parts } = {
  olmoe: (c, every) => ({
    attention: heads(c, { norm: 'whole', clip: c.optional('clip_qkv'), bias: c.flag('attention_bias', false) }),
    window: every(null),
    mixture: mixture(c, {
      experts: 'num_experts',
      width: 'intermediate_size',
      renormalised: c.flag('norm_topk_prob', false),
    }),
    dense: every(null),
  }),
  qwen3_moe: (c, every) => ({
    attention: heads(c, { norm: 'head', bias: c.flag('attention_bias', false) }),
    window: every(c.flag('use_sliding_window', false) ? c.optional('sliding_window') : null),
    mixture: mixture(c, {
      experts: 'num_experts',
      width: 'moe_intermediate_size',
      renormalised: c.flag('norm_topk_prob', false),
    }),
    dense: sparseSteps(c),
  }),
  qwen2_moe: (c) => ({
    attention: { ...heads(c, {}), inBias: c.flag('qkv_bias', true) },
    window: alternateWindows(c),
    mixture: {
      ...mixture(c, {
        experts: 'num_experts',
        width: 'moe_intermediate_size',
        renormalised: c.flag('norm_topk_prob', false),
      }),
      shared: { width: c.integer('shared_expert_intermediate_size'), gated: true },
    },
    dense: sparseSteps(c),
  }),
  mixtral: (c, every) => ({
    attention: heads(c, {}),
    window: every(c.optional('sliding_window')),
    mixture: mixture(c, { experts: 'num_local_experts', width: 'intermediate_size', renormalised: true }),
    dense: every(null),
  }),
  deepseek_v2: (c) => {
    const width = c.integer('moe_intermediate_size')
    const first = c.integer('first_k_dense_replace', 0)
    return {
      attention: latent(c),
      window: Array.from({ length: c.integer('num_hidden_layers') }, () => null),
      mixture: {
        ...mixture(c, { experts: 'n_routed_experts', width: 'moe_intermediate_size', renormalised: false }),
        scale: c.number('routed_scaling_factor', 1),
        groups: readGroups(c),
        shared: { width: width * c.integer('n_shared_experts', 2), gated: false },
      },
      dense: Array.from({ length: c.integer('num_hidden_layers') }, (_, layer) =>
        layer < first ? c.integer('intermediate_size') : null,
      ),
    }
  },
}

type HeadSwitches = { readonly norm?: HeadAttention['norm']; readonly clip?: number | null; readonly bias?: boolean }

function heads(c: Reader, { norm = 'none', clip = null, bias = false }: HeadSwitches): HeadAttention {
  const count = c.integer('num_attention_heads')
  const width = c.optional('head_dim') ?? c.integer('hidden_size') / count
  return {
    kind: 'heads',
    heads: count,
    keyHeads: c.integer('num_key_value_heads', count),
    width,
    norm,
    clip,
    inBias: bias,
    outBias: bias,
  }
}

function latent(c: Reader): LatentAttention {
  return {
    kind: 'latent',
    heads: c.integer('num_attention_heads'),
    queryRank: c.has('q_lora_rank') ? c.optional('q_lora_rank') : 1536,
    keyRank: c.integer('kv_lora_rank', 512),
    plainWidth: c.integer('qk_nope_head_dim', 128),
    rotatedWidth: c.integer('qk_rope_head_dim', 64),
    valueWidth: c.integer('v_head_dim', 128),
    bias: c.flag('attention_bias', false),
  }
}

type MixtureSwitches = { readonly experts: string; readonly width: string; readonly renormalised: boolean }

function mixture(c: Reader, { experts, width, renormalised }: MixtureSwitches): Mixture {
  return {
    experts: c.integer(experts, c.optional('num_local_experts') ?? c.optional('num_experts') ?? undefined),
    chosen: c.integer('num_experts_per_tok'),
    width: c.integer(width),
    renormalised,
    scale: 1,
    groups: null,
    shared: null,
  }
}

function readGroups(c: Reader): Mixture['groups'] {
  const method = c.text('topk_method', 'greedy')
  if (method === 'greedy') return null
  if (method !== 'group_limited_greedy')
    throw unsupported(`topk_method ${method}`, 'greedy and group_limited_greedy are')
  return { count: c.integer('n_group'), chosen: c.integer('topk_group') }
}

/** Every n-th layer has experts, but for those that are listed. */
function sparseSteps(c: Reader): readonly (number | null)[] {
  const step = c.integer('decoder_sparse_step', 1)
  const plain = c.integers('mlp_only_layers')
  return Array.from({ length: c.integer('num_hidden_layers') }, (_, layer) => {
    const isSparse = !plain.includes(layer) && (layer + 1) % step === 0
    return isSparse ? null : c.integer('intermediate_size')
  })
}

/** Qwen2: as listed, or else every second of the first layers, when windows are used at all. */
function alternateWindows(c: Reader): readonly (number | null)[] {
  const window = c.flag('use_sliding_window', false) ? c.integer('sliding_window', 4096) : null
  const first = c.integer('max_window_layers', 28)
  const listed = c.texts('layer_types')
  return Array.from({ length: c.integer('num_hidden_layers') }, (_, layer) => {
    const slides = listed === null ? layer % 2 === 0 && layer < first : listed[layer] === 'sliding_attention'
    return slides ? window : null
  })
}

/** `rope_parameters` holds everything since version 5; before, `rope_theta` stood beside `rope_scaling`. */
function readRope(c: Reader, defaultTheta: number): Rope {
  const r = c.nested('rope_parameters') ?? c.nested('rope_scaling') ?? createReader({})
  const theta = r.optional('rope_theta') ?? c.optional('rope_theta') ?? defaultTheta
  const type = r.text('rope_type', r.text('type', 'default'))
  if (r.number('partial_rotary_factor', 1) !== 1) throw unsupported('partial_rotary_factor', 'whole heads are rotated')
  const trained = () => r.integer('original_max_position_embeddings', c.integer('max_position_embeddings', 2048))
  switch (type) {
    case 'default':
    case 'dynamic': // Beyond the trained length only; sequences here are within it.
      return { type: 'default', theta }
    case 'linear':
      return { type, theta, factor: r.number('factor') }
    case 'llama3':
      return {
        type,
        theta,
        factor: r.number('factor'),
        lowFrequency: r.number('low_freq_factor'),
        highFrequency: r.number('high_freq_factor'),
        trainedPlaces: trained(),
      }
    case 'yarn':
      return {
        type,
        theta,
        factor: r.optional('factor') ?? c.integer('max_position_embeddings', 2048) / trained(),
        trainedPlaces: trained(),
        betaFast: r.optional('beta_fast') ?? 32,
        betaSlow: r.optional('beta_slow') ?? 1,
        mscale: r.optional('mscale') ?? 0,
        mscaleAll: r.optional('mscale_all_dim') ?? 0,
        attentionFactor: r.optional('attention_factor'),
        truncate: r.flag('truncate', true),
      }
    default:
      throw unsupported(`rope_type ${type}`, 'default, dynamic, linear, llama3 and yarn are known')
  }
}

const isFamily = (text: string): text is Family => (FAMILIES as readonly string[]).includes(text)

const unsupported = (what: string, why: string): NodeError =>
  new NodeError('MODEL_UNSUPPORTED', { what: `config.json asks for ${what}`, why })

type Reader = ReturnType<typeof createReader>

/** Fields of a JSON object by name and type; what is absent or `null` takes the default, or is missed by name. */
function createReader(json: unknown) {
  const fields = typeof json === 'object' && json !== null ? (json as Readonly<Record<string, unknown>>) : {}
  const malformed = (name: string, wanted: string): NodeError =>
    new NodeError('MODEL_MALFORMED', {
      what: `config.json has no usable ${name}`,
      why: `it should be ${wanted} and is ${JSON.stringify(fields[name])?.slice(0, 80) ?? 'absent'}`,
    })
  function read<T>(name: string, wanted: string, fits: (value: unknown) => value is T, otherwise: T | undefined): T {
    const value = fields[name] ?? otherwise
    if (!fits(value)) throw malformed(name, wanted)
    return value
  }
  const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
  const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
  const isText = (value: unknown): value is string => typeof value === 'string'
  return {
    has: (name: string) => name in fields,
    number: (name: string, otherwise?: number) => read(name, 'a number', isNumber, otherwise),
    integer: (name: string, otherwise?: number) => read(name, 'a whole number', isSize, otherwise),
    flag: (name: string, otherwise: boolean) =>
      read(name, 'true or false', (value): value is boolean => typeof value === 'boolean', otherwise),
    text: (name: string, otherwise?: string) => read(name, 'a text', isText, otherwise),
    optional: (name: string): number | null => {
      const value = fields[name] ?? null
      if (value !== null && !isNumber(value)) throw malformed(name, 'a number or null')
      return value
    },
    integers: (name: string): readonly number[] =>
      read(name, 'a list of numbers', (value): value is number[] => Array.isArray(value) && value.every(isSize), []),
    texts: (name: string): readonly string[] | null => {
      const value = fields[name] ?? null
      if (value !== null && !(Array.isArray(value) && value.every(isText))) throw malformed(name, 'a list of texts')
      return value as readonly string[] | null
    },
    nested: (name: string) =>
      typeof fields[name] === 'object' && fields[name] !== null ? createReader(fields[name]) : null,
  }
}
