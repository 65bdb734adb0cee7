/**
 * Everything of the engine on WebGPU: on a GPU, or on a driver that computes on the CPU. SwiftShader is such a one, and comes with
 * Debian's package chromium-common: name its file with `VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json`.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runJob } from '../../src/cli/engine-open.ts'
import { probe } from '../../src/gpu/backend/probe.ts'
import { createSession } from '../../src/gpu/backend/session.ts'
import { piecesOf, weightsOf } from '../../src/gpu/evaluate/pieces.ts'
import { createBuilder } from '../../src/gpu/graph/build.ts'
import { interpret } from '../../src/gpu/graph/interpret.ts'
import { openCheckpoint } from '../../src/gpu/model/checkpoint.ts'
import { createDeviceTraining } from '../../src/gpu/train/on-device.ts'
import { createHostTraining } from '../../src/gpu/train/on-host.ts'
import { createTraining } from '../../src/gpu/train/training.ts'
import { lossJob } from '../../src/gpu/worker/job.ts'
import { distance } from '../gpu/graph/near.ts'
import { allCases, kindOf, type OpCase } from '../gpu/graph/op-case.ts'
import { expectReference } from '../gpu/model/expect-reference.ts'
import { openReference, trainedOf } from '../gpu/model/reference.ts'

const MODELS = join(import.meta.dirname, '..', 'fixtures', 'models')
const ADAM = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 }
const { signal } = new AbortController()
const found = await probe('webgpu', { signal })
console.log(found.works ? `WebGPU works: ${JSON.stringify(found)}` : `skipped, WebGPU does not work: ${found.why}`)

describe.skipIf(!found.works)('on WebGPU', () => {
  test.each(allCases())('%s is what the interpreter computes', async (_name, op, { inputs, attrs }: OpCase) => {
    const b = createBuilder()
    const values = inputs.map((tensor, i) => b.input(`x${i}`, kindOf(tensor)))
    for (const [i, value] of b.op(op, values, attrs).entries()) b.output(`y${i}`, value)
    const graph = b.finish()
    const feeds = new Map(inputs.map((tensor, i) => [`x${i}`, tensor]))
    const session = await createSession(graph, { device: 'webgpu', threads: 1 })
    const made = await session.run(feeds)
    for (const [name, tensor] of interpret(graph, feeds)) expect(distance(made.get(name), tensor)).toBeLessThan(1e-6)
    await session.release()
  })

  test.each(readdirSync(MODELS))('%s trains and predicts as transformers does', (name) =>
    expectReference(join(MODELS, name), 'webgpu'),
  )

  test.each([null, 4])('steps leave their state on the device; in one run: %s', async (stepsInOneRun) => {
    const reference = await openReference(join(MODELS, 'olmoe-clipped'))
    const trained = trainedOf(reference).map(({ weight }) => weight)
    const places = (reference.tokens[0]?.length ?? 0) - 1
    const options = { threads: 1, adam: ADAM, normMax: 0.5, places, sequencesPerRun: 2 }
    const tasks = [1, 2, 3, 4].map((step) => ({ batch: reference.tokens, step, rate: 0.01 }))
    const host = await createHostTraining(reference.checkpoint, trained, { ...options, device: 'cpu' })
    const device = await createDeviceTraining(
      reference.checkpoint,
      trained,
      { ...options, device: 'webgpu' },
      stepsInOneRun,
    )
    const wanted = await host.run(tasks)
    for (const [i, { loss, norm }] of (await device.run(tasks)).entries()) {
      expect(loss).toBeCloseTo(wanted[i]?.loss as number, 4)
      expect(norm).toBeCloseTo(wanted[i]?.norm as number, 4)
    }
    const tensor = (data: Float32Array) => ({ dtype: 'f32', shape: [data.length], data }) as const
    const weights = await device.read('weights')
    for (const [key, values] of await host.read('weights')) {
      expect(distance(tensor(weights.get(key) as Float32Array), tensor(values)), key).toBeLessThan(1e-4)
    }
    await device.release()
    await host.release()
  })

  test('the genesis model, whose products are large enough for the kernels of real ones, learns as on the CPU', async () => {
    const directory = join(import.meta.dirname, '..', '..', 'bootstrap', 'genesis')
    const checkpoint = await openCheckpoint(directory)
    const trained = piecesOf(checkpoint)
      .filter((piece) => piece.kind === 'router' || piece.expert < 2)
      .flatMap(weightsOf)
    const batch = [1, 2, 3, 4].map((row) =>
      Array.from({ length: 65 }, (_, place) => (7 * row * row + 13 * place) % 256),
    )
    const options = { threads: 2, adam: ADAM, normMax: 1, places: 64, sequencesPerRun: 4 }
    const tasks = [1, 2].map((step) => ({ batch, step, rate: 1e-3 }))
    const host = await createTraining(checkpoint, trained, { ...options, device: 'cpu' })
    const device = await createTraining(checkpoint, trained, { ...options, device: 'webgpu' })
    const wanted = await host.run(tasks)
    for (const [i, { loss, norm }] of (await device.run(tasks)).entries()) {
      expect(loss).toBeCloseTo(wanted[i]?.loss as number, 4)
      expect(norm).toBeCloseTo(wanted[i]?.norm as number, 4)
    }
    await device.release()
    await host.release()
  })

  test('a job in an engine of its own gives the loss of the CPU', async () => {
    const directory = join(MODELS, 'qwen2-windows')
    const source = { kind: 'tokens', path: join(directory, 'tokens.json') } as const
    const task = { directory, source, threads: 1 }
    const call = { kind: 'job', name: 'loss', task: { ...task, device: 'webgpu' } } as const
    const { loss } = await runJob(call, { signal, tell: () => undefined })
    expect(loss).toBeCloseTo((await lossJob({ ...task, device: 'cpu' }, () => undefined)).loss, 5)
  })
})
