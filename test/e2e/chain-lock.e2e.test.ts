import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createChain } from '../../src/chain/client.ts'
import { createSigners, NETUID, SILENT } from './chain-stage.ts'

const [alice, bob] = await createSigners()
const deps = {
  clock: { now: () => performance.now(), setTimeout, clearTimeout },
  random: { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) },
  log: SILENT,
}
/** Nobody listens there: what is opened first is files. */
const options = { endpoints: ['ws://127.0.0.1:1'], genesis: null, netuid: NETUID, blockMs: 250 }

test('one process writes with a key, and a journal that cannot be read leaves it free', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
  const open = (signer: typeof alice) => createChain({ ...options, dir }, { ...deps, signer })
  const first = await open(alice)
  await expect(open(alice)).rejects.toMatchObject({ code: 'DATA_IN_USE' })
  const other = await open(bob)
  first.stop()
  other.stop()

  const path = join(dir, `${alice.address}.writes`)
  writeFileSync(path, 'not a line of ours\nnor this\nnor that\n')
  await expect(open(alice)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
  expect(readFileSync(path, 'utf8')).toContain('not a line of ours')
  rmSync(path)
  const again = await open(alice)
  again.stop()
  rmSync(dir, { recursive: true })
})
