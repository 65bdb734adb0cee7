#!/usr/bin/env node
/**
 * The door: sets the clone up if need be, and goes on under a Node that can run us.
 *
 * Plain JavaScript that Node 20 can read, for the same reason as setup.js. Nothing is decided here but the Node.
 */
import { spawn } from 'node:child_process'
import { realpathSync } from 'node:fs'
import module from 'node:module'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import './quiet.js'
import { fail, isClone, newEnough, noNode, ownNode, root, setup } from './setup.js'

/**
 * Our own Node is the one that every measurement and test was made with, so it goes first. A newer one than our own is
 * let in when ours is missing. The running one being ours also ends the recursion.
 */
export function chooseNode({ version, execPath, own }) {
  if (own !== null && own !== execPath) return 'own'
  return newEnough(version) ? 'here' : 'none'
}

/** Who started the process that works, so that it ends when this one is killed; see src/cli/process-io.ts. */
const DOOR = 'WHEELWRIGHT_DOOR'

function goOnUnder(node) {
  const env = { ...process.env, [DOOR]: String(process.pid) }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit', env })
  // A terminal sends Ctrl-C to both of us, so the child may hear it twice; src/cli/process-io.ts knows of the echo.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) =>
    fail({ ...noNode(process.version), why: `its own Node did not start: ${error.message}` }),
  )
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

async function goOnHere() {
  const clone = isClone(root)
  if (clone) module.enableCompileCache?.(join(root, 'node_modules', '.cache', 'wheelwright')) // types are stripped once
  const { start } = await import(pathToFileURL(join(root, clone ? 'src/cli/main.ts' : 'dist/cli/main.js')).href)
  await start()
}

async function main() {
  setup()
  const own = ownNode(root)
  const choice = chooseNode({ version: process.version, execPath: realpathSync(process.execPath), own })
  if (choice === 'none') fail(noNode(process.version))
  else if (choice === 'own') goOnUnder(own)
  else await goOnHere()
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main()
