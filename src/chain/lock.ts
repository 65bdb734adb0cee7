/**
 * One process for one directory, or for one key in it: two that append to the same log would make it worthless for both,
 * and two writers with one key would take one another's nonces.
 *
 * A lock is a Unix socket on which its holder listens. The system closes it when the process ends, in whatever way, so that
 * a killed process leaves nothing but a name on which nobody answers. Every holder has a name of its own and looks for
 * others once it listens: of two that start at once both may give up, but never do both go on.
 *
 * The names are in the directory itself, where everybody finds them who can work with it, whatever they see of the rest of
 * the machine. Only where no socket can be, because the path is too long for one or the file system knows none, they are
 * among the temporary files. Two machines that share a disk are not kept apart.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import { NodeError } from '../errors.ts'
import { toHex, utf8 } from '../util/bytes.ts'

const HASH_DIGITS = 16
/** What the path of a socket has room for: 108 on Linux, 104 on macOS, with a zero at its end. */
const PATH_BYTES_MAX = 103
/** The directory is there and ours, but a socket cannot be in it. */
const NO_SOCKETS = ['EOPNOTSUPP', 'ENOTSUP', 'EPERM', 'EINVAL', 'ENOSYS']

/** Gives the directory back when it is called. */
export type Unlock = () => Promise<void>

type Place = { readonly dir: string; readonly prefix: string }

/** `part` where several may share the directory, each with a part of its own. */
export async function lockDirectory(dir: string, part = ''): Promise<Unlock> {
  const real = prepared(dir)
  const inside = { dir: real, prefix: `.lock-${digestOf(part)}-` }
  const outside = { dir: tmpdir(), prefix: `wheelwright-lock-${digestOf(join(real, part))}-` }
  const random = randomBytes(4).toString('hex')
  const [place, server] = await listenIn(inside, outside, random)
  const own = place.prefix + random
  const unlock = () => new Promise<void>((resolve) => server.close(() => resolve()))
  const others = readdirSync(place.dir).filter((name) => name.startsWith(place.prefix) && name !== own)
  const answers = await Promise.all(others.map((name) => isHeld(join(place.dir, name))))
  // Our own name is gone when somebody looked for us in the moment before we listened. Who that was may be gone too.
  if (!answers.includes(true) && existsSync(join(place.dir, own))) return unlock
  await unlock()
  throw inUse(dir, part)
}

/** Its real name, so that the same directory under another one is the same. */
function prepared(dir: string): string {
  try {
    mkdirSync(dir, { recursive: true })
    return realpathSync(dir)
  } catch (cause) {
    throw new NodeError('FILE_UNWRITABLE', { what: `${dir} cannot be used as a directory`, why: whyOf(cause), cause })
  }
}

const whyOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const digestOf = (text: string): string => toHex(sha256(utf8(text))).slice(0, HASH_DIGITS)

/** Whatever keeps one process from a socket inside keeps all of them from it, so that they meet outside. */
async function listenIn(inside: Place, outside: Place, name: string): Promise<readonly [Place, Server]> {
  const path = join(inside.dir, inside.prefix + name)
  if (utf8(path).length <= PATH_BYTES_MAX) {
    try {
      return [inside, await listenAt(path)]
    } catch (error) {
      const cause = error as NodeJS.ErrnoException
      if (!NO_SOCKETS.includes(cause.code ?? '')) throw unwritable(inside.dir, cause)
    }
  }
  return listenAt(join(outside.dir, outside.prefix + name)).then(
    (server) => [outside, server] as const,
    (cause: Error) => {
      throw unwritable(outside.dir, cause)
    },
  )
}

async function listenAt(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy())
  await once(server.listen(path), 'listening')
  return server
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

const inUse = (dir: string, part: string): NodeError =>
  new NodeError('DATA_IN_USE', {
    what: `${join(dir, part)} cannot be used`,
    why: 'another process works with it',
    // Another directory would part the two, and let both write with one key.
    ...(part === '' ? {} : { remedy: 'Wait until that one has ended, or end it.' }),
    data: { dir: join(dir, part) },
  })

const unwritable = (place: string, cause: Error): NodeError =>
  new NodeError('FILE_UNWRITABLE', {
    what: `a lock cannot be made in ${place}`,
    why: cause.message,
    data: { path: place },
    cause,
  })
