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
  createGuards,
  type Self,
  standingRoot,
  tellFailure,
  tellLate,
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
    guards: guardsOf(self),
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
      tellLate: ({ context }, { step }: { step: MinerStep }) => tellLate(ports, context, step),
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
      opening: work('open', { done: 'training', failed: 'waiting', end: 'isCommitFinal' }),
      training: {
        // A trainer that does not end when it is told to is left behind.
        ...work('train', { done: 'committing', failed: 'waiting', end: 'isCommitFinal' }),
        initial: 'learning',
        states: {
          learning: { always: { guard: 'isTrainingOver', target: 'ending', actions: 'endTraining' } },
          ending: {},
        },
      },
      committing: work('commit', { done: 'committed', failed: 'waiting', end: 'isCommitPast' }),
      committed: { always: { guard: 'isCommitFinal', target: 'revealing' } },
      revealing: work('reveal', { done: 'waiting', failed: 'waiting', end: 'isRevealPast' }),
      waiting: { always: { guard: 'isMergeFinal', target: 'adopting' } },
      adopting: work('adopt', { done: 'over', failed: 'over', end: 'isLastFinal' }),
      over: { type: 'final', entry: 'handOver' },
    },
  })
}

const guardsOf = (self: Self) => {
  const { at, isFinal, isPast } = createGuards(self)
  return {
    isTrainingOver: ({ context }: { readonly context: MinerFacts }) =>
      context.best > at(context).commit - self.constitution.windows.commit,
    isCommitFinal: isFinal('commit'),
    isCommitPast: isPast('commit'),
    isRevealPast: isPast('reveal'),
    isMergeFinal: isFinal('merge'),
    isLastFinal: isFinal('last'),
  }
}
