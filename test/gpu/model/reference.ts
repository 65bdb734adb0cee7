/** A case of `test/parity/reference.py`: a model with what `transformers` made of it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { piecesOf } from '../../../src/gpu/evaluate/pieces.ts'
import { type Checkpoint, floatsOf, openCheckpoint, readShard, readStored } from '../../../src/gpu/model/checkpoint.ts'
import type { Weight } from '../../../src/gpu/model/layout.ts'

export type Reference = {
  readonly checkpoint: Checkpoint
  readonly tokens: readonly (readonly number[])[]
  readonly losses: readonly number[]
  readonly perSequence: readonly number[]
  readonly trained: readonly number[]
  readonly router: boolean
  readonly rate: number
  readonly decay: number
  /** By the names of experts stored one by one. */
  readonly read: (name: string) => Promise<Float32Array>
}

export async function openReference(directory: string): Promise<Reference> {
  const json = async (name: string) => JSON.parse(await readFile(join(directory, name), 'utf8'))
  const { tensors } = await readShard(join(directory, 'reference.safetensors'))
  return {
    ...(await json('reference.json')),
    checkpoint: await openCheckpoint(directory),
    tokens: await json('tokens.json'),
    read: async (name: string) => {
      const stored = tensors.find((tensor) => tensor.name === name)
      if (stored === undefined) throw new Error(`${directory} has no ${name}`)
      return floatsOf(stored.dtype, await readStored(stored))
    },
  }
}

/** The trained weights with the names that the reference has for them. */
export function trainedOf({
  checkpoint,
  trained,
  router,
}: Reference): readonly { readonly weight: Weight; readonly name: string }[] {
  const isMixtral = checkpoint.model.family === 'mixtral'
  const parts = isMixtral
    ? { gate: 'w1', up: 'w3', down: 'w2' }
    : { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' }
  return piecesOf(checkpoint).flatMap((piece) => {
    const mlp = `model.layers.${piece.layer}.${isMixtral ? 'block_sparse_moe' : 'mlp'}`
    if (piece.kind === 'router') return router ? [{ weight: piece.weight, name: `${mlp}.gate.weight` }] : []
    if (!trained.includes(piece.expert)) return []
    return (['gate', 'up', 'down'] as const).map((part) => ({
      weight: piece.weights[part],
      name: `${mlp}.experts.${piece.expert}.${parts[part]}.weight`,
    }))
  })
}
