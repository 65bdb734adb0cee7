/** A small world for the machines: three validators, a miner per group, nobody lies, and one node may have a fault. */

import { expect } from 'vitest'
import type { RoleOptions } from '../../src/actors/start.ts'
import { createTurns, type Turns } from '../../src/actors/turn.ts'
import { NodeError } from '../../src/errors.ts'
import type { NodeEvent } from '../../src/event.ts'
import type { Cancel, Chain, ChainEvent, MinerPorts, Network, Ports, ValidatorPorts } from '../../src/ports.ts'
import { type Deadlines, deadlinesOf } from '../../src/protocol/clock.ts'
import { decodeRecord, type RecordKind } from '../../src/protocol/commitment.ts'
import { networkOf } from '../../src/protocol/constitution.ts'
import type { MessageKind } from '../../src/protocol/envelope.ts'
import { createVirtualGround } from '../../src/sim/ground.ts'
import { createWorld, type World } from '../../src/sim/world.ts'
import { turn } from '../contracts/harness.ts'

export type Stage = {
  readonly world: World
  readonly events: readonly NodeEvent[]
  /** Events of a type in a cycle, of one node when it is named. */
  readonly told: <T extends NodeEvent['type']>(
    type: T,
    cycle: number,
    name?: string,
  ) => Extract<NodeEvent, { type: T }>[]
  readonly deadlines: (cycle: number) => Deadlines
  readonly runTo: (block: number) => Promise<void>
  /** Until everything about a cycle is final. */
  readonly runCycle: (cycle: number) => Promise<void>
}

export type StageOptions = {
  readonly seed?: number
  readonly validators?: number
  readonly minersPerGroup?: number
  readonly absent?: readonly string[]
  readonly wrap?: (name: string, role: RoleOptions) => RoleOptions
}

export async function createStage({
  seed = 1,
  validators = 3,
  minersPerGroup = 1,
  absent = [],
  wrap,
}: StageOptions = {}): Promise<Stage> {
  const events: NodeEvent[] = []
  const world = await createWorld(
    { seed, validators, minersPerGroup, rogues: [], absent },
    {
      ground: createVirtualGround({ seed, turn }),
      observe: (event) => events.push(event),
      ...(wrap === undefined ? {} : { wrap }),
    },
  )
  const deadlines = (cycle: number): Deadlines => deadlinesOf(world.constitution, cycle)
  const runTo = async (block: number): Promise<void> => {
    while (world.head() < block) await world.step()
  }
  return {
    world,
    events,
    deadlines,
    runTo,
    runCycle: (cycle) => runTo(deadlines(cycle).last + world.constitution.chain.finality + 1),
    told: (type, cycle, name) => {
      const hotkey = world.actors.find((actor) => actor.name === name)?.hotkey
      return events.filter(
        (event): event is Extract<NodeEvent, { type: typeof type }> =>
          event.type === type &&
          'cycle' in event &&
          event.cycle === cycle &&
          (name === undefined || event.node === hotkey),
      )
    },
  }
}

/** What a port does instead of its work. */
export type Breaking = 'fails' | 'hangs'
export const FAULT_CODE = 'BLOCK_UNKNOWN'
export const breakAs = (breaking: Breaking): Promise<never> =>
  breaking === 'hangs'
    ? new Promise(() => undefined)
    : Promise.reject(new NodeError(FAULT_CODE, { what: 'a port failed', why: 'the test said so' }))

/** What a node has put on chain and said, in order. */
export type Diary = {
  readonly written: { readonly cycle: number; readonly kind: RecordKind }[]
  readonly said: string[]
}

/** The same ports, with a note of every record that has landed and every message that was published. */
export function noted<P extends MinerPorts | ValidatorPorts>(ports: P, { constitution }: World, diary: Diary): P {
  const { chain, network } = ports
  return {
    ...ports,
    chain: {
      ...chain,
      writeSlot: async (bytes, opts) => {
        const landing = await chain.writeSlot(bytes, opts)
        const slot = decodeRecord(networkOf(constitution), bytes)
        if (slot !== null) diary.written.push({ cycle: slot.cycle, kind: slot.kind })
        return landing
      },
    },
    network: {
      ...network,
      publish: async (kind, bytes, opts) => {
        await network.publish(kind, bytes, opts)
        diary.said.push(kind)
      },
    },
  }
}

/** Where a fault breaks: everything that it needs to know. */
export type Scene = {
  readonly world: World
  /** The cycle of the fault. */
  readonly at: Deadlines
  readonly broken: () => Promise<never>
}

/** An endpoint that fails comes back: with the next cycle these readings succeed. */
const isOpen = ({ world, at }: Scene): boolean => world.head() <= at.last + 1

export const slotsFail = ({ chain }: Pick<Ports, 'chain'>, block: number, scene: Scene) => ({
  chain: {
    ...chain,
    slots: (at: number, opts: Cancel) => (at === block && isOpen(scene) ? scene.broken() : chain.slots(at, opts)),
  } satisfies Chain,
})

export function writeFails({ chain }: Pick<Ports, 'chain'>, kind: RecordKind, { world, at, broken }: Scene) {
  const writeSlot: Chain['writeSlot'] = (bytes, opts) => {
    const slot = decodeRecord(networkOf(world.constitution), bytes)
    return slot?.kind === kind && slot.cycle === at.cycle ? broken() : chain.writeSlot(bytes, opts)
  }
  return { chain: { ...chain, writeSlot } }
}

export function publishFails({ network }: Pick<Ports, 'network'>, kind: MessageKind, { world, at, broken }: Scene) {
  const publish: Network['publish'] = (said, bytes, opts) =>
    said === kind && world.head() >= at.first && world.head() <= at.last ? broken() : network.publish(said, bytes, opts)
  return { network: { ...network, publish } }
}

export const openingFails = ({ chain }: Pick<Ports, 'chain'>, scene: Scene) => ({
  chain: {
    ...chain,
    neurons: (block: number, opts: Cancel) =>
      block === scene.at.first && isOpen(scene) ? scene.broken() : chain.neurons(block, opts),
  } satisfies Chain,
})

/** The turns of an evaluation of the local preset, whose blocks come only while it waits for them. */
export function createSteppedTurns(lastBlock = 7): {
  readonly turns: Turns
  /** Lets blocks come until the work has ended. */
  readonly runDry: (work: Promise<unknown>) => Promise<void>
} {
  const listeners = new Set<(event: ChainEvent) => void>()
  const watch: Chain['watch'] = (listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  const runDry = async (work: Promise<unknown>): Promise<void> => {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    work.then(over, over)
    for (let number = 0; number <= lastBlock && !isOver; number++) {
      for (const listener of listeners) listener({ type: 'block.best', block: { number, hash: '' } })
      for (let i = 0; i < 5; i++) await turn()
    }
    expect(isOver).toBe(true)
  }
  return { turns: createTurns({ best: 0, lastBlock }, { watch }), runDry }
}
