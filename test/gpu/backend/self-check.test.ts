import { describe, expect, test } from 'vitest'
import { checkDevice, compareWithCpu } from '../../../src/gpu/backend/self-check.ts'
import type { Feeds } from '../../../src/gpu/backend/session.ts'
import { interpret, type Tensor } from '../../../src/gpu/graph/interpret.ts'

/** A device that computes as the interpreter does, but for one output. */
const spoilt =
  (name: string, spoil: (x: number) => number) =>
  async (...given: Parameters<typeof interpret>) => {
    const made = interpret(...given)
    const tensor = made.get(name) as Tensor
    return new Map([...made, [name, { ...tensor, data: (tensor.data as Float32Array).map(spoil) }]]) as Feeds
  }

describe('a device is compared with the CPU', () => {
  test('and the CPU is itself', async () => {
    expect(await checkDevice('cpu')).toEqual({ loss: 0, gradients: 0 })
  })

  test('another order of summing passes', async () => {
    const { loss, gradients } = await compareWithCpu('interpreter', async (...given) => interpret(...given))
    expect(loss).toBeLessThan(1e-6)
    expect(gradients).toBeLessThan(1e-5)
    expect(gradients).toBeGreaterThan(0)
  })

  test.each([
    ['a loss that is off by a thousandth', 'loss', (x: number) => 1.001 * x],
    ['a gradient that is a hundredth too small', 'gradient of model.embed_tokens.weight', (x: number) => 0.99 * x],
    ['no number', 'gradient of lm_head.weight', () => Number.NaN],
  ])('%s is refused by name', async (_name, output, spoil) => {
    await expect(compareWithCpu('toaster', spoilt(output, spoil))).rejects.toMatchObject({
      code: 'DEVICE_UNFIT',
      what: 'toaster computes something else than the CPU',
      why: expect.stringContaining(`the ${output} is off by`),
    })
  })
})
