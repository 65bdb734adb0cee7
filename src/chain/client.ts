/**
 * The chain as one hotkey on one subnet sees it: the Chain port over a real Substrate node (protocol §2, §6, §8).
 *
 * The same code drives our development chain and a subtensor; they differ by their address alone.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiPromise } from '@polkadot/api'
import { NodeError } from '../errors.ts'
import type { Cancel, Chain, Clock, Log, Random, Slot } from '../ports.ts'
import { hexBytes, toHex } from '../util/bytes.ts'
import { createMemoryJournal, type Journal, openJournal } from './journal.ts'
import { createLink, type Health, type Link } from './link.ts'
import { lockDirectory, type Unlock } from './lock.ts'
import { createDebts, type Debts, openDebts } from './owed.ts'
import {
  finalHead,
  hashAt,
  readCommitPlaces,
  readNeurons,
  readRules,
  readSlots,
  readWeights,
  type State,
  stateAt,
  subnetExists,
  unknownSubnet,
} from './read.ts'
import type { Signer } from './sign.ts'
import { createWeights, type Weights } from './weights.ts'
import type { Write } from './write.ts'
import { createWriter, type Pending, type Writer } from './writer.ts'

export type ChainOptions = {
  readonly endpoints: readonly string[]
  /** Hex, or `null` for whatever chain answers: only for commands that look around. */
  readonly genesis: string | null
  readonly netuid: number
  /** `null` asks the chain. */
  readonly blockMs: number | null
  /** Where journals are kept, one process a key; `null` for a program that does one thing and ends. */
  readonly dir: string | null
}
export type ChainDeps = {
  /** `null` for readers. */
  readonly signer: Signer | null
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Made already by who had to ask the chain something first; it ends with the client. */
  readonly link?: Link
}

export type ChainClient = Chain & {
  readonly link: Link
  readonly health: () => Health & { readonly pending: readonly Pending[] }
  /** Any write, also those that the port does not know: registration, stake, axons. */
  readonly write: Writer['write']
  readonly weights: Weights | null
  readonly stop: () => void
}

export async function createChain(options: ChainOptions, deps: ChainDeps): Promise<ChainClient> {
  const { dir } = options
  const { signer } = deps
  if (dir === null || signer === null) return startClient(options, deps, inMemory())
  // A nonce is one of a key on a chain, so one process writes for all its subnets. On another chain it is another key.
  const { genesis } = options
  const name = genesis === null ? signer.address : `${signer.address}.${genesis.slice(0, GENESIS_DIGITS)}`
  const unlock = await lockDirectory(dir, name)
  try {
    const journal = await openJournal(join(dir, `${name}.writes`))
    const debts = await openDebts(join(dir, `${name}.${options.netuid}.reveals`))
    return startClient(options, deps, { journal, debts, unlock })
  } catch (error) {
    await unlock()
    throw error
  }
}

/** So much of a genesis tells chains apart. */
const GENESIS_DIGITS = 16

/** What must outlive the process. */
type Kept = { readonly journal: Journal; readonly debts: Debts; readonly unlock: Unlock }

const inMemory = (): Kept => ({
  journal: createMemoryJournal(),
  debts: createDebts([], null),
  unlock: async () => undefined,
})

function startClient(options: ChainOptions, deps: ChainDeps, { journal, debts, unlock }: Kept): ChainClient {
  const { netuid } = options
  const { signer, log } = deps
  const link = deps.link ?? createLink(options, deps)
  const writer = signer === null ? null : createWriter({ link, journal, signer, log })
  const hotkey = signer === null ? null : toHex(signer.publicKey)
  const weights =
    writer === null || hotkey === null ? null : createWeights({ netuid, hotkey }, { ...deps, link, writer, debts })
  const write: Writer['write'] = (entry, opts) =>
    writer === null ? Promise.reject(noSigner(entry)) : writer.write(entry, opts)
  const reader = createReader(link, netuid)
  const reveals = weights === null ? null : keepRevealing(link, weights, log)

  return {
    ...reader,
    link,
    weights,
    write,
    watch: (listener) => link.watch(listener),
    health: () => ({ ...link.health(), pending: writer?.pending() ?? [] }),
    writeSlot: (bytes, opts) =>
      write({ kind: 'slot', effect: { netuid, hotkey: hotkey ?? '', bytes: toHex(bytes) } }, opts).catch(
        orUnknownSubnet(link, netuid, opts),
      ),
    setWeights: (vector, opts) =>
      weights === null ? Promise.reject(noSigner({ kind: 'weights' })) : weights.set(vector, opts),
    stop: () => {
      reveals?.()
      link.stop()
      void unlock()
    },
  }
}

