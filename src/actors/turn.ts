/**
 * Turns: how much of an evaluation one peer may take. A hang costs it its turn, never the phase (protocol §5).
 *
 * Every wait ends with a block, and none passes the last one, which leaves a reserve to write the report in. What only
 * waits for peers happens at once under one deadline for all: however many hang, the others lose nothing but the time until
 * then. The engine takes one submission after another, each at most half of the blocks that are left: what hangs in it can
 * only cost the tail, and the order is the lottery's, so that all validators cut the same one. Who hangs for one
 * validator is measured by the rest, and the median decides.
 */
import { NodeError } from '../errors.ts'
import type { Blobs, Cancel, Chain, Evaluator } from '../ports.ts'

/** The block with which a stage of the evaluation ends. */
export type Stage = { readonly over: number }

export type Turns = {
  /** A stage that begins now and takes at most this part of the blocks that are left, one at least. */
  readonly stage: (part: Part) => Stage
  /** One turn in a stage. Ends with EVALUATION_LATE when it is over, whether the work listens to its signal or not. */
  readonly take: <T>(stage: Stage, opts: Cancel, work: (opts: Cancel) => Promise<T>) => Promise<T>
  /** What waits for peers, begun in the order of the items and together over when the stage is. Fails for single items. */
  readonly takeAll: <I, T>(stage: Stage, opts: Cancel, items: readonly I[], work: Wait<I, T>) => Promise<Results<T>>
  readonly end: () => void
}

type Wait<I, T> = (item: I, opts: Cancel) => Promise<T>
export type Results<T> = readonly PromiseSettledResult<T>[]
type Part = readonly [numerator: number, denominator: number]

/**
 * Of the blocks that are left: shards and manifests, tensors, scores, and the rest for marginals. Time that a stage does
 * not need is the next one's. Of the seven blocks of the local preset, if everything hangs: two, three, one and one.
 */
export const STAGES = {
  documents: [1, 4],
  tensors: [3, 5],
  scores: [1, 2],
  all: [1, 1],
} as const satisfies Record<string, Part>

/** The next block may come at once, and that would be no turn. */
const TURN_BLOCKS_MIN = 2

/**
 * So many wait at once, for 64 MiB of manifests. Who hangs keeps its place for one block only: with every block as many
 * again may begin, or this many peers that hang would keep everybody else waiting.
 */
export const WAITS_AT_ONCE = 64

type Watch = { best: number; readonly looks: Set<() => void> }

export type TurnsOptions = {
  /** The best block when the evaluation begins. */
  readonly best: number
  /** With this block all is over. */
  readonly lastBlock: number
}

export function createTurns({ best, lastBlock }: TurnsOptions, chain: Pick<Chain, 'watch'>): Turns {
  const watch: Watch = { best, looks: new Set() }
  const end = chain.watch((event) => {
    if (event.type !== 'block.best') return
    watch.best = event.block.number
    for (const look of [...watch.looks]) look()
  })
  return {
    end,
    stage: ([numerator, denominator]) => {
      const left = Math.ceil(((lastBlock - watch.best) * numerator) / denominator)
      return { over: Math.min(lastBlock, watch.best + Math.max(1, left)) }
    },
    take: ({ over }, opts, work) => {
      const blocks = Math.max(TURN_BLOCKS_MIN, Math.ceil((over - watch.best) / 2))
      return until(watch, Math.min(over, watch.best + blocks), opts, work)
    },
    takeAll: (stage, opts, items, work) => waitForAll(watch, stage, opts, items, work),
  }
}

/** Ends when the work does, when the block has come, or when nobody wants it any more. */
async function until<T>(
  watch: Watch,
  over: number,
  { signal }: Cancel,
  work: (opts: Cancel) => Promise<T>,
): Promise<T> {
  if (watch.best >= over) throw turnOver(over)
  const turn = new AbortController()
  const limited = AbortSignal.any([signal, turn.signal])
  const late = new Promise<never>((_, reject) => {
    limited.addEventListener('abort', () => reject(limited.reason), { once: true })
  })
  const look = (): void => {
    if (watch.best >= over) turn.abort(turnOver(over))
  }
  watch.looks.add(look)
  try {
    signal.throwIfAborted()
    return await Promise.race([work({ signal: limited }), late])
  } finally {
    watch.looks.delete(look)
  }
}

async function waitForAll<I, T>(
  watch: Watch,
  { over }: Stage,
  opts: Cancel,
  items: readonly I[],
  work: Wait<I, T>,
): Promise<Results<T>> {
  const waits: Promise<T>[] = []
  const begin = async (): Promise<void> => {
    while (waits.length < items.length) {
      const item = items[waits.length] as I
      const wait = until(watch, over, opts, (limited) => work(item, limited))
      waits.push(wait)
      await wait.catch(() => undefined)
    }
  }
  const crew: Promise<void>[] = []
  const hire = (): void => {
    for (let i = 0; i < WAITS_AT_ONCE && waits.length < items.length; i++) crew.push(begin())
  }
  hire()
  watch.looks.add(hire)
  try {
    // It grows while it is waited for; whoever is done has left nothing to begin.
    for (const one of crew) await one
  } finally {
    watch.looks.delete(hire)
  }
  opts.signal.throwIfAborted()
  return Promise.allSettled(waits)
}

const turnOver = (block: number): NodeError =>
  new NodeError('EVALUATION_LATE', {
    what: `a turn of the evaluation was over at block ${block}`,
    why: 'bytes did not arrive, or the engine did not answer in time',
  })

/** What fails is as good as not there; what nobody wants any more ends here. */
export const orNull =
  ({ signal }: Cancel) =>
  (error: unknown): null => {
    if (signal.aborted) throw error
    return null
  }

/** What an evaluation needs of its ports, and the time that it may take. */
export type Engine = {
  readonly evaluator: Pick<Evaluator, 'losses' | 'inspect'>
  readonly blobs: Pick<Blobs, 'get'>
  readonly turns: Turns
}
