/**
 * One cycle of a miner, as a chart: train the group's experts, commit, reveal, serve. What the steps do is in mining.ts.
 *
 * Whatever goes wrong costs the miner this cycle and nobody else anything: the machine then waits for the cycle's end.
 */
import { assign, fromPromise, sendParent, setup } from 'xstate'
import type { MinerPorts } from '../ports.ts'
import {
  type CycleEvent,
  type CycleInput,
  type CycleRooted,
  deadlinesIn,
  type Self,
  standingRoot,
  tellFailure,
} from './cycle.ts'
import { createMining, type MinerFacts, type MinerStep } from './mining.ts'
import { createWork, type Task } from './work.ts'

const work = createWork<MinerFacts>()

export const createMiner = (self: Self, group: string, ports: MinerPorts) => {
  const mining = createMining(self, group, ports)
  return setup({
    types: {} as {
      context: MinerFacts
      events: CycleEvent
      input: CycleInput
    },
    actors: {
      work: fromPromise<Partial<MinerFacts>, Task<MinerStep, MinerFacts>>(({ input, signal }) =>
        mining[input.step](input.facts, { signal }),
      ),
    },
    guards: {
      isTrainingOver: ({ context: { best, input } }) => {
        const { commit } = deadlinesIn(self, input.cycle)
        return best > commit - self.constitution.windows.commit
      },
      isCommitFinal: ({ context: { finalised, input } }) => finalised >= deadlinesIn(self, input.cycle).commit,
      isMergeFinal: ({ context: { finalised, input } }) => finalised >= deadlinesIn(self, input.cycle).merge,
    },
    actions: {
      handOver: sendParent(
        ({ context }): CycleRooted => ({
          type: 'cycle.rooted',
          cycle: context.input.cycle,
          root: standingRoot(context),
          seals: new Map(),
        }),
      ),
      endTraining: ({ context }) => context.enough.abort(),
      learn: assign((_, facts: Partial<MinerFacts>) => facts),
      tell: ({ context }, { step, error }: { step: MinerStep; error: unknown }) =>
        tellFailure(ports, context.input.cycle, step, error),
    },
  }).createMachine({
    id: 'miner',
    context: ({ input }) => ({ input, best: input.best, finalised: input.finalised, enough: new AbortController() }),
    on: {
      'block.best': { actions: assign({ best: ({ event }) => event.number }) },
      'block.finalised': { actions: assign({ finalised: ({ event }) => event.number }) },
    },
    initial: 'opening',
    states: {
      opening: work('open', 'training', 'waiting'),
      training: {
        ...work('train', 'committing', 'waiting'),
        initial: 'learning',
        states: {
          learning: { always: { guard: 'isTrainingOver', target: 'ending', actions: 'endTraining' } },
          ending: {},
        },
        always: { guard: 'isCommitFinal', target: 'waiting' }, // a trainer that did not end when told to is left behind
      },
      committing: work('commit', 'committed', 'waiting'),
      committed: { always: { guard: 'isCommitFinal', target: 'revealing' } },
      revealing: work('reveal', 'waiting', 'waiting'),
      waiting: { always: { guard: 'isMergeFinal', target: 'adopting' } },
      adopting: work('adopt', 'over', 'over'),
      over: { type: 'final', entry: 'handOver' },
    },
  })
}
