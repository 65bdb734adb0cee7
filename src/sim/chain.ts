/**
 * A chain in memory: blocks sealed by hand, finality that trails, one slot and one row of weights per hotkey.
 *
 * It keeps the state of every block, so that reads by number answer what was, and passes the same contract suite as the
 * client of a real chain.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { NodeError } from '../errors.ts'
import type { Block, Cancel, Chain, ChainEvent, Landing, Neuron, Slot } from '../ports.ts'
import type { UidWeight } from '../protocol/weight.ts'
import { toHex, utf8 } from '../util/bytes.ts'

export type SimChainOptions = {
  readonly seed: string
  readonly finality: number
  readonly neurons: readonly Neuron[]
  readonly entriesMin: number
}

type State = {
  readonly slots: ReadonlyMap<string, Slot>
  readonly weights: ReadonlyMap<number, readonly UidWeight[]>
}
/** What one author says in one place: a slot, or a row of weights. */
type Saying = {
  readonly place: string
  readonly content: string
  readonly apply: (state: State, block: number, index: number) => State
}
type Write = Saying & {
  readonly lastBlock: number
  readonly fate: Promise<Landing>
  readonly landed: (landing: Landing) => void
  readonly missed: (error: NodeError) => void
  /** The block that includes it, once there is one. */
  included: number | null
}

export type SealOptions = {
  /** False for a block without room: whatever waits goes on waiting. */
  readonly takesWrites: boolean
}

export type SimChain = {
  readonly genesis: string
  /** Makes the next block of what waits, and finalises the one `finality` behind it. */
  readonly seal: (options?: SealOptions) => Block
  readonly head: () => number
  readonly as: (hotkey: string) => Chain
}

/** Reads farther back than this are refused, as a public node refuses them. */
export const HISTORY_BLOCKS = 1_024

export function createSimChain(options: SimChainOptions): SimChain {
  const ledger: Ledger = {
    options,
    states: new Map([[0, { slots: new Map(), weights: new Map() }]]),
    listeners: new Set(),
    journal: new Map(),
    waiting: [],
    head: 0,
  }
  return {
    genesis: hashOf(ledger, 0),
    head: () => ledger.head,
    seal: (sealing = { takesWrites: true }) => seal(ledger, sealing),
    as: (hotkey) => chainOf(ledger, hotkey),
  }
}

type Ledger = {
  readonly options: SimChainOptions
  /** The state after every block that is kept. */
  readonly states: Map<number, State>
  readonly listeners: Set<(event: ChainEvent) => void>
  /** The last write of every place, so that the same one again is found and not made twice. */
  readonly journal: Map<string, Write>
  waiting: Write[]
  head: number
}

const hashOf = ({ options }: Ledger, number: number): string =>
  toHex(sha256(utf8(`wheelwright/sim/block/${options.seed}/${number}`)))
const blockAt = (ledger: Ledger, number: number): Block => ({ number, hash: hashOf(ledger, number) })
const finalOf = ({ head, options }: Ledger): number => Math.max(0, head - options.finality)

function stateAt(ledger: Ledger, block: number): State {
  const final = finalOf(ledger)
  const state = block <= final ? ledger.states.get(block) : undefined
  if (state !== undefined) return state
  const why = block > final ? `the finalised head is ${final}` : `only ${HISTORY_BLOCKS} blocks are kept`
  throw new NodeError('BLOCK_UNKNOWN', { what: `block ${block} cannot be read`, why })
}

function seal(ledger: Ledger, { takesWrites }: SealOptions): Block {
  let state = ledger.states.get(ledger.head) as State
  ledger.head += 1
  const { head } = ledger
  let index = 0
  for (const write of takesWrites ? ledger.waiting : []) {
    if (write.included !== null || head > write.lastBlock) continue
    state = write.apply(state, head, index++)
    write.included = head
  }
  ledger.states.set(head, state)
  ledger.states.delete(head - HISTORY_BLOCKS)
  tell(ledger, { type: 'block.best', block: blockAt(ledger, head) })
  if (head > ledger.options.finality) tell(ledger, { type: 'block.finalised', block: blockAt(ledger, finalOf(ledger)) })
  settleWrites(ledger)
  return blockAt(ledger, head)
}

