/** Files that a command reads or writes for a person: whole under their name or not at all. */
import { createReadStream } from 'node:fs'
import { access, constants, type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { NodeError } from '../errors.ts'
import { printable } from './io.ts'

const READ_BYTES = 1024 * 1024

/** Throws FILE_UNREADABLE for what is no file. */
export async function sizeOfFile(path: string): Promise<number> {
  const found = await stat(path).catch((cause: Error) => {
    throw unreadable(path, cause.message)
  })
  if (!found.isFile()) throw unreadable(path, 'it is no file')
  return found.size
}

/** The bytes of a file; `heard` is told how many there were so far. */
export async function* readBytes(path: string, heard: (bytes: number) => void): AsyncGenerator<Uint8Array, void> {
  let bytes = 0
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
      bytes += (chunk as Uint8Array).length
      heard(bytes)
      yield chunk as Uint8Array
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw unreadable(path, cause.message)
  }
}

/** Said before hours are spent on what cannot be written at their end. */
export async function demandWritable(path: string): Promise<void> {
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isDirectory) throw unwritable(path, 'it is a directory')
  await access(dirname(path), constants.W_OK).catch((cause: Error) => {
    throw unwritable(path, cause.message)
  })
}

/** Written beside its place first, under a name that the next try takes over; it gets its own when it is on the disk. */
export async function writeAside(
  path: string,
  write: (sink: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.part`)
  const onDisk = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: Error) => {
      throw unwritable(path, cause.message)
    })
  const file: FileHandle = await onDisk(open(aside, 'w'))
  try {
    await write((bytes) => onDisk(file.writeFile(bytes)))
    await onDisk(file.sync())
    await file.close()
    await onDisk(rename(aside, path))
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(aside, { force: true })
    throw error
  }
}

const unreadable = (path: string, why: string): NodeError =>
  new NodeError('FILE_UNREADABLE', { what: `${printable(path)} cannot be read`, why, data: { path } })

const unwritable = (path: string, why: string): NodeError =>
  new NodeError('FILE_UNWRITABLE', { what: `${printable(path)} cannot be written`, why, data: { path } })
