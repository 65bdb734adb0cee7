/** What the killed process stores: its content is told by a number, so that it can be checked without it. */
import type { PeerAddress } from '../../../src/ports.ts'

export type Line =
  | { readonly type: 'ready' }
  | { readonly type: 'adding'; readonly id: number }
  | { readonly type: 'added'; readonly id: number; readonly cid: string; readonly withheld: boolean }
  | { readonly type: 'releasing' | 'released' | 'pinned' | 'unpinning'; readonly id: number }
  | { readonly type: 'retaining'; readonly ids: readonly number[] }
  /** There was no room, and now some is made. */
  | { readonly type: 'full' }
  /** Of the process itself, every second. */
  | { readonly type: 'memory'; readonly rssMib: number }

/** What the process is told on its command line, as JSON. */
export type Order = {
  readonly dir: string
  readonly run: number
  readonly quotaBytes: number
  readonly foreign: Foreign | null
}
/** Files that are fetched from a peer, and never added: `foreignId` of the place in the list is their number. */
export type Foreign = { readonly from: PeerAddress; readonly cids: readonly string[] }
export const foreignId = (i: number): number => 10 ** 12 + i

const LEAF_BYTES = 20_000

export function contentOf(id: number): { readonly bytes: Uint8Array; readonly cuts: readonly number[] } {
  const bytes = new Uint8Array((id % 5) * LEAF_BYTES + 100)
  // Every leaf is different, and that of no other number.
  for (let at = 0; at < bytes.length; at += 100) new DataView(bytes.buffer).setFloat64(at, id + at / 1_000_000)
  const cuts = Array.from({ length: 5 }, (_, i) => (i + 1) * LEAF_BYTES)
  return { bytes, cuts }
}
