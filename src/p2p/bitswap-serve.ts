/**
 * Serves blocks over bitswap with a memory that does not depend on how much is wanted.
 *
 * The library reads all that a peer wants, a whole file at worst, and makes one message of it before the first byte is
 * sent. Here its own sender is shown a few wants at a time, and the next when these are out of our hands. It has no option
 * for that, so what is replaced is looked up by name, and a version that has it no more is refused when it starts.
 */
import { withBitswap } from '@helia/bitswap'
import type { Clock } from '../ports.ts'
import { assert } from '../util/assert.ts'
import { createGate, type Gate, within } from './pull/wait.ts'
import type { StoreHelia } from './store/index.ts'

/** What is read and sent at once to one peer. */
const PORTION_BLOCKS = 8
/** To all of them. A block of a file has two MiB at most. */
const PORTIONS_MAX = 12
/** Who takes a portion more slowly than this leaves its place to others. */
const PORTION_MS = 60_000

type Want = { status: 'want' | 'sending' | 'sent' }
type SendOptions = { readonly signal?: AbortSignal } | undefined
/** The part of the library's record of a peer that is replaced. */
type Ledger = { readonly wants: ReadonlyMap<string, Want>; sendBlocksToPeer(options: SendOptions): Promise<void> }
type Ledgers = { set(peer: unknown, ledger: Ledger): unknown }
type Broker = { readonly bitswap: { readonly peerWantLists: { readonly ledgerMap: Ledgers } } }

/** Starts Helia with bitswap. */
export async function startBitswap(helia: StoreHelia & Parameters<typeof withBitswap>[0], clock: Clock): Promise<void> {
  const gate = createGate(PORTIONS_MAX)
  const add = helia.addBlockBroker.bind(helia)
  helia.addBlockBroker = (broker) => {
    const { ledgerMap } = (broker as unknown as Broker).bitswap.peerWantLists
    const set = ledgerMap.set.bind(ledgerMap)
    ledgerMap.set = (peer, ledger) => {
      sendInPortions(ledger, { gate, clock })
      return set(peer, ledger)
    }
    add(broker)
  }
  await withBitswap(helia).start()
}

function sendInPortions(ledger: Ledger, { gate, clock }: { readonly gate: Gate; readonly clock: Clock }): void {
  const { wants } = ledger
  assert(wants instanceof Map && typeof ledger.sendBlocksToPeer === 'function', 'bitswap is of the version we know')
  const send = ledger.sendBlocksToPeer.bind(ledger)
  const never = new AbortController().signal
  ledger.sendBlocksToPeer = async (options) => {
    const { signal = never } = options ?? {}
    // What is not here is wanted still when it was looked for.
    const tried = new Set<Want>()
    for (;;) {
      const open = [...wants.values()].filter(({ status }) => status === 'want')
      const portion = new Set(open.filter((want) => !tried.has(want)).slice(0, PORTION_BLOCKS))
      if (portion.size === 0) return
      const leave = await gate.enter(1, { signal })
      try {
        await within({ clock, ms: PORTION_MS, signal }, (limit) =>
          sendOnly(wants, portion, () => send({ ...options, ...limit })),
        )
      } finally {
        leave()
      }
      for (const want of portion) tried.add(want)
    }
  }
}

/** The sender takes whatever is wanted when it begins: in that moment, nothing else is. */
function sendOnly(wants: Ledger['wants'], portion: ReadonlySet<Want>, send: () => Promise<void>): Promise<void> {
  const held = [...wants.values()].filter((want) => want.status === 'want' && !portion.has(want))
  for (const want of held) want.status = 'sending'
  const sending = send()
  for (const want of held) want.status = 'want'
  return sending
}
