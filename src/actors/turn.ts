/**
 * Turns: how much of an evaluation one submission may take. A hang costs it its turn, never the phase (design §5).
 *
 * A turn ends with a block, like every wait: it may take half of the blocks that are left, so that time remains for the
 * others however many hang. Who hangs for one validator is measured by the rest, and the median decides.
 */
import { NodeError } from '../errors.ts'
import type { Blobs, Cancel, Chain, Evaluator } from '../ports.ts'

export type Turns = {
  /** Ends with EVALUATION_LATE when the turn is over, whether the work listens to its signal or not. */
  readonly take: <T>(opts: Cancel, work: (opts: Cancel) => Promise<T>) => Promise<T>
  readonly end: () => void
}

/** The next block may come at once, and that would be no turn. */
const TURN_BLOCKS_MIN = 2

export function createTurns(chain: Pick<Chain, 'watch'>, lastBlock: number): Turns {
  const looks = new Set<() => void>()
  let best = 0
  const end = chain.watch((event) => {
    if (event.type !== 'block.best') return
    best = event.block.number
    for (const look of [...looks]) look()
  })
  return {
    end,
    take: async ({ signal }, work) => {
      const turn = new AbortController()
      const over = best + Math.max(TURN_BLOCKS_MIN, Math.ceil((lastBlock - best) / 2))
      const late = new Promise<never>((_, reject) => {
        turn.signal.addEventListener('abort', () => reject(turn.signal.reason), { once: true })
      })
      const look = (): void => {
        if (best >= over) turn.abort(turnOver(over))
      }
      looks.add(look)
      try {
        return await Promise.race([work({ signal: AbortSignal.any([signal, turn.signal]) }), late])
      } finally {
        looks.delete(look)
      }
    },
  }
}

const turnOver = (block: number): NodeError =>
  new NodeError('EVALUATION_LATE', {
    what: `a submission took more than its turn, which ended at block ${block}`,
    why: 'its bytes did not arrive or the engine did not answer',
  })

/** What an evaluation needs of its ports. */
export type Engine = {
  readonly evaluator: Pick<Evaluator, 'losses' | 'inspect'>
  readonly blobs: Pick<Blobs, 'get'>
}

/** The same, with a turn for everything that depends on a peer. The base is ours, and without it there is no report. */
export const inTurns = ({ evaluator, blobs }: Engine, { take }: Turns): Engine => ({
  blobs: {
    get: (cid, { bytesMax, from, signal }) => take({ signal }, (opts) => blobs.get(cid, { bytesMax, from, ...opts })),
  },
  evaluator: {
    losses: (task, opts) =>
      task.overlay.kind === 'none'
        ? evaluator.losses(task, opts)
        : take(opts, (limited) => evaluator.losses(task, limited)),
    inspect: (task, opts) => take(opts, (limited) => evaluator.inspect(task, limited)),
  },
})
