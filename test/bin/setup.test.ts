import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isClone, isInstalled, newEnough, ownNode, root, takeLock } from '../../bin/setup.js'

const SETUP = join(root, 'bin', 'setup.js')
let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'wheelwright-setup-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test.each([
  ['v22.19.0', true],
  ['v22.23.3', true],
  ['22.19.0', true],
  ['v24.0.0', true],
  ['v100.0.0', true],
  ['v22.18.9', false],
  ['v22.9.0', false],
  ['v20.20.2', false],
  ['v9.99.0', false],
])('Node %s runs us: %s', (version, is) => expect(newEnough(version)).toBe(is))

const write = (path: string, packages: object) => {
  mkdirSync(join(home, path, '..'), { recursive: true })
  writeFileSync(join(home, path), JSON.stringify({ packages }))
}
const a = { version: '1.0.0', integrity: 'sha512-a' }
const cases: [why: string, found: object | null, is: boolean][] = [
  ['all there', { 'node_modules/a': a }, true],
  ['more than wanted', { 'node_modules/a': a, 'node_modules/z': a }, true],
  ['another version', { 'node_modules/a': { ...a, version: '1.0.1' } }, false],
  ['another content', { 'node_modules/a': { ...a, integrity: 'sha512-b' } }, false],
  ['one missing', {}, false],
  ['nothing installed', null, false],
]
test.each(cases)('installed or not: %s', (_, found, is) => {
  const other = { version: '1.0.0', integrity: 'sha512-w', optional: true }
  write('package-lock.json', { '': { version: '0.1.0' }, 'node_modules/a': a, 'node_modules/other-platform': other })
  if (found !== null) write('node_modules/.package-lock.json', found)
  expect(isInstalled(home)).toBe(is)
})

test('this clone is set up, and an installed package is no clone', () => {
  expect([isClone(root), isInstalled(root)]).toEqual([true, true])
  expect(isClone(home)).toBe(false)
  expect(ownNode(home)).toBe(null)
})

test('set-up with nothing to do says nothing', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SETUP], { encoding: 'utf8' })
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('a lock is held, then free', () => {
  const path = join(home, 'lock')
  const lock = takeLock(path, 0)
  expect(readFileSync(join(path, 'pid'), 'utf8')).toBe(String(process.pid))
  expect(takeLock(path, 0)).toBe(null)
  lock?.release()
  expect(readdirSync(home)).toEqual([])
})

test('a lock whose holder is dead is taken over, and nothing of it is left', () => {
  const path = join(home, 'lock')
  mkdirSync(path)
  writeFileSync(join(path, 'pid'), String(deadPid()))
  const lock = takeLock(path, 0)
  expect(readFileSync(join(path, 'pid'), 'utf8')).toBe(String(process.pid))
  lock?.release()
  expect(readdirSync(home)).toEqual([])
})

test('what a taker left that was killed itself does not block the next one', () => {
  const path = join(home, 'lock')
  const pid = deadPid()
  for (const name of [path, `${path}.dead-${pid}`]) {
    mkdirSync(name)
    writeFileSync(join(name, 'pid'), String(pid))
  }
  expect(takeLock(path, 0)).toBe(null) // the pid died twice: wait, then give up with a remedy, never spin
})

test('of several processes that find a dead holder, one at a time holds the lock', async () => {
  const path = join(home, 'lock')
  const log = join(home, 'log')
  mkdirSync(path)
  writeFileSync(join(path, 'pid'), String(deadPid()))
  const script = `
    import { appendFileSync } from 'node:fs'
    import { takeLock } from '${pathToFileURL(SETUP).href}'
    const lock = takeLock('${path}')
    appendFileSync('${log}', 'in ')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    appendFileSync('${log}', 'out ')
    lock.release()`
  const run = () =>
    new Promise((resolve) =>
      spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' }).on('close', resolve),
    )
  expect(await Promise.all([run(), run(), run(), run()])).toEqual([0, 0, 0, 0])
  expect(readFileSync(log, 'utf8')).toBe('in out '.repeat(4))
  expect(existsSync(path)).toBe(false)
})

const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid
