/**
 * Works on a store without end, until it is killed. Says on standard output what it begins and what was reported done, one
 * line each, written at once: `crash-stage.ts` holds the store to it.
 */
import { writeSync } from 'node:fs'
import { type AddedFile, openStore } from '../../../src/p2p/store/index.ts'
import { contentOf, type Line } from './crash-content.ts'

const [dir = '', run = '0'] = process.argv.slice(2)
const signal = new AbortController().signal
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const say = (line: Line): void => void writeSync(1, `${JSON.stringify(line)}\n`)

/** xorshift, because a failure must be told by its seed. */
let state = Number(run) * 7919 + 1
const draw = (max: number): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % max
}

const store = await openStore({ dir, quotaBytes: 10 ** 12, freeBytesMin: 0 }, { log })
const live = new Map<number, AddedFile & { withheld: boolean }>()
say({ type: 'ready' })

async function add(id: number): Promise<void> {
  const withheld = draw(2) === 0
  const { bytes, cuts } = contentOf(id)
  say({ type: 'adding', id })
  const added = await store.addFile(pieces(bytes), { cuts, withheld, signal })
  live.set(id, { ...added, withheld })
  say({ type: 'added', id, cid: added.cid.toString(), withheld })
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 30_000) yield bytes.subarray(at, at + 30_000)
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

for (let id = Number(run) * 1_000_000; ; id += 2) {
  await Promise.all([add(id), add(id + 1), release()])
  if (draw(3) === 0) await pin()
  if (draw(4) === 0) await retain()
}
