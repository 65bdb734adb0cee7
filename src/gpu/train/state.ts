/**
 * The state of a training run on disk: weights and what the optimiser remembers, as safetensors. Whole under its name or not
 * at all, so a kill at any moment costs at most the steps since the last save.
 */
import { readShard, readStored } from '../model/checkpoint.ts'
import { writeSafetensors } from '../model/safetensors-file.ts'
import type { Slot } from './adamw.ts'

const PARTS = ['weights', 'sums', 'squares'] as const

export async function saveState(
  path: string,
  identity: string,
  step: number,
  slots: ReadonlyMap<string, Slot>,
): Promise<void> {
  const arrays = arraysOf(slots)
  const tensors = arrays.map(({ length }, i) => ({ name: nameOf(i), dtype: 'F32', shape: [length] }) as const)
  const contents = arrays.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength))
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

const nameOf = (place: number): string => `t${place}`
const arraysOf = (slots: ReadonlyMap<string, Slot>): readonly Float32Array[] =>
  [...slots.values()].flatMap((slot) => PARTS.map((part) => slot[part]))

/** Puts a state of the same run into the slots and says after which step it was saved; 0 when there is none. */
export async function loadState(path: string, identity: string, slots: ReadonlyMap<string, Slot>): Promise<number> {
  const shard = await readShard(path).catch(() => null)
  if (shard === null || shard.metadata.get('identity') !== identity) return 0
  const arrays = arraysOf(slots)
  for (const [i, array] of arrays.entries()) {
    const stored = shard.tensors.find(({ name }) => name === nameOf(i))
    if (stored?.bytes !== array.byteLength) return 0
    const bytes = await readStored(stored)
    array.set(new Float32Array(bytes.buffer, bytes.byteOffset, array.length))
  }
  return Number(shard.metadata.get('step'))
}
