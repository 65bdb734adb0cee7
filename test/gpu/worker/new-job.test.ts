import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openEncoder } from '../../../src/gpu/data/pack.ts'
import { inspectJob } from '../../../src/gpu/worker/inspect-job.ts'
import { newJob } from '../../../src/gpu/worker/new-job.ts'
import { createStage, modelPath, silent } from './stage.ts'

const path = createStage()

test('a seed gives a model, the same one again, and another one another', async () => {
  let made = 0
  for (const [out, seed] of [
    ['a', 1],
    ['b', 1],
    ['c', 2],
  ] as const) {
    const result = await newJob({ config: null, seed, out: path(out) }, silent)
    expect(result).toMatchObject({ directory: path(out), dtype: 'F32', tokenizer: true })
    made = result.parameters
  }
  const weights = (name: string): Buffer => readFileSync(path(`${name}/model.safetensors`))
  expect(weights('a').equals(weights('b'))).toBe(true)
  expect(weights('a').equals(weights('c'))).toBe(false)
  const { parameters, unexpected, tokenizer } = await inspectJob({ directory: path('a') })
  expect([parameters.all, unexpected, tokenizer]).toEqual([made, [], true])
  expect((await openEncoder(path('a'))).encode('né\n')).toEqual([110, 0xc3, 0xa9, 10])
})

test.each(['mixtral', 'olmoe-clipped', 'qwen2-windows', 'qwen3-stacked', 'deepseek-groups', 'deepseek-old-rope'])(
  'a model of the kind of %s is complete',
  async (name) => {
    const config = join(modelPath(name), 'config.json')
    const result = await newJob({ config, seed: 1, out: path(name) }, silent)
    const [made, like] = [await inspectJob({ directory: path(name) }), await inspectJob({ directory: modelPath(name) })]
    expect(made.parameters).toEqual(like.parameters)
    expect(Object.keys(made.dtypes)).toEqual(Object.keys(like.dtypes))
    expect(result).toMatchObject({ parameters: like.parameters.all, tokenizer: false })
  },
)

test('a model that no file could hold is refused', async () => {
  const config = JSON.parse(readFileSync(join(modelPath('mixtral'), 'config.json'), 'utf8'))
  writeFileSync(path('huge.json'), JSON.stringify({ ...config, hidden_size: 1e8, head_dim: 4 }))
  const made = newJob({ config: path('huge.json'), seed: 1, out: path('huge') }, silent)
  await expect(made).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' })
})
