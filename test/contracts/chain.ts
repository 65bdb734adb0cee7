/** What every Chain must do. Blocks come when the harness seals them, so no test waits for time. */
import { describe, expect, test } from 'vitest'
import type { Chain, ChainEvent, Landing, Slot } from '../../src/ports.ts'
import type { UidWeight } from '../../src/protocol/weight.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { aborted, expectCancelled, expectCode, fresh, type Harness, never, turn } from './harness.ts'

export type ChainHarness = Harness & {
  /** Registered, at least two. */
  readonly hotkeys: readonly [string, string, ...string[]]
  /** The chain as a hotkey sees it; again for the same one, it is that of a restarted node. */
  readonly as: (hotkey: string) => Chain
  /** Makes the next block, of what was submitted before, and resolves when every node has heard of it. */
  readonly seal: () => Promise<void>
  /** The same, but the block takes no write: nobody is promised a place. */
  readonly sealEmpty: () => Promise<void>
}

type On = (body: (harness: ChainHarness) => Promise<void>) => () => Promise<void>
type Heads = { best: number; finalised: number }

const [ONE, TWO, THREE] = [utf8('one'), utf8('two'), utf8('three')]
const FAR = 1_000_000

/** Hears every block from now on. */
function hearHeads(chain: Chain): Heads {
  const heads = { best: -1, finalised: -1 }
  chain.watch((event) => {
    if (event.type === 'block.best') heads.best = event.block.number
    if (event.type === 'block.finalised') heads.finalised = event.block.number
  })
  return heads
}

/** Seals until this is final. */
async function finalise({ seal }: ChainHarness, heads: Heads, block: number): Promise<void> {
  for (let i = 0; i < 1_000 && heads.finalised < block; i++) await seal()
  expect(heads.finalised).toBeGreaterThanOrEqual(block)
}

/** Seals until the write has landed, or never will. */
async function land(harness: ChainHarness, write: Promise<Landing>): Promise<Landing> {
  let isOver = false
  const over = write.finally(() => {
    isOver = true
  })
  over.catch(() => undefined)
  for (let i = 0; i < 100 && !isOver; i++) {
    await turn()
    await harness.seal()
    await turn()
  }
  return over
}

const slotOf = async (chain: Chain, hotkey: string, block: number): Promise<Slot | undefined> =>
  (await chain.slots(block, { signal: never })).find((slot) => slot.hotkey === hotkey)

export function describeChainContract(name: string, createHarness: () => Promise<ChainHarness>): void {
  const on = fresh(createHarness)
  describe(`the chain contract: ${name}`, () => {
    describeWatching(on)
    describeReading(on)
    describeWriting(on)
    describeBorder(on)
    describeRepeating(on)
    describeCancelling(on)
    describeWeights(on)
  })
}

function describeWatching(on: On): void {
  test(
    'the present heads are told at once, the finalised one not ahead of the best',
    on(async ({ as, hotkeys, seal }) => {
      const first = hearHeads(as(hotkeys[0]))
      for (let i = 0; i < 5; i++) await seal()
      const late = hearHeads(as(hotkeys[1]))
      await turn()
      expect(late).toEqual(first)
      expect(late.finalised).toBeGreaterThanOrEqual(0)
      expect(late.finalised).toBeLessThanOrEqual(late.best)
    }),
  )
  test(
    'finalised blocks come one by one and none is left out',
    on(async ({ as, hotkeys, seal }) => {
      const events: ChainEvent[] = []
      as(hotkeys[0]).watch((event) => events.push(event))
      for (let i = 0; i < 12; i++) await seal()
      const numbers = events.flatMap((event) => (event.type === 'block.finalised' ? [event.block.number] : []))
      const begin = numbers[0] as number
      expect(numbers.length).toBeGreaterThan(5)
      expect(numbers).toEqual(numbers.map((_, i) => begin + i))
    }),
  )
  test(
    'after its end a listener hears nothing more, and ending it again does nothing',
    on(async ({ as, hotkeys, seal }) => {
      let count = 0
      const end = as(hotkeys[0]).watch(() => {
        count += 1
      })
      await seal()
      end()
      end()
      const before = count
      await seal()
      expect(count).toBe(before)
    }),
  )
  test(
    'a listener that ends another, or itself, takes no event from the rest',
    on(async ({ as, hotkeys, seal }) => {
      const chain = as(hotkeys[0])
      const ends: (() => void)[] = []
      for (let i = 0; i < 2; i++) {
        ends.push(
          chain.watch(() => {
            for (const end of ends) end()
          }),
        )
      }
      const heads = hearHeads(chain)
      const { best } = heads
      await seal()
      expect(heads.best).toBe(best + 1)
    }),
  )
}

