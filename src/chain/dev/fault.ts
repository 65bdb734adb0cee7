/**
 * Faults on demand: what goes wrong between a client and a chain in practice, each by itself and as often as one likes.
 *
 * Some happen at once (a socket drops, blocks are taken back), others are armed and hit the next transactions or messages
 * that come by.
 */
import { poolError, type RpcError } from './rpc-error.ts'

export type Fault =
  /** All sockets end without a word. */
  | { readonly kind: 'drop' }
  /** All sockets stay open, and nothing is heard from them or said to them any more. New sockets work. */
  | { readonly kind: 'silent' }
  /** Transactions are acknowledged and forgotten. */
  | { readonly kind: 'swallow'; readonly count: number }
  /** Transactions enter the pool, and their sender never hears of it. */
  | { readonly kind: 'unanswered'; readonly count: number }
  /** Messages come late, and later ones overtake them. */
  | { readonly kind: 'delay'; readonly count: number; readonly delayMs: number }
  /** Messages come twice. */
  | { readonly kind: 'duplicate'; readonly count: number }
  /** The pool refuses transactions, good as they may be. */
  | { readonly kind: 'refuse'; readonly count: number; readonly code: RefusalCode }
  /** The last blocks that are not final are replaced; their transactions come again, or never. */
  | { readonly kind: 'fork'; readonly count: number; readonly fate: 'again' | 'lost' }
  /** The runtime's version goes up with the next block. */
  | { readonly kind: 'upgrade' }

type Armed = Extract<Fault, { kind: 'swallow' | 'unanswered' | 'delay' | 'duplicate' | 'refuse' }>

const REFUSALS = {
  1010: () => poolError.invalid('Stale'),
  1012: () => poolError.banned(),
  1013: () => poolError.alreadyImported(),
  1014: () => poolError.lowPriority(1, 1),
  1016: () => poolError.immediatelyDropped(),
} as const
export type RefusalCode = keyof typeof REFUSALS

export const refusalOf = (code: RefusalCode): RpcError => REFUSALS[code]()

/** What was armed and did not hit yet, first come first served. */
export class ArmedFaults {
  readonly #armed: { readonly fault: Armed; left: number }[] = []

  arm(fault: Armed): void {
    this.#armed.push({ fault, left: fault.count })
  }

  /** One hit of this kind, or `null`. */
  take<K extends Armed['kind']>(kind: K): Extract<Armed, { kind: K }> | null {
    const at = this.#armed.findIndex((each) => each.fault.kind === kind)
    const entry = this.#armed[at]
    if (entry === undefined) return null
    entry.left--
    if (entry.left <= 0) this.#armed.splice(at, 1)
    return entry.fault as Extract<Armed, { kind: K }>
  }
}

const DELAY_MS = 3000

/** What the number behind a kind means, and what it is when it is left out. */
const PARSERS: { readonly [kind: string]: (number: number | null) => Fault | null } = {
  drop: () => ({ kind: 'drop' }),
  silent: () => ({ kind: 'silent' }),
  swallow: (count) => ({ kind: 'swallow', count: count ?? 1 }),
  unanswered: (count) => ({ kind: 'unanswered', count: count ?? 1 }),
  delay: (delayMs) => ({ kind: 'delay', count: 1, delayMs: delayMs ?? DELAY_MS }),
  duplicate: (count) => ({ kind: 'duplicate', count: count ?? 1 }),
  refuse: (code) => {
    const known = code ?? 1014
    return Object.hasOwn(REFUSALS, known) ? { kind: 'refuse', count: 1, code: known as RefusalCode } : null
  },
  fork: (count) => ({ kind: 'fork', count: count ?? 1, fate: 'again' }),
  'fork-lost': (count) => ({ kind: 'fork', count: count ?? 1, fate: 'lost' }),
  upgrade: () => ({ kind: 'upgrade' }),
}
export const FAULT_KINDS: readonly string[] = Object.keys(PARSERS)

/** `kind` or `kind:number`, as on the command line; `null` when it makes no sense. */
export function parseFault(text: string): Fault | null {
  const match = /^([a-z-]+)(?::(\d{1,9}))?$/.exec(text)
  const kind = match?.[1] ?? ''
  if (!Object.hasOwn(PARSERS, kind)) return null
  return PARSERS[kind]?.(match?.[2] === undefined ? null : Number(match[2])) ?? null
}
