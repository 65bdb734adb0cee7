/**
 * The base of a cycle: the current root, its model, and the root before it.
 *
 * A node that finds them at D of the last cycle, or after a restart, reads them alike: from the CID that two thirds of the
 * stake put on chain.
 */

import { fetchModel, fetchRoot } from '../library/document.ts'
import type { Blobs, Cancel, PeerAddress } from '../ports.ts'
import type { ModelManifest } from '../protocol/manifest.ts'
import type { Root } from '../protocol/root.ts'

export type Base = {
  readonly cid: string
  readonly root: Root
  readonly model: ModelManifest
  /** The root before it: what a group goes back to. The base itself, before the first cycle. */
  readonly before: { readonly root: Root; readonly model: ModelManifest }
}

/** `null` when a document is malformed: whoever signed for it is not two thirds of honest stake. */
export async function fetchBase(
  blobs: Blobs,
  cid: string,
  opts: { readonly from: readonly PeerAddress[] } & Cancel,
): Promise<Base | null> {
  const root = await fetchRoot(blobs, cid, opts)
  if (root === null) return null
  const parent = root.previous === null ? root : await fetchRoot(blobs, root.previous, opts)
  const model = await fetchModel(blobs, root.model, opts)
  const parentModel = parent === null ? null : await fetchModel(blobs, parent.model, opts)
  if (model === null || parent === null || parentModel === null) return null
  return { cid, root, model, before: { root: parent, model: parentModel } }
}
