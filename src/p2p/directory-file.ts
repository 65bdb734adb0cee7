/**
 * The directory across restarts: one small file, replaced as a whole soon after something has changed.
 *
 * What was lost of it opens the way for old cards until newer ones are heard, and nothing else, so a file that cannot be
 * read or written is told and the host goes on.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Log } from '../ports.ts'
import { openCard } from '../protocol/peer-card.ts'
import { Flaw } from '../protocol/schema.ts'
import type { HeldCard } from './directory.ts'
import { CARDS_HELD_MAX } from './limits.ts'
import { isMissing, writeWhole } from './store/disk-file.ts'

export type DirectoryFile = {
  /** What was in it. */
  readonly entries: readonly HeldCard[]
  readonly changed: () => void
  /** Writes what has changed, and no more afterwards. */
  readonly close: () => Promise<void>
}
type FileDeps = {
  readonly clock: Clock
  readonly log: Log
  readonly read: () => Iterable<HeldCard>
}
type Line = { readonly until: number; readonly card: string }

/** Cards come in crowds when a cycle begins. */
const PAUSE_MS = 1_000

export async function openDirectoryFile(path: string, { clock, log, read }: FileDeps): Promise<DirectoryFile> {
  const entries = await readEntries(path).catch((error: unknown) => {
    log.warn('the cards of an earlier run cannot be read', { path, why: String(error) })
    return []
  })
  let timer: unknown = null
  let isClosed = false
  let writing = Promise.resolve()
  const write = (): void => {
    timer = null
    const lines = [...read()].map(({ until, bytes }) => ({ until, card: Buffer.from(bytes).toString('base64') }))
    const bytes = new TextEncoder().encode(JSON.stringify(lines))
    writing = writing
      .then(() => mkdir(dirname(path), { recursive: true }))
      .then(() => writeWhole(path, `${path}.new`, bytes, true))
      .catch((error: unknown) => log.warn('the cards cannot be written', { path, why: String(error) }))
  }
  return {
    entries,
    changed: () => {
      if (!isClosed) timer ??= clock.setTimeout(write, PAUSE_MS)
    },
    close: async () => {
      isClosed = true
      if (timer !== null) {
        clock.clearTimeout(timer)
        write()
      }
      await writing
    },
  }
}

async function readEntries(path: string): Promise<readonly HeldCard[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '[]'
    throw error
  })
  const lines: unknown = JSON.parse(text)
  if (!Array.isArray(lines)) throw new Error('it is no list of cards')
  return lines.slice(0, CARDS_HELD_MAX).map((line: Partial<Line> | null) => {
    const bytes = new Uint8Array(Buffer.from(String(line?.card), 'base64'))
    const opened = openCard(bytes)
    if (opened instanceof Flaw || !Number.isSafeInteger(line?.until)) throw new Error('it holds what is no card')
    return { hotkey: opened.envelope.hotkey, card: opened.card, bytes, until: Number(line?.until) }
  })
}
