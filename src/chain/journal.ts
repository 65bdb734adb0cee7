/**
 * The journal of writes: what was signed is on disk before it is sent, so that no crash forgets a transaction.
 *
 * One file per hotkey, one JSON line per fact, synced before the caller goes on. A torn last line is what a crash leaves and
 * is dropped. When it is opened, and every so many lines, the file is rewritten with what is still open, so it stays short.
 */
import { open } from 'node:fs/promises'
import { NodeError } from '../errors.ts'
import { createQueue } from '../util/queue.ts'
import { readIfThere, replaceFile } from './state-file.ts'

/** A transaction that may still land. Signed bytes are kept: sending them twice is harmless, signing anew is not. */
export type Sent = {
  /** Hex of its hash. */
  readonly id: string
  readonly kind: string
  /** What the writer needs to find the effect on chain: plain JSON. */
  readonly effect: unknown
  readonly lastBlock: number
  readonly nonce: number
  /** Hex of the signed extrinsic. */
  readonly signed: string
  /** Earlier transactions for the same effect with the same nonce: at most one of them all can land. */
  readonly earlier: readonly string[]
  /** The best block when it was signed, and the first block at which its mortality forbids it. */
  readonly signedAt: number
  readonly dies: number
}

export type Journal = {
  readonly open: () => readonly Sent[]
  readonly sent: (entry: Sent) => Promise<void>
  /** Nothing more can happen to it: it landed, or it never will. */
  readonly settled: (id: string) => Promise<void>
}

/** No file: for programs that do one thing and end. */
export function createMemoryJournal(): Journal {
  const entries = new Map<string, Sent>()
  return {
    open: () => [...entries.values()],
    sent: async (entry) => void entries.set(entry.id, entry),
    settled: async (id) => void entries.delete(id),
  }
}

/** So many lines more, and the file is rewritten. */
const LINES_MAX = 200

export async function openJournal(path: string): Promise<Journal> {
  const entries = readEntries((await readIfThere(path)) ?? '', path)
  let lines = 0
  const then = createQueue()
  await replaceFile(path, printEntries(entries))
  return {
    open: () => [...entries.values()],
    sent: (entry) =>
      then(async () => {
        entries.set(entry.id, entry)
        lines += 1
        await append(path, { sent: entry })
      }),
    settled: (id) =>
      then(async () => {
        entries.delete(id)
        lines += 1
        if (lines < LINES_MAX) return append(path, { settled: id })
        lines = 0
        await replaceFile(path, printEntries(entries))
      }),
  }
}

const printEntries = (entries: ReadonlyMap<string, Sent>): string =>
  [...entries.values()].map((sent) => `${JSON.stringify({ sent })}\n`).join('')

function readEntries(text: string, path: string): Map<string, Sent> {
  const entries = new Map<string, Sent>()
  const lines = text.split('\n')
  for (const [i, line] of lines.entries()) {
    const fact = parseFact(line)
    if (fact === null) {
      // The last line may be torn, an earlier one may not: then the disk or a hand has changed the file.
      if (i >= lines.length - 2) continue
      throw new NodeError('JOURNAL_DAMAGED', {
        what: `line ${i + 1} of ${path} cannot be read`,
        why: 'it is not what was written',
      })
    }
    if ('sent' in fact) entries.set(fact.sent.id, fact.sent)
    else entries.delete(fact.settled)
  }
  return entries
}

function parseFact(line: string): { readonly sent: Sent } | { readonly settled: string } | null {
  try {
    const fact = JSON.parse(line)
    if (typeof fact?.settled === 'string') return { settled: fact.settled }
    const isSent =
      typeof fact?.sent?.id === 'string' &&
      typeof fact.sent.signed === 'string' &&
      Array.isArray(fact.sent.earlier) &&
      Number.isInteger(fact.sent.nonce)
    return isSent ? { sent: fact.sent } : null
  } catch {
    return null
  }
}

async function append(path: string, fact: unknown): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.write(`${JSON.stringify(fact)}\n`)
    await file.datasync()
  } finally {
    await file.close()
  }
}
