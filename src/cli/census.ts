/** Who is registered in a subnet, followed on the chain for as long as a peer runs. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Census } from '../p2p/directory.ts'
import type { Cancel, Chain, Clock, Log } from '../ports.ts'

export type FollowedCensus = Census & { readonly stop: () => void }
type CensusDeps = { readonly chain: Pick<Chain, 'watch' | 'neurons'>; readonly clock: Clock; readonly log: Log }

/** Registrations change every few minutes at most; each reading is the whole metagraph. */
const READ_MS = 12_000
const LOOK_MS = 20

/** Resolves when the first reading is there. While the chain does not answer, the last one stands. */
export async function followCensus({ chain, clock, log }: CensusDeps, { signal }: Cancel): Promise<FollowedCensus> {
  const ending = new AbortController()
  let block = 0
  let registered: ReadonlySet<string> | null = null
  let readMs = Number.NEGATIVE_INFINITY
  let isReading = false

  const read = async (): Promise<void> => {
    isReading = true
    try {
      const neurons = await chain.neurons(block, { signal: ending.signal })
      registered = new Set(neurons.map(({ hotkey }) => hotkey))
      readMs = clock.now()
    } catch (error) {
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
  try {
    while (registered === null) await sleep(LOOK_MS, undefined, { signal })
  } catch (error) {
    stop()
    throw error
  }
  return { block: () => block, registered: () => registered ?? new Set(), stop }
}
