import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCheckpoint, readStored } from '../../../src/gpu/model/checkpoint.ts'
import type { NamedBytes } from '../../../src/gpu/model/delta.ts'
import { inspectJob } from '../../../src/gpu/worker/inspect-job.ts'
import { createStage, modelPath, writeTensors } from './stage.ts'

const path = createStage()

test('a model is what its headers say', async () => {
  expect(await inspectJob({ directory: modelPath('olmoe-clipped') })).toEqual({
    family: 'olmoe',
    vocabulary: 41,
    width: 16,
    layers: 3,
    experts: { count: 4, chosen: 2, width: 12, layers: 3, stored: 'one by one' },
    // Three layers of two experts that a token does not choose, of three matrices of 12 × 16.
    parameters: { all: 10_904, perToken: 10_904 - 3 * 2 * 576, perExpert: 576 },
    tensors: 66,
    bytes: 4 * 10_904,
    dtypes: { F32: { tensors: 66, bytes: 4 * 10_904 } },
    files: [
      { name: 'model-00001-of-00003.safetensors', tensors: 24, bytes: 20_568 },
      { name: 'model-00002-of-00003.safetensors', tensors: 29, bytes: 21_992 },
      { name: 'model-00003-of-00003.safetensors', tensors: 13, bytes: 7_944 },
    ],
    tokenizer: false,
    unexpected: [],
  })
})

test.each([
  ['deepseek-groups', { layers: 2, stored: 'stacked' }, 'F32'],
  ['qwen3-stacked', { layers: 3, stored: 'stacked' }, 'F32'],
  ['qwen2-windows', { layers: 3, stored: 'one by one' }, 'BF16'],
] as const)('experts of %s', async (name, experts, dtype) => {
  const result = await inspectJob({ directory: modelPath(name) })
  expect(result.experts).toMatchObject(experts)
  expect(Object.keys(result.dtypes)).toEqual([dtype])
})

const MODEL = 'mixtral'
const HEAD = 'lm_head.weight'
const config = (changes: object) => (directory: string) => {
  const file = join(directory, 'config.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }))
}
/** The same file with other tensors in it. */
const tensors = (change: (tensors: NamedBytes[]) => readonly NamedBytes[]) => async (directory: string) => {
  const held: NamedBytes[] = []
  for (const tensor of (await openCheckpoint(directory)).tensors.values()) {
    held.push({ ...tensor, bytes: await readStored(tensor) })
  }
  await writeTensors(join(directory, 'model.safetensors'), change(held))
}
const index = (weights: object) => (directory: string) =>
  writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify(weights))

test.each<[name: string, spoil: (directory: string) => unknown, code: string, words: string]>([
  ['an unknown architecture', config({ model_type: 'llama' }), 'MODEL_UNSUPPORTED', 'olmoe, qwen3_moe'],
  ['a size that is none', config({ hidden_size: 'wide' }), 'MODEL_MALFORMED', 'hidden_size'],
  ['more experts for a token than there are', config({ num_experts_per_tok: 5 }), 'MODEL_MALFORMED', '5 experts'],
  ['a head of no whole width', config({ num_attention_heads: 3 }), 'MODEL_MALFORMED', 'width of a head'],
  ['heads that cannot share', config({ num_key_value_heads: 3 }), 'MODEL_MALFORMED', '4 heads over 3'],
  ['no layers', config({ num_hidden_layers: 0 }), 'MODEL_MALFORMED', 'number of layers'],
  ['layers without end', config({ num_hidden_layers: 1e12 }), 'MODEL_UNSUPPORTED', 'layers'],
  ['a layer that is not there', config({ num_hidden_layers: 4 }), 'MODEL_MALFORMED', 'model.layers.3.'],
  ['another width', config({ intermediate_size: 13 }), 'MODEL_MALFORMED', 'it is [12,16] and config.json makes it'],
  ['no config', (d) => rmSync(join(d, 'config.json')), 'FILE_UNREADABLE', 'config.json'],
  ['a broken config', (d) => writeFileSync(join(d, 'config.json'), '{'), 'MODEL_MALFORMED', 'is not JSON'],
  ['no weights', (d) => rmSync(join(d, 'model.safetensors')), 'FILE_UNREADABLE', 'model.safetensors'],
  [
    'half a file',
    (d) => truncateSync(join(d, 'model.safetensors'), 30_000),
    'SAFETENSORS_INVALID',
    'model.safetensors',
  ],
  ['a missing tensor', tensors((all) => all.filter(({ name }) => name !== HEAD)), 'MODEL_MALFORMED', HEAD],
  [
    'numbers of no float',
    tensors((all) => all.map((tensor) => (tensor.name === HEAD ? { ...tensor, dtype: 'I32' } : tensor))),
    'MODEL_UNSUPPORTED',
    `${HEAD} is of I32`,
  ],
  ['an index of nothing', index({}), 'MODEL_MALFORMED', 'weight_map'],
  ['an index that leads away', index({ weight_map: { a: '../x.safetensors' } }), 'MODEL_MALFORMED', 'names no file'],
])('%s is one sentence', async (name, spoil, code, words) => {
  const directory = path(name)
  cpSync(modelPath(MODEL), directory, { recursive: true })
  await spoil(directory)
  const found = inspectJob({ directory })
  await expect(found).rejects.toMatchObject({ code })
  await expect(found).rejects.toThrow(words)
})

test('a tensor that nobody uses is named, and no more than named', async () => {
  const directory = path('more')
  cpSync(modelPath(MODEL), directory, { recursive: true })
  await tensors((all) => [...all, { name: 'extra.bias', dtype: 'F32', shape: [1], bytes: new Uint8Array(4) }])(
    directory,
  )
  const [more, plain] = [await inspectJob({ directory }), await inspectJob({ directory: modelPath(MODEL) })]
  expect(more.unexpected).toEqual(['extra.bias'])
  expect(more.parameters).toEqual(plain.parameters)
})
