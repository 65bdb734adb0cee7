import { expect, test } from 'vitest'
import { createActor, setup } from 'xstate'
import type { CycleEvent, CycleInput, Self } from '../../src/actors/cycle.ts'
import { type CycleMachine, createNodeMachine } from '../../src/actors/node.ts'
import type { Happening } from '../../src/event.ts'
import type { Chain, ChainEvent } from '../../src/ports.ts'
import { cycleBlocks, deadlinesOf, PHASES } from '../../src/protocol/clock.ts'
import { constitution } from '../protocol/world.ts'

const LENGTH = cycleBlocks(constitution)
const firstOf = (cycle: number): number => deadlinesOf(constitution, cycle).first

type Heard = { readonly cycle: number; readonly event: CycleEvent }

/** A cycle that only notes what it is given; cycle 99 would be over at once. */
function createRecorder(inputs: CycleInput[], heard: Heard[], overAt: number): CycleMachine {
  const machine = setup({
    types: {} as { context: CycleInput; events: CycleEvent; input: CycleInput },
    actions: {
      begin: ({ context }) => {
        inputs.push(context)
      },
      hear: ({ context, event }) => {
        heard.push({ cycle: context.cycle, event })
      },
    },
  }).createMachine({
    context: ({ input }) => input,
    entry: 'begin',
    initial: 'running',
    states: {
      running: {
        always: { guard: ({ context }) => context.cycle === overAt, target: 'over' },
        on: { '*': { actions: 'hear' } },
      },
      over: { type: 'final' },
    },
  })
  return machine as unknown as CycleMachine
}

function createNode({ overAt = -1 }: { overAt?: number } = {}) {
  const [inputs, heard, told]: [CycleInput[], Heard[], Happening[]] = [[], [], []]
  let tell: (event: ChainEvent) => void = () => undefined
  let watching = 0
  const watch: Chain['watch'] = (listener) => {
    tell = listener
    watching += 1
    return () => {
      watching -= 1
    }
  }
  const inbox = { learn: () => undefined } as unknown as Self['inbox']
  const ports = { chain: { watch } as Chain, observe: (happening: Happening) => told.push(happening) }
  const machine = createNodeMachine({ constitution, inbox } as Self, createRecorder(inputs, heard, overAt), ports)
  const actor = createActor(machine).start()
  const block = (number: number): void => {
    tell({ type: 'block.best', block: { number, hash: '' } })
    if (number > 0) tell({ type: 'block.finalised', block: { number: number - 1, hash: '' } })
  }
  const run = (from: number, to: number): void => {
    for (let number = from; number <= to; number++) block(number)
  }
  return { actor, inputs, heard, told, run, block, watching: () => watching }
}

test('phases are told as they come, each once, from the first block of the network on', () => {
  const { told, run } = createNode()
  run(0, firstOf(1))
  const phases = told.flatMap((event) => (event.type === 'phase.entered' ? [[event.cycle, event.phase]] : []))
  expect(phases).toEqual([...PHASES.map((phase) => [0, phase]), [1, PHASES[0]]])
})

test('a cycle begins when its first block is final, the first one without a root: it knows where all begins', () => {
  const { inputs, run, block } = createNode()
  run(0, firstOf(0))
  expect(inputs).toEqual([])
  block(firstOf(0) + 1)
  expect(inputs).toEqual([{ cycle: 0, root: null, seals: new Map(), best: firstOf(0) + 1, finalised: firstOf(0) }])
})

test('a node that comes in the middle waits for the next cycle and begins it without a root', () => {
  const { inputs, run } = createNode()
  run(firstOf(3) + 2, firstOf(4))
  expect(inputs).toEqual([])
  run(firstOf(4) + 1, firstOf(4) + 1)
  expect(inputs).toMatchObject([{ cycle: 4, root: null }])
})

test('what a cycle leaves is given to the next one, and only to it', () => {
  const { actor, inputs, run } = createNode()
  const seals = new Map([['validator', new Map([['code', 'shard']])]])
  run(0, firstOf(0) + 1)
  actor.send({ type: 'cycle.rooted', cycle: 0, root: 'next', seals })
  run(firstOf(0) + 2, firstOf(2) + 1)
  expect(inputs.map(({ cycle, root, seals: given }) => [cycle, root, given])).toEqual([
    [0, null, new Map()],
    [1, 'next', seals],
    [2, null, new Map()],
  ])
})

test('what comes when the next cycle is open already is for nobody', () => {
  const { actor, inputs, run } = createNode()
  run(0, firstOf(1) + 1)
  actor.send({ type: 'cycle.rooted', cycle: 0, root: 'late', seals: new Map([['validator', new Map()]]) })
  run(firstOf(1) + 2, firstOf(2) + 1)
  expect(inputs.at(-1)).toMatchObject({ cycle: 2, root: null, seals: new Map() })
})

test('blocks and messages reach the open cycle and the one before it', () => {
  const { actor, heard, run } = createNode()
  run(0, firstOf(1) + 1)
  heard.splice(0)
  actor.send({ type: 'message.heard' })
  run(firstOf(1) + 2, firstOf(1) + 2)
  const events = [
    { type: 'message.heard' },
    { type: 'block.best', number: firstOf(1) + 2 },
    { type: 'block.finalised', number: firstOf(1) + 1 },
  ]
  expect(heard).toEqual(events.flatMap((event) => [0, 1].map((cycle) => ({ cycle, event }))))
})

test('a cycle that is over hears nothing more', () => {
  const { heard, run } = createNode({ overAt: 0 })
  run(0, firstOf(1) + 2)
  expect(heard.every(({ cycle }) => cycle === 1)).toBe(true)
})

test('a cycle is stopped when its successor has ended too', () => {
  const { actor, heard, run } = createNode()
  run(0, firstOf(2) + 1)
  heard.splice(0)
  run(firstOf(2) + 2, firstOf(2) + 2)
  expect(new Set(heard.map(({ cycle }) => cycle))).toEqual(new Set([1, 2]))
  expect(actor.getSnapshot().context.running.map(({ cycle }) => cycle)).toEqual([1, 2])
})

test('years of cycles leave no more than two of them running', () => {
  const { actor, run } = createNode()
  run(0, firstOf(0) + 50 * LENGTH)
  expect(actor.getSnapshot().context.running).toHaveLength(2)
  expect(Object.keys(actor.getSnapshot().children).length).toBeLessThanOrEqual(3)
})

test('a node that is stopped no longer listens to the chain', () => {
  const { actor, watching } = createNode()
  expect(watching()).toBe(1)
  actor.stop()
  expect(watching()).toBe(0)
})
