/** A fetch into a store of which one block is missing and another one is damaged, which shows late. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createStage, MIB } from './checkpoint-stage.ts'

const stage = createStage()
afterEach(stage.end)

test('brings both, counts both, and names its address once', async () => {
  const { path, run, serve, start, makeFile } = stage
  const { last: added } = await run('add', makeFile('f.bin', 4 * MIB), '--dir', path('a'))
  const server = await serve('--dir', path('a'), '--private')
  const words = ['get', added.cid, '--from', server.address, '--dir', path('b')]
  expect((await run(...words)).exit).toBe(0)
  const open = path('b/open')
  const files = readdirSync(open, { recursive: true, encoding: 'utf8' }).map((name) => join(open, name))
  const leaves = files.filter((name) => name.endsWith('.data') && readFileSync(name).length === MIB)
  const [missing = '', damaged = ''] = leaves
  rmSync(missing)
  writeFileSync(damaged, new Uint8Array(MIB))

  const again = start(...words, '--listen', '/ip4/127.0.0.1/tcp/0', '--out', 'g.bin')
  expect(await again.ended).toBe(0)
  const lines = again.out().trim().split('\n')
  expect(lines.map((line) => Object.keys(JSON.parse(line))[0])).toEqual(['peerId', 'damaged', 'cid'])
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ sha256: added.sha256, receivedBytes: 2 * MIB })
  expect(await server.stop()).toBe(0)
})
