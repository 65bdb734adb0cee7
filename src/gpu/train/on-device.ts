/**
 * Training on a GPU: one graph computes loss and gradients of a part of a batch, adds them to those of the parts before, and does
 * the step of AdamW. Weights, moments and gathered gradients are its state, which stays on the device.
 */
import { createStepper } from '../backend/stepper.ts'
import { weighing } from '../evaluate/sessions.ts'
import { type Builder, createBuilder } from '../graph/build.ts'
import { type Graph, sizeOf, type Value } from '../graph/graph.ts'
import type { Tensor } from '../graph/interpret.ts'
import { type Checkpoint, keyOf, readWeight } from '../model/checkpoint.ts'
import type { Weight } from '../model/layout.ts'
import { addLoss, tokenFeeds } from '../model/loss-graph.ts'
import { PARTS, type Step, type StepTask, type Training, type TrainingOptions } from './step.ts'

type Feeds = ReadonlyMap<string, Tensor>

const CARRIED = [...PARTS, 'gathered'] as const
const nameOf = (part: (typeof CARRIED)[number], key: string): string => (part === 'weights' ? key : `${part} of ${key}`)
const after = (name: string): string => `next ${name}`

/** `stepsInOneRun`: how many steps go to the device at once; `null` is a run for every part of every step. */
export async function createDeviceTraining(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  options: TrainingOptions,
  stepsInOneRun: number | null,
): Promise<Training> {
  const names = trained.flatMap((weight) => CARRIED.map((part) => nameOf(part, keyOf(weight))))
  const stepper = await createStepper(
    graphOf(checkpoint, trained, options),
    new Map(names.map((name) => [name, after(name)])),
    { device: options.device, threads: options.threads, inOneRun: stepsInOneRun !== null },
  )
  const write = (value: (part: (typeof PARTS)[number], key: string) => Float32Array | undefined): void =>
    stepper.write(
      new Map(
        trained.flatMap((weight) => {
          const { shape } = weight
          return CARRIED.map((part) => {
            const data =
              (part === 'gathered' ? undefined : value(part, keyOf(weight))) ?? new Float32Array(sizeOf(shape))
            return [nameOf(part, keyOf(weight)), { dtype: 'f32', shape, data }] as const
          })
        }),
      ),
    )
  const begin = new Map<string, Float32Array>()
  for (const weight of trained) begin.set(keyOf(weight), await readWeight(checkpoint, weight))
  write((part, key) => (part === 'weights' ? begin.get(key) : undefined))
  return {
    stepsAtOnce: stepsInOneRun ?? 1,
    run: async (tasks) => {
      const parts = tasks.map((task) => partsOf(task, options))
      const made = (await stepper.run(parts.flat())).values()
      return parts.map((ofStep) => stepOf(ofStep.map(() => made.next().value as Feeds)))
    },
    read: async (part) => {
      const values = new Map<string, Float32Array>()
      for (const key of begin.keys()) values.set(key, await stepper.read(nameOf(part, key)))
      return values
    },
    write: (state) => write((part, key) => state[part].get(key)),
    release: stepper.release,
  }
}

/** The loss of a step is that of all its parts, the norm that of all gradients together. */
function stepOf(parts: readonly Feeds[]): Step {
  const number = (part: Feeds | undefined, name: string): number => part?.get(name)?.data[0] as number
  return { loss: parts.reduce((sum, part) => sum + number(part, 'loss'), 0), norm: number(parts.at(-1), 'norm') }
}

/** What a part is told, in this order, besides its tokens. */
const TOLD = ['again', 'keepSums', 'newSums', 'keepSquares', 'newSquares', 'rate', 'root', 'keep', 'normMax'] as const
type Told = { readonly [K in (typeof TOLD)[number]]: number }
/** All parts but the last: their gradients are gathered, and the rest stays what it is to the bit. */
const WAITING = { keepSums: 1, newSums: 0, keepSquares: 1, newSquares: 0, rate: 0, root: 1, keep: 1 } as const
/** No norm comes near it, and over the smallest norm it is still a number. */
const NORM_HUGE = 1e24
const NORM_TINY = 1e-12

