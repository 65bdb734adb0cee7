/**
 * One cycle of a validator, as a chart. What the steps do is in validating.ts and settling.ts.
 *
 * Gather what miners reveal, judge it, put the hash of the report on chain (A), open it, say who is held (B), merge and
 * put the new root on chain (D); weigh beside the merge. A step that fails is skipped: a validator without a report still
 * attests, merges what others certified, and weighs.
 */
import { assign, fromPromise, sendParent, setup } from 'xstate'
import { NodeError } from '../errors.ts'
import type { ValidatorPorts } from '../ports.ts'
import type { Deadlines } from '../protocol/clock.ts'
import {
  type CycleEvent,
  type CycleInput,
  type CycleRooted,
  deadlinesIn,
  lastCall,
  type Self,
  standingRoot,
  tellFailure,
} from './cycle.ts'
import { BEACON_BLOCKS, createValidating, sealsOf, type ValidatorFacts, type ValidatorStep } from './validating.ts'
import { createWork, type Task } from './work.ts'

const work = createWork<ValidatorFacts>()

/** The model and the weights need only the tally, and not one another. */
const SETTLING = {
  type: 'parallel',
  states: {
    model: {
      initial: 'merging',
      states: {
        merging: {
          ...work('merge', 'rooting', 'rooted'),
          always: { guard: 'isTooLateToMerge', target: 'rooted' },
        },
        rooting: work('root', 'rooted', 'rooted'),
        rooted: { always: { guard: 'isMergeFinal', target: 'adopting' } },
        adopting: work('adopt', 'telling', 'telling'),
        telling: { entry: 'handOver', ...work('settle', 'done', 'done') },
        done: { type: 'final' },
      },
    },
    weights: {
      initial: 'weighing',
      states: { weighing: work('weigh', 'done', 'done'), done: { type: 'final' } },
    },
  },
} as const

export const createValidator = (self: Self, ports: ValidatorPorts) => {
  const validating = createValidating(self, ports)
  const at = deadlinesFor(self)
  return setup({
    types: {} as { context: ValidatorFacts; events: CycleEvent; input: CycleInput },
    actors: {
      work: fromPromise<Partial<ValidatorFacts>, Task<ValidatorStep, ValidatorFacts>>(({ input, signal }) =>
        validating[input.step](input.facts, { signal }),
      ),
    },
    guards: guardsOf(self),
    actions: {
      /** Now, because the inbox forgets its reports when the next cycle begins. */
      handOver: sendParent(
        ({ context }): CycleRooted => ({
          type: 'cycle.rooted',
          cycle: context.input.cycle,
          root: standingRoot(context),
          seals: sealsOf(self.inbox.reports),
        }),
      ),
      learn: assign((_, facts: Partial<ValidatorFacts>) => facts),
      tell: ({ context }, { step, error }: { step: ValidatorStep; error: unknown }) =>
        tellFailure(ports, context.input.cycle, step, error),
      tellLate: ({ context }) => {
        const what = `the evaluation of cycle ${context.input.cycle} did not end in its phase`
        const why = `block ${context.best} is too late for a report that must be final at ${at(context).report}`
        tellFailure(ports, context.input.cycle, 'evaluate', new NodeError('EVALUATION_LATE', { what, why }))
      },
    },
  }).createMachine({
    id: 'validator',
    context: ({ input }) => ({ input, best: input.best, finalised: input.finalised }),
    on: {
      'block.best': { actions: assign({ best: ({ event }) => event.number }) },
      'block.finalised': { actions: assign({ finalised: ({ event }) => event.number }) },
      'message.heard': {}, // the guards look again
    },
    initial: 'opening',
    states: {
      opening: work('open', 'gathering', 'lost'),
      lost: { always: { guard: 'isMergeFinal', target: 'over', actions: 'handOver' } },
      gathering: { always: { guard: 'isCommitFinal', target: 'matching' } },
      matching: work('match', 'collecting', 'reported'),
      collecting: { always: { guard: 'isRevealFinal', target: 'unsealing' } },
      unsealing: work('unseal', 'hearing', 'hearing'),
      hearing: { always: { guard: 'isBeaconFinal', target: 'evaluating' } },
      evaluating: {
        ...work('evaluate', 'reporting', 'reported'),
        always: { guard: 'isTooLateToReport', target: 'reported', actions: 'tellLate' },
      },
      reporting: work('report', 'reported', 'reported'),
      reported: { always: { guard: 'isReportFinal', target: 'exchanging' } },
      exchanging: work('exchange', 'holding', 'holding'),
      holding: { always: { guard: 'isTimeToAttest', target: 'attesting' } },
      attesting: work('attest', 'attested', 'attested'),
      attested: { always: { guard: 'isAttestFinal', target: 'tallying' } },
      tallying: work('tally', 'settling', 'settling'),
      settling: { ...SETTLING, onDone: 'over' },
      over: { type: 'final' },
    },
  })
}

type Known = { readonly context: ValidatorFacts }

const deadlinesFor =
  (self: Self) =>
  ({ input }: ValidatorFacts): Deadlines =>
    deadlinesIn(self, input.cycle)

/** Every wait ends with a block. */
const guardsOf = (self: Self) => {
  const at = deadlinesFor(self)
  return {
    isCommitFinal: ({ context }: Known) => context.finalised >= at(context).commit,
    isRevealFinal: ({ context }: Known) => context.finalised >= at(context).reveal,
    isBeaconFinal: ({ context }: Known) => context.finalised >= at(context).reveal + BEACON_BLOCKS,
    isReportFinal: ({ context }: Known) => context.finalised >= at(context).report,
    isAttestFinal: ({ context }: Known) => context.finalised >= at(context).attest,
    isMergeFinal: ({ context }: Known) => context.finalised >= at(context).merge,
    isTooLateToReport: ({ context }: Known) => context.best > lastCall(self, at(context).report),
    /** All bodies are here, or waiting longer would cost the attestation. */
    isTimeToAttest: ({ context }: Known) =>
      context.best >= lastCall(self, at(context).attest) ||
      [...(self.inbox.known.hashes?.keys() ?? [])].every((hotkey) => self.inbox.reports.has(hotkey)),
    isTooLateToMerge: ({ context }: Known) => context.best > lastCall(self, at(context).merge),
  }
}
