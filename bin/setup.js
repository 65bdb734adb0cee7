/**
 * Makes a fresh clone ready: installs what the lock file names, once, the project's own Node among it.
 *
 * Plain JavaScript that Node 20 can read, without a dependency, because it runs before anything is installed.
 * When there is nothing to do it reads two files and returns. An installed package has nothing to set up.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Below 22.19 Node cannot run TypeScript without a flag, and parts of the stack use what only later versions have. */
const NODE_MIN = { major: 22, minor: 19 }
/** A first installation on a slow line takes minutes; a waiter that gives up too early is the worse mistake. */
const LOCK_WAIT_MS_MAX = 10 * 60_000
const LOCK_POLL_MS = 100
/** `EXIT.environment` in src/errors.ts, which this file cannot import yet. */
const EXIT_ENVIRONMENT = 4

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** A clone holds the sources and their lock file; a package from the registry holds neither. */
export const isClone = (at) =>
  existsSync(join(at, 'src', 'cli', 'main.ts')) && existsSync(join(at, 'package-lock.json'))

export function newEnough(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number)
  return major > NODE_MIN.major || (major === NODE_MIN.major && minor >= NODE_MIN.minor)
}

/** Path of the project's own Node, or null. A package manager may put it beside us or above us, so ask the resolver. */
export function ownNode(at) {
  try {
    const home = dirname(createRequire(join(at, 'package.json')).resolve('node/package.json'))
    const path = join(home, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(path) ? realpathSync(path) : null
  } catch {
    return null // not installed
  }
}

/** Whether every package that the lock file wants is there, by what npm wrote down when it finished. */
export function isInstalled(at) {
  const wanted = readPackages(join(at, 'package-lock.json'))
  const found = readPackages(join(at, 'node_modules', '.package-lock.json'))
  if (wanted === null || found === null) return false
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true // ourselves
    const there = found[path]
    if (there === undefined) return optional === true // binaries for other platforms
    return there.version === version && there.integrity === integrity
  })
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages ?? null
  } catch {
    return null // absent, or half written by an npm that was killed
  }
}

/** Ends the program with the one shape for errors that src/cli/main.ts has too. */
export function fail(error) {
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error })}\n`)
  else
    process.stderr.write(`wheelwright: ${error.what} (${error.code})\nwhy:    ${error.why}\nremedy: ${error.remedy}\n`)
  process.exit(EXIT_ENVIRONMENT)
}

/** Idempotent, and safe when several processes call it at once. */
export function setup(at = root) {
  if (!isClone(at)) return
  const isReady = () => isInstalled(at) && (ownNode(at) !== null || newEnough(process.version))
  if (isReady()) return
  const path = join(at, '.setup.lock')
  const lock = takeLock(path)
  if (lock === null) {
    fail({
      code: 'SETUP_FAILED',
      what: 'another set-up is still running',
      why: `process ${holderOf(path) ?? 'unknown'} has held ${path} for too long`,
      remedy: 'wait for it, or end it, or delete that directory if no set-up is running; then run the command again',
    })
  }
  let error
  try {
    error = isReady() ? null : install(at)
  } finally {
    lock.release()
  }
  if (error !== null) fail(error)
}

/** Returns what went wrong, or null. */
function install(at) {
  process.stderr.write('wheelwright: installing dependencies (once)\n')
  // The flags beat any setting of the user, or of the npm that called us, that would install something else elsewhere.
  const flags = ['--include=dev', '--include=optional', '--no-global', '--no-dry-run', '--no-engine-strict']
  const run = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...flags], {
    cwd: at,
    // onnxruntime-node would fetch hundreds of megabytes of CUDA, from elsewhere; `wheelwright doctor` says how to get them.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    stdio: ['ignore', 2, 2], // stdout belongs to the command that was asked for
    shell: process.platform === 'win32', // npm is a .cmd file there
  })
  if (run.status !== 0) {
    return {
      code: 'SETUP_FAILED',
      what: 'the dependencies could not be installed',
      why: run.error
        ? `npm did not start: ${run.error.message}`
        : `npm ci ended with ${run.status ?? run.signal}, see above`,
      remedy: 'check the network and the disk, then run the same command again',
    }
  }
  return ownNode(at) === null && !newEnough(process.version) ? noNode(process.version) : null
}

export const noNode = (version) => ({
  code: 'NODE_MISSING',
  what: `Node ${NODE_MIN.major}.${NODE_MIN.minor} or later is needed, and this is ${version}`,
  why: 'it brings its own as the npm package `node`, but npm skipped the install script of that package',
  remedy: 'run `npm rebuild node --ignore-scripts=false` where wheelwright is installed, or use a newer Node',
})

/**
 * One installer at a time. The lock is a directory that appears by a rename, so that the pid is in it from the start.
 *
 * A lock whose holder is dead is moved to a name with the dead pid in it. That move can succeed once only, so two
 * waiters that saw the same dead holder cannot take the lock from one another. Null when a living holder keeps it.
 */
export function takeLock(path, waitMsMax = LOCK_WAIT_MS_MAX) {
  const mine = `${path}.${process.pid}`
  rmSync(mine, { recursive: true, force: true })
  mkdirSync(mine)
  writeFileSync(join(mine, 'pid'), String(process.pid))
  for (let waitedMs = 0; !renamed(mine, path); ) {
    const pid = holderOf(path)
    if (pid !== null && !isAlive(pid) && renamed(path, `${path}.dead-${pid}`)) continue
    if (waitedMs >= waitMsMax) {
      rmSync(mine, { recursive: true, force: true })
      return null
    }
    sleep(LOCK_POLL_MS)
    waitedMs += LOCK_POLL_MS
  }
  return { release: () => release(path) }
}

/** The dead go first: as long as we hold the lock, their names must stay taken. */
function release(path) {
  const siblings = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.dead-`))
  for (const name of [...siblings, basename(path)]) rmSync(join(dirname(path), name), { recursive: true, force: true })
}

function renamed(from, to) {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    // Somebody was first: the target is there (ENOTEMPTY or EEXIST; Windows says EPERM), or the source is gone.
    if (['ENOTEMPTY', 'EEXIST', 'EPERM', 'ENOENT'].includes(error.code)) return false
    throw error
  }
}

function holderOf(path) {
  try {
    return Number(readFileSync(join(path, 'pid'), 'utf8')) || null
  } catch {
    return null // released between two looks
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM' // alive, but somebody else's
  }
}

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) setup()
