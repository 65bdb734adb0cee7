/**
 * The directory across restarts: one small file, replaced as a whole soon after something has changed.
 *
 * What was lost of it opens the way for old cards until newer ones are heard, and nothing else, so a file that cannot be
 * read or written is told and the host goes on.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Log } from '../ports.ts'
import type { Network } from '../protocol/constitution.ts'
import { type OpenedCard, openCard } from '../protocol/peer-card.ts'
import { Flaw } from '../protocol/schema.ts'
import { utf8 } from '../util/bytes.ts'
import type { HeldCard } from './directory.ts'
import { CARDS_HELD_MAX } from './limits.ts'
import { isMissing, writeWhole } from './store/disk-file.ts'

export type DirectoryFile = {
  /** What was in it: nobody has judged it. */
  readonly entries: readonly ReadCard[]
  readonly changed: () => void
  /** Writes what has changed, and no more afterwards. */
  readonly close: () => Promise<void>
}
export type ReadCard = Pick<HeldCard, 'bytes' | 'until'> & { readonly opened: OpenedCard }
type FileDeps = {
  readonly network: Network
  readonly clock: Clock
  readonly log: Log
  readonly read: () => Iterable<HeldCard>
}
/** Of one network alone: blocks of another chain would make no sense here. */
type Content = Network & { readonly cards: readonly Line[] }
type Line = { readonly until: number; readonly card: string }

/** Cards come in crowds when a cycle begins. */
const PAUSE_MS = 1_000

export async function openDirectoryFile(path: string, { network, clock, log, read }: FileDeps): Promise<DirectoryFile> {
  const entries = await readEntries(path, network).catch((error: unknown) => {
    log.warn('the cards of an earlier run cannot be read', { path, why: String(error) })
    return []
  })
  let timer: unknown = null
  let isClosed = false
  let writing = Promise.resolve()
  const write = (): void => {
    timer = null
    const cards = [...read()].map(({ until, bytes }) => ({ until, card: Buffer.from(bytes).toString('base64') }))
    const content: Content = { genesis: network.genesis, constitution: network.constitution, cards }
    const bytes = utf8(JSON.stringify(content))
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

async function readEntries(path: string, network: Network): Promise<readonly ReadCard[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return null
    throw error
  })
  if (text === null) return []
  const { genesis, constitution, cards }: Partial<Content> = JSON.parse(text) ?? {}
  if (!Array.isArray(cards)) throw new Error('it is no list of cards')
  const isOurs = genesis === network.genesis && constitution === network.constitution
  if (!isOurs) throw new Error('they are of another network')
  return cards.slice(0, CARDS_HELD_MAX).map((line: Partial<Line> | null) => {
    const bytes = new Uint8Array(Buffer.from(String(line?.card), 'base64'))
    const opened = openCard(bytes)
    if (opened instanceof Flaw || !Number.isSafeInteger(line?.until)) throw new Error('it holds what is no card')
    return { opened, bytes, until: Number(line?.until) }
  })
}