function describeReading(on: On): void {
  test(
    'the hash of a block is the one that was told, and 64 hex digits',
    on(async (harness) => {
      const { as, hotkeys } = harness
      const told = new Map<number, string>()
      const chain = as(hotkeys[0])
      chain.watch((event) => {
        if (event.type === 'block.finalised') told.set(event.block.number, event.block.hash)
      })
      for (let i = 0; i < 6; i++) await harness.seal()
      for (const [number, hash] of told) {
        expect(hash).toMatch(/^[0-9a-f]{64}$/)
        expect(await as(hotkeys[1]).hashOf(number, { signal: never })).toBe(hash)
      }
      expect(new Set(told.values()).size).toBe(told.size)
    }),
  )
  test(
    'all hotkeys read the same neurons, each uid once and all below their count',
    on(async (harness) => {
      const heads = hearHeads(harness.as(harness.hotkeys[0]))
      await finalise(harness, heads, 1)
      const [a, b] = harness.hotkeys
      const neurons = await harness.as(a).neurons(1, { signal: never })
      const { uidCount, entriesMin } = await harness.as(a).weightRules(1, { signal: never })
      expect(await harness.as(b).neurons(1, { signal: never })).toEqual(neurons)
      expect(neurons.map(({ hotkey }) => hotkey)).toEqual(expect.arrayContaining([a, b]))
      expect(new Set(neurons.map(({ uid }) => uid)).size).toBe(neurons.length)
      for (const { uid, hotkey, stake } of neurons) {
        expect(uid).toBeLessThan(uidCount)
        expect(hotkey).toMatch(/^[0-9a-f]{64}$/)
        expect(typeof stake).toBe('bigint')
      }
      expect(entriesMin).toBeLessThanOrEqual(uidCount)
    }),
  )
  test(
    'a block that is not final yet is read by nobody',
    on(async (harness) => {
      const chain = harness.as(harness.hotkeys[0])
      const heads = hearHeads(chain)
      await finalise(harness, heads, 1)
      const block = heads.finalised + 1
      const opts = { signal: never }
      await expectCode(chain.hashOf(block, opts), 'BLOCK_UNKNOWN')
      await expectCode(chain.neurons(block, opts), 'BLOCK_UNKNOWN')
      await expectCode(chain.slots(block, opts), 'BLOCK_UNKNOWN')
      await expectCode(chain.weightsOf(0, block, opts), 'BLOCK_UNKNOWN')
      await expectCode(chain.weightRules(block, opts), 'BLOCK_UNKNOWN')
    }),
  )
}

function describeWriting(on: On): void {
  test(
    'a write has landed when it is in a finalised block, and everybody reads it there and not before',
    on(async (harness) => {
      const [a, b] = harness.hotkeys
      const heads = hearHeads(harness.as(a))
      await finalise(harness, heads, 1)
      const { block } = await land(harness, harness.as(a).writeSlot(ONE, { lastBlock: FAR, signal: never }))
      expect(block).toBeLessThanOrEqual(heads.finalised)
      expect(await slotOf(harness.as(b), a, block)).toMatchObject({ hotkey: a, bytes: ONE, block })
      expect(await slotOf(harness.as(b), a, block - 1)).toBe(undefined)
    }),
  )
  test(
    'what was read of a block does not change later',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const first = await land(harness, chain.writeSlot(ONE, { lastBlock: FAR, signal: never }))
      const before = await chain.slots(first.block, { signal: never })
      const second = await land(harness, chain.writeSlot(TWO, { lastBlock: FAR, signal: never }))
      expect(await chain.slots(first.block, { signal: never })).toEqual(before)
      expect(await slotOf(chain, a, first.block)).toMatchObject({ bytes: ONE, block: first.block })
      expect(await slotOf(chain, a, second.block)).toMatchObject({ bytes: TWO, block: second.block })
    }),
  )
  test(
    'a hotkey has one slot and the last write wins, also within a block',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const writes = [ONE, TWO, THREE].map((bytes) => chain.writeSlot(bytes, { lastBlock: FAR, signal: never }))
      const landings = await Promise.all(writes.map((write) => land(harness, write)))
      const last = Math.max(...landings.map(({ block }) => block))
      const slots = (await chain.slots(last, { signal: never })).filter(({ hotkey }) => hotkey === a)
      expect(slots).toHaveLength(1)
      expect(slots[0]?.bytes).toEqual(THREE)
    }),
  )
  test(
    'two writes never stand at the same place in the chain',
    on(async (harness) => {
      const [a, b] = harness.hotkeys
      const writes = [a, b].map((hotkey) => harness.as(hotkey).writeSlot(ONE, { lastBlock: FAR, signal: never }))
      const landings = await Promise.all(writes.map((write) => land(harness, write)))
      const last = Math.max(...landings.map(({ block }) => block))
      const places = (await harness.as(a).slots(last, { signal: never })).map(({ block, index }) => `${block}/${index}`)
      expect(new Set(places).size).toBe(2)
    }),
  )
  test(
    'what the author changes afterwards does not change what is written',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const bytes = ONE.slice()
      const write = harness.as(a).writeSlot(bytes, { lastBlock: FAR, signal: never })
      bytes.fill(0)
      const { block } = await land(harness, write)
      expect((await slotOf(harness.as(a), a, block))?.bytes).toEqual(ONE)
    }),
  )
}

