/**
 * Training of some experts, or of routing rows, step by step: a graph for loss and gradients, run in parts that fit into
 * memory, and AdamW in place. The hub is frozen by construction: there is no gradient of it in the graph.
 */
import { createSession, type Session, type SessionOptions } from '../backend/session.ts'
import { weighing } from '../evaluate/sessions.ts'
import { createBuilder } from '../graph/build.ts'
import { backward } from '../graph/grad.ts'
import type { Value } from '../graph/graph.ts'
import { sizeOf } from '../graph/graph.ts'
import type { Tensor } from '../graph/interpret.ts'
import { type Checkpoint, keyOf, readWeight } from '../model/checkpoint.ts'
import { type Batch, createForward, layerOf } from '../model/forward.ts'
import type { Weight } from '../model/layout.ts'
import { type AdamW, createOptimiser, type Slot } from './adamw.ts'

export type TrainingOptions = SessionOptions & {
  readonly adam: AdamW
  /** Gradients of a larger norm are scaled down to it. */
  readonly normMax: number | null
  /** Sequences of one run; a batch of more is run in parts whose gradients add up. */
  readonly sequencesPerRun: number
}

export type Step = { readonly loss: number; readonly norm: number }

export type Training = {
  readonly slots: ReadonlyMap<string, Slot>
  /** One step on a batch of sequences of equal length; `step` counts from one. */
  readonly step: (batch: readonly ArrayLike<number>[], step: number, rate: number) => Promise<Step>
  readonly release: () => Promise<void>
}

export async function createTraining(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  { adam, normMax, sequencesPerRun, ...options }: TrainingOptions,
): Promise<Training> {
  const keys = trained.map(keyOf)
  const optimiser = createOptimiser(
    trained.map(({ shape }) => sizeOf(shape)),
    adam,
    true,
  )
  const slots = new Map(keys.map((key, i) => [key, optimiser.slots[i] as Slot]))
  for (const weight of trained) slots.get(keyOf(weight))?.weights.set(await readWeight(checkpoint, weight))

  const tensors = (name: 'weights' | 'gradients', prefix: string): readonly (readonly [string, Tensor])[] =>
    trained.map((weight) => {
      const data = (slots.get(keyOf(weight)) as Slot)[name]
      return [`${prefix}${keyOf(weight)}`, { dtype: 'f32', shape: weight.shape, data }]
    })
  const weights = tensors('weights', '')
  const gradients = new Map(tensors('gradients', 'gradient of '))
  const sessions = new Map<string, Promise<Session>>()
  const sessionFor = (batch: Batch): Promise<Session> => {
    const key = `${batch.batch}×${batch.places}`
    const made = sessions.get(key) ?? createSession(graphOf(checkpoint, trained, batch), options)
    sessions.set(key, made)
    return made
  }
  /** The loss of a part, as its share in that of the batch. */
  const runPart = async (part: readonly ArrayLike<number>[], share: number): Promise<number> => {
    const places = (part[0]?.length ?? 1) - 1
    const session = await sessionFor({ batch: part.length, places })
    const feeds = new Map([...weights, ...feedsOf(part, places), ['share', scalar(share)] as const])
    const made = await session.run(feeds, gradients)
    optimiser.accumulate()
    return (made.get('loss') as Tensor).data[0] as number
  }
  return {
    slots,
    step: async (batch, step, rate) => {
      let loss = 0
      for (let first = 0; first < batch.length; first += sequencesPerRun) {
        const part = batch.slice(first, first + sequencesPerRun)
        loss += await runPart(part, part.length / batch.length)
      }
      const norm = optimiser.norm()
      optimiser.update(step, rate, normMax !== null && norm > normMax ? normMax / norm : 1)
      return { loss, norm }
    },
    release: async () => {
      for (const session of sessions.values()) await (await session).release()
    },
  }
}

/** Loss of a batch, times its share, with the gradients of what is trained. */
function graphOf(checkpoint: Checkpoint, trained: readonly Weight[], batch: Batch) {
  const { model, layout } = checkpoint
  const b = createBuilder()
  const rows = batch.batch * batch.places
  const weigh = weighing(b, checkpoint, new Set(trained.map(keyOf)))
  const wrt: readonly Value[] = trained.map(weigh)
  const forward = createForward(b, model, layout, weigh, batch)
  const tokens = b.input('tokens', { dtype: 'i64', shape: [rows] })
  const targets = b.input('targets', { dtype: 'i64', shape: [rows] })
  const share = b.input('share', { dtype: 'f32', shape: [] })
  let x = forward.embed(tokens)
  for (let layer = 0; layer < model.layers; layer++) x = layerOf(b, forward, model, x, layer)
  const loss = b.mul(b.mean(forward.loss(x, targets), [0]), share)
  b.output('loss', loss)
  for (const [i, gradient] of backward(b, loss, wrt).entries()) {
    b.output(`gradient of ${keyOf(trained[i] as Weight)}`, gradient)
  }
  return b.finish()
}

function feedsOf(part: readonly ArrayLike<number>[], places: number): readonly (readonly [string, Tensor])[] {
  const rows = part.map((tokens) => Array.from(tokens))
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

const scalar = (value: number): Tensor => ({ dtype: 'f32', shape: [], data: Float32Array.of(value) })
