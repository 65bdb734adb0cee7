import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCheckpoint, readShard, readStored, type StoredTensor } from '../../../src/gpu/model/checkpoint.ts'
import { exportJob } from '../../../src/gpu/worker/export-job.ts'
import { createStage, modelPath, silent, writeDelta } from './stage.ts'

const path = createStage()
const CHANGED = ['model.layers.1.mlp.experts.0.up_proj.weight', 'model.layers.1.mlp.experts.2.down_proj.weight']

/** The sharded model with companions of every kind. */
function prepare(name: string): string {
  const directory = path(name)
  cpSync(modelPath('olmoe-clipped'), directory, { recursive: true })
  for (const file of ['tokenizer.json', 'generation_config.json', 'chat_template.jinja', 'pytorch_model.bin']) {
    writeFileSync(join(directory, file), `"${file}"`)
  }
  mkdirSync(join(directory, 'runs'))
  return directory
}

test('only shards with changed tensors are written anew, and everything but other weights is there', async () => {
  const directory = prepare('model')
  const delta = await writeDelta(directory, CHANGED, path('d.safetensors'), 3)
  const result = await exportJob({ directory, delta, out: path('exported'), link: false }, silent)
  const files = [
    'chat_template.jinja',
    'config.json',
    'generation_config.json',
    'model-00001-of-00003.safetensors',
    'model-00002-of-00003.safetensors',
    'model-00003-of-00003.safetensors',
    'model.safetensors.index.json',
    'reference.json',
    'tokenizer.json',
    'tokens.json',
  ]
  expect(readdirSync(path('exported')).toSorted()).toEqual(files)
  const { tensors } = await openCheckpoint(directory)
  const shards = new Set(CHANGED.map((name) => tensors.get(name)?.path.split('/').at(-1)))
  expect(result).toMatchObject({ directory: path('exported'), files, rewritten: [...shards].toSorted(), tensors: 2 })
  for (const file of files) {
    const same = readFileSync(path(`exported/${file}`)).equals(readFileSync(join(directory, file)))
    expect(same, file).toBe(!shards.has(file))
  }
  await expectTensors(directory, delta, path('exported'))
})

/** Every tensor is the delta's, or the model's. */
async function expectTensors(directory: string, delta: string, out: string): Promise<void> {
  const [base, made] = [await openCheckpoint(directory), await openCheckpoint(out)]
  const changes = new Map((await readShard(delta)).tensors.map((tensor) => [tensor.name, tensor]))
  expect([...made.tensors.keys()].toSorted()).toEqual([...base.tensors.keys()].toSorted())
  for (const [name, tensor] of made.tensors) {
    const wanted = changes.get(name) ?? (base.tensors.get(name) as StoredTensor)
    expect(await readStored(tensor), name).toEqual(await readStored(wanted))
  }
}

test('what does not change is linked when asked for, through the links of a cache', async () => {
  const [blobs, directory] = [prepare('blobs'), path('snapshot')]
  mkdirSync(directory)
  for (const name of readdirSync(blobs)) symlinkSync(join(blobs, name), join(directory, name))
  mkdirSync(path('d'))
  await writeDelta(directory, CHANGED, path('d/delta.safetensors'), 4)
  const { rewritten } = await exportJob({ directory, delta: path('d'), out: path('linked'), link: true }, silent)
  for (const name of readdirSync(path('linked'))) {
    const isSame = statSync(path(`linked/${name}`)).ino === statSync(join(blobs, name)).ino
    expect(isSame, name).toBe(!rewritten.includes(name))
  }
})

test('a directory that has something in it is left alone', async () => {
  const directory = prepare('other')
  const delta = await writeDelta(directory, CHANGED, path('e.safetensors'), 5)
  const made = exportJob({ directory, delta, out: directory, link: false }, silent)
  await expect(made).rejects.toMatchObject({ code: 'USAGE', what: `${directory} is not empty` })
})

test('a delta of another model is refused by name', async () => {
  const delta = await writeDelta(modelPath('qwen2-windows'), [CHANGED[0] as string], path('f.safetensors'), 6)
  const task = { directory: modelPath('olmoe-clipped'), delta, out: path('refused'), link: false }
  await expect(exportJob(task, silent)).rejects.toMatchObject({ code: 'DELTA_INVALID' })
  expect(readdirSync(path(''))).not.toContain('refused')
})
