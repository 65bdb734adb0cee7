/**
 * Writes one file or document as a CARv1, root first, each block once in the order of a walk: what `ipfs dag import` and
 * every other IPFS software reads. What is withheld is never in it.
 */
import { CarWriter } from '@ipld/car'
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import type { Cancel } from '../../ports.ts'
import { reach } from './retention.ts'
import type { Vault } from './vault.ts'

/** Takes the next bytes of a file; the next but one come when its promise resolves. */
export type Sink = (bytes: Uint8Array) => Promise<void>

export async function exportCar(vault: Vault, root: CID, sink: Sink, opts: Cancel): Promise<void> {
  const { writer, out } = CarWriter.create([root])
  const feed = async (): Promise<void> => {
    for await (const cid of reach(vault, [root], opts)) {
      const bytes = await vault.open.get(cid, opts)
      if (bytes === null) throw unavailable(root, cid)
      await writer.put({ cid, bytes })
    }
  }
  // Feeding waits for the sink and the sink for the feed, so both run, and the first failure ends both.
  const fed = feed().finally(() => writer.close())
  fed.catch(() => undefined)
  for await (const bytes of out) await sink(bytes)
  await fed
}

const unavailable = (root: CID, cid: CID): NodeError =>
  new NodeError('BLOB_UNAVAILABLE', {
    what: `${root} was not exported`,
    why: `its block ${cid} is not here, or is withheld`,
    data: { cid: cid.toString() },
  })
