/** Kills a process that works on a store, opens the store again, and holds it to everything that was reported. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseCid } from '../../../src/p2p/store/cid.ts'
import { type Damage, openStore, type Store } from '../../../src/p2p/store/index.ts'
import { contentOf, type Line, type Order } from './crash-content.ts'
import { collect, expectBytes, plenty, signal, silent } from './stage.ts'

const REPO = join(import.meta.dirname, '..', '..', '..')
const NODE = join(REPO, 'node_modules', 'node', 'bin', 'node')
const CHILD = join(import.meta.dirname, 'crash-child.ts')

type Reported = { readonly cid: string; state: 'sealed' | 'releasing' | 'open'; pinned: boolean }

export type Crash = Partial<Order> & { readonly dir: string; readonly run: number; readonly afterMs: number }
export type Crashed = {
  /** How many were held against the report. */
  readonly files: number
  readonly lines: readonly Line[]
}

export async function crashOnce({ afterMs, ...order }: Crash): Promise<Crashed> {
  const { dir, quotaBytes } = { ...plenty, ...order }
  const lines = await linesUntilKilled({ foreign: null, quotaBytes, ...order }, afterMs)
  const reported = reportOf(lines)
  const damages: Damage[] = []
  const store = await openStore({ ...plenty, dir }, { log: silent, onDamaged: (damage) => damages.push(damage) })
  assert.ok(store.usedBytes() <= quotaBytes, `${store.usedBytes()} bytes of ${quotaBytes}`)
  for (const [id, file] of reported) await check(store, id, file)
  await checkAllBlocks(store)
  const pins = (await store.ls({ signal })).map(({ cid, name }) => `${name} ${cid}`)
  for (const [id, { cid, pinned }] of reported)
    if (pinned) assert.ok(pins.includes(`${id} ${cid}`), `${id} is not pinned`)
  assert.deepEqual(damages, [])
  await store.close()
  return { files: reported.size, lines }
}

async function linesUntilKilled(order: Order, afterMs: number): Promise<readonly Line[]> {
  const child = spawn(NODE, ['--import', join(REPO, 'bin', 'quiet.js'), CHILD, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (more: string) => {
    if (text === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    text += more
  })
  const [code, killedBy] = await once(child, 'close')
  assert.deepEqual([code, killedBy], [null, 'SIGKILL'])
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
    } else if ('id' in line && line.type !== 'adding') {
      const file = files.get(line.id)
      if (file === undefined) continue
      if (line.type === 'pinned' || line.type === 'unpinning') file.pinned = line.type === 'pinned'
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
  if (state !== 'releasing') assert.deepEqual(new Set(served), new Set([state === 'open']), `file ${id}, ${state}`)
  await store.release(cid)
  assert.ok(
    !(await Promise.all(blocks.map((block) => store.blocks.has(block)))).includes(false),
    `file ${id}, released`,
  )
}

/** None is half there: whatever is listed is sound. */
async function checkAllBlocks({ blocks }: Store): Promise<void> {
  for await (const { cid, bytes } of blocks.cids()) assert.equal((await blocks.get(cid, { signal }))?.length, bytes)
}
