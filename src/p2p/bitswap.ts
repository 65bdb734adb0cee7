/**
 * Brings a file into the store over bitswap: from other IPFS software, and in whatever form that has cut the file.
 *
 * Bitswap knows blocks alone, so the file is walked here: nodes are fetched until all leaves are known, then the leaves.
 * What is in the store already is not fetched, so a fetch that was killed goes on where it was.
 */
import type { CID } from 'multiformats/cid'
import { NodeError } from '../errors.ts'
import type { Cancel, Clock } from '../ports.ts'
import type { PullProgress } from './pull/index.ts'
import type { Store, StoreHelia } from './store/index.ts'
import { createPool } from './store/pool.ts'
import { gather } from './store/shelf.ts'

export type BitswapDeps = { readonly helia: StoreHelia; readonly store: Store; readonly clock: Clock }
export type BitswapOptions = Cancel & { readonly onProgress: (progress: PullProgress) => void }

/** Asked for at once: some MiB of leaves of other software, which have a quarter of one. */
const WANTS_MAX = 16
/** Nobody says that he has not got a block: who has sent nothing for so long has nothing. */
const SILENT_MS = 20_000

/** Throws BLOB_UNAVAILABLE when nothing comes any more, BLOB_MALFORMED when it is no file. */
export async function fetchOverBitswap(
  root: CID,
  { onProgress, signal }: BitswapOptions,
  { helia, store, clock }: BitswapDeps,
): Promise<void> {
  const silence = createSilence(clock)
  const failed = new AbortController()
  const either = AbortSignal.any([signal, silence.signal, failed.signal])
  const bring = async (cid: CID): Promise<void> => {
    try {
      await gather(helia.blockstore.get(cid, { signal: either }))
      silence.restart()
    } catch (error) {
      failed.abort(error) // what fails for one block, such as a full disk, fails for all: nobody waits for the others
      throw error
    }
  }
  const hold = store.hold(root)
  try {
    for (;;) {
      const layout = await store.fileLayout(root, { signal: either })
      if (layout.kind === 'malformed') throw malformed(root, layout.why)
      if (layout.kind === 'file') {
        await bringLeaves(layout, { store, bring, onProgress })
        return
      }
      await each(layout.missing, bring)
    }
  } catch (error) {
    if (silence.signal.aborted && !signal.aborted) throw unavailable(root)
    throw error
  } finally {
    silence.stop()
    hold.close()
  }
}

type Leaves = Extract<Awaited<ReturnType<Store['fileLayout']>>, { kind: 'file' }>
type LeafDeps = Pick<BitswapDeps, 'store'> &
  Pick<BitswapOptions, 'onProgress'> & { readonly bring: (cid: CID) => Promise<void> }

async function bringLeaves({ bytes, leaves }: Leaves, { store, bring, onProgress }: LeafDeps): Promise<void> {
  let doneBytes = 0
  await each(leaves, async (leaf) => {
    if (!(await store.blocks.has(leaf.cid))) await bring(leaf.cid)
    doneBytes += leaf.bytes
    onProgress({ doneBytes, totalBytes: bytes })
  })
}

async function each<T>(things: readonly T[], work: (thing: T) => Promise<void>): Promise<void> {
  const pool = createPool(WANTS_MAX)
  try {
    for (const thing of things) await pool.run(() => work(thing))
  } finally {
    await pool.done()
  }
}

type Silence = { readonly signal: AbortSignal; readonly restart: () => void; readonly stop: () => void }

/** Aborted when nothing was heard for too long. */
function createSilence(clock: Clock): Silence {
  const controller = new AbortController()
  const begin = (): unknown => clock.setTimeout(() => controller.abort(new Error('nothing comes any more')), SILENT_MS)
  let timer = begin()
  const stop = (): void => clock.clearTimeout(timer)
  const restart = (): void => {
    stop()
    timer = begin()
  }
  return { signal: controller.signal, restart, stop }
}

const unavailable = (root: CID): NodeError =>
  new NodeError('BLOB_UNAVAILABLE', {
    what: `${root} was not fetched`,
    why: `no peer that speaks bitswap has sent a block of it for ${SILENT_MS / 1_000} s`,
    data: { cid: String(root) },
  })

const malformed = (root: CID, why: string): NodeError =>
  new NodeError('BLOB_MALFORMED', { what: `${root} was not fetched`, why, data: { cid: String(root) } })
