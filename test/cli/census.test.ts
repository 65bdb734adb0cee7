import { expect, test } from 'vitest'
import { SimulatedClock } from 'xstate'
import { followCensus } from '../../src/cli/census.ts'
import { type ErrorCode, NodeError } from '../../src/errors.ts'
import type { ChainEvent, Clock, Neuron } from '../../src/ports.ts'
import { expectCode } from '../contracts/harness.ts'
import { SILENT } from '../p2p/member-stage.ts'

const LONG_MS = 60_000
const hotkey = 'ab'.repeat(32)
const neuron: Neuron = { uid: 0, hotkey, stake: 0n, permit: false }
const failure = (code: ErrorCode): NodeError => new NodeError(code, { what: 'nothing was read', why: 'a test' })

function stage(neurons: () => Promise<readonly Neuron[]>) {
  const clock: SimulatedClock & Clock = new SimulatedClock()
  const stopped = new AbortController()
  let listener: ((event: ChainEvent) => void) | null = null
  const chain = {
    neurons,
    watch: (listen: (event: ChainEvent) => void) => {
      listener = listen
      return () => {
        listener = null
      }
    },
  }
  const census = followCensus({ chain, clock, log: SILENT }, stopped)
  census.catch(() => undefined)
  return {
    census,
    clock,
    stopped,
    isWatching: () => listener !== null,
    finalise: async (number: number) => {
      listener?.({ type: 'block.finalised', block: { number, hash: '00'.repeat(32) } })
      await new Promise(setImmediate)
    },
  }
}

test('is there with the first reading, also when some before it have failed', async () => {
  let isUp = false
  const { census, finalise } = stage(() => (isUp ? Promise.resolve([neuron]) : Promise.reject(new Error('away'))))
  await finalise(7)
  isUp = true
  await finalise(8)
  const { block, registered } = await census
  expect([block(), [...registered()]]).toEqual([8, [hotkey]])
})

test.each<ErrorCode>(['SUBNET_UNKNOWN', 'CHAIN_FOREIGN'])(
  'what no later block mends ends it at once: %s',
  async (code) => {
    const { census, finalise, isWatching } = stage(() => Promise.reject(failure(code)))
    await finalise(7)
    await expectCode(census, code)
    expect(isWatching()).toBe(false)
  },
)

test('while nothing is read it does not wait for ever, and says why', async () => {
  const { census, clock, finalise, isWatching } = stage(() => Promise.reject(failure('CHAIN_REFUSED')))
  await finalise(7)
  await finalise(8)
  clock.increment(LONG_MS)
  await expectCode(census, 'CHAIN_REFUSED')
  expect(isWatching()).toBe(false)
})

test('nor for a chain that says nothing at all, nor when nobody wants it any more', async () => {
  const silent = stage(() => new Promise(() => undefined))
  await silent.finalise(7)
  silent.clock.increment(LONG_MS)
  await expectCode(silent.census, 'CHAIN_UNAVAILABLE')
  const unwanted = stage(() => new Promise(() => undefined))
  unwanted.stopped.abort(new Error('enough'))
  await expect(unwanted.census).rejects.toThrow('enough')
  expect(unwanted.isWatching()).toBe(false)
})

test('while the chain does not answer, the last reading stands', async () => {
  let isUp = true
  const { census, clock, finalise } = stage(() =>
    isUp ? Promise.resolve([neuron]) : Promise.reject(failure('SUBNET_UNKNOWN')),
  )
  await finalise(7)
  const { block, registered } = await census
  isUp = false
  clock.increment(LONG_MS)
  await finalise(8)
  expect([block(), [...registered()]]).toEqual([8, [hotkey]])
})
