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
  /** Hex: of another chain it says nothing. */
  readonly genesis: string
  readonly kind: string
  /** What the writer needs to find the effect on chain: plain JSON. */
  readonly effect: unknown
  readonly lastBlock: number
  readonly nonce: number
  /** Hex of the signed extrinsic. */
  readonly signed: string
  /** Earlier transactions for the same effect with the same nonce: at most one of them all can land. */
  readonly earlier: readonly string[]
  /** It is in no block up to this one, and its mortality forbids it from the other one on; of all its forms the widest. */
  readonly since: number
  readonly dies: number
}

export type Journal = {
  readonly open: () => readonly Sent[]
  /** One fact on disk: another form is there, and the one that it stands for is open under its name no more. */
  readonly sent: (entry: Sent, instead: string | null) => Promise<void>
  /** Nothing more can happen to it: it landed, or it never will. */
  readonly settled: (id: string) => Promise<void>
}

/** No file: for programs that do one thing and end. */
export function createMemoryJournal(): Journal {
  const entries = new Map<string, Sent>()
  return {
    open: () => [...entries.values()],
    sent: async (entry, instead) => {
      if (instead !== null) entries.delete(instead)
      entries.set(entry.id, entry)
    },
    settled: async (id) => void entries.delete(id),
  }
}

/** So many lines more, and the file is rewritten. */
const LINES_MAX = 200

export async function openJournal(path: string): Promise<Journal> {
  let entries: ReadonlyMap<string, Sent> = readEntries((await readIfThere(path)) ?? '', path)
  let lines = 0
  /** A line that was not written whole would spoil the next one too. */
  let isWhole = true
  const then = createQueue()
  /** What is open is what is on disk: a fact that could not be written did not happen. */
  const record = (fact: unknown, change: (before: ReadonlyMap<string, Sent>) => Map<string, Sent>): Promise<void> =>
    then(async () => {
      const next = change(entries)
      const isRewritten = lines >= LINES_MAX || !isWhole
      isWhole = false
      if (isRewritten) await replaceFile(path, printEntries(next))
      else await append(path, fact)
      isWhole = true
      lines = isRewritten ? 0 : lines + 1
      entries = next
    })
  await replaceFile(path, printEntries(entries))
  return {
    open: () => [...entries.values()],
    sent: (sent, instead) =>
      record({ sent, instead }, (before) => new Map([...without(before, instead), [sent.id, sent]])),
    settled: (id) => record({ settled: id }, (before) => without(before, id)),
  }
}

const without = (entries: ReadonlyMap<string, Sent>, id: string | null): Map<string, Sent> =>
  new Map([...entries].filter(([open]) => open !== id))

const printEntries = (entries: ReadonlyMap<string, Sent>): string =>
  [...entries.values()].map((sent) => `${JSON.stringify({ sent, instead: null })}\n`).join('')

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
    if ('settled' in fact) entries.delete(fact.settled)
    else {
      if (fact.instead !== null) entries.delete(fact.instead)
      entries.set(fact.sent.id, fact.sent)
    }
  }
  return entries
}

type Fact = { readonly sent: Sent; readonly instead: string | null } | { readonly settled: string }

function parseFact(line: string): Fact | null {
  try {
    const fact = JSON.parse(line)
    if (typeof fact?.settled === 'string') return { settled: fact.settled }
    return isSent(fact?.sent) ? { sent: fact.sent, instead: fact.instead ?? null } : null
  } catch {
    return null
  }
}

const TEXTS = ['id', 'genesis', 'kind', 'signed'] as const
const NUMBERS = ['lastBlock', 'nonce', 'since', 'dies'] as const

function isSent(sent: Readonly<Record<string, unknown>> | undefined): boolean {
  const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
  return (
    sent !== undefined &&
    TEXTS.every((name) => typeof sent[name] === 'string') &&
    NUMBERS.every((name) => isWhole(sent[name])) &&
    Array.isArray(sent['earlier']) &&
    'effect' in sent
  )
}

async function append(path: string, fact: unknown): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(fact)}\n`) // `write` may write a part and call it done
    await file.datasync()
  } finally {
    await file.close()
  }
}
