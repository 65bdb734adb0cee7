/**
 * Works on a store without end, until it is killed. Says on standard output what it begins and what was reported done, one
 * line each, written at once: `crash-stage.ts` holds the store to it.
 */
import { writeSync } from 'node:fs'
import { CID } from 'multiformats/cid'
import { NodeError } from '../../../src/errors.ts'
import type { Pull } from '../../../src/p2p/pull/index.ts'
import { openStore } from '../../../src/p2p/store/index.ts'
import { contentOf, foreignId, type Line, type Order } from './crash-content.ts'
import { MIB, pieces, signal, silent } from './stage.ts'

const { dir, run, quotaBytes, foreign }: Order = JSON.parse(process.argv[2] ?? '')
const say = (line: Line): void => void writeSync(1, `${JSON.stringify(line)}\n`)

/** xorshift, because a failure must be told by its seed. */
let state = run * 7919 + 1
const draw = (max: number): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % max
}

const store = await openStore({ dir, quotaBytes, freeBytesMin: 0 }, { log: silent })
const pull = foreign === null ? null : await startPull()
const live = new Map<number, { readonly cid: CID; readonly withheld: boolean }>()
say({ type: 'ready' })

/** Loaded only where it is needed: it takes longer than most of these processes live. */
async function startPull(): Promise<Pull> {
  const { createPull } = await import('../../../src/p2p/pull/index.ts')
  const { clock, createHost } = await import('../pull/stage.ts')
  return createPull({ libp2p: await createHost(), store: store.blocks, clock, log: silent })
}

async function add(id: number): Promise<void> {
  const withheld = draw(2) === 0
  const { bytes, cuts } = contentOf(id)
  say({ type: 'adding', id })
  const { cid } = await store.addFile(pieces(bytes, 30_000), { cuts, withheld, signal })
  live.set(id, { cid, withheld })
  say({ type: 'added', id, cid: cid.toString(), withheld })
}

/** As a node does it: the content is held while it comes, and belongs to what it keeps from then on. */
async function fetch(): Promise<void> {
  if (pull === null || foreign === null) return
  const i = draw(foreign.cids.length)
  const [id, cid] = [foreignId(i), CID.parse(foreign.cids[i] ?? '')]
  const hold = store.hold(cid)
  try {
    await pull.fetch(cid, { bytesMax: MIB, from: [foreign.from], signal })
    live.set(id, { cid, withheld: false })
    say({ type: 'added', id, cid: cid.toString(), withheld: false })
  } finally {
    hold.close()
  }
}

async function release(): Promise<void> {
  for (const [id, file] of live) {
    if (!file.withheld || draw(2) === 0) continue
    say({ type: 'releasing', id })
    await store.release(file.cid)
    live.set(id, { ...file, withheld: false })
    say({ type: 'released', id })
    return
  }
}

async function pin(): Promise<void> {
  for (const [id, { cid }] of live) {
    if (draw(3) > 0) continue
    await store.pin(cid, { name: String(id), cycle: id })
    say({ type: 'pinned', id })
    return
  }
}

async function retain(): Promise<void> {
  for (const id of live.keys()) if (draw(2) === 0) live.delete(id)
  const cids = [...live.values()].map(({ cid }) => cid.toString())
  say({ type: 'retaining', ids: [...live.keys()] })
  await store.retain(new Set(cids), { signal })
}

/** Takes every name away, those of earlier runs among them. */
async function makeRoom(): Promise<void> {
  say({ type: 'full' })
  for (const { cid, name } of await store.ls({ signal })) {
    say({ type: 'unpinning', id: Number(name) })
    await store.unpin(CID.parse(cid), name)
  }
  await retain()
}

setInterval(() => say({ type: 'memory', rssMib: process.memoryUsage.rss() / MIB }), 1_000)
for (let id = run * 1_000_000; ; id += 2) {
  const tries = await Promise.allSettled([add(id), add(id + 1), release(), fetch()])
  const failures = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  const failure = failures.find((each) => !(each instanceof NodeError && each.code === 'DISK_QUOTA'))
  if (failure !== undefined) throw failure
  if (failures.length > 0) await makeRoom()
  if (draw(3) === 0) await pin()
  if (draw(4) === 0) await retain()
}
