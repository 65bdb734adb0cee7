/**
 * The state of a training run on disk: weights and what the optimiser remembers, as safetensors. Whole under its name or not
 * at all, so a kill at any moment costs at most the steps since the last save.
 */
import { readShard, readStored } from '../model/checkpoint.ts'
import { writeSafetensors } from '../model/safetensors-file.ts'
import { PARTS, type State, type Values } from './step.ts'

export async function saveState(path: string, identity: string, step: number, state: State): Promise<void> {
  const arrays = PARTS.flatMap((part) =>
    [...state[part].values()].map((values, i) => [nameOf(part, i), values] as const),
  )
  const tensors = arrays.map(([name, { length }]) => ({ name, dtype: 'F32', shape: [length] }) as const)
  const contents = arrays.map(
    ([, { buffer, byteOffset, byteLength }]) => new Uint8Array(buffer, byteOffset, byteLength),
  )
  await writeSafetensors(
    path,
    tensors,
    contents,
    new Map([
      ['identity', identity],
      ['step', `${step}`],
    ]),
  )
}

const nameOf = (part: string, place: number): string => `${part}.${place}`

/** A state of the same run, with the step after which it was saved; `null` when there is none. `like`: what it is made of. */
export async function loadState(
  path: string,
  identity: string,
  like: Values,
): Promise<{ readonly step: number; readonly state: State } | null> {
  const shard = await readShard(path).catch(() => null)
  if (shard === null || shard.metadata.get('identity') !== identity) return null
  const stored = new Map(shard.tensors.map((tensor) => [tensor.name, tensor]))
  const state = { weights: new Map(), sums: new Map(), squares: new Map() }
  for (const part of PARTS) {
    for (const [i, [key, { byteLength, length }]] of [...like].entries()) {
      const tensor = stored.get(nameOf(part, i))
      if (tensor?.bytes !== byteLength) return null
      const bytes = await readStored(tensor)
      state[part].set(key, new Float32Array(bytes.buffer, bytes.byteOffset, length))
    }
  }
  return { step: Number(shard.metadata.get('step')), state }
}
