/** Who is asked how much: the routing weights that the tokens of some text give to each expert of each layer. */
import type { SequenceSource } from '../data/sequences.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import { chunksOf } from './scorer.ts'
import type { Halfway, Sessions } from './sessions.ts'

/** Of a token on average, by layer and expert; a layer without experts has none. */
export type Gates = { readonly tokens: number; readonly layers: readonly (Float64Array | null)[] }

const NONE: ReadonlySet<number> = new Set()

export type GatesOptions = {
  /** Which sequences of the source. */
  readonly places: readonly number[]
  readonly tokensPerRun: number
  /** Sequences so far. */
  readonly tell: (done: number) => void
}

export async function gatesOf(
  { model }: Checkpoint,
  sessions: Sessions,
  source: SequenceSource,
  { places, tokensPerRun, tell }: GatesOptions,
): Promise<Gates> {
  const sums = model.dense.map((dense) => (dense === null ? new Float64Array(model.mixture.experts) : null))
  const room = Math.max(1, Math.floor(tokensPerRun / (source.places - 1)))
  let tokens = 0
  for (let first = 0; first < places.length; first += room) {
    const sequences = await source.read(places.slice(first, first + room))
    for (const chunk of chunksOf(sequences, tokensPerRun, [])) {
      let x = await sessions.embed(chunk.inputs)
      for (const [layer, sum] of sums.entries()) {
        if (sum === null) x = await sessions.layer(layer, x, chunk, new Map())
        else {
          const half = await sessions.halfway(layer, x, chunk, NONE)
          addGates(sum, half)
          x = half.stream
        }
      }
      tokens += chunk.inputs.length
    }
    tell(Math.min(first + room, places.length))
  }
  return { tokens, layers: sums.map((sum) => sum?.map((weight) => weight / tokens) ?? null) }
}

function addGates(sum: Float64Array, { ids, weights }: Halfway): void {
  for (const [slot, id] of ids.entries()) {
    const expert = Number(id)
    sum[expert] = (sum[expert] as number) + (weights[slot] as number)
  }
}
