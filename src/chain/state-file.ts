/**
 * Small files that neither a crash nor a full disk may tear: replaced as a whole, read or refused.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { NodeError } from '../errors.ts'

/** `null` when there is none yet. Any other failure is told: what was taken for empty would be written over. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    if (code === 'ENOENT') return null
    throw new NodeError('FILE_UNREADABLE', { what: `${path} cannot be read`, why: code, cause })
  }
}

/** Beside the old file and renamed over it: a crash leaves one of the two. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.new`
  const file = await open(fresh, 'w', 0o600)
  try {
    await file.writeFile(text) // `write` may write a part and call it done
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
  await syncFolder(dirname(path))
}

/** Or the name may be the old one after a power cut, though the file is whole. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
