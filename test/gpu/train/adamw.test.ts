import { expect, test } from 'vitest'
import { createOptimiser } from '../../../src/gpu/train/adamw.ts'
import { numbersOf } from '../graph/op-case.ts'

const ADAM = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 }

/** The definition, one number after the other. */
function expected(weights: readonly number[], gradients: readonly (readonly number[])[], rate: number): number[] {
  return weights.map((start, i) => {
    let [w, m, v] = [start, 0, 0]
    for (const [t, batch] of gradients.entries()) {
      const g = batch[i] as number
      w *= 1 - rate * ADAM.weightDecay
      m = ADAM.beta1 * m + (1 - ADAM.beta1) * g
      v = ADAM.beta2 * v + (1 - ADAM.beta2) * g * g
      w -= (rate * m) / (1 - ADAM.beta1 ** (t + 1)) / (Math.sqrt(v / (1 - ADAM.beta2 ** (t + 1))) + ADAM.eps)
    }
    return w
  })
}

test.each([[[1]], [[4]], [[7, 1, 16]], [[0, 5]]])('three steps on tensors of %j numbers', (sizes) => {
  const next = numbersOf(7)
  const draw = (size: number) => Array.from({ length: size }, next)
  const starts = sizes.map(draw)
  const gradients = sizes.map((size) => [draw(size), draw(size), draw(size)])
  const { slots, update } = createOptimiser(sizes, ADAM, false)
  for (const [i, slot] of slots.entries()) slot.weights.set(starts[i] as number[])
  for (const step of [0, 1, 2]) {
    for (const [i, slot] of slots.entries()) slot.gradients.set(gradients[i]?.[step] as number[])
    update(step + 1, 0.01, 1)
  }
  for (const [i, slot] of slots.entries()) {
    const wanted = expected(starts[i] as number[], gradients[i] as number[][], 0.01)
    for (const [k, weight] of slot.weights.entries()) expect(weight).toBeCloseTo(wanted[k] as number, 6)
  }
})

test('gradients of parts of a batch add up, their norm is that of all, and a step forgets them', () => {
  const whole = createOptimiser([5, 3], ADAM, false)
  const parts = createOptimiser([5, 3], ADAM, true)
  for (const [i, slot] of whole.slots.entries()) slot.gradients.fill(3 + i)
  for (const _ of [1, 2]) {
    for (const [i, slot] of parts.slots.entries()) slot.gradients.fill((3 + i) / 2)
    parts.accumulate()
  }
  expect(parts.norm()).toBeCloseTo(Math.sqrt(5 * 9 + 3 * 16), 6)
  expect(parts.norm()).toBe(whole.norm())
  whole.update(1, 0.1, 0.5)
  parts.update(1, 0.1, 0.5)
  expect(parts.slots.map(({ weights }) => [...weights])).toEqual(whole.slots.map(({ weights }) => [...weights]))
  expect(parts.norm()).toBe(0)
})
