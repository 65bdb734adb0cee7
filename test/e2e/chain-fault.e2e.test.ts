import { expect, test } from 'vitest'
import { runChainFaults } from './chain-fault.ts'

/** Each kind five times; `npm run sim -- chain-faults` injects thousands. */
const FAULTS = 65

test('whatever goes wrong, every write is in the chain once, over at most two sockets', async () => {
  const figures = await runChainFaults(FAULTS, 100)
  expect(figures.errors).toEqual([])
  expect([figures.lost, figures.duplicated]).toEqual([0, 0])
  expect(figures.socketsMax).toBeLessThanOrEqual(2)
})
