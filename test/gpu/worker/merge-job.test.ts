import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import {
  floatsOf,
  openCheckpoint,
  readShard,
  readStored,
  type StoredTensor,
} from '../../../src/gpu/model/checkpoint.ts'
import { type NamedBytes, narrowed } from '../../../src/gpu/model/delta.ts'
import { mergeJob } from '../../../src/gpu/worker/merge-job.ts'
import { newJob } from '../../../src/gpu/worker/new-job.ts'
import { mergeTensor } from '../../../src/protocol/merge-tensor.ts'
import type { TrainableDtype } from '../../../src/protocol/tensor.ts'
import { createStage, flipped, modelPath, silent, writeDelta, writeTensors } from './stage.ts'

const path = createStage()
const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

/** A layer's experts stored one by one, and others in a stack. */
const one = (layer: number, expert: number, part: string) =>
  `model.layers.${layer}.block_sparse_moe.experts.${expert}.${part}.weight`
const CASES = [
  {
    model: 'mixtral',
    first: [one(0, 0, 'w1'), one(2, 3, 'w2')],
    second: [one(0, 0, 'w1'), 'model.layers.1.block_sparse_moe.gate.weight'],
    golden: '86d051db3c0f6962cfdc86705198a23e7197df2033383ce20b4763c75b260fda',
  },
  {
    model: 'qwen2-windows',
    first: ['model.layers.0.mlp.experts.0.up_proj.weight', 'model.layers.2.mlp.experts.1.down_proj.weight'],
    second: ['model.layers.0.mlp.experts.0.up_proj.weight', 'model.layers.1.mlp.gate.weight'],
    golden: 'd88bb79447bcc3c3c2bfdefe5f7b413d8b2dcc304abc861ed55475ca3cedd5d7',
  },
  {
    model: 'qwen3-stacked',
    first: ['model.layers.0.mlp.experts.gate_up_proj'],
    second: ['model.layers.0.mlp.experts.gate_up_proj', 'model.layers.1.mlp.experts.down_proj'],
    golden: '3129e1664b83755f8010399c15bfe4ec6d3ba2016acb3eace53d0f249caa0e23',
  },
  {
    model: 'mixtral in half precision',
    first: [one(1, 1, 'w3')],
    second: [one(1, 1, 'w3'), one(1, 2, 'w3')],
    golden: '6e6156bb0c27743f72cd55015c4b366fa52e3f8fe687e128da8fcf6ffedfc153',
  },
]

/** The same model in F16, which no fixture has. */
async function halved(model: string): Promise<string> {
  const { tensors } = await openCheckpoint(modelPath(model))
  const made: NamedBytes[] = []
  for (const tensor of tensors.values()) {
    const bytes = narrowed('F16', floatsOf(tensor.dtype, await readStored(tensor)))
    made.push({ name: tensor.name, dtype: 'F16', shape: tensor.shape, bytes })
  }
  mkdirSync(path('half'))
  copyFileSync(join(modelPath(model), 'config.json'), path('half/config.json'))
  await writeTensors(path('half/model.safetensors'), made)
  return path('half')
}

test.each(CASES)('merged deltas of $model have the bytes that they have everywhere', async (each) => {
  const [model = '', ...inHalf] = each.model.split(' ')
  const directory = inHalf.length > 0 ? await halved(model) : modelPath(model)
  const first = await writeDelta(directory, each.first, path(`${each.model}-1.safetensors`), 1)
  const second = await writeDelta(directory, each.second, path(`${each.model}-2.safetensors`), 2)
  const deltas = [
    { path: first, weight: 3 },
    { path: second, weight: 4 },
  ]
  const out = path(`${each.model}-merged`)
  const result = await mergeJob({ directory, deltas, etaPpm: 700_000, out }, silent)
  const names = [...new Set([...each.first, ...each.second])].toSorted()
  expect(result).toMatchObject({ delta: join(out, 'delta.safetensors'), tensors: names.length, overflowed: [] })
  expect(sha256(result.delta)).toBe(each.golden)
  await expectArithmetic(directory, [first, second], [3, 4], 700_000, result.delta)
})

/** Tensor by tensor what the protocol says, with the model's own values for who leaves one out. */
async function expectArithmetic(
  directory: string,
  deltas: readonly string[],
  weights: readonly number[],
  etaPpm: number,
  merged: string,
): Promise<void> {
  const { tensors } = await openCheckpoint(directory)
  const shards = await Promise.all(deltas.map(readShard))
  for (const made of (await readShard(merged)).tensors) {
    const base = await readStored(tensors.get(made.name) as StoredTensor)
    const updates: { values: Uint8Array; weight: number }[] = []
    for (const [i, shard] of shards.entries()) {
      const own = shard.tensors.find(({ name }) => name === made.name)
      updates.push({ values: own === undefined ? base : await readStored(own), weight: weights[i] as number })
    }
    const wanted = mergeTensor({ dtype: made.dtype as TrainableDtype, base, updates, etaPpm })
    expect(Buffer.from(await readStored(made)).equals(wanted), made.name).toBe(true)
  }
}