/** All parts have one size: the last one is filled up with sequences that have no share in the loss. */
function partsOf({ batch, step, rate }: StepTask, options: TrainingOptions): readonly Feeds[] {
  const { places, sequencesPerRun: size, adam, normMax } = options
  const { beta1, beta2, weightDecay } = adam
  const stepping = {
    keepSums: beta1,
    newSums: 1 - beta1,
    keepSquares: beta2,
    newSquares: 1 - beta2,
    rate: rate / (1 - beta1 ** step),
    root: 1 / Math.sqrt(1 - beta2 ** step),
    keep: 1 - rate * weightDecay,
  }
  const count = Math.ceil(batch.length / size)
  return Array.from({ length: count }, (_, i) => {
    const part = batch.slice(i * size, (i + 1) * size)
    const filled = Array.from({ length: size }, (_, k) => part[k % part.length] as ArrayLike<number>)
    const shares = new Float32Array(size * places).fill(1 / (batch.length * places), 0, part.length * places)
    const rest = i === count - 1 ? stepping : WAITING
    const told: Told = { again: i === 0 ? 0 : 1, normMax: normMax ?? NORM_HUGE, ...rest }
    const numbers = (data: Float32Array): Tensor => ({ dtype: 'f32', shape: [data.length], data })
    return new Map([
      ...tokenFeeds(filled, places),
      ['shares', numbers(shares)] as const,
      ['told', numbers(Float32Array.from(TOLD, (name) => told[name]))] as const,
    ])
  })
}

function graphOf(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  { places, sequencesPerRun, adam }: TrainingOptions,
): Graph {
  const b = createBuilder()
  const weigh = weighing(b, checkpoint, new Set(trained.map(keyOf)))
  const shares = b.input('shares', { dtype: 'f32', shape: [sequencesPerRun * places] })
  const split = b.split(b.input('told', { dtype: 'f32', shape: [TOLD.length] }), 0, ...TOLD.map(() => 1))
  const told = (name: keyof Told): Value => split[TOLD.indexOf(name)] as Value
  const { loss, weights, gradients } = addLoss(
    b,
    checkpoint,
    weigh,
    trained,
    { batch: sequencesPerRun, places },
    (losses) => b.sum(b.mul(losses, shares), [0]),
  )
  b.output('loss', loss)
  const carried = (part: 'sums' | 'squares' | 'gathered', weight: Weight): Value =>
    b.input(nameOf(part, keyOf(weight)), { dtype: 'f32', shape: weight.shape })
  const gathered = trained.map((weight, i) =>
    b.add(b.mul(carried('gathered', weight), told('again')), gradients[i] as Value),
  )
  const norm = b.sqrt(gathered.map((g) => sumOfSquares(b, g)).reduce((sum, square) => b.add(sum, square)))
  b.output('norm', norm)
  const scale = b.clip(b.div(told('normMax'), b.clip(norm, NORM_TINY, NORM_HUGE)), 0, 1)
  for (const [i, weight] of trained.entries()) {
    const g = b.mul(gathered[i] as Value, scale)
    const sums = b.add(b.mul(carried('sums', weight), told('keepSums')), b.mul(g, told('newSums')))
    const squares = b.add(
      b.mul(carried('squares', weight), told('keepSquares')),
      b.mul(b.mul(g, g), told('newSquares')),
    )
    const root = b.add(b.mul(b.sqrt(squares), told('root')), b.scalar(adam.eps))
    const stepped = b.sub(b.mul(weights[i] as Value, told('keep')), b.div(b.mul(sums, told('rate')), root))
    const values = { weights: stepped, sums, squares, gathered: gathered[i] as Value }
    for (const part of CARRIED) b.output(after(nameOf(part, keyOf(weight))), values[part])
  }
  return b.finish()
}

const sumOfSquares = (b: Builder, x: Value): Value =>
  b.sum(
    b.mul(x, x),
    x.shape.map((_, axis) => axis),
  )
