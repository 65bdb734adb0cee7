import { expect, test } from 'vitest'
import { runChainFaults } from './chain-fault.ts'

/** Each kind five times; `npm run sim -- chain-faults` injects thousands. */
const FAULTS = 65

/** What a client has to notice; the others cost it nothing. */
const NOTICED = 'drop,silent,swallow,refuse 1010,refuse 1012,refuse 1013,refuse 1014,fork again,fork lost'.split(',')

test('whatever goes wrong, every write is in the chain once, over at most two sockets', async () => {
  const figures = await runChainFaults({ count: FAULTS, blockMs: 250, lanes: 5 })
  expect(figures.errors).toEqual([])
  expect([figures.lost, figures.duplicated]).toEqual([0, 0])
  expect(figures.socketsMax).toBeLessThanOrEqual(2)
  for (const name of NOTICED) expect([name, figures.kinds[name]?.noticed]).toEqual([name, figures.kinds[name]?.count])
})
