/** Training on the CPU: gradients by onnxruntime, written where the kernel of AdamW reads them; weights never move. */
import { createSession, type Session } from '../backend/session.ts'
import { weighing } from '../evaluate/sessions.ts'
import { createBuilder } from '../graph/build.ts'
import { type Graph, sizeOf } from '../graph/graph.ts'
import type { Tensor } from '../graph/interpret.ts'
import { type Checkpoint, keyOf, readWeight } from '../model/checkpoint.ts'
import type { Batch } from '../model/forward.ts'
import type { Weight } from '../model/layout.ts'
import { addLoss, tokenFeeds } from '../model/loss-graph.ts'
import { createOptimiser, type Slot } from './adamw.ts'
import { PARTS, type Step, type StepTask, type Training, type TrainingOptions } from './step.ts'

export async function createHostTraining(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  { adam, normMax, places, sequencesPerRun, ...options }: TrainingOptions,
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
  const sessions = new Map<number, Promise<Session>>()
  const sessionFor = (batch: number): Promise<Session> => {
    const made = sessions.get(batch) ?? createSession(graphOf(checkpoint, trained, { batch, places }), options)
    sessions.set(batch, made)
    return made
  }
  /** The loss of a part, as its share in that of the batch. */
  const runPart = async (part: readonly ArrayLike<number>[], share: number): Promise<number> => {
    const session = await sessionFor(part.length)
    const feeds = new Map([...weights, ...tokenFeeds(part, places), ['share', scalar(share)] as const])
    const made = await session.run(feeds, gradients)
    optimiser.accumulate()
    return (made.get('loss') as Tensor).data[0] as number
  }
  const runStep = async ({ batch, step, rate }: StepTask): Promise<Step> => {
    let loss = 0
    for (let first = 0; first < batch.length; first += sequencesPerRun) {
      const part = batch.slice(first, first + sequencesPerRun)
      loss += await runPart(part, part.length / batch.length)
    }
    const norm = optimiser.norm()
    optimiser.update(step, rate, normMax !== null && norm > normMax ? normMax / norm : 1)
    return { loss, norm }
  }
  return {
    stepsAtOnce: 1,
    run: async (tasks) => {
      const steps: Step[] = []
      for (const task of tasks) steps.push(await runStep(task))
      return steps
    },
    read: async (part) => new Map([...slots].map(([key, slot]) => [key, slot[part]])),
    write: (state) => {
      for (const part of PARTS) for (const [key, values] of state[part]) slots.get(key)?.[part].set(values)
    },
    release: async () => {
      for (const session of sessions.values()) await (await session).release()
    },
  }
}

/** Loss of a batch, times its share, with the gradients of what is trained. */
function graphOf(checkpoint: Checkpoint, trained: readonly Weight[], batch: Batch): Graph {
  const b = createBuilder()
  const weigh = weighing(b, checkpoint, new Set(trained.map(keyOf)))
  const share = b.input('share', { dtype: 'f32', shape: [] })
  const { loss, gradients } = addLoss(b, checkpoint, weigh, trained, batch, (losses) =>
    b.mul(b.mean(losses, [0]), share),
  )
  b.output('loss', loss)
  for (const [i, weight] of trained.entries()) b.output(`gradient of ${keyOf(weight)}`, gradients[i] as typeof loss)
  return b.finish()
}

const scalar = (value: number): Tensor => ({ dtype: 'f32', shape: [], data: Float32Array.of(value) })
