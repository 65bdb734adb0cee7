/** A file system that is full: what the commands say of it, and what is left when they have ended. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest'
import { openStore } from '../../src/p2p/store/index.ts'
import { collect, expectBytes, noise, pieces, plenty, signal, silent } from '../p2p/store/stage.ts'
import { createStage, MIB, type Stage } from './checkpoint-stage.ts'

/** What the commands leave to others on every disk, and what a test has besides. Only what is written takes memory. */
const [KEPT_MIB, ROOM_MIB] = [1_024, 24]

let stage: Stage
let disk: string
let unmounted: string | null
beforeEach(() => {
  stage = createStage()
  disk = stage.path('disk')
  mkdirSync(disk)
  unmounted = mount(disk, KEPT_MIB + ROOM_MIB)
})
afterEach(() => {
  stage.kill()
  spawnSync('umount', ['-l', disk])
  stage.end()
})

/** Why there is none, or null. */
function mount(path: string, mib: number): string | null {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', path], {
    encoding: 'utf8',
  })
  return status === 0 ? null : (error?.message ?? stderr).trim()
}

const demandMount = (context: TestContext): void => {
  if (unmounted !== null) context.skip(`no small file system can be mounted here: ${unmounted}`)
}

/** Takes all that is left, as another program may. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  const zeros = Buffer.alloc(MIB)
  try {
    for (;;) writeSync(file, zeros)
  } catch {
    // It is full.
  } finally {
    closeSync(file)
  }
}

/** Whatever ended early, the store is open to the next command, and all that it holds is sound and whole. */
async function expectSound(dir: string): Promise<void> {
  const { exit, last } = await stage.run('verify', '--dir', dir)
  expect([exit, last.damaged, last.missing]).toEqual([0, [], []])
  expect(readdirSync(join(dir, 'open', 'fresh'))).toEqual([])
}

const full = {
  code: 'DISK_QUOTA',
  what: expect.stringContaining('a block was not stored'),
  why: expect.stringMatching(/^the disk has \d+ bytes free and keeps \d+; the store holds \d+ of at most \d+ bytes$/),
  remedy: expect.stringContaining('larger disk'),
}

test('a file larger than the disk is refused, gc frees what came of it, and a smaller one goes in', async (context) => {
  demandMount(context)
  const { run, serve, makeFile, path } = stage
  const [large, small] = [makeFile('large.bin', 40 * MIB), makeFile('small.bin', 12 * MIB)]
  const dir = join(disk, 'store')
  const there = ['--dir', dir]
  const refused = await run('add', large, ...there)
  expect([refused.exit, refused.last.error]).toEqual([4, expect.objectContaining(full)])
  await expectSound(dir)
  const { last: freed } = await run('gc', ...there)
  expect([freed.usedBytes, freed.freedBytes > 16 * MIB]).toEqual([0, true])
  const { exit, last: added } = await run('add', small, ...there)
  expect([exit, added.bytes]).toEqual([0, 12 * MIB])
  await run('gc', ...there)

  // The same from a peer: what is here of it is kept for the next try, and is no file.
  const { last: theirs } = await run('add', large, '--dir', path('a'))
  const { last: theirSmall } = await run('add', small, '--dir', path('a'))
  const server = await serve('--dir', path('a'))
  const fetch = (cid: string) => run('get', cid, '--from', server.address, '--out', join(disk, 'out'), ...there)
  const cut = await fetch(theirs.cid)
  expect([cut.exit, cut.last.error]).toEqual([4, expect.objectContaining(full)])
  expect(readdirSync(disk)).toEqual(['store'])
  await expectSound(dir)
  expect((await run('get', theirs.cid, ...there)).last.error.code).toBe('BLOB_UNAVAILABLE')
  await run('gc', ...there)
  const got = await run('get', theirSmall.cid, '--from', server.address, ...there)
  expect([got.exit, got.last.sha256]).toEqual([0, theirSmall.sha256])
})

test('a disk that others fill to its last byte keeps nobody from freeing', async (context) => {
  demandMount(context)
  const { run, serve, makeFile, path } = stage
  const dir = join(disk, 'store')
  const there = ['--dir', dir]
  const { last: kept } = await run('add', makeFile('kept.bin', 3 * MIB), ...there, '--pin', 'base')
  const { last: loose } = await run('add', makeFile('loose.bin', 5 * MIB), ...there)
  const { last: other } = await run('add', makeFile('other.bin', 2 * MIB), '--dir', path('a'))
  const server = await serve('--dir', path('a'))
  fill(join(disk, 'others'))

  for (const words of [
    ['add', path('other.bin')],
    ['get', other.cid, '--from', server.address],
    ['pin', loose.cid, '--name', 'late'],
  ]) {
    const { exit, last } = await run(...words, ...there)
    expect([words[0], exit, last.error?.code]).toEqual([words[0], 4, 'DISK_QUOTA'])
  }
  const out = await run('get', kept.cid, '--out', join(disk, 'out'), ...there)
  expect([out.exit, out.last.error.code]).toEqual([4, 'FILE_UNWRITABLE'])
  expect(out.last.error.why).toContain('no space left')
  expect(readdirSync(disk).sort()).toEqual(['others', 'store'])
  await expectSound(dir)
  expect((await run('ls', ...there)).last.pins).toMatchObject([{ cid: kept.cid, name: 'base' }])
  expect((await run('gc', ...there)).last.freedBytes).toBeGreaterThan(5 * MIB)
  rmSync(join(disk, 'others'))
  expect((await run('add', path('other.bin'), ...there)).exit).toBe(0)
  expect((await run('verify', kept.cid, ...there)).exit).toBe(0)
})

test('a write that meets the end of the disk itself leaves nothing half', async (context) => {
  demandMount(context)
  const dir = join(disk, 'store')
  // As where the system tells of room that it has not, or others take it at this moment.
  const deps = { log: silent, freeBytes: async () => Number.POSITIVE_INFINITY }
  const store = await openStore({ dir, ...plenty }, deps)
  const kept = await store.addFile(pieces(noise(3 * MIB, 1)), { signal })
  await store.pin(kept.cid, { name: 'base', cycle: 0 })
  fill(join(disk, 'others'))
  const failure = { code: 'DISK_QUOTA', why: expect.stringContaining('the disk is full; the store holds') }
  await expect(store.addFile(pieces(noise(2 * MIB, 2)), { signal })).rejects.toMatchObject(failure)
  await expect(store.pin(kept.cid, { name: 'again', cycle: 0 })).rejects.toMatchObject({ code: 'DISK_QUOTA' })
  expect(readdirSync(join(dir, 'open', 'fresh'))).toEqual([])
  await store.close()

  const again = await openStore({ dir, ...plenty }, deps)
  expect((await again.ls({ signal })).map(({ name }) => name)).toEqual(['base'])
  expectBytes(await collect(again.readFile(kept.cid, { signal })), noise(3 * MIB, 1))
  for await (const { cid, bytes } of again.blocks.cids())
    expect(await again.blocks.get(cid, { signal })).toHaveLength(bytes)
  await again.gc({ signal })
  rmSync(join(disk, 'others'))
  await again.addFile(pieces(noise(2 * MIB, 2)), { signal })
  await again.close()
})