test('a tensor that takes many slices is merged as a whole one is', async () => {
  const config = JSON.parse(readFileSync(join(modelPath('mixtral'), 'config.json'), 'utf8'))
  const wide = { ...config, hidden_size: 512, intermediate_size: 2_300, num_local_experts: 2, num_hidden_layers: 1 }
  mkdirSync(path('wide'))
  writeFileSync(path('wide/c.json'), JSON.stringify(wide))
  const directory = path('wide-model')
  await newJob({ config: path('wide/c.json'), seed: 1, out: directory }, silent)
  const names = [one(0, 1, 'w1'), one(0, 1, 'w2')]
  const deltas = [await writeDelta(directory, names, path('wide/d.safetensors'), 9)]
  const told: number[] = []
  const task = { directory, deltas: [{ path: deltas[0] as string, weight: 1 }], etaPpm: 500_000, out: path('wide/out') }
  const { delta } = await mergeJob(task, ({ done, of }) => told.push(done / of))
  expect(told.length).toBeGreaterThan(names.length)
  expect(told.at(-1)).toBe(1)
  await expectArithmetic(directory, deltas, [1], 500_000, delta)
})

test('a sum that overflows leaves the tensor as it was', async () => {
  const directory = modelPath('mixtral')
  const { tensors } = await openCheckpoint(directory)
  const [large, small] = [one(0, 0, 'w1'), one(0, 0, 'w3')].map((name) => tensors.get(name) as StoredTensor)
  const base = new Float32Array((await readStored(large as StoredTensor)).buffer.slice(0))
  const opposite = new Uint8Array(base.map((x) => (x > 0 ? -3.4e38 : 3.4e38)).buffer)
  const near = flipped(await readStored(small as StoredTensor), 4, 5)
  await writeTensors(path('overflow.safetensors'), [
    { ...(large as StoredTensor), bytes: opposite },
    { ...(small as StoredTensor), bytes: near },
  ])
  const deltas = [{ path: path('overflow.safetensors'), weight: 1 }]
  const result = await mergeJob({ directory, deltas, etaPpm: 10_000_000, out: path('overflow') }, silent)
  expect(result.overflowed).toEqual([large?.name])
  const made = (await readShard(result.delta)).tensors
  expect(await readStored(made[0] as StoredTensor)).toEqual(await readStored(large as StoredTensor))
  expect(await readStored(made[1] as StoredTensor)).not.toEqual(await readStored(small as StoredTensor))
})

const bytes = (size: number, value = 0): Uint8Array => new Uint8Array(size).fill(value)
const SHAPE = [12, 16]
test.each([
  ['an unknown tensor', 'model.layers.0.nothing', 'F32', SHAPE, 0, 'no tensor of this name'],
  ['a tensor of the hub', 'model.norm.weight', 'F32', [16], 0, 'only experts and routing rows'],
  ['another shape', one(0, 0, 'w1'), 'F32', [16, 12], 0, "the model's is F32 [12,16]"],
  ['another type', one(0, 0, 'w1'), 'BF16', SHAPE, 0, "the model's is F32 [12,16]"],
  ['numbers that are none', one(0, 0, 'w1'), 'F32', SHAPE, 0xff, 'not a finite number'],
] as const)(
  '%s in a delta is refused, and nothing is left behind',
  async (name, tensor, dtype, shape, value, words) => {
    const size = shape.reduce((product: number, dim) => product * dim, dtype === 'F32' ? 4 : 2)
    const file = path(`${name}.safetensors`)
    await writeTensors(file, [{ name: tensor, dtype, shape, bytes: bytes(size, value) }])
    const out = path(`${name} out`)
    const task = { directory: modelPath('mixtral'), deltas: [{ path: file, weight: 1 }], etaPpm: 1_000_000, out }
    const made = mergeJob(task, silent)
    await expect(made).rejects.toMatchObject({ code: 'DELTA_INVALID' })
    await expect(made).rejects.toThrow(words)
    await expect(made).rejects.toThrow(file)
    expect(existsSync(join(out, 'delta.safetensors'))).toBe(false)
    expect(existsSync(join(out, 'delta.safetensors.part'))).toBe(false)
  },
)

test('no engine is loaded for a merge', () => {
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(file, 'utf8').replaceAll(/^import type .*$/gm, '')
    for (const [, name = ''] of text.matchAll(/from '([^']+)'/g)) {
      expect(name, relative(process.cwd(), file)).not.toMatch(/onnxruntime/)
      if (name.startsWith('.')) visit(join(dirname(file), name))
    }
  }
  visit(join(import.meta.dirname, '../../../src/gpu/worker/merge-job.ts'))
  expect(seen.size).toBeGreaterThan(5)
})
