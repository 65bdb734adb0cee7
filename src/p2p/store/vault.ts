/**
 * The two parts of a store. What is withheld lies in a part of its own that is never served: no mark can be lost that
 * would give it away. We ourselves read both.
 */
import type { CID } from 'multiformats/cid'
import { type BlockStore, Part, type PartDeps, type PutOptions } from './block-store.ts'
import type { Shelf } from './shelf.ts'

/** Blocks as we ourselves read them. */
export type BlockSource = Pick<BlockStore, 'get' | 'has'>

export type Vault = BlockSource & {
  readonly parts: readonly Part[]
  /** What others may have, and where what they gave us goes. */
  readonly open: BlockStore
  put(cid: CID, bytes: Uint8Array, opts: PutOptions & { readonly withheld: boolean }): Promise<void>
  /** Nothing happens when it is not withheld. */
  release(cid: CID): Promise<void>
  bytesOf(key: string): number | null
  sync(): Promise<void>
}

export async function openVault(
  shelves: { readonly open: Shelf; readonly sealed: Shelf },
  deps: PartDeps,
): Promise<Vault> {
  const open = await Part.open('open', shelves.open, deps)
  const sealed = await Part.open('sealed', shelves.sealed, deps)
  // A crash while something withheld was stored for everybody leaves it in both parts.
  for (const key of [...sealed.keys()]) if (open.bytesOf(key) !== null) await sealed.drop(key, () => false)

  const put: Vault['put'] = async (cid, bytes, { withheld, ...opts }) => {
    // What everybody has already is not withheld any more.
    if (withheld && !(await open.has(cid))) return sealed.put(cid, bytes, opts)
    await open.put(cid, bytes, opts)
    await sealed.delete(cid)
  }
  return {
    parts: [open, sealed],
    open: {
      get: (cid, opts) => open.get(cid, opts),
      has: (cid) => open.has(cid),
      put: (cid, bytes, opts) => put(cid, bytes, { ...opts, withheld: false }),
      delete: (cid) => open.delete(cid),
      cids: () => open.cids(),
      usedBytes: () => open.usedBytes(),
    },
    // Open again at last: what is released moves from the second into the first while we look.
    get: async (cid, opts) => (await open.get(cid, opts)) ?? (await sealed.get(cid, opts)) ?? open.get(cid, opts),
    has: async (cid) => (await open.has(cid)) || (await sealed.has(cid)) || open.has(cid),
    put,
    release: (cid) => sealed.moveTo(cid, open),
    bytesOf: (key) => open.bytesOf(key) ?? sealed.bytesOf(key),
    sync: async () => {
      await open.sync()
      await sealed.sync()
    },
  }
}