function describeBorder(on: On): void {
  test(
    'the last block of a window still takes a write',
    on(async (harness) => {
      const chain = harness.as(harness.hotkeys[0])
      const heads = hearHeads(chain)
      await finalise(harness, heads, 1)
      const lastBlock = heads.best + 1
      const landing = await land(harness, chain.writeSlot(ONE, { lastBlock, signal: never }))
      expect(landing).toEqual({ block: lastBlock })
      expect((await slotOf(chain, harness.hotkeys[0], lastBlock))?.bytes).toEqual(ONE)
    }),
  )
  test(
    'a window that is over takes none, and nothing of it is ever seen',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const heads = hearHeads(chain)
      await finalise(harness, heads, 1)
      const lastBlock = heads.best
      await expectCode(land(harness, chain.writeSlot(ONE, { lastBlock, signal: never })), 'WINDOW_MISSED')
      await expectCode(land(harness, chain.setWeights([[0, 65_535]], { lastBlock, signal: never })), 'WINDOW_MISSED')
      await finalise(harness, heads, heads.best + 2)
      expect(await slotOf(chain, a, heads.finalised)).toBe(undefined)
    }),
  )
  test.each([1, 2, 4])('a write that none of the %i blocks left took is missed, and does not come late', (left) =>
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const heads = hearHeads(chain)
      await finalise(harness, heads, 1)
      const lastBlock = heads.best + left
      const write = chain.writeSlot(ONE, { lastBlock, signal: never })
      write.catch(() => undefined)
      await turn()
      for (let i = 0; i < left; i++) await harness.sealEmpty()
      await finalise(harness, heads, lastBlock + 2)
      await expectCode(write, 'WINDOW_MISSED')
      expect(await slotOf(chain, a, heads.finalised)).toBe(undefined)
    })(),
  )
  test(
    'a write that a block left out comes in the next, while there is time',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const heads = hearHeads(chain)
      await finalise(harness, heads, 1)
      const lastBlock = heads.best + 2
      const write = chain.writeSlot(ONE, { lastBlock, signal: never })
      await turn()
      await harness.sealEmpty()
      expect(await land(harness, write)).toEqual({ block: lastBlock })
    }),
  )
}

function describeRepeating(on: On): void {
  test(
    'the same write again finds what the first call began, and lands once',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const heads = hearHeads(harness.as(a))
      const opts = { lastBlock: heads.best + 20, signal: never }
      const first = harness.as(a).writeSlot(ONE, opts)
      await turn()
      const again = harness.as(a).writeSlot(ONE, opts)
      const landing = await land(harness, first)
      expect(await land(harness, again)).toEqual(landing)
      expect(await land(harness, harness.as(a).writeSlot(ONE, opts))).toEqual(landing)
      await finalise(harness, heads, landing.block + 3)
      const [once, later] = [landing.block, heads.finalised]
      expect(await slotOf(harness.as(a), a, later)).toEqual(await slotOf(harness.as(a), a, once))
    }),
  )
  test(
    'a write that was given up may land all the same, and then it is not made again',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const heads = hearHeads(harness.as(a))
      const lastBlock = heads.best + 30
      const crash = new AbortController()
      const lost = harness.as(a).writeSlot(ONE, { lastBlock, signal: crash.signal })
      await turn()
      crash.abort()
      await expect(lost).rejects.toThrow()
      await finalise(harness, heads, heads.best + 3)
      const before = await slotOf(harness.as(a), a, heads.finalised)
      const landing = await land(harness, harness.as(a).writeSlot(ONE, { lastBlock, signal: never }))
      if (before !== undefined) expect(landing).toEqual({ block: before.block })
      await finalise(harness, heads, landing.block + 3)
      expect(await slotOf(harness.as(a), a, heads.finalised)).toMatchObject({ bytes: ONE, block: landing.block })
    }),
  )
  test(
    'what was written over is written anew',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const opts = { lastBlock: FAR, signal: never }
      const landings: number[] = []
      for (const bytes of [ONE, TWO, ONE]) landings.push((await land(harness, chain.writeSlot(bytes, opts))).block)
      expect(landings[2]).toBeGreaterThan(landings[1] as number)
      expect(await slotOf(chain, a, landings[2] as number)).toMatchObject({ bytes: ONE, block: landings[2] })
    }),
  )
}

