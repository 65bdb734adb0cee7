/** Kills a process that works on a store, opens the store again, and holds it to everything that was reported. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect } from 'vitest'
import { parseCid } from '../../../src/p2p/store/cid.ts'
import { type Damage, openStore, type Store } from '../../../src/p2p/store/index.ts'
import { contentOf, type Line } from './crash-content.ts'
import { collect, expectBytes, plenty, signal, silent } from './stage.ts'

const REPO = join(import.meta.dirname, '..', '..', '..')
const NODE = join(REPO, 'node_modules', 'node', 'bin', 'node')
const CHILD = join(import.meta.dirname, 'crash-child.ts')

type Reported = { readonly cid: string; state: 'sealed' | 'releasing' | 'open'; pinned: boolean }

/** How many files were held against the report. */
export async function crashOnce(dir: string, run: number, afterMs: number): Promise<number> {
  const reported = reportOf(await linesUntilKilled(dir, run, afterMs))
  const damages: Damage[] = []
  const store = await openStore({ dir, ...plenty }, { log: silent, onDamaged: (damage) => damages.push(damage) })
  for (const [id, file] of reported) await check(store, id, file)
  await checkAllBlocks(store)
  const pins = (await store.ls({ signal })).map(({ cid, name }) => `${name} ${cid}`)
  for (const [id, { cid, pinned }] of reported) if (pinned) expect(pins).toContain(`${id} ${cid}`)
  expect(damages).toEqual([])
  return reported.size
}

async function linesUntilKilled(dir: string, run: number, afterMs: number): Promise<readonly Line[]> {
  const child = spawn(NODE, ['--import', join(REPO, 'bin', 'quiet.js'), CHILD, dir, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (more: string) => {
    if (text === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    text += more
  })
  const [code, killedBy] = await once(child, 'close')
  expect([code, killedBy]).toEqual([null, 'SIGKILL'])
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
}

/** What must be there: what was reported stored, and was kept by every `retain` that was begun since. */
function reportOf(lines: readonly Line[]): ReadonlyMap<number, Reported> {
  const files = new Map<number, Reported>()
  for (const line of lines) {
    if (line.type === 'added') {
      files.set(line.id, { cid: line.cid, state: line.withheld ? 'sealed' : 'open', pinned: false })
    } else if (line.type === 'retaining') {
      for (const [id, { pinned }] of files) if (!line.ids.includes(id) && !pinned) files.delete(id)
    } else if (line.type !== 'ready' && line.type !== 'adding') {
      const file = files.get(line.id)
      if (file === undefined) continue
      if (line.type === 'pinned') file.pinned = true
      else file.state = line.type === 'released' ? 'open' : 'releasing'
    }
  }
  return files
}

async function check(store: Store, id: number, { cid: text, state }: Reported): Promise<void> {
  const cid = parseCid(text)
  if (cid === null) throw new Error(`file ${id} has no CID`)
  const layout = await store.fileLayout(cid, { signal })
  const blocks = [cid, ...(layout.kind === 'file' ? layout.leaves.map((leaf) => leaf.cid) : [])]
  expectBytes(await collect(store.readFile(cid, { signal })), contentOf(id).bytes)
  const served = await Promise.all(blocks.map((block) => store.blocks.has(block)))
  if (state !== 'releasing') expect(new Set(served), `file ${id}, ${state}`).toEqual(new Set([state === 'open']))
  await store.release(cid)
  expect(await Promise.all(blocks.map((block) => store.blocks.has(block)))).not.toContain(false)
}

/** None is half there: whatever is listed is sound. */
async function checkAllBlocks({ blocks }: Store): Promise<void> {
  for await (const { cid, bytes } of blocks.cids()) expect(await blocks.get(cid, { signal })).toHaveLength(bytes)
}
