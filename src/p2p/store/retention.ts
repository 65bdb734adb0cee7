/**
 * Who needs which block. A file needs its nodes and leaves; a document is one block, and needs nothing: who keeps a
 * manifest names what it points to. Everything that nobody needs is freed.
 */
import type { CID } from 'multiformats/cid'
import type { Cancel } from '../../ports.ts'
import { assert } from '../../util/assert.ts'
import { DAG_PB, keyOf, parseCid } from './cid.ts'
import { judgeNode } from './file-node.ts'
import type { Holds } from './hold.ts'
import type { Vault } from './vault.ts'

/**
 * All blocks of these, here or not: each once, whatever a stranger's tree repeats. Below a node that is not here, or is
 * none, nothing is known.
 */
export async function* reach(vault: Vault, roots: readonly CID[], opts: Cancel): AsyncGenerator<CID, void> {
  const seen = new Set<string>()
  const stack = [...roots].reverse()
  for (let cid = stack.pop(); cid !== undefined; cid = stack.pop()) {
    opts.signal.throwIfAborted()
    // A node's bytes may be kept as raw bytes too, and then its children are nobody's.
    const name = `${keyOf(cid)} ${cid.code === DAG_PB}`
    if (seen.has(name)) continue
    seen.add(name)
    yield cid
    if (cid.code !== DAG_PB) continue
    const block = await vault.get(cid, opts)
    const node = block === null ? null : judgeNode(cid, block)
    if (node?.kind !== 'node') continue
    for (const child of node.children.toReversed()) stack.push(child.cid)
  }
}

export type Freed = { readonly freedBytes: number }

/** What is stored while this runs stays, because it holds everything that comes. */
export async function retain(vault: Vault, holds: Holds, keep: readonly string[], opts: Cancel): Promise<Freed> {
  opts.signal.throwIfAborted()
  const hold = holds.open()
  try {
    const roots = keep.map((text) => {
      const cid = parseCid(text)
      assert(cid !== null, 'what is kept has a CID')
      return cid
    })
    const needed = new Set<string>()
    for await (const cid of reach(vault, [...roots, ...holds.roots()], opts)) needed.add(keyOf(cid) ?? '')
    let freedBytes = 0
    for (const part of vault.parts) {
      for (const key of part.keys()) {
        if (needed.has(key)) continue
        opts.signal.throwIfAborted()
        freedBytes += await part.drop(key, () => holds.has(key))
      }
    }
    return { freedBytes }
  } finally {
    hold.close()
  }
}

export type Share = { readonly bytes: number; readonly isWhole: boolean }

/** How many bytes of it are here, each block once, and whether that is all of them. */
export async function shareHere(vault: Vault, root: CID, opts: Cancel): Promise<Share> {
  const keys = new Set<string>()
  for await (const cid of reach(vault, [root], opts)) keys.add(keyOf(cid) ?? '')
  const sizes = [...keys].map((key) => vault.bytesOf(key))
  return { bytes: sizes.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0), isWhole: !sizes.includes(null) }
}

/** Whether every block is here, as far as lengths and names tell; damage shows when it is read. */
export async function isComplete(vault: Vault, root: CID, opts: Cancel): Promise<boolean> {
  for await (const cid of reach(vault, [root], opts)) if (!(await vault.has(cid))) return false
  return true
}
