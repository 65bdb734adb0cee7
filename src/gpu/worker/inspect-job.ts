/** What a model is, from its headers alone: sizes, parameters, types, files. Whatever is wrong with it is said by name. */
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { NodeError } from '../../errors.ts'
import { type Dtype, isTrainable } from '../../protocol/tensor.ts'
import { compareText } from '../../util/compare.ts'
import { sizeOf } from '../graph/graph.ts'
import { type Checkpoint, openCheckpoint, type StoredTensor } from '../model/checkpoint.ts'
import type { Architecture, Family } from '../model/config.ts'
import { everyWeight } from '../model/new.ts'

export type InspectTask = { readonly directory: string }
export type InspectResult = {
  readonly family: Family
  readonly vocabulary: number
  readonly width: number
  readonly layers: number
  readonly experts: {
    readonly count: number
    /** Of a token. */
    readonly chosen: number
    readonly width: number
    /** Layers that have experts. */
    readonly layers: number
    readonly stored: 'one by one' | 'stacked'
  }
  readonly parameters: { readonly all: number; readonly perToken: number; readonly perExpert: number }
  readonly tensors: number
  readonly bytes: number
  readonly dtypes: Readonly<Partial<Record<Dtype, { readonly tensors: number; readonly bytes: number }>>>
  readonly files: readonly { readonly name: string; readonly tensors: number; readonly bytes: number }[]
  readonly tokenizer: boolean
  /** Tensors that the model does not use. */
  readonly unexpected: readonly string[]
}

export async function inspectJob({ directory }: InspectTask): Promise<InspectResult> {
  const checkpoint = await openCheckpoint(directory)
  const { model, layout, tensors } = checkpoint
  const used = everyWeight(model, layout)
  demandNumbers(
    checkpoint,
    used.map(({ tensor }) => tensor),
  )
  const names = new Set(used.map(({ tensor }) => tensor))
  const stored = [...tensors.values()]
  return {
    family: model.family,
    vocabulary: model.vocabulary,
    width: model.width,
    layers: model.layers,
    experts: expertsOf(checkpoint),
    parameters: parametersOf(
      model,
      used.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    ),
    tensors: tensors.size,
    bytes: bytesOf(stored),
    dtypes: Object.fromEntries(
      [...Map.groupBy(stored, ({ dtype }) => dtype)].map(([dtype, held]) => {
        return [dtype, { tensors: held.length, bytes: bytesOf(held) }]
      }),
    ),
    files: await filesOf(stored),
    tokenizer: await stat(join(directory, 'tokenizer.json')).then(
      (found) => found.isFile(),
      () => false,
    ),
    unexpected: [...tensors.keys()].filter((name) => !names.has(name)).toSorted(compareText),
  }
}

/** The engine computes with floats of 16 and 32 bits. */
function demandNumbers({ tensors }: Checkpoint, used: readonly string[]): void {
  for (const name of used) {
    const { dtype } = tensors.get(name) as StoredTensor
    if (isTrainable(dtype)) continue
    throw new NodeError('MODEL_UNSUPPORTED', {
      what: `the tensor ${name} is of ${dtype}`,
      why: 'weights are F32, BF16 or F16',
      remedy: 'Save the model in one of these types; quantised models cannot be trained.',
    })
  }
}

function expertsOf({ model, layout }: Checkpoint): InspectResult['experts'] {
  const { experts: count, chosen, width } = model.mixture
  const layers = model.dense.flatMap((dense, layer) => (dense === null ? [layer] : []))
  const isStacked = layers.some((layer) => {
    const { gate, up } = layout.expert(layer, 0)
    return gate.tensor === up.tensor
  })
  return { count, chosen, width, layers: layers.length, stored: isStacked ? 'stacked' : 'one by one' }
}

/** A token goes through everything but the experts that it did not choose. */
function parametersOf({ width, mixture, dense }: Architecture, all: number): InspectResult['parameters'] {
  const perExpert = 3 * width * mixture.width
  const layers = dense.filter((inner) => inner === null).length
  return { all, perToken: all - layers * (mixture.experts - mixture.chosen) * perExpert, perExpert }
}

async function filesOf(stored: readonly StoredTensor[]): Promise<InspectResult['files']> {
  const byFile = [...Map.groupBy(stored, ({ path }) => path)].toSorted(([a], [b]) => compareText(a, b))
  return Promise.all(
    byFile.map(async ([path, held]) => ({
      name: basename(path),
      tensors: held.length,
      bytes: (await stat(path)).size,
    })),
  )
}

const bytesOf = (stored: readonly StoredTensor[]): number => stored.reduce((sum, { bytes }) => sum + bytes, 0)
