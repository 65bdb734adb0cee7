/**
 * Files that hold secrets: read only when nobody else can read or replace them, written once and never over another.
 *
 * What was opened is what is judged (no path is looked at twice), and links are not followed. Windows keeps no such modes,
 * so there only the rest is checked.
 */
import { constants, type Stats } from 'node:fs'
import { type FileHandle, mkdir, open, stat, unlink } from 'node:fs/promises'
import { platform } from 'node:os'
import { dirname } from 'node:path'
import { NodeError } from '../errors.ts'
import { syncFolder } from './state-file.ts'

/** A key file has some 600 bytes. */
const FILE_BYTES_MAX = 16 * 1024
const HAS_MODES = platform() !== 'win32'
const OTHERS = 0o077
const WRITABLE_BY_ALL = 0o002
const STICKY = 0o1000

/** Throws WALLET_MISSING, WALLET_EXPOSED, WALLET_DAMAGED, FILE_UNREADABLE. `name` says in errors what it is. */
export async function readSecretFile(path: string, name: string): Promise<Uint8Array> {
  await checkFolder(path, name)
  return readWith(path, name, ({ mode }) => {
    if (!HAS_MODES || (mode & OTHERS) === 0) return
    const why = `other users of this machine may use it (mode ${(mode & 0o777).toString(8)})`
    throw exposed(path, name, why, `Run: chmod 600 '${path}'; if these users are not trusted, move to a new key.`)
  })
}

/** A file without secrets: its mode does not matter. */
export const readOpenFile = (path: string, name: string): Promise<Uint8Array> => readWith(path, name, () => undefined)

async function readWith(path: string, name: string, check: (facts: Stats) => void): Promise<Uint8Array> {
  const file = await openFile(path, name)
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw damaged(path, name, 'it is no file')
    if (facts.size > FILE_BYTES_MAX) throw damaged(path, name, `it has ${facts.size} bytes, which no key file has`)
    check(facts)
    return new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}

/** Non-blocking, because a pipe that nobody writes to would hold us for ever. */
async function openFile(path: string, name: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ELOOP' || code === 'EMLINK') {
      const remedy = 'Put the file itself there, or name the directory that it is in.'
      throw exposed(path, name, 'it is a symbolic link, and what it leads to may change', remedy)
    }
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new NodeError('WALLET_MISSING', { what: `there is no ${name}`, why: `${path} does not exist` })
    }
    throw new NodeError('FILE_UNREADABLE', { what: `the ${name} cannot be read`, why: `${path}: ${code}` })
  }
}

/** Whoever may write into the folder may put another key there. */
async function checkFolder(path: string, name: string): Promise<void> {
  const folder = dirname(path)
  const facts = await stat(folder).catch(() => null)
  if (facts === null || !HAS_MODES) return
  if ((facts.mode & WRITABLE_BY_ALL) === 0 || (facts.mode & STICKY) !== 0) return
  throw exposed(folder, name, 'everybody on this machine may replace what is in it', `Run: chmod o-w '${folder}'`)
}

/** Throws WALLET_EXISTS. On disk when it resolves; a torn file after a crash holds a key that nobody was told of. */
export async function writeSecretFile(path: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((error) => {
    throw unwritable(path, name, codeOf(error))
  })
  const file = await open(path, 'wx', 0o600).catch((error) => {
    if (codeOf(error) !== 'EEXIST') throw unwritable(path, name, codeOf(error))
    throw new NodeError('WALLET_EXISTS', { what: `there is a ${name} already`, why: `${path} is never overwritten` })
  })
  try {
    await file.writeFile(bytes)
    await file.sync()
  } catch (error) {
    await unlink(path).catch(() => undefined)
    throw unwritable(path, name, codeOf(error))
  } finally {
    await file.close()
  }
  await syncFolder(dirname(path))
}

/** Never with a cause: what a reader complains of it may also quote. */
export const damaged = (path: string, name: string, why: string): NodeError =>
  new NodeError('WALLET_DAMAGED', { what: `the ${name} at ${path} cannot be used`, why })

const exposed = (path: string, name: string, why: string, remedy: string): NodeError =>
  new NodeError('WALLET_EXPOSED', { what: `the ${name} at ${path} is not safe`, why, remedy })

const unwritable = (path: string, name: string, why: string): NodeError =>
  new NodeError('FILE_UNWRITABLE', { what: `the ${name} cannot be written`, why: `${path}: ${why}` })

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown'
