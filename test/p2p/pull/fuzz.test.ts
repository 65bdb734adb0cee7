import { expect, test } from 'vitest'
import { createRandom } from '../../protocol/world.ts'
import { mutate } from '../../sim/mutate.ts'
import { PULL_TARGETS } from './fuzz.ts'

const MESSAGES = 5_000
const SAMPLES = PULL_TARGETS.flatMap(({ samples }) => samples)

test.each(PULL_TARGETS)('$name reads its samples, and no mutation of them makes it throw', ({ samples, run }) => {
  const last = { unit: () => 0.99, below: (limit: number) => limit - 1 }
  for (const sample of samples) expect(run(sample, last)).toBe(true)
  let accepted = 0
  for (let seed = 0; seed < MESSAGES; seed++) {
    const random = createRandom(seed)
    const sample = samples[seed % samples.length] as Uint8Array
    if (run(mutate(sample, random, SAMPLES), random)) accepted += 1
  }
  expect(accepted).toBeLessThan(MESSAGES)
})
