import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openCheckpoint } from '../../../src/gpu/model/checkpoint.ts'
import { everyWeight } from '../../../src/gpu/model/new.ts'

const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures', 'models')
const INDEX = 'model.safetensors.index.json'

describe('a directory that is not a model is one clear sentence', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'wheelwright-model-'))
    await cp(join(FIXTURES, 'olmoe-clipped'), directory, { recursive: true })
  })
  afterEach(() => rm(directory, { recursive: true }))

  const change = async (name: string, edit: (json: Record<string, unknown>) => void) => {
    const json = JSON.parse(await readFile(join(directory, name), 'utf8'))
    edit(json)
    await writeFile(join(directory, name), JSON.stringify(json))
  }
  const open = async () => {
    const { model, layout } = await openCheckpoint(directory)
    return everyWeight(model, layout)
  }

  test('as it is, every weight is there', async () => {
    expect((await open()).length).toBeGreaterThan(40)
  })
  test('no config.json', async () => {
    await rm(join(directory, 'config.json'))
    await expect(open()).rejects.toThrow('cannot read')
  })
  test('config.json that is cut off', async () => {
    await writeFile(join(directory, 'config.json'), '{"model_type"')
    await expect(open()).rejects.toThrow('is not JSON')
  })
  test('a shard that is missing', async () => {
    await rm(join(directory, 'model-00002-of-00002.safetensors'), { force: true })
    const { weight_map } = JSON.parse(await readFile(join(directory, INDEX), 'utf8'))
    const [shard] = Object.values(weight_map) as string[]
    await rm(join(directory, shard as string), { force: true })
    await expect(open()).rejects.toThrow('cannot read')
  })
  test('a shard that is cut off', async () => {
    const { weight_map } = JSON.parse(await readFile(join(directory, INDEX), 'utf8'))
    const shard = join(directory, Object.values(weight_map)[0] as string)
    await writeFile(shard, (await readFile(shard)).subarray(0, -8))
    await expect(open()).rejects.toThrow('SAFETENSORS_INVALID')
  })
  test('an index that leads out of the directory', async () => {
    await change(INDEX, (json) => {
      json['weight_map'] = { 'model.norm.weight': '../secret.safetensors' }
    })
    await expect(open()).rejects.toThrow('names no file for model.norm.weight')
  })
  test('a tensor that the index promises in vain', async () => {
    await change(INDEX, (json) => {
      const map = json['weight_map'] as Record<string, string>
      map['model.ghost.weight'] = Object.values(map)[0] as string
    })
    await expect(open()).rejects.toThrow('lacks the tensor model.ghost.weight')
  })
  test('a tensor of another shape than config.json makes it', async () => {
    await change('config.json', (json) => {
      json['vocab_size'] = 999
    })
    await expect(open()).rejects.toThrow('model.embed_tokens.weight of another shape')
  })
  test('an expert that is not there', async () => {
    await change('config.json', (json) => {
      json['num_experts'] = 5
    })
    await expect(open()).rejects.toThrow(/of another shape|has no tensor/)
  })
})
