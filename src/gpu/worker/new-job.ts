/** Makes a model from nothing but a configuration and a seed: the same bytes again on one machine. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NodeError } from '../../errors.ts'
import { byteLength, type Dtype, TENSOR_BYTES_MAX } from '../../protocol/tensor.ts'
import { createChance } from '../data/corpus.ts'
import { sizeOf } from '../graph/graph.ts'
import { byteTokenizer, GENESIS_CONFIG } from '../model/byte-model.ts'
import { CONFIG, CONFIG_BYTES_MAX, readJson, SINGLE } from '../model/checkpoint.ts'
import { readConfig } from '../model/config.ts'
import { narrowed } from '../model/delta.ts'
import { everyWeight, newTensors, normalOf } from '../model/new.ts'
import { newDirectory } from '../model/new-directory.ts'
import { writeSafetensors } from '../model/safetensors-file.ts'
import type { Told } from './job.ts'

export type NewTask = {
  /** A `config.json`; without it the kind of the genesis model. */
  readonly config: string | null
  readonly seed: number
  readonly out: string
}
export type NewResult = {
  readonly directory: string
  readonly parameters: number
  readonly tensors: number
  readonly bytes: number
  readonly dtype: Dtype
  /** Written where tokens can be bytes. */
  readonly tokenizer: boolean
}

const BYTES = 256

export async function newJob({ config, seed, out }: NewTask, tell: (told: Told) => void): Promise<NewResult> {
  const json = config === null ? GENESIS_CONFIG : await readJson(config, CONFIG_BYTES_MAX)
  const model = readConfig(json)
  const dtype = dtypeOf(json)
  const tensors = everyWeight(model).map(({ tensor: name, shape }) => ({ name, dtype, shape }))
  const large = tensors.find(({ shape }) => byteLength(dtype, shape) === null)
  if (large !== undefined) {
    throw new NodeError('MODEL_UNSUPPORTED', {
      what: `config.json asks for ${large.name} of [${large.shape}]`,
      why: `a tensor has at most ${TENSOR_BYTES_MAX} bytes`,
    })
  }
  const parameters = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const tokenizer = model.vocabulary === BYTES
  let bytes = 0
  function* contents(): Generator<Uint8Array> {
    let done = 0
    for (const { bytes } of newTensors(json, normalOf(createChance(seed)))) {
      const values = new Float32Array(bytes.buffer)
      yield narrowed(dtype, values)
      done += values.length
      tell({ done, of: parameters })
    }
  }
  await newDirectory(out, async (aside) => {
    const write = (name: string, value: unknown) =>
      writeFile(join(aside, name), `${JSON.stringify(value, null, 2)}\n`, { flush: true })
    await write(CONFIG, json)
    if (tokenizer) {
      await write('tokenizer.json', byteTokenizer())
      await write('tokenizer_config.json', { tokenizer_class: 'PreTrainedTokenizerFast' })
    }
    bytes = (await writeSafetensors(join(aside, SINGLE), tensors, contents())).bytes
  })
  return { directory: out, parameters, tensors: tensors.length, bytes, dtype, tokenizer }
}

/** As the configuration says, in the words of either version of `transformers`. */
function dtypeOf(json: unknown): Dtype {
  const { dtype, torch_dtype: old } = json as { readonly dtype?: unknown; readonly torch_dtype?: unknown }
  const named = dtype ?? old
  return named === 'bfloat16' ? 'BF16' : named === 'float16' ? 'F16' : 'F32'
}