/** The chain says of a subnet that is not there that the hotkey is not registered in it. */
const orUnknownSubnet =
  (link: Link, netuid: number, opts: Cancel) =>
  async (error: unknown): Promise<never> => {
    const isRefused = error instanceof NodeError && error.code === 'WRITE_REFUSED'
    const isThere = async (api: ApiPromise): Promise<boolean> =>
      subnetExists(await stateAt(api, (await finalHead(api)).hash), netuid)
    if (isRefused && !(await link.use(isThere, opts).catch(() => true))) throw unknownSubnet(netuid)
    throw error
  }

const noSigner = ({ kind }: Pick<Write, 'kind'>): NodeError =>
  new NodeError('WALLET_NEEDED', { what: `a write (${kind}) needs a key`, why: 'the chain was opened for reading' })

/** Owed reveals are looked at with every finalised block; one look at a time. */
function keepRevealing(link: Link, weights: Weights, log: Log): () => void {
  const stop = new AbortController()
  let busy = false
  const unwatch = link.watch((event) => {
    if (event.type !== 'block.finalised' || busy || weights.owed().length === 0) return
    busy = true
    weights
      .revealDue({ signal: stop.signal })
      .catch((error) => log.warn('a reveal failed', { code: error instanceof NodeError ? error.code : 'INTERNAL' }))
      .finally(() => {
        busy = false
      })
  })
  return () => {
    unwatch()
    stop.abort()
  }
}

type Reader = Pick<Chain, 'hashOf' | 'neurons' | 'slots' | 'weightsOf' | 'weightRules'>

function createReader(link: Link, netuid: number): Reader {
  /** Runs with the state of a final block. */
  const at = <T>(block: number, opts: Cancel, work: (state: State, api: ApiPromise) => Promise<T>): Promise<T> =>
    link.use(async (api) => work(await finalState(link, api, block), api), opts)
  return {
    hashOf: (block, opts) => at(block, opts, async ({ hash }) => hash),
    neurons: (block, opts) =>
      at(block, opts, async (state) => {
        const neurons = await readNeurons(state, netuid)
        if (neurons.length === 0 && !(await subnetExists(state, netuid))) throw unknownSubnet(netuid)
        return neurons
      }),
    slots: (block, opts) =>
      at(block, opts, async (state, api) => {
        const places = createPlaces(api, netuid, block)
        const slots: Slot[] = []
        for (const slot of await readSlots(state, netuid)) {
          const index = await places(slot.hotkey, slot.block)
          slots.push({ hotkey: slot.hotkey, bytes: hexBytes(slot.bytes), block: slot.block, index })
        }
        return slots
      }),
    weightsOf: (uid, block, opts) => at(block, opts, (state) => readWeights(state, netuid, uid)),
    weightRules: (block, opts) =>
      at(block, opts, async (state) => {
        const { entriesMin, uidCount } = await readRules(state, netuid)
        return { entriesMin, uidCount }
      }),
  }
}

/** What was told final before is waited for at an endpoint that does not know it yet, so many times and so long. */
const LATE_TRIES = 20
const LATE_MS = 200

/** Only what is final is a fact; what was pruned can be asked of nobody. */
async function finalState(link: Link, api: ApiPromise, block: number): Promise<State> {
  let { number: head } = await finalHead(api)
  const told = link.health().finalised?.number ?? 0
  for (let attempt = 0; head < block && block <= told && attempt < LATE_TRIES; attempt++) {
    await sleep(LATE_MS)
    head = (await finalHead(api)).number
  }
  if (block > head) {
    throw new NodeError('BLOCK_UNKNOWN', {
      what: `block ${block} cannot be read`,
      why: `the finalised head is ${head}`,
    })
  }
  const hash = await hashAt(api, block)
  try {
    return await stateAt(api, hash)
  } catch (cause) {
    if (cause instanceof NodeError) throw cause
    const why = 'the endpoint does not keep its state any more'
    throw new NodeError('BLOCK_UNKNOWN', { what: `block ${block} cannot be read`, why, cause })
  }
}

/** Older writes are not compared with one another by anybody. */
const PLACES_BLOCKS = 256
/** Of a write of which the chain does not say where it stands: behind all others, so that nobody gains by hiding it. */
const PLACE_UNKNOWN = Number.MAX_SAFE_INTEGER

/** Where in its block a slot was written, as the chain's own events say. One fetch per block. */
function createPlaces(api: ApiPromise, netuid: number, at: number): (hotkey: string, block: number) => Promise<number> {
  const blocks = new Map<number, Promise<ReadonlyMap<string, number>>>()
  return async (hotkey, block) => {
    if (block <= at - PLACES_BLOCKS) return PLACE_UNKNOWN
    const known = blocks.get(block) ?? readCommitPlaces(api, netuid, block)
    blocks.set(block, known)
    return (await known).get(hotkey) ?? PLACE_UNKNOWN
  }
}
