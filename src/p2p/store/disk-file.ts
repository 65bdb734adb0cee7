/** Files that are there as a whole or not at all, whenever the process or the machine dies. */
import { open, rename, rm } from 'node:fs/promises'
import { NodeError } from '../../errors.ts'

/** Under a name of its own first. `durable` forces the bytes to the disk; the name is forced by `syncDirectory`. */
export async function writeWhole(path: string, fresh: string, bytes: Uint8Array, durable: boolean): Promise<void> {
  const file = await open(fresh, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    if (durable) await file.datasync()
  } catch (error) {
    await file.close()
    await rm(fresh, { force: true }) // on a full disk every byte counts
    throw error
  }
  await file.close()
  await rename(fresh, path)
}

/** In fresh memory. `null` for a file that no writer of ours has made so long. */
export async function readWhole(path: string, bytesMax: number): Promise<Uint8Array | null> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size > bytesMax) return null
    const bytes = new Uint8Array(size)
    let at = 0
    while (at < size) {
      const { bytesRead } = await file.read(bytes, at, size - at, at)
      if (bytesRead === 0) break // it was cut off meanwhile
      at += bytesRead
    }
    return bytes.subarray(0, at)
  } finally {
    await file.close()
  }
}

/** Makes renames in a directory survive the loss of power. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

export const isMissing = (error: unknown): boolean => hasCode(error, 'ENOENT')
export const isBroken = (error: unknown): boolean => hasCode(error, 'EIO')

export const isFull = (error: unknown): boolean =>
  hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT') || (error instanceof NodeError && isFull(error.cause))

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code

/** What the system says of a path, in our words. Of blocks, `budget.ts` tells more: it knows how much is used. */
export async function onDisk<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    const data = { path }
    if (isFull(cause)) {
      throw new NodeError('DISK_QUOTA', { what: `${path} was not changed`, why: 'the disk is full', data, cause })
    }
    throw new NodeError('STORE_UNAVAILABLE', { what: `${path} cannot be used`, why: cause.message, data, cause })
  }
}
