/** The models that the engine is measured with: random weights of a given size, and changes of some experts. */
import { copyFile, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createChance } from '../src/gpu/data/corpus.ts'
import { type Piece, piecesOf, weightsOf } from '../src/gpu/evaluate/pieces.ts'
import { type Checkpoint, keyOf, openCheckpoint, readWeight } from '../src/gpu/model/checkpoint.ts'
import { readConfig } from '../src/gpu/model/config.ts'
import { deltaOf } from '../src/gpu/model/delta.ts'
import { everyWeight, newTensors, normalOf } from '../src/gpu/model/new.ts'
import { writeSafetensors } from '../src/gpu/model/safetensors-file.ts'

/** 14.7 million parameters: four layers of eight experts. */
export const SIZES = { width: 256, layers: 4, heads: 4, experts: 8, inner: 512, vocabulary: 2048 } as const

/** `pattern`: numbers of the right size that take no time to draw, for a model whose answers nobody reads. */
export async function makeModel(
  sizes: { readonly [K in keyof typeof SIZES]: number } = SIZES,
  values: 'random' | 'pattern' = 'random',
): Promise<Checkpoint> {
  const directory = await mkdtemp(join(tmpdir(), 'wheelwright-bench-'))
  const config = {
    model_type: 'mixtral',
    hidden_act: 'silu',
    vocab_size: sizes.vocabulary,
    hidden_size: sizes.width,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.heads,
    num_local_experts: sizes.experts,
    num_experts_per_tok: 2,
    intermediate_size: sizes.inner,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
  }
  await writeFile(join(directory, 'config.json'), JSON.stringify(config))
  const kinds = everyWeight(readConfig(config)).map(
    ({ tensor, shape }) => ({ name: tensor, dtype: 'F32', shape }) as const,
  )
  const normal = values === 'random' ? normalOf(createChance(1)) : createPattern()
  const contents = (function* () {
    for (const { bytes } of newTensors(config, normal)) yield bytes
  })()
  await writeSafetensors(join(directory, 'model.safetensors'), kinds, contents)
  return openCheckpoint(directory)
}

/** From −1 to 1, round about. */
function createPattern(): () => number {
  let place = 0
  return () => {
    place = (place + 7_919) % 65_537
    return place / 32_768 - 1
  }
}

export function makeTokens(count: number, places: number, vocabulary: number, seed = 2): readonly Uint32Array[] {
  const chance = createChance(seed)
  return Array.from({ length: count }, () =>
    Uint32Array.from({ length: places }, () => Math.floor(chance() * vocabulary)),
  )
}

export const experts = (
  checkpoint: Checkpoint,
  wanted: readonly number[],
  layers?: readonly number[],
): readonly Piece[] =>
  piecesOf(checkpoint).filter(
    (piece) => piece.kind === 'expert' && wanted.includes(piece.expert) && (layers?.includes(piece.layer) ?? true),
  )

/** All values of some pieces, moved at random by a part of their size. */
export async function changed(checkpoint: Checkpoint, pieces: readonly Piece[], seed: number, part = 0.01) {
  const normal = normalOf(createChance(seed))
  const values = new Map<string, Float32Array>()
  for (const weight of pieces.flatMap(weightsOf)) {
    const before = await readWeight(checkpoint, weight)
    const scale = part * Math.sqrt(before.reduce((sum, x) => sum + x * x, 0) / before.length)
    values.set(
      keyOf(weight),
      before.map((x) => x + scale * normal()),
    )
  }
  return values
}

/** The whole model with some weights changed, as a directory of its own. */
export async function withChanges(checkpoint: Checkpoint, values: ReadonlyMap<string, Float32Array>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'wheelwright-bench-'))
  await copyFile(join(checkpoint.directory, 'config.json'), join(directory, 'config.json'))
  const every = [...checkpoint.tensors.values()].map(({ name, shape }) => ({ tensor: name, first: 0, shape }))
  const all = new Map(values)
  for (const weight of every) if (!all.has(keyOf(weight))) all.set(keyOf(weight), await readWeight(checkpoint, weight))
  const { tensors, contents } = deltaOf(checkpoint, every, all)
  await writeSafetensors(join(directory, 'model.safetensors'), tensors, contents)
  return directory
}
