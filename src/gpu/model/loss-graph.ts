/** What every training computes: the loss of a run's sequences, and the gradients of what is trained. */
import type { Builder } from '../graph/build.ts'
import { backward } from '../graph/grad.ts'
import type { Value } from '../graph/graph.ts'
import type { Tensor } from '../graph/interpret.ts'
import type { Checkpoint } from './checkpoint.ts'
import { type Batch, createForward, layerOf, type Weigh } from './forward.ts'
import type { Weight } from './layout.ts'

export type LossGraph = {
  readonly loss: Value
  /** Of the trained weights, and their gradients, in their order. */
  readonly weights: readonly Value[]
  readonly gradients: readonly Value[]
}

/** `whole` makes one number of the losses of all tokens. */
export function addLoss(
  b: Builder,
  { model, layout }: Pick<Checkpoint, 'model' | 'layout'>,
  weigh: Weigh,
  trained: readonly Weight[],
  batch: Batch,
  whole: (losses: Value) => Value,
): LossGraph {
  const rows = batch.batch * batch.places
  const weights = trained.map(weigh)
  const forward = createForward(b, model, layout, weigh, batch)
  const tokens = b.input('tokens', { dtype: 'i64', shape: [rows] })
  const targets = b.input('targets', { dtype: 'i64', shape: [rows] })
  let x = forward.embed(tokens)
  for (let layer = 0; layer < model.layers; layer++) x = layerOf(b, forward, model, x, layer)
  const loss = whole(forward.loss(x, targets))
  return { loss, weights, gradients: backward(b, loss, weights) }
}

/** Every token but the last is read, every one but the first is predicted. */
export function tokenFeeds(
  sequences: readonly ArrayLike<number>[],
  places: number,
): readonly (readonly [string, Tensor])[] {
  const rows = sequences.map((tokens) => Array.from(tokens))
  const integers = (from: number): Tensor => {
    const data = BigInt64Array.from(
      rows.flatMap((tokens) => tokens.slice(from, from + places)),
      BigInt,
    )
    return { dtype: 'i64', shape: [data.length], data }
  }
  return [
    ['tokens', integers(0)],
    ['targets', integers(1)],
  ]
}
