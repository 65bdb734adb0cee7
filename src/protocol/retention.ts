/**
 * Retention: what a node keeps, by reachability (protocol §9, security notes).
 *
 * "The last N cycles" would lose an expert that no cycle has changed for long and that the model still uses. Kept is what
 * can be reached from the current root, the one before it, the one whose routing rows are in force, the submissions of the
 * open cycle, and the documents (not the tensors) of the roots in the reward window. Nothing else.
 */
import type { ModelManifest, Submission, TensorPage } from './manifest.ts'
import type { Root } from './root.ts'

/** The documents at hand, by CID. What is not at hand is kept by its CID alone. */
export type Documents = {
  readonly root: (cid: string) => Root | undefined
  readonly model: (cid: string) => ModelManifest | undefined
  readonly page: (cid: string) => TensorPage | undefined
  readonly submission: (cid: string) => Submission | undefined
}

export type Held = {
  readonly current: string
  /** Cycles of which the roots' documents stay: the reward window. */
  readonly windowCycles: number
  /** Manifests of the open cycle. */
  readonly submissions: readonly string[]
  /** Whatever else the open cycle needs whole: constitutions, reports, shards. */
  readonly others: readonly string[]
}

/** Every CID that must stay. The walk follows at most as many roots as the reward window has cycles. */
export function retained(held: Held, documents: Documents): ReadonlySet<string> {
  const kept = new Set<string>(held.others)
  const current = documents.root(held.current)
  for (const cid of [held.current, current?.previous, current?.routerRoot]) {
    if (cid == null) continue
    kept.add(cid)
    const root = documents.root(cid)
    if (root !== undefined) keepModel(root.model, documents, kept)
  }
  const oldest = (current?.cycle ?? 0) - held.windowCycles
  let at: string | null = held.current
  for (let step = 0; at !== null && step < held.windowCycles; step++) {
    const root = documents.root(at)
    if (root !== undefined && root.cycle <= oldest) break
    // An amendment waits for its first block, referred to by the root that adopted it alone.
    for (const cid of [at, root?.network, root?.constitution, root?.amendment]) if (cid != null) kept.add(cid)
    at = root?.previous ?? null
  }
  for (const submission of held.submissions) {
    kept.add(submission)
    for (const tensor of documents.submission(submission)?.tensors ?? []) kept.add(tensor.cid)
  }
  return kept
}

function keepModel(cid: string, documents: Documents, kept: Set<string>): void {
  kept.add(cid)
  const model = documents.model(cid)
  for (const file of model?.files ?? []) kept.add(file.cid)
  for (const page of model?.parts.flatMap((part) => part.pages) ?? []) {
    kept.add(page)
    for (const tensor of documents.page(page)?.tensors ?? []) kept.add(tensor.cid)
  }
}
