import { describe, expect, test } from 'vitest'
import { readConfig } from '../../../src/gpu/model/config.ts'

const OLMOE = {
  model_type: 'olmoe',
  vocab_size: 64,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_experts: 8,
  num_experts_per_tok: 2,
  intermediate_size: 16,
}

describe('what is not known is refused by name', () => {
  test.each([
    ['another family', { model_type: 'llama' }, 'model_type llama'],
    ['another activation', { hidden_act: 'gelu' }, 'hidden_act gelu'],
    ['another rope', { rope_scaling: { type: 'longrope' } }, 'rope_type longrope'],
    ['half heads rotated', { rope_parameters: { partial_rotary_factor: 0.5 } }, 'partial_rotary_factor'],
    ['a size that is missing', { hidden_size: undefined }, 'no usable hidden_size'],
    ['a size that is a text', { num_experts: 'many' }, 'no usable num_experts'],
    ['a size below zero', { vocab_size: -1 }, 'no usable vocab_size'],
    ['a flag that is a number', { norm_topk_prob: 1 }, 'no usable norm_topk_prob'],
  ])('%s', (_name, change, said) => {
    expect(() => readConfig({ ...OLMOE, ...change })).toThrow(said)
  })

  test.each([[null], ['text'], [[]], [{}]])('%j', (json) => {
    expect(() => readConfig(json)).toThrow('no usable model_type')
  })
})

test('what transformers leaves out has its default', () => {
  const model = readConfig(OLMOE)
  expect(model.attention).toMatchObject({ keyHeads: 4, width: 8, norm: 'whole', clip: null, inBias: false })
  expect(model.rope).toEqual({ type: 'default', theta: 10_000 })
  expect([model.eps, model.tied, model.dense]).toEqual([1e-5, false, [null, null]])
})

test('rope_theta and rope_scaling are what rope_parameters are', () => {
  const yarn = { factor: 4, original_max_position_embeddings: 16, mscale: 0.7, mscale_all_dim: 0.7 }
  const old = readConfig({ ...OLMOE, rope_theta: 5, rope_scaling: { type: 'yarn', ...yarn } })
  const present = readConfig({ ...OLMOE, rope_parameters: { rope_type: 'yarn', rope_theta: 5, ...yarn } })
  expect(old.rope).toEqual(present.rope)
  expect(old.rope).toMatchObject({ type: 'yarn', theta: 5, factor: 4, betaFast: 32, betaSlow: 1 })
})

test('layers without experts, by step and by list', () => {
  const qwen = {
    ...OLMOE,
    model_type: 'qwen3_moe',
    moe_intermediate_size: 8,
    num_hidden_layers: 6,
    decoder_sparse_step: 2,
    mlp_only_layers: [3],
  }
  expect(readConfig(qwen).dense).toEqual([16, null, 16, 16, 16, null])
})
