/** Groups in files, as a track of a constitution has them: what selection writes, and training reads. */
import { writeFile } from 'node:fs/promises'
import { NodeError } from '../../errors.ts'
import { readJson } from '../model/checkpoint.ts'
import { unwritable } from '../model/safetensors-file.ts'

/** Values and seats are for people to decide. */
export type Groups = {
  readonly groups: readonly { readonly name: string; readonly domain: string; readonly tensors: readonly string[] }[]
  readonly router: { readonly tensors: readonly string[] }
}
/** One of them. */
export type GroupSpec = { readonly path: string; readonly name: string }

/** A line for every tensor of every expert. */
const BYTES_MAX = 64 * 2 ** 20

export async function writeGroups(path: string, { groups, router }: Groups): Promise<void> {
  const text = `${JSON.stringify({ groups, router }, null, 2)}\n`
  await writeFile(path, text, { flush: true }).catch((cause) => {
    throw unwritable(path, cause)
  })
}

/** The tensors of a group; whether the model has them is for others to say. */
export async function readGroup({ path, name }: GroupSpec): Promise<readonly string[]> {
  const json = (await readJson(path, BYTES_MAX)) as { readonly groups?: unknown } | null
  const groups = Array.isArray(json?.groups) ? (json.groups as readonly unknown[]) : []
  const names: unknown[] = []
  for (const group of groups) {
    const { name: own, tensors } = (group ?? {}) as { readonly name?: unknown; readonly tensors?: unknown }
    names.push(own)
    if (own !== name || !Array.isArray(tensors)) continue
    if (tensors.length > 0 && tensors.every((tensor) => typeof tensor === 'string')) return tensors
  }
  throw new NodeError('DATA_INVALID', {
    what: `${path} has no group ${name} with tensors`,
    why: names.length === 0 ? 'it has no groups' : `it has ${names.map((own) => JSON.stringify(own)).join(', ')}`,
    remedy: 'Name one of its groups; `wheelwright model select` writes such files.',
    data: { path },
  })
}
