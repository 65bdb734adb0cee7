/** Directories of models that are written whole under their name or not at all, and never over another one. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { NodeError } from '../../errors.ts'
import { unwritable } from './safetensors-file.ts'

/** `fill` writes into a directory beside it, which takes the name when it is complete. */
export async function newDirectory(path: string, fill: (aside: string) => Promise<void>): Promise<void> {
  const names = await readdir(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return []
    throw unwritable(path, cause)
  })
  if (names.length > 0) {
    throw new NodeError('USAGE', {
      what: `${path} is not empty`,
      why: 'a model is never written over another one',
      remedy: 'Name a directory that does not exist yet.',
    })
  }
  const aside = `${path.replace(/\/+$/, '')}.part`
  try {
    await rm(aside, { recursive: true, force: true })
    await mkdir(aside, { recursive: true })
    await fill(aside)
    await rename(aside, path)
  } catch (cause) {
    await rm(aside, { recursive: true, force: true })
    throw unwritable(path, cause)
  }
}
