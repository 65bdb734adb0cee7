import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Weight } from '../../../src/gpu/model/layout.ts'
import { createDeviceTraining } from '../../../src/gpu/train/on-device.ts'
import { createHostTraining } from '../../../src/gpu/train/on-host.ts'
import { readState, type StepTask, type Training } from '../../../src/gpu/train/step.ts'
import { distance } from '../graph/near.ts'
import { openReference, type Reference, trainedOf } from '../model/reference.ts'

const FIXTURE = join(import.meta.dirname, '..', '..', 'fixtures', 'models', 'mixtral')
const ADAM = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 }

describe('the graph with AdamW in it does what gradients and the kernel do', () => {
  let reference: Reference
  let trained: readonly Weight[]
  let tasks: readonly StepTask[]
  beforeAll(async () => {
    reference = await openReference(FIXTURE)
    trained = trainedOf(reference).map(({ weight }) => weight)
    // Three sequences, two at a time: the second part is filled up, and the gradients of both are one.
    tasks = [1, 2, 3, 4].map((step) => ({ batch: reference.tokens, step, rate: 0.02 / step }))
  })
  const options = (normMax: number | null) => {
    const places = (reference.tokens[0]?.length ?? 0) - 1
    return { device: 'cpu', threads: 1, adam: ADAM, normMax, places, sequencesPerRun: 2 } as const
  }
  const expectSame = async (training: Training, wanted: Training) => {
    const [a, b] = [await readState(training), await readState(wanted)]
    for (const part of ['weights', 'sums', 'squares'] as const) {
      expect([...a[part].keys()]).toEqual([...b[part].keys()])
      for (const [key, data] of b[part]) {
        const tensor = (values: Float32Array) => ({ dtype: 'f32', shape: [values.length], data: values }) as const
        expect(distance(tensor(a[part].get(key) as Float32Array), tensor(data)), `${part} of ${key}`).toBeLessThan(1e-5)
      }
    }
  }

  test.each([
    ['a run for every part', null, null],
    ['all steps in one run', 4, null],
    ['a run for every part, gradients clipped', null, 0.3],
    ['all steps in one run, gradients clipped', 4, 0.3],
  ])('%s', async (_name, stepsInOneRun, normMax) => {
    const host = await createHostTraining(reference.checkpoint, trained, options(normMax))
    const device = await createDeviceTraining(reference.checkpoint, trained, options(normMax), stepsInOneRun)
    const [wanted, made] = [await host.run(tasks), await device.run(tasks)]
    expect(wanted[0]?.norm).toBeGreaterThan(0.3)
    for (const [i, { loss, norm }] of wanted.entries()) {
      expect(made[i]?.loss).toBeCloseTo(loss, 5)
      expect(made[i]?.norm).toBeCloseTo(norm, 5)
    }
    await expectSame(device, host)
    await device.release()
    await host.release()
  })

  test('a state goes over to another training, which goes on from it', async () => {
    const first = await createDeviceTraining(reference.checkpoint, trained, options(null), null)
    await first.run(tasks.slice(0, 2))
    const second = await createDeviceTraining(reference.checkpoint, trained, options(null), 2)
    second.write(await readState(first))
    expect(await second.run(tasks.slice(2))).toEqual(await first.run(tasks.slice(2)))
    await expectSame(second, first)
    await first.release()
    await second.release()
  })
})