function tell({ listeners }: Ledger, event: ChainEvent): void {
  for (const listener of [...listeners]) listener(event)
}

/** Answers every write whose fate is now final. */
function settleWrites(ledger: Ledger): void {
  const final = finalOf(ledger)
  const open: Write[] = []
  for (const write of ledger.waiting) {
    if (write.included !== null && write.included <= final) write.landed({ block: write.included })
    else if (write.included === null && final >= write.lastBlock) write.missed(windowMissed(write.lastBlock))
    else open.push(write)
  }
  ledger.waiting = open
}

const windowMissed = (lastBlock: number): NodeError =>
  new NodeError('WINDOW_MISSED', {
    what: `a write is not in the state of block ${lastBlock}`,
    why: 'it was not included in time',
  })

/** The landing of a write, of the same one that was begun before if there is one. */
function submit(
  ledger: Ledger,
  saying: Saying,
  { lastBlock, signal }: { readonly lastBlock: number } & Cancel,
): Promise<Landing> {
  if (signal.aborted) return Promise.reject(signal.reason)
  const last = ledger.journal.get(saying.place)
  const isSame = last?.content === saying.content && last.lastBlock === lastBlock
  if (!isSame && ledger.head >= lastBlock) return Promise.reject(windowMissed(lastBlock))
  const { fate } = isSame ? last : enqueue(ledger, saying, lastBlock)
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    fate.finally(() => signal.removeEventListener('abort', giveUp)).then(resolve, reject)
  })
}

function enqueue(ledger: Ledger, saying: Saying, lastBlock: number): Write {
  let [landed, missed]: [Write['landed'], Write['missed']] = [() => undefined, () => undefined]
  const fate = new Promise<Landing>((resolve, reject) => {
    landed = resolve
    missed = reject
  })
  const write: Write = { ...saying, lastBlock, fate, landed, missed, included: null }
  ledger.journal.set(saying.place, write)
  ledger.waiting.push(write)
  return write
}

function chainOf(ledger: Ledger, hotkey: string): Chain {
  const { neurons, entriesMin } = ledger.options
  const read = (block: number, { signal }: Cancel): State => {
    signal.throwIfAborted()
    return stateAt(ledger, block)
  }
  return {
    watch: (listener) => {
      const own = (event: ChainEvent): void => listener(event)
      ledger.listeners.add(own)
      own({ type: 'block.best', block: blockAt(ledger, ledger.head) })
      own({ type: 'block.finalised', block: blockAt(ledger, finalOf(ledger)) })
      return () => ledger.listeners.delete(own)
    },
    hashOf: async (block, opts) => {
      read(block, opts)
      return hashOf(ledger, block)
    },
    neurons: async (block, opts) => {
      read(block, opts)
      return neurons
    },
    slots: async (block, opts) => [...read(block, opts).slots.values()],
    weightsOf: async (uid, block, opts) => read(block, opts).weights.get(uid) ?? [],
    weightRules: async (block, opts) => {
      read(block, opts)
      return { entriesMin, uidCount: neurons.length }
    },
    writeSlot: (bytes, opts) => {
      const copy = bytes.slice()
      const apply: Saying['apply'] = (state, block, index) => ({
        ...state,
        slots: new Map(state.slots).set(hotkey, { hotkey, bytes: copy, block, index }),
      })
      return submit(ledger, { place: `slot/${hotkey}`, content: toHex(copy), apply }, opts)
    },
    setWeights: (weights, opts) => {
      const uid = neurons.find((neuron) => neuron.hotkey === hotkey)?.uid
      const copy = weights.map(([other, weight]): UidWeight => [other, weight])
      const apply: Saying['apply'] = (state) =>
        uid === undefined ? state : { ...state, weights: new Map(state.weights).set(uid, copy) }
      return submit(ledger, { place: `weights/${hotkey}`, content: JSON.stringify(copy), apply }, opts)
    },
  }
}