function describeCancelling(on: On): void {
  test(
    'what was cancelled ends with an error',
    on(async (harness) => {
      const chain = harness.as(harness.hotkeys[0])
      const heads = hearHeads(chain)
      await finalise(harness, heads, 1)
      await expect(chain.hashOf(1, { signal: aborted })).rejects.toThrow()
      await expect(chain.neurons(1, { signal: aborted })).rejects.toThrow()
      await expect(chain.slots(1, { signal: aborted })).rejects.toThrow()
      await expect(chain.weightsOf(0, 1, { signal: aborted })).rejects.toThrow()
      await expect(chain.weightRules(1, { signal: aborted })).rejects.toThrow()
      await expectCancelled((signal) => chain.writeSlot(ONE, { lastBlock: FAR, signal }))
      await expectCancelled((signal) => chain.setWeights([[0, 65_535]], { lastBlock: FAR, signal }))
    }),
  )
  test(
    'what was cancelled before it began is not written',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const heads = hearHeads(chain)
      await expect(chain.writeSlot(ONE, { lastBlock: FAR, signal: aborted })).rejects.toThrow()
      await finalise(harness, heads, heads.best + 2)
      expect(await slotOf(chain, a, heads.finalised)).toBe(undefined)
    }),
  )
}

function describeWeights(on: On): void {
  const uidOf = async ({ as }: ChainHarness, hotkey: string): Promise<number> =>
    (await as(hotkey).neurons(0, { signal: never })).find((neuron) => neuron.hotkey === hotkey)?.uid ?? -1
  test(
    'weights are read back as they were set, from the block where they landed on',
    on(async (harness) => {
      const [a, b] = harness.hotkeys
      const chain = harness.as(a)
      const heads = hearHeads(chain)
      const [own, other] = [await uidOf(harness, a), await uidOf(harness, b)]
      const weights = (
        [
          [own, 65_535],
          [other, 7],
        ] as UidWeight[]
      ).toSorted((x, y) => x[0] - y[0])
      const { block } = await land(harness, chain.setWeights(weights, { lastBlock: FAR, signal: never }))
      expect(block).toBeLessThanOrEqual(heads.finalised)
      expect(await harness.as(b).weightsOf(own, block, { signal: never })).toEqual(weights)
      expect(await chain.weightsOf(own, block - 1, { signal: never })).toEqual([])
      expect(await chain.weightsOf(other, block, { signal: never })).toEqual([])
    }),
  )
  test(
    'the last weights stand, and what the author changes afterwards does not change them',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const own = await uidOf(harness, a)
      const other = await uidOf(harness, harness.hotkeys[1])
      await land(harness, chain.setWeights([[other, 65_535]], { lastBlock: FAR, signal: never }))
      const weights: [number, number][] = [[own, 65_535]]
      const write = chain.setWeights(weights, { lastBlock: FAR, signal: never })
      weights[0] = [other, 65_535]
      const { block } = await land(harness, write)
      expect(await chain.weightsOf(own, block, { signal: never })).toEqual([[own, 65_535]])
    }),
  )
  test(
    'weights and slots do not touch one another',
    on(async (harness) => {
      const [a] = harness.hotkeys
      const chain = harness.as(a)
      const own = await uidOf(harness, a)
      const opts = { lastBlock: FAR, signal: never }
      const landings = await Promise.all(
        [chain.writeSlot(ONE, opts), chain.setWeights([[own, 65_535]], opts)].map((write) => land(harness, write)),
      )
      const last = Math.max(...landings.map(({ block }) => block))
      expect((await slotOf(chain, a, last))?.bytes).toEqual(ONE)
      expect(await chain.weightsOf(own, last, { signal: never })).toEqual([[own, 65_535]])
    }),
  )
}
