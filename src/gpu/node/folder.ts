/**
 * Models of the network as directories: what an engine maps is a file, and what a network has is content by CID.
 *
 * A part of a model (the hub, the router, a group) is one safetensors file, named by its pages: what did not move between two
 * roots is the same file, linked and not written again.
 */
import { link, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { NodeError } from '../../errors.ts'
import { fetchModel, fetchPart, type Source } from '../../library/document.ts'
import { readTensor, type Tensors } from '../../library/tensor.ts'
import type { Cancel, ModelRef } from '../../ports.ts'
import { rawCidOf } from '../../protocol/codec.ts'
import { type ModelManifest, pagesOf } from '../../protocol/manifest.ts'
import { utf8 } from '../../util/bytes.ts'
import { compareText } from '../../util/compare.ts'
import { writeSafetensors } from '../model/safetensors-file.ts'

export type Folder = {
  /** The directory of a model, made when it is not there. */
  readonly open: (blobs: Source, model: ModelRef, opts: Cancel) => Promise<string>
}

/** The present root, the one before, and one that somebody still works with. */
const MODELS_MAX = 3
const PARTS = 'parts'

type Fetching = { readonly blobs: Source; readonly model: ModelRef } & Cancel

export function createFolder(root: string): Folder {
  /** Made by this process, the last used last. */
  const made: string[] = []
  let before: Promise<unknown> = Promise.resolve()

  const open = async (fetching: Fetching): Promise<string> => {
    const { manifest } = fetching.model
    const known = made.indexOf(manifest)
    if (known >= 0) made.splice(known, 1)
    else await make(root, fetching)
    made.push(manifest)
    for (const old of made.splice(0, made.length - MODELS_MAX))
      await rm(join(root, old), { recursive: true, force: true })
    await dropUnlinked(join(root, PARTS))
    return join(root, manifest)
  }
  return {
    // One after the other: the second who asks for a model finds it there.
    open: (blobs, model, { signal }) => {
      const mine = before.then(() => open({ blobs, model, signal }))
      before = mine.catch(() => undefined)
      return mine
    },
  }
}

async function make(root: string, fetching: Fetching): Promise<void> {
  const { blobs, model, signal } = fetching
  const path = join(root, model.manifest)
  const aside = `${path}.part`
  await rm(aside, { recursive: true, force: true })
  await mkdir(join(root, PARTS), { recursive: true })
  await mkdir(aside)
  const opts = { from: model.from, signal }
  const manifest = await fetchModel(blobs, model.manifest, opts)
  if (manifest === null) throw malformed(model)
  for (const { name, bytes, cid } of manifest.files) {
    await writeFile(join(aside, basename(name)), await blobs.get(cid, { bytesMax: bytes, ...opts }))
  }
  const places = new Map<string, string>()
  for (const { name } of manifest.parts) {
    const tensors = await fetchPart(blobs, manifest, name, opts)
    if (tensors === null) throw malformed(model)
    if (tensors.size === 0) continue
    const file = await partFile(join(root, PARTS), partName(manifest, name), tensors, fetching)
    await link(file, join(aside, basename(file)))
    for (const tensor of tensors.keys()) places.set(tensor, basename(file))
  }
  const index = { metadata: {}, weight_map: Object.fromEntries(places) }
  await writeFile(join(aside, 'model.safetensors.index.json'), JSON.stringify(index))
  await rm(path, { recursive: true, force: true })
  await rename(aside, path)
}

/** By the pages, so equal parts of two models have one name. */
const partName = (manifest: ModelManifest, part: string): string =>
  `${rawCidOf(utf8(pagesOf(manifest, part).join(' ')))}.safetensors`

async function partFile(folder: string, name: string, tensors: Tensors, fetching: Fetching): Promise<string> {
  const path = join(folder, name)
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  if (isThere) return path
  const { blobs, model, signal } = fetching
  const entries = [...tensors.values()].toSorted((a, b) => compareText(a.name, b.name))
  async function* contents(): AsyncGenerator<Uint8Array> {
    for (const entry of entries) yield await readTensor(blobs, entry, model.from, { signal })
  }
  await writeSafetensors(path, entries, contents())
  return path
}

/** Parts that no model links any more. */
async function dropUnlinked(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const { nlink } = await stat(join(folder, name))
    if (nlink === 1) await rm(join(folder, name), { force: true })
  }
}

const malformed = ({ manifest }: ModelRef): NodeError =>
  new NodeError('ROOT_MALFORMED', {
    what: `the model ${manifest} is not well-formed`,
    why: 'a page or the manifest is not',
  })
