/** Models to work on, and deltas of them that are the same on every run and machine: bits are flipped, nothing computed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openCheckpoint, readStored, type StoredTensor } from '../../../src/gpu/model/checkpoint.ts'
import type { NamedBytes } from '../../../src/gpu/model/delta.ts'
import { writeSafetensors } from '../../../src/gpu/model/safetensors-file.ts'

export const modelPath = (name: string): string => join(import.meta.dirname, '..', '..', 'fixtures', 'models', name)
export const silent = (): void => undefined

/** A directory of a test file, gone after it. */
export function createStage(): (name: string) => string {
  const root = mkdtempSync(join(tmpdir(), 'model-job-'))
  afterAll(() => rmSync(root, { recursive: true }))
  return (name) => join(root, name)
}

/** Low bits only, so that everything stays finite and near. */
export function flipped(bytes: Uint8Array, width: number, seed: number): Uint8Array {
  let state = seed >>> 0
  return bytes.map((byte, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return i % width === 0 ? byte ^ (state >>> 24) : byte
  })
}

export async function writeDelta(
  directory: string,
  names: readonly string[],
  path: string,
  seed: number,
): Promise<string> {
  const { tensors } = await openCheckpoint(directory)
  const made: NamedBytes[] = []
  for (const name of names) {
    const tensor = tensors.get(name) as StoredTensor
    const bytes = flipped(await readStored(tensor), tensor.dtype === 'F32' ? 4 : 2, seed)
    made.push({ ...tensor, bytes })
  }
  await writeTensors(path, made)
  return path
}

export const writeTensors = (path: string, tensors: readonly NamedBytes[]): Promise<unknown> =>
  writeSafetensors(
    path,
    tensors,
    tensors.map(({ bytes }) => bytes),
  )
