/**
 * One process for one directory, or for one key in it: two that append to the same log would make it worthless for both,
 * and two writers with one key would take one another's nonces.
 *
 * A lock is a Unix socket on which its holder listens. The system closes it when the process ends, in whatever way, so that
 * a killed process leaves nothing but a name on which nobody answers. Every holder has a name of its own and looks for
 * others once it listens: of two that start at once both may give up, but never do both go on.
 *
 * The names are among the temporary files, because the path of a socket has room for some hundred bytes only. Two machines
 * or two containers that share a disk are not kept apart.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import { NodeError } from '../errors.ts'
import { toHex, utf8 } from '../util/bytes.ts'

const HASH_DIGITS = 16

/** Gives the directory back when it is called. */
export type Unlock = () => Promise<void>

/** `part` where several may share the directory, each with a part of its own. */
export async function lockDirectory(dir: string, part = ''): Promise<Unlock> {
  mkdirSync(dir, { recursive: true })
  const place = tmpdir()
  const prefix = `wheelwright-lock-${toHex(sha256(utf8(join(realpathSync(dir), part)))).slice(0, HASH_DIGITS)}-`
  const own = prefix + randomBytes(4).toString('hex')
  const server = createServer((socket) => socket.destroy())
  const unlock = () => new Promise<void>((resolve) => server.close(() => resolve()))
  await once(server.listen(join(place, own)), 'listening').catch((cause: Error) => {
    throw unwritable(place, cause)
  })
  const others = readdirSync(place).filter((name) => name.startsWith(prefix) && name !== own)
  const answers = await Promise.all(others.map((name) => isHeld(join(place, name))))
  // Our own name is gone when somebody looked for us in the moment before we listened. Who that was may be gone too.
  if (!answers.includes(true) && existsSync(join(place, own))) return unlock
  await unlock()
  throw inUse(join(dir, part))
}

/** Clears a name away on which nobody answers any more. */
function isHeld(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isDead = error.code === 'ECONNREFUSED' || error.code === 'ENOENT'
      if (isDead) rmSync(path, { force: true })
      resolve(!isDead)
    })
  })
}

const inUse = (dir: string): NodeError =>
  new NodeError('DATA_IN_USE', { what: `${dir} cannot be used`, why: 'another process works with it', data: { dir } })

const unwritable = (place: string, cause: Error): NodeError =>
  new NodeError('FILE_UNWRITABLE', {
    what: `a lock cannot be made in ${place}`,
    why: cause.message,
    data: { path: place },
    cause,
  })
