/**
 * Where every weight of a model lies in its checkpoint: by the names that Hugging Face gives, with experts stored one by one
 * or stacked. A weight is a tensor or a consecutive piece of one, so that an expert of a stack is read in place.
 */
import { NodeError } from '../../errors.ts'
import type { Architecture } from './config.ts'

export type Weight = {
  /** The tensor's name in the checkpoint. */
  readonly tensor: string
  /** The first element of it. */
  readonly first: number
  readonly shape: readonly number[]
}
export type Linear = { readonly weight: Weight; readonly bias: Weight | null }
/** silu(x · gate) · (x · up), then · down. */
export type Gated = { readonly gate: Weight; readonly up: Weight; readonly down: Weight }

/** The shape of a tensor of the checkpoint, or `null` when it has none of this name; `wanted` is what it should be. */
export type ShapeOf = (tensor: string, wanted?: readonly number[]) => readonly number[] | null

export type Layout = ReturnType<typeof createLayout>

export function createLayout(model: Architecture, shapeOf: ShapeOf) {
  const { width, vocabulary, mixture } = model
  const whole = (tensor: string, ...shape: readonly number[]): Weight => {
    const found = shapeOf(tensor, shape)
    if (found === null)
      throw malformed(`has no tensor ${tensor}`, `its config.json says ${model.family}, which has one`)
    if (`${found}` !== `${shape}`) {
      throw malformed(`has a tensor ${tensor} of another shape`, `it is [${found}] and config.json makes it [${shape}]`)
    }
    return { tensor, first: 0, shape }
  }
  const linear = (name: string, out: number, into: number, biased: boolean): Linear => ({
    weight: whole(`${name}.weight`, out, into),
    bias: biased ? whole(`${name}.bias`, out) : null,
  })
  const gated = (name: string, inner: number): Gated => ({
    gate: whole(`${name}.gate_proj.weight`, inner, width),
    up: whole(`${name}.up_proj.weight`, inner, width),
    down: whole(`${name}.down_proj.weight`, width, inner),
  })
  const at = (layer: number): string => `model.layers.${layer}`
  /** Mixtral has names of its own, which version 5 of transformers gave up in memory but still writes. */
  const isOld = (layer: number): boolean =>
    model.family === 'mixtral' && shapeOf(`${at(layer)}.mlp.gate.weight`) === null
  const mlp = (layer: number): string => `${at(layer)}.${isOld(layer) ? 'block_sparse_moe' : 'mlp'}`

  return {
    embedding: () => whole('model.embed_tokens.weight', vocabulary, width),
    head: () => whole(model.tied ? 'model.embed_tokens.weight' : 'lm_head.weight', vocabulary, width),
    norm: (name: string, size: number) => whole(`${name}.weight`, size),
    linear,
    at,
    router: (layer: number) => whole(`${mlp(layer)}.gate.weight`, mixture.experts, width),
    dense: (layer: number, inner: number) => gated(`${at(layer)}.mlp`, inner),
    shared: (layer: number, inner: number): Gated =>
      gated(`${at(layer)}.mlp.${mixture.shared?.gated === true ? 'shared_expert' : 'shared_experts'}`, inner),
    sharedGate: (layer: number) => whole(`${at(layer)}.mlp.shared_expert_gate.weight`, 1, width),
    expert: (layer: number, expert: number): Gated => {
      const stack = `${mlp(layer)}.experts`
      if (shapeOf(`${stack}.gate_up_proj`) !== null) return stacked(whole, stack, model, expert)
      const one = `${stack}.${expert}`
      if (!isOld(layer)) return gated(one, mixture.width)
      return {
        gate: whole(`${one}.w1.weight`, mixture.width, width),
        up: whole(`${one}.w3.weight`, mixture.width, width),
        down: whole(`${one}.w2.weight`, width, mixture.width),
      }
    },
  }
}

type Whole = (tensor: string, ...shape: readonly number[]) => Weight

/** All experts of a layer in two tensors, the gate's rows above those of the up projection. */
function stacked(whole: Whole, stack: string, { width, mixture }: Architecture, expert: number): Gated {
  const inner = mixture.width
  const both = whole(`${stack}.gate_up_proj`, mixture.experts, 2 * inner, width)
  const down = whole(`${stack}.down_proj`, mixture.experts, width, inner)
  const piece = ({ tensor }: Weight, first: number, rows: number, columns: number): Weight => ({
    tensor,
    first,
    shape: [rows, columns],
  })
  return {
    gate: piece(both, expert * 2 * inner * width, inner, width),
    up: piece(both, (expert * 2 + 1) * inner * width, inner, width),
    down: piece(down, expert * inner * width, width, inner),
  }
}

const malformed = (what: string, why: string): NodeError =>
  new NodeError('MODEL_MALFORMED', { what: `the checkpoint ${what}`, why })
