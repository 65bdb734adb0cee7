/** What the killed process stores: its content is told by a number, so that it can be checked without it. */
export type Line =
  | { readonly type: 'ready' }
  | { readonly type: 'adding'; readonly id: number }
  | { readonly type: 'added'; readonly id: number; readonly cid: string; readonly withheld: boolean }
  | { readonly type: 'releasing' | 'released' | 'pinned'; readonly id: number }
  | { readonly type: 'retaining'; readonly ids: readonly number[] }

const LEAF_BYTES = 20_000

export function contentOf(id: number): { readonly bytes: Uint8Array; readonly cuts: readonly number[] } {
  const bytes = new Uint8Array((id % 5) * LEAF_BYTES + 100)
  // Every leaf is different, and that of no other number.
  for (let at = 0; at < bytes.length; at += 100) new DataView(bytes.buffer).setFloat64(at, id + at / 1_000_000)
  const cuts = Array.from({ length: 5 }, (_, i) => (i + 1) * LEAF_BYTES)
  return { bytes, cuts }
}
