/**
 * The root machine of a node: hears the chain, tells the phases, and runs one machine per cycle.
 *
 * It knows no step of a cycle. When D of a cycle is final it learns the root in force and the shards sealed for the next
 * one; if it does not in time, or comes in later, the next cycle begins without and takes the root that the chain repeats.
 * A cycle whose weights are still landing does not hold up its successor; it is stopped one cycle later.
 */
import { type ActorRefFrom, assign, enqueueActions, fromCallback, setup } from 'xstate'
import type { ChainEvent, Ports } from '../ports.ts'
import { deadlinesOf, momentAt, type Phase } from '../protocol/clock.ts'
import type { CycleInput, CycleRooted, Self } from './cycle.ts'
import type { createMiner } from './miner.ts'
import type { createValidator } from './validator.ts'

export type CycleMachine = ReturnType<typeof createMiner> | ReturnType<typeof createValidator>

export type NodeMachineEvent = ChainEvent | CycleRooted | { readonly type: 'message.heard' }

type Running = { readonly cycle: number; readonly actor: ActorRefFrom<CycleMachine> }
type Context = {
  readonly best: number
  readonly finalised: number
  readonly phase: Phase | null
  /** The root in force in the next cycle, `null` while it is not known. */
  readonly root: string | null
  readonly seals: CycleInput['seals']
  /** The open cycle and, while its weights land, the one before it. */
  readonly running: readonly Running[]
}

export const createNodeMachine = (self: Self, cycleMachine: CycleMachine, ports: Pick<Ports, 'chain' | 'observe'>) =>
  setup({
    types: {} as { context: Context; events: NodeMachineEvent },
    actors: {
      chain: fromCallback<NodeMachineEvent>(({ sendBack }) => ports.chain.watch(sendBack)),
      // Both machines take the same input and hear the same events.
      cycle: cycleMachine as ReturnType<typeof createValidator>,
    },
    guards: {
      /** A cycle that ends when its successor is open already has nothing to say about the one after that. */
      isOfOpenCycle: ({ context, event }) =>
        event.type === 'cycle.rooted' && event.cycle === context.running.at(-1)?.cycle,
    },
    actions: {
      tellPhase: ({ context }, { number }: { number: number }) => {
        const moment = momentAt(self.constitution, number)
        if (moment === null || moment.phase === context.phase) return
        ports.observe({ type: 'phase.entered', cycle: moment.cycle, phase: moment.phase })
      },
      forward: (
        { context },
        event: { type: 'block.best' | 'block.finalised'; number: number } | { type: 'message.heard' },
      ) => {
        for (const { actor } of context.running) {
          if (actor.getSnapshot().status === 'active') actor.send(event)
        }
      },
      learnBlock: (_, { number }: { number: number }) => self.inbox.learn({ block: number }),
      /** A cycle begins when its first block is final: everything in it hangs on that block's state. */
      beginCycle: enqueueActions(({ context, enqueue }, { number }: { number: number }) => {
        const moment = momentAt(self.constitution, number)
        if (moment === null || number !== firstBlockOf(self, moment.cycle)) return
        const [previous, ...older] = context.running.toReversed()
        for (const { actor } of older) enqueue.stopChild(actor)
        enqueue.assign(({ spawn, context: { best, root, seals } }) => {
          const { cycle } = moment
          const input: CycleInput = { cycle, root, seals, best, finalised: number }
          const begun = { cycle, actor: spawn('cycle', { id: `cycle-${cycle}`, input }) as unknown as Running['actor'] }
          return { running: previous === undefined ? [begun] : [previous, begun], root: null, seals: NO_SEALS }
        })
      }),
    },
  }).createMachine({
    id: 'node',
    context: { best: 0, finalised: 0, phase: null, root: null, seals: NO_SEALS, running: [] },
    invoke: { src: 'chain' },
    on: {
      'block.best': {
        actions: [
          { type: 'tellPhase', params: ({ event }) => event.block },
          assign(({ event }) => ({
            best: event.block.number,
            phase: momentAt(self.constitution, event.block.number)?.phase ?? null,
          })),
          { type: 'forward', params: ({ event }) => ({ type: 'block.best', number: event.block.number }) },
        ],
      },
      'block.finalised': {
        actions: [
          assign({ finalised: ({ event }) => event.block.number }),
          { type: 'learnBlock', params: ({ event }) => event.block },
          { type: 'beginCycle', params: ({ event }) => event.block },
          { type: 'forward', params: ({ event }) => ({ type: 'block.finalised', number: event.block.number }) },
        ],
      },
      'message.heard': { actions: { type: 'forward', params: { type: 'message.heard' } } },
      'cycle.rooted': {
        guard: 'isOfOpenCycle',
        actions: assign(({ event: { root, seals } }) => ({ root, seals })),
      },
    },
  })

const NO_SEALS: CycleInput['seals'] = new Map()

const firstBlockOf = (self: Self, cycle: number): number => deadlinesOf(self.constitution, cycle).first
