/**
 * Documents by CID: fetches them through the Blobs port and reads them through the protocol.
 *
 * A document that is not well-formed is as good as one that cannot be fetched: `null`, with the reason for the log. Only
 * the world's failures throw.
 */
import type { Blobs, Cancel, PeerAddress } from '../ports.ts'
import { MANIFEST_BYTES_MAX, ROOT_BYTES_MAX, TENSORS_MAX } from '../protocol/limits.ts'
import {
  decodeModel,
  decodePage,
  decodeSubmission,
  encodeModel,
  encodePage,
  type ModelManifest,
  pagesOf,
  type Submission,
  type TensorEntry,
} from '../protocol/manifest.ts'
import { decodeRoot, type Root } from '../protocol/root.ts'
import { Flaw } from '../protocol/schema.ts'

/** Where documents are fetched from. */
export type Source = Pick<Blobs, 'get'>
type Fetch = { readonly from: readonly PeerAddress[] } & Cancel

async function fetchDocument<T>(
  blobs: Source,
  cid: string,
  bytesMax: number,
  read: (bytes: Uint8Array) => T | Flaw,
  { from, signal }: Fetch,
): Promise<T | null> {
  const document = read(await blobs.get(cid, { bytesMax, from, signal }))
  return document instanceof Flaw ? null : document
}

export const fetchRoot = (blobs: Source, cid: string, opts: Fetch): Promise<Root | null> =>
  fetchDocument(blobs, cid, ROOT_BYTES_MAX, decodeRoot, opts)

export const fetchModel = (blobs: Source, cid: string, opts: Fetch): Promise<ModelManifest | null> =>
  fetchDocument(blobs, cid, MANIFEST_BYTES_MAX, decodeModel, opts)

export const fetchSubmission = (blobs: Source, cid: string, opts: Fetch): Promise<Submission | null> =>
  fetchDocument(blobs, cid, MANIFEST_BYTES_MAX, decodeSubmission, opts)

/** All tensors of one part of a model, by name; `null` when a page is malformed. */
export async function fetchPart(
  blobs: Source,
  model: ModelManifest,
  part: string,
  opts: Fetch,
): Promise<ReadonlyMap<string, TensorEntry> | null> {
  const tensors = new Map<string, TensorEntry>()
  for (const cid of pagesOf(model, part)) {
    const page = await fetchDocument(blobs, cid, MANIFEST_BYTES_MAX, decodePage, opts)
    if (page === null) return null
    for (const tensor of page.tensors) tensors.set(tensor.name, tensor)
  }
  return tensors
}

/** Stores a part again with some tensors replaced; the CIDs of its new pages. */
export async function storePart(
  blobs: Blobs,
  part: ReadonlyMap<string, TensorEntry>,
  changed: readonly TensorEntry[],
  { signal }: Cancel,
): Promise<readonly string[]> {
  const replaced = new Map(changed.map((tensor) => [tensor.name, tensor]))
  const tensors = [...part.values()].map((tensor) => replaced.get(tensor.name) ?? tensor)
  const pages: string[] = []
  for (let at = 0; at < tensors.length; at += TENSORS_MAX) {
    const page = encodePage({ tensors: tensors.slice(at, at + TENSORS_MAX) })
    pages.push(await blobs.put(page, { codec: 'dag-cbor', withheld: false, signal }))
  }
  return pages
}

export const storeModel = (blobs: Blobs, model: ModelManifest, { signal }: Cancel): Promise<string> =>
  blobs.put(encodeModel(model), { codec: 'dag-cbor', withheld: false, signal })
