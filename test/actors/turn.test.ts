import { describe, expect, test } from 'vitest'
import { createTurns, STAGES, type Turns, WAITS_AT_ONCE } from '../../src/actors/turn.ts'
import type { Chain, ChainEvent } from '../../src/ports.ts'
import { expectCode, never, turn } from '../contracts/harness.ts'

const LAST = 100

function createChain(best: number) {
  const listeners = new Set<(event: ChainEvent) => void>()
  const tell = (number: number): void => {
    for (const listener of listeners) listener({ type: 'block.best', block: { number, hash: '' } })
  }
  const watch: Chain['watch'] = (listener) => {
    listeners.add(listener)
    listener({ type: 'block.best', block: { number: best, hash: '' } })
    listener({ type: 'block.finalised', block: { number: best - 1, hash: '' } })
    return () => listeners.delete(listener)
  }
  return { watch, tell, listeners }
}

const hanging = (): Promise<never> => new Promise(() => undefined)

const start = (best: number) => {
  const chain = createChain(best)
  return { chain, turns: createTurns({ best, lastBlock: LAST }, chain) }
}
const takeIn = <T>(turns: Turns, work: (opts: { signal: AbortSignal }) => Promise<T>, signal = never): Promise<T> =>
  turns.take(turns.stage(STAGES.all), { signal }, work)

/** The block at which a hanging turn ends. */
async function endOf(begin: number): Promise<number> {
  const { chain, turns } = start(begin)
  let over = false
  takeIn(turns, hanging).catch(() => {
    over = true
  })
  for (let block = begin; ; block++) {
    chain.tell(block)
    await turn()
    if (over) return block
  }
}

test.each<[begin: number, end: number]>([
  [0, 50],
  [1, 51],
  [50, 75],
  [96, 98],
  [97, 99],
  [98, 100],
  [99, 100],
  [100, 100],
  [120, 120],
])('a turn that begins at block %i of 100 ends at %i, and never after the last', async (begin, end) => {
  expect(await endOf(begin)).toBe(end)
})

test.each<[stage: keyof typeof STAGES, begin: number, over: number]>([
  ['documents', 0, 25],
  ['tensors', 0, 60],
  ['scores', 0, 50],
  ['all', 0, 100],
  ['documents', 93, 95],
  ['tensors', 95, 98],
  ['scores', 98, 99],
  ['documents', 99, 100],
  ['documents', 100, 100],
  ['documents', 120, 100],
])('the stage of %s that begins at block %i of 100 is over at %i', (stage, begin, over) => {
  expect(start(begin).turns.stage(STAGES[stage])).toEqual({ over })
})

test('nothing begins when all is over', async () => {
  const { turns } = start(LAST)
  const begun: string[] = []
  const work = async (): Promise<void> => void begun.push('work')
  await expectCode(takeIn(turns, work), 'EVALUATION_LATE')
  const [result] = await turns.takeAll(turns.stage(STAGES.all), { signal: never }, [1], work)
  expect(result).toMatchObject({ status: 'rejected', reason: { code: 'EVALUATION_LATE' } })
  expect(begun).toEqual([])
})

describe('of many that wait at once', () => {
  const many = Array.from({ length: 256 }, (_, i) => i)
  const stepTo = async ({ tell }: ReturnType<typeof createChain>, from: number, to: number): Promise<void> => {
    for (let block = from; block <= to; block++) {
      tell(block)
      await turn()
    }
  }

  test.each([1, 8, WAITS_AT_ONCE, 128, 252])(
    '%i hang in front, and all others end well before the stage is over',
    async (hung) => {
      const { chain, turns } = start(0)
      const ended: number[] = []
      const stage = turns.stage(STAGES.documents)
      const all = turns.takeAll(stage, { signal: never }, many, async (i) => {
        if (i < hung) return hanging()
        ended.push(i)
        return i
      })
      await stepTo(chain, 1, stage.over - 1)
      expect(ended).toEqual(many.slice(hung))
      await stepTo(chain, stage.over, stage.over)
      const results = await all
      expect(results.map(({ status }) => status)).toEqual(many.map((i) => (i < hung ? 'rejected' : 'fulfilled')))
      expect(results[0]).toMatchObject({ reason: { code: 'EVALUATION_LATE' } })
    },
  )

  test('no more than so many run while all of them move', async () => {
    const { turns } = start(0)
    let [running, most] = [0, 0]
    const results = await turns.takeAll(turns.stage(STAGES.documents), { signal: never }, many, async (i) => {
      most = Math.max(most, ++running)
      await turn()
      running -= 1
      if (i % 2 === 1) throw new Error('odd')
      return i
    })
    expect(most).toBe(WAITS_AT_ONCE)
    expect(results.map(({ status }) => status)).toEqual(many.map((i) => (i % 2 === 1 ? 'rejected' : 'fulfilled')))
  })

  test('none is waited for when nobody wants them any more', async () => {
    const { turns } = start(0)
    const stop = new AbortController()
    const all = turns.takeAll(turns.stage(STAGES.all), { signal: stop.signal }, many, hanging)
    stop.abort(new Error('stopped'))
    await expect(all).rejects.toThrow('stopped')
  })
})

test('of those that hang one after another none goes past the last block', async () => {
  const { chain, turns } = start(0)
  let block = 0
  const ends: number[] = []
  for (let i = 0; i < 8; i++) {
    const hung = takeIn(turns, hanging)
    hung.catch(() => undefined)
    for (let over = false; !over; ) {
      over = await Promise.race([hung.catch(() => true), turn().then(() => false)])
      if (!over) chain.tell(++block)
    }
    ends.push(block)
  }
  expect(ends).toEqual([50, 75, 88, 94, 97, 99, 100, 100])
})

test('work that ends in its turn gives its result, or its own error', async () => {
  const { turns } = start(0)
  expect(await takeIn(turns, async () => 7)).toBe(7)
  await expect(takeIn(turns, () => Promise.reject(new Error('own')))).rejects.toThrow('own')
})

test('the signal of a turn is aborted when the turn is over, and when nobody wants the work any more', async () => {
  const { chain, turns } = start(96)
  const signals: AbortSignal[] = []
  const listening = ({ signal }: { signal: AbortSignal }): Promise<never> => {
    signals.push(signal)
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }
  const late = takeIn(turns, listening)
  chain.tell(98)
  await expectCode(late, 'EVALUATION_LATE')
  const stop = new AbortController()
  const stopped = takeIn(turns, listening, stop.signal)
  stop.abort(new Error('stopped'))
  await expect(stopped).rejects.toThrow('stopped')
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
})

test('after its end nothing listens to the chain any more', () => {
  const { chain, turns } = start(0)
  expect(chain.listeners.size).toBe(1)
  turns.end()
  expect(chain.listeners.size).toBe(0)
})
