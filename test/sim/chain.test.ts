import { expect, test } from 'vitest'
import type { Neuron } from '../../src/ports.ts'
import { createSimChain, HISTORY_BLOCKS, type SimChain } from '../../src/sim/chain.ts'
import { expectCode, never, turn } from '../contracts/harness.ts'
import { hexOf } from '../protocol/world.ts'

const neurons: readonly Neuron[] = [{ uid: 0, hotkey: hexOf(1), stake: 1n, permit: true }]
const chainOf = (change: Partial<Parameters<typeof createSimChain>[0]> = {}): SimChain =>
  createSimChain({ seed: 'test', finality: 2, neurons, entriesMin: 1, ...change })
const opts = { signal: never }

test('finality trails by as many blocks as were asked for', () => {
  for (const finality of [0, 1, 3]) {
    const chain = chainOf({ finality })
    let finalised = -1
    chain.as(hexOf(1)).watch((event) => {
      if (event.type === 'block.finalised') finalised = event.block.number
    })
    for (let i = 0; i < 10; i++) chain.seal()
    expect([chain.head(), finalised]).toEqual([10, 10 - finality])
  }
})

test('the seed decides the hashes', async () => {
  const hashes = (seed: string) =>
    Promise.all(
      [0, 1].map((block) => {
        const chain = chainOf({ seed })
        for (let i = 0; i < 5; i++) chain.seal()
        return chain.as(hexOf(1)).hashOf(block, opts)
      }),
    )
  expect(await hashes('1')).toEqual(await hashes('1'))
  expect(await hashes('1')).not.toEqual(await hashes('2'))
  expect((await hashes('1'))[0]).toBe(chainOf({ seed: '1' }).genesis)
})

test('the states of the last blocks are kept, and no more of them', async () => {
  const chain = chainOf()
  const own = chain.as(hexOf(1))
  for (let i = 0; i < HISTORY_BLOCKS + 10; i++) chain.seal()
  const oldest = chain.head() - HISTORY_BLOCKS + 1
  expect(await own.slots(oldest, opts)).toEqual([])
  await expectCode(own.slots(oldest - 1, opts), 'BLOCK_UNKNOWN')
  await expectCode(own.slots(chain.head(), opts), 'BLOCK_UNKNOWN')
})

test('weights of who is not registered stand nowhere', async () => {
  const chain = chainOf({ finality: 0 })
  const write = chain.as(hexOf(2)).setWeights([[0, 1]], { lastBlock: 1, signal: never })
  chain.seal()
  await write
  expect(await chain.as(hexOf(1)).weightsOf(0, 1, opts)).toEqual([])
})

test('a block without room takes nothing, and the next one all that waits', async () => {
  const chain = chainOf({ finality: 0 })
  const write = chain.as(hexOf(1)).writeSlot(Uint8Array.of(1), { lastBlock: 9, signal: never })
  chain.seal({ takesWrites: false })
  await turn()
  expect(await chain.as(hexOf(1)).slots(1, opts)).toEqual([])
  chain.seal()
  expect(await write).toEqual({ block: 2 })
})
