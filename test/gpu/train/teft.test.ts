import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { inMemory } from '../../../src/gpu/data/sequences.ts'
import { piecesOf, weightsOf } from '../../../src/gpu/evaluate/pieces.ts'
import { openCheckpoint } from '../../../src/gpu/model/checkpoint.ts'
import { createDeviceTraining } from '../../../src/gpu/train/on-device.ts'
import { rateAt } from '../../../src/gpu/train/schedule.ts'
import { fineTune, type TeftEvent, type TeftOptions } from '../../../src/gpu/train/teft.ts'
import { createTraining } from '../../../src/gpu/train/training.ts'
import { numbersOf } from '../graph/op-case.ts'

const FIXTURE = join(import.meta.dirname, '..', '..', 'fixtures', 'models', 'qwen3-stacked')
const next = numbersOf(3)
const source = inMemory(
  Array.from({ length: 6 }, () => Uint32Array.from({ length: 9 }, () => Math.floor((next() + 1) * 20))),
)
const OPTIONS: TeftOptions = {
  device: 'cpu',
  threads: 1,
  adam: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01 },
  normMax: 1,
  steps: 6,
  schedule: { rate: 1e-2, warmupSteps: 2, decay: 'linear', floor: 0.1 },
  batch: 4,
  tokensPerRun: 16,
  statePath: null,
  saveEverySteps: 2,
  identity: 'this run',
  validation: null,
}

async function train(options: Partial<TeftOptions> = {}, open: typeof createTraining = createTraining) {
  const checkpoint = await openCheckpoint(FIXTURE)
  const trained = piecesOf(checkpoint)
    .filter((p) => p.kind === 'expert' && p.expert === 1)
    .flatMap(weightsOf)
  const events: TeftEvent[] = []
  const given = { ...OPTIONS, ...options }
  const result = await fineTune(checkpoint, trained, source, given, (event) => events.push(event), open)
  return { ...result, events }
}

describe('a run that was killed', () => {
  let folder: string
  let statePath: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'wheelwright-state-'))
    statePath = join(folder, 'state.safetensors')
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('goes on from its last save to the same weights', async () => {
    const whole = await train()
    // Killed after step 5: what is on disk is step 4.
    const died = new AbortController()
    const die = async () => {
      died.abort()
      return 1
    }
    await train({
      statePath,
      enough: died.signal,
      validation: { everySteps: 5, patience: 0, loss: die },
    })
    const rest = await train({ statePath })
    expect(rest.events[0]).toEqual({ type: 'resumed', step: 4 })
    expect(rest.steps).toBe(6)
    for (const [key, values] of whole.values) expect(rest.values.get(key)).toEqual(values)
  })

  test('is not continued by another one', async () => {
    await train({ statePath, steps: 2 })
    const other = await train({ statePath, identity: 'another run' })
    expect(other.events.some(({ type }) => type === 'resumed')).toBe(false)
  })
})

test('validation that grows no better ends a run, and the best weights are the result', async () => {
  const losses = [3, 1, 2, 2.5, 0.5]
  const seen: Float32Array[] = []
  const { steps, values } = await train({
    validation: {
      everySteps: 1,
      patience: 2,
      loss: async (weights) => {
        seen.push([...weights.values()][0]?.slice() as Float32Array)
        return losses[seen.length - 1] as number
      },
    },
  })
  expect(steps).toBe(4)
  expect([...values.values()][0]).toEqual(seen[1])
})

test('a batch that is run in parts is the batch', async () => {
  const [parts, whole] = [await train({ tokensPerRun: 8 }), await train({ tokensPerRun: 1024 })]
  for (const [i, loss] of parts.losses.entries()) expect(loss).toBeCloseTo(whole.losses[i] as number, 4)
})

test('rates warm up and fall', () => {
  const schedule = { rate: 1, warmupSteps: 2, floor: 0.1 } as const
  const rates = (decay: 'constant' | 'linear' | 'cosine') =>
    [0, 1, 2, 6, 10].map((step) => rateAt({ ...schedule, decay }, step, 10))
  expect(rates('constant')).toEqual([0.5, 1, 1, 1, 1])
  expect(rates('linear').map((rate) => Math.round(rate * 100) / 100)).toEqual([0.5, 1, 1, 0.55, 0.1])
  expect(rates('cosine').map((rate) => Math.round(rate * 100) / 100)).toEqual([0.5, 1, 1, 0.55, 0.1])
})

test('many steps in one run, as on CUDA, end where they are saved and validated, and are told one by one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wheelwright-state-'))
  const validation = { everySteps: 4, patience: 0, loss: async () => 1 }
  const wanted = await train({ steps: 10, validation })
  const made = await train(
    { steps: 10, validation, statePath: join(folder, 'state.safetensors'), saveEverySteps: 3 },
    (checkpoint, trained, given) => createDeviceTraining(checkpoint, trained, given, 16),
  )
  await rm(folder, { recursive: true })
  expect(made.events.map(({ type }) => type)).toEqual(wanted.events.map(({ type }) => type))
  for (const [i, loss] of wanted.losses.entries()) expect(made.losses[i]).toBeCloseTo(loss, 4)
})

test('when memory does not suffice, half as many sequences go into a run, from the state there is', async () => {
  const whole = await train({ tokensPerRun: 1024 })
  const tight: typeof createTraining = async (checkpoint, trained, given) => {
    const training = await createTraining(checkpoint, trained, given)
    const run: typeof training.run = async (tasks) => {
      if (given.sequencesPerRun > 2 && tasks[0]?.step === 3) throw new Error('std::bad_alloc')
      return training.run(tasks)
    }
    return { ...training, run }
  }
  const made = await train({ tokensPerRun: 1024 }, tight)
  expect(made.events[2]).toEqual({ type: 'halved', sequencesPerRun: 2, why: 'std::bad_alloc' })
  for (const [i, loss] of whole.losses.entries()) expect(made.losses[i]).toBeCloseTo(loss, 4)
})
