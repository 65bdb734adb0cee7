import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { createDevChain, type DevChain } from '../../src/chain/dev/index.ts'
import { NodeError } from '../../src/errors.ts'

const REPO = join(import.meta.dirname, '..', '..')
const NODE = join(REPO, 'node_modules', 'node', 'bin', 'node')
const QUIET = join(REPO, 'bin', 'quiet.js')
const CHAIN = join(REPO, 'src', 'chain', 'dev', 'index.ts')

const root = mkdtempSync(join(tmpdir(), 'dev-lock-'))
afterAll(() => rmSync(root, { recursive: true }))
let dir: string
let count = 0
beforeEach(() => {
  dir = join(root, String(++count))
})

const open = (at = dir, port = 0) => createDevChain({ blockMs: null, dir: at, port })
const outcome = async (opening: Promise<DevChain>) =>
  opening.then(
    async (chain) => {
      await chain.stop()
      return 'open'
    },
    (error: unknown) => (error instanceof NodeError ? error.code : String(error)),
  )

test('a directory belongs to one chain at a time', async () => {
  const first = await open()
  await first.seal()
  const error = await open().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'DATA_IN_USE', data: { dir } })
  await first.seal()
  await first.stop()
  const second = await open()
  expect(second.head().number).toBe(2)
  await second.stop()
})

test('the same directory under another name is the same', async () => {
  const first = await open()
  symlinkSync(dir, `${dir}-link`)
  expect(await outcome(open(`${dir}-link`))).toBe('DATA_IN_USE')
  expect(await outcome(open(`${dir}-other`))).toBe('open')
  await first.stop()
})

test('of two that start at once at most one gets it', async () => {
  const outcomes = await Promise.all([outcome(open()), outcome(open()), outcome(open())])
  expect(outcomes.filter((each) => each === 'open').length).toBeLessThanOrEqual(1)
  expect(await outcome(open())).toBe('open')
})

/** No socket can be in it. */
const long = () => join(dir, 'a-name-of-thirty-two-characters-'.repeat(4))

test('the lock is in the directory: another place for temporary files lets nobody in', async () => {
  const first = await open()
  vi.stubEnv('TMPDIR', join(root, 'nowhere'))
  const result = await outcome(open())
  vi.unstubAllEnvs()
  expect(result).toBe('DATA_IN_USE')
  await first.stop()
})

test('where its path is too long for a socket, the lock is among the temporary files', async () => {
  const first = await open(long())
  expect(await outcome(open(long()))).toBe('DATA_IN_USE')
  expect(await outcome(open(`${long()}2`))).toBe('open')
  await first.stop()
})

test('without a place for its lock a chain does not start', async () => {
  vi.stubEnv('TMPDIR', join(root, 'nowhere'))
  const result = await outcome(open(long()))
  vi.unstubAllEnvs()
  expect(result).toBe('FILE_UNWRITABLE')
})

test('a chain that cannot start leaves its directory free', async () => {
  const other = await open(`${dir}-other`)
  expect(await outcome(open(dir, other.port))).toBe('CHAIN_PORT_TAKEN')
  expect(await outcome(open())).toBe('open')
  await other.stop()
})

test('another process is kept out too, and one that was killed stands in nobody’s way', {
  timeout: 60_000,
}, async () => {
  const script = `import { createDevChain } from ${JSON.stringify(CHAIN)}
    await createDevChain({ blockMs: 250, dir: ${JSON.stringify(dir)} })
    console.log('up')`
  const child = spawn(NODE, ['--import', QUIET, '--input-type=module', '--eval', script], { cwd: REPO })
  await once(child.stdout, 'data')
  expect(await outcome(open())).toBe('DATA_IN_USE')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await outcome(open())).toBe('open')
})
