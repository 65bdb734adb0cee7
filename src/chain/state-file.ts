/**
 * Small files that a crash must not tear and a failing disk must not empty: replaced as a whole, read or refused.
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
    await file.write(text)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
}
