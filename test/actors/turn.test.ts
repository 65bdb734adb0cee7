import { expect, test } from 'vitest'
import { createTurns, inTurns } from '../../src/actors/turn.ts'
import type { Chain, ChainEvent, Overlay } from '../../src/ports.ts'
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

/** The block at which a hanging turn ends. */
async function endOf(begin: number): Promise<number> {
  const chain = createChain(begin)
  let over = false
  createTurns(chain, LAST)
    .take({ signal: never }, hanging)
    .catch(() => {
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
  [99, 101],
  [100, 102],
  [120, 122],
])('a turn that begins at block %i of 100 ends at %i', async (begin, end) => {
  expect(await endOf(begin)).toBe(end)
})

test('however many hang, the ones after them have a turn', async () => {
  const chain = createChain(0)
  const turns = createTurns(chain, LAST)
  let block = 0
  for (let i = 0; i < 5; i++) {
    const hung = turns.take({ signal: never }, hanging)
    hung.catch(() => undefined)
    for (let over = false; !over; ) {
      chain.tell(++block)
      over = await Promise.race([hung.catch(() => true), turn().then(() => false)])
    }
  }
  expect(block).toBeLessThan(LAST)
  expect(await turns.take({ signal: never }, async () => 'done')).toBe('done')
})

test('work that ends in its turn gives its result, or its own error', async () => {
  const turns = createTurns(createChain(0), LAST)
  expect(await turns.take({ signal: never }, async () => 7)).toBe(7)
  await expect(turns.take({ signal: never }, () => Promise.reject(new Error('own')))).rejects.toThrow('own')
})

test('the signal of a turn is aborted when the turn is over, and when nobody wants the work any more', async () => {
  const chain = createChain(98)
  const turns = createTurns(chain, LAST)
  const signals: AbortSignal[] = []
  const listening = ({ signal }: { signal: AbortSignal }): Promise<never> => {
    signals.push(signal)
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }
  const late = turns.take({ signal: never }, listening)
  chain.tell(100)
  await expectCode(late, 'EVALUATION_LATE')
  const stop = new AbortController()
  const stopped = turns.take({ signal: stop.signal }, listening)
  stop.abort(new Error('stopped'))
  await expect(stopped).rejects.toThrow('stopped')
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
})

test('after its end nothing listens to the chain any more', () => {
  const chain = createChain(0)
  const turns = createTurns(chain, LAST)
  expect(chain.listeners.size).toBe(1)
  turns.end()
  expect(chain.listeners.size).toBe(0)
})

test('everything that depends on a peer has a turn, and the base has not', async () => {
  const chain = createChain(98)
  const turns = createTurns(chain, LAST)
  const engine = inTurns({ blobs: { get: hanging }, evaluator: { losses: hanging, inspect: hanging } }, turns)
  const model = { manifest: '', from: [] }
  const losses = (overlay: Overlay) =>
    engine.evaluator.losses(
      { model, overlay, samples: { name: '', sequences: [] }, checkpoints: [], goOn: () => true },
      { signal: never },
    )
  const limited = [
    engine.blobs.get('', { bytesMax: 0, from: [], signal: never }),
    engine.evaluator.inspect({ model, tensors: [], from: [], normRatioMilli: 0 }, { signal: never }),
    losses({ kind: 'values', tensors: [] }),
    losses({ kind: 'merge', etaPpm: 1, members: [] }),
  ]
  const base = losses({ kind: 'none' })
  chain.tell(100)
  for (const work of limited) await expectCode(work, 'EVALUATION_LATE')
  expect(await Promise.race([base, turn().then(() => 'still running')])).toBe('still running')
})
