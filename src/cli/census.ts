/** Who is registered in a subnet, followed on the chain for as long as a peer runs. */
import { NodeError } from '../errors.ts'
import type { Census } from '../p2p/directory.ts'
import { defer } from '../p2p/pull/wait.ts'
import { orAborted } from '../p2p/store/abort.ts'
import type { Cancel, Chain, Clock, Log } from '../ports.ts'

export type FollowedCensus = Census & { readonly stop: () => void }
type CensusDeps = { readonly chain: Pick<Chain, 'watch' | 'neurons'>; readonly clock: Clock; readonly log: Log }

/** Registrations change every few minutes at most; each reading is the whole metagraph. */
const READ_MS = 12_000
/** The first one is not waited for longer. */
const FIRST_MS = 60_000

/**
 * Resolves when the first reading is there; after that, while the chain does not answer, the last one stands. Throws what the
 * chain throws: at once where no later block mends it, or when a minute has brought no reading.
 */
export async function followCensus({ chain, clock, log }: CensusDeps, { signal }: Cancel): Promise<FollowedCensus> {
  const ending = new AbortController()
  let block = 0
  let registered: ReadonlySet<string> | null = null
  let readMs = Number.NEGATIVE_INFINITY
  let isReading = false
  const first = defer<void>()
  let failure: unknown = new NodeError('CHAIN_UNAVAILABLE', {
    what: 'the metagraph was not read',
    why: `the chain has not answered for ${FIRST_MS / 1_000} seconds`,
  })

  const read = async (): Promise<void> => {
    isReading = true
    try {
      const neurons = await chain.neurons(block, { signal: ending.signal })
      registered = new Set(neurons.map(({ hotkey }) => hotkey))
      readMs = clock.now()
      first.resolve()
    } catch (error) {
      failure = error
      if (isLasting(error)) first.reject(error)
      log.warn('the metagraph cannot be read', { block, why: String(error) })
    }
    isReading = false
  }
  const unsubscribe = chain.watch((event) => {
    if (event.type !== 'block.finalised') return
    block = event.block.number
    if (!isReading && clock.now() - readMs >= READ_MS) void read()
  })
  const stop = (): void => {
    unsubscribe()
    ending.abort(new Error('nobody asks any more'))
  }
  const limit = clock.setTimeout(() => first.reject(failure), FIRST_MS)
  try {
    await orAborted(first.promise, signal)
  } catch (error) {
    stop()
    throw error
  } finally {
    clock.clearTimeout(limit)
  }
  return { block: () => block, registered: () => registered ?? new Set(), stop }
}

const isLasting = (error: unknown): boolean =>
  error instanceof NodeError && (error.code === 'SUBNET_UNKNOWN' || error.code === 'CHAIN_FOREIGN')
