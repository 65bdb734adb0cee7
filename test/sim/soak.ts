/**
 * The store for as long as one likes: one process works on it, is killed at random moments, and begins again in the same
 * directory; beside it another works on and on, which shows whether memory grows. Both add, fetch from a peer, withhold,
 * release, pin, unpin and free, in a place that is too small for all of it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { servePull } from '../../src/p2p/pull/serve.ts'
import { openMemoryStore } from '../../src/p2p/store/index.ts'
import { addressOf, clock, createHost, SILENT } from '../p2p/pull/stage.ts'
import { contentOf, type Foreign, foreignId, type Line } from '../p2p/store/crash-content.ts'
import { type Crashed, crashOnce } from '../p2p/store/crash-stage.ts'
import { MIB, pieces, plenty, signal } from '../p2p/store/stage.ts'

const FOREIGN_FILES = 50
const QUOTA_BYTES = MIB
/** Most processes die young, as those do that meet their fault at once; some live long enough to fill the place often. */
const LIVES_MS = [100, 400, 1_500, 6_000]

export type Soaked = {
  readonly kills: number
  /** Held against what was reported before a kill. */
  readonly files: number
  readonly did: Readonly<Record<Line['type'], number>>
  /** Of the process that is never killed but at the end: in the first fifth of its life, and in the last. */
  readonly rssMib: readonly [number, number]
  /** What did not hold, with the number of the run. */
  readonly errors: readonly string[]
}

export async function soakStore(minutes: number, seed: number): Promise<Soaked> {
  const dir = mkdtempSync(join(tmpdir(), 'soak-'))
  const [host, foreign, store] = await serveForeign()
  const server = await servePull({ libp2p: host, store, clock, log: SILENT })
  const endMs = performance.now() + minutes * 60_000
  const errors: string[] = []
  const told = (run: string) => (error: unknown) => {
    errors.push(`${run}: ${error instanceof Error ? error.message : String(error)}`)
    return { files: 0, lines: [] }
  }
  const order = { quotaBytes: QUOTA_BYTES, foreign }
  try {
    const long = crashOnce({ ...order, dir: join(dir, 'long'), run: 0, afterMs: minutes * 60_000 }).catch(told('long'))
    const short: Crashed[] = []
    for (let run = seed; performance.now() < endMs; run++) {
      const lifeMs = LIVES_MS[run % LIVES_MS.length] ?? 0
      const afterMs = (run * 7_919) % lifeMs
      short.push(
        await crashOnce({ ...order, dir: join(dir, 'short'), run, afterMs }).catch(told(`run ${run}, ${afterMs} ms`)),
      )
    }
    return { ...summed([...short, await long]), rssMib: rssOf((await long).lines), errors }
  } finally {
    await server.close()
    await host.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A peer that has what is fetched. */
async function serveForeign() {
  const store = await openMemoryStore(plenty, { log: SILENT })
  const cids: string[] = []
  for (let i = 0; i < FOREIGN_FILES; i++) {
    const { bytes, cuts } = contentOf(foreignId(i))
    cids.push(String((await store.addFile(pieces(bytes), { cuts, signal })).cid))
  }
  const host = await createHost()
  const foreign: Foreign = { from: addressOf(host), cids }
  return [host, foreign, store.blocks] as const
}

function summed(crashes: readonly Crashed[]): Pick<Soaked, 'kills' | 'files' | 'did'> {
  const did: Record<string, number> = {}
  for (const { lines } of crashes) for (const { type } of lines) did[type] = (did[type] ?? 0) + 1
  const files = crashes.reduce((sum, each) => sum + each.files, 0)
  return { kills: crashes.length, files, did: did as Soaked['did'] }
}

function rssOf(lines: readonly Line[]): readonly [number, number] {
  const samples = lines.flatMap((line) => (line.type === 'memory' ? [line.rssMib] : []))
  const fifth = Math.ceil(samples.length / 5)
  return [Math.max(...samples.slice(0, fifth)), Math.max(...samples.slice(-fifth))]
}
