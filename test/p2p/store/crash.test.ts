import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { crashOnce } from './crash-stage.ts'

const root = mkdtempSync(join(tmpdir(), 'store-crash-'))
afterAll(() => rmSync(root, { recursive: true }))

/** Many more, at random moments, in test/e2e/p2p-store.e2e.test.ts. */
test('a process killed in the middle of its work leaves everything that it had reported, and nothing half', async () => {
  let files = 0
  for (const [run, afterMs] of [40, 110, 190].entries()) files += (await crashOnce({ dir: root, run, afterMs })).files
  expect(files).toBeGreaterThan(0)
}, 30_000)
