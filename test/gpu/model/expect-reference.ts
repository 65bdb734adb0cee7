/** What parity means: losses, and experts after three steps, as near to those of `transformers` as the issue demands. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Device } from '../../../src/gpu/backend/device.ts'
import { floatsOf, readShard, readStored, readWeight } from '../../../src/gpu/model/checkpoint.ts'
import { lossJob, trainJob } from '../../../src/gpu/worker/job.ts'
import { openReference, trainedOf } from './reference.ts'

const sizeOf = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0))
const minus = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => x - (b[i] as number))

export async function expectReference(directory: string, device: Device = 'cpu'): Promise<void> {
  const machine = { device, threads: 1 } as const
  const reference = await openReference(directory)
  const source = { kind: 'tokens', path: join(directory, 'tokens.json') } as const
  const measured = await lossJob({ directory, source, ...machine }, () => undefined)
  expect(Math.abs(measured.loss - (reference.losses[0] as number))).toBeLessThan(1e-5)
  for (const [i, loss] of measured.perSequence.entries())
    expect(loss).toBeCloseTo(reference.perSequence[i] as number, 4)

  const out = await mkdtemp(join(tmpdir(), 'wheelwright-parity-'))
  try {
    const result = await trainJob(
      { ...TRAINING, ...machine, directory, source, out, ...told(reference) },
      () => undefined,
    )
    for (const [i, loss] of result.losses.entries()) expect(loss).toBeCloseTo(reference.losses[i] as number, 4)
    await expectWeights(directory, result.delta)
  } finally {
    await rm(out, { recursive: true })
  }
}

const told = ({ trained, router, rate, decay }: Awaited<ReturnType<typeof openReference>>) => ({
  experts: trained,
  router,
  schedule: { rate, warmupSteps: 0, decay: 'constant', floor: 1 } as const,
  weightDecay: decay,
})
const TRAINING = {
  steps: 3,
  normMax: null,
  batch: null,
  heldOutShare: 0,
  validateEverySteps: 1,
  patience: 0,
  saveEverySteps: 2,
} as const

/** Every trained weight as far as it should be, every other number of the delta where it was, no other tensor there. */
async function expectWeights(directory: string, delta: string): Promise<void> {
  const reference = await openReference(directory)
  const { checkpoint } = reference
  const trained = trainedOf(reference)
  const { tensors } = await readShard(delta)
  expect(tensors.map(({ name }) => name)).toEqual([...new Set(trained.map(({ weight }) => weight.tensor))].toSorted())
  for (const stored of tensors) {
    const base = checkpoint.tensors.get(stored.name)
    expect([stored.dtype, stored.shape]).toEqual([base?.dtype, base?.shape])
    const whole = floatsOf(stored.dtype, await readStored(stored))
    const untouched = floatsOf(stored.dtype, await readStored(base as typeof stored))
    for (const { weight, name } of trained.filter((one) => one.weight.tensor === stored.name)) {
      const end = weight.first + weight.shape.reduce((size, dim) => size * dim, 1)
      const [wanted, before] = [await reference.read(`after.${name}`), await readWeight(checkpoint, weight)]
      const off = sizeOf(minus(whole.subarray(weight.first, end), wanted)) / sizeOf(minus(wanted, before))
      // Half precision rounds steps of a thousandth away; what is compared then is the losses.
      if (stored.dtype === 'F32') expect(off, name).toBeLessThan(1e-2)
      whole.set(untouched.subarray(weight.first, end), weight.first)
    }
    expect(whole).toEqual(untouched)
  }
}
