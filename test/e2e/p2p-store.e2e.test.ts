/** The store under kill -9 at random moments, and its memory with a file that is larger than it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openStore } from '../../src/p2p/store/index.ts'
import { crashOnce } from '../p2p/store/crash-stage.ts'
import { MIB, plenty, signal, silent } from '../p2p/store/stage.ts'

const root = mkdtempSync(join(tmpdir(), 'store-e2e-'))
afterAll(() => rmSync(root, { recursive: true }))

test('forty processes killed one after the other while adding, releasing, pinning and retaining', async () => {
  const seed = Date.now() % 100_000
  let files = 0
  for (let run = 0; run < 40; run++) {
    const afterMs = (seed * 31 + run * 7919) % 300
    const crash = crashOnce({ dir: join(root, String(run % 4)), run, afterMs }).catch((error: unknown) => {
      throw new Error(`seed ${seed}, run ${run}, killed after ${afterMs} ms`, { cause: error })
    })
    files += (await crash).files
  }
  expect(files).toBeGreaterThan(100)
})

test('a file of a GiB goes in and out with less than 200 MiB of memory more than one of 64 MiB', async () => {
  const store = await openStore({ dir: join(root, 'large'), ...plenty }, { log: silent })
  async function* content(mib: number) {
    for (let i = 0; i < mib; i++) {
      const block = new Uint8Array(MIB)
      new DataView(block.buffer).setUint32(0, i)
      yield block
    }
  }
  const peakOf = async (mib: number) => {
    let peak = 0
    const { cid } = await store.addFile(content(mib), { signal })
    for await (const _ of store.readFile(cid, { signal })) peak = Math.max(peak, process.memoryUsage().rss)
    await store.gc({ signal })
    return peak
  }
  const small = await peakOf(64)
  expect((await peakOf(1024)) - small).toBeLessThan(200 * MIB)
})
