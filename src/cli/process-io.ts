/**
 * Binds the command line to this process: its streams, its signals, its last words.
 *
 * Everything that knows `process` is here and in main.ts's `start`, so that the rest can be tested without spawning.
 */

import { EXIT } from '../errors.ts'
import type { Io } from './io.ts'

/**
 * A terminal sends Ctrl-C to the whole process group, and npm and our own door then forward it once more. So a second
 * signal counts as the user's second only when it comes this much later. People need 0.2 s for two presses; echoes
 * arrive within a few milliseconds, and this leaves room for a busy machine.
 */
const ECHO_MS = 150

export function createProcessIo(): Io {
  const stop = new AbortController()
  let firstAt: number | null = null
  const onSignal = () => {
    const now = performance.now()
    if (firstAt !== null && now - firstAt > ECHO_MS) process.exit(EXIT.interrupted)
    if (firstAt !== null) return
    firstAt = now
    // An echo that finds us on our way out would kill us: the process stays until all of them have come.
    setTimeout(() => undefined, ECHO_MS)
    stop.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  endWithDoor(onSignal)
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endQuietly)
  const io: Io = { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: stop.signal }
  return process.stdin.isTTY && process.stderr.isTTY ? { ...io, askSecret: askHere(stop.signal) } : io
}

const LOOK_MS = 500

/**
 * People know the id of the door alone (bin/wheelwright.js). When they kill that with -9, nothing tells us but that our
 * parent is another one.
 */
function endWithDoor(stop: () => void): void {
  const door = process.ppid
  if (process.env['WHEELWRIGHT_DOOR'] !== String(door)) return
  const timer = setInterval(() => {
    if (process.ppid === door) return
    clearInterval(timer)
    stop()
  }, LOOK_MS)
  timer.unref()
}

/** On stderr, because stdout is for results. Loaded when needed: most commands ask nothing. */
const askHere =
  (signal: AbortSignal) =>
  async (question: string): Promise<string> => {
    const { askSecret } = await import('./wallet-prompt.ts')
    return askSecret({ input: process.stdin, output: process.stderr }, question, signal)
  }

/** `wheelwright … | head` closes our stdout when it has seen enough: not our failure, and nobody is left to tell. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
}
