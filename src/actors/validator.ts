/**
 * One cycle of a validator, as a chart. What the steps do is in validating.ts and settling.ts.
 *
 * Gather what miners reveal, judge it, put the hash of the report on chain (A), open it, say who is held (B), merge and
 * put the new root on chain (D); weigh beside the merge. A step that fails or hangs is skipped: a validator without a
 * report still opens its shards, attests, merges what others certified, and weighs. One that lacks a counted body waits for
 * whoever holds it to say it again.
 */
import { assign, fromPromise, sendParent, setup } from 'xstate'
import { NodeError } from '../errors.ts'
import type { ValidatorPorts } from '../ports.ts'
import { BEACON_BLOCKS } from '../protocol/clock.ts'
import {
  type CycleEvent,
  type CycleInput,
  type CycleRooted,
  createGuards,
  deadlinesIn,
  lastCall,
  type Self,
  standingRoot,
  tellFailure,
  tellLate,
} from './cycle.ts'
import { holdsBodies } from './settling.ts'
import { createValidating, sealsOf, type ValidatorFacts, type ValidatorStep } from './validating.ts'
import { createWork, type Task } from './work.ts'

const work = createWork<ValidatorFacts>()

/** The model and the weights need only the tally, and not one another. */
const SETTLING = {
  type: 'parallel',
  states: {
    model: {
      initial: 'merging',
      states: {
        merging: work('merge', { done: 'rooting', failed: 'rooted', end: 'isTooLateToMerge' }),
        rooting: work('root', { done: 'rooted', failed: 'rooted', end: 'isMergePast' }),
        rooted: { always: { guard: 'isMergeFinal', target: 'adopting' } },
        adopting: work('adopt', { done: 'telling', failed: 'telling', end: 'isLastFinal' }),
        telling: { entry: 'handOver', ...work('settle', { done: 'done', failed: 'done', end: 'isNextRevealFinal' }) },
        done: { type: 'final' },
      },
    },
    weights: {
      initial: 'choosing',
      states: {
        choosing: {
          always: [{ guard: 'isTallied', target: 'weighing' }, { target: 'awaiting' }],
        },
        // What was paid is then known from the root that the others put on chain.
        awaiting: { always: { guard: 'isAdopted', target: 'weighing' } },
        weighing: work('weigh', { done: 'done', failed: 'done', end: 'isLastPast' }),
        done: { type: 'final' },
      },
    },
  },
} as const

export const createValidator = (self: Self, ports: ValidatorPorts) => {
  const validating = createValidating(self, ports)
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
          seals: context.input.cycle === self.inbox.known.cycle ? sealsOf(self.inbox.reports) : new Map(),
        }),
      ),
      learn: assign((_, facts: Partial<ValidatorFacts>) => facts),
      tell: ({ context }, { step, error }: { step: ValidatorStep; error: unknown }) =>
        tellFailure(ports, context.input.cycle, step, error),
      tellMissing: ({ context: { input, outcome } }) =>
        tellFailure(ports, input.cycle, 'tally', bodyMissing(self, outcome?.tally.counted ?? [])),
      tellLate: ({ context }, { step }: { step: ValidatorStep }) => tellLate(ports, context, step),
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
      opening: work('open', { done: 'gathering', failed: 'lost', end: 'isRevealFinal' }),
      lost: { always: { guard: 'isMergeFinal', target: 'over', actions: 'handOver' } },
      gathering: { always: { guard: 'isCommitFinal', target: 'matching' } },
      matching: work('match', { done: 'collecting', failed: 'collecting', end: 'isRevealFinal' }),
      collecting: { always: { guard: 'isRevealFinal', target: 'unsealing' } },
      unsealing: work('unseal', { done: 'hearing', failed: 'hearing', end: 'isBeaconFinal' }),
      hearing: {
        always: [
          { guard: 'isUnmatched', target: 'reported' },
          { guard: 'isBeaconFinal', target: 'evaluating' },
        ],
      },
      evaluating: work('evaluate', { done: 'reporting', failed: 'reported', end: 'isTooLateToReport' }),
      reporting: work('report', { done: 'reported', failed: 'reported', end: 'isReportPast' }),
      reported: { always: { guard: 'isReportFinal', target: 'exchanging' } },
      exchanging: work('exchange', { done: 'holding', failed: 'holding', end: 'isTooLateToAttest' }),
      holding: { always: { guard: 'isTimeToAttest', target: 'attesting' } },
      attesting: work('attest', { done: 'attested', failed: 'attested', end: 'isAttestPast' }),
      attested: { always: { guard: 'isAttestFinal', target: 'tallying' } },
      tallying: work('tally', { done: 'tallied', failed: 'settling', end: 'isTooLateToMerge' }),
      tallied: { always: [{ guard: 'isBodyMissing', target: 'completing' }, { target: 'settling' }] },
      // Whoever holds what we lack says it again now.
      completing: {
        always: [
          { guard: 'isComplete', target: 'tallying' },
          { guard: 'isLastCallToMerge', target: 'settling', actions: 'tellMissing' },
        ],
      },
      settling: { ...SETTLING, onDone: 'over' },
      over: { type: 'final' },
    },
  })
}

function bodyMissing({ inbox }: Self, counted: readonly string[]): NodeError {
  const missing = counted.filter((hotkey) => !inbox.reports.has(hotkey))
  return new NodeError('BODY_MISSING', {
    what: `${missing.length} of ${counted.length} counted reports did not arrive in time to merge`,
    why: 'their authors withheld them from this node, and nobody else said them again',
  })
}

type Known = { readonly context: ValidatorFacts }

const guardsOf = (self: Self) => {
  const { at, isFinal, isPast } = createGuards(self)
  return {
    isCommitFinal: isFinal('commit'),
    isUnmatched: ({ context }: Known) => context.commitments === undefined,
    isRevealFinal: isFinal('reveal'),
    isBeaconFinal: ({ context }: Known) => context.finalised >= at(context).reveal + BEACON_BLOCKS,
    isTooLateToReport: ({ context }: Known) => context.best > lastCall(at(context).report),
    isReportFinal: isFinal('report'),
    isReportPast: isPast('report'),
    isTooLateToAttest: ({ context }: Known) => context.best >= lastCall(at(context).attest),
    /** All bodies are here, or waiting longer would cost the attestation. */
    isTimeToAttest: ({ context }: Known) =>
      context.best >= lastCall(at(context).attest) ||
      [...(self.inbox.known.hashes?.keys() ?? [])].every((hotkey) => self.inbox.reports.has(hotkey)),
    isAttestFinal: isFinal('attest'),
    isAttestPast: isPast('attest'),
    /** Nothing was certified, or we hold every body that it was certified from. */
    isTallied: ({ context: { outcome } }: Known) =>
      outcome !== undefined && (outcome.certificate !== null || !outcome.tally.certified),
    isAdopted: ({ context }: Known) => context.adopted !== undefined || context.finalised >= at(context).last,
    isBodyMissing: ({ context: { outcome } }: Known) =>
      outcome?.tally.certified === true && outcome.certificate === null,
    isComplete: ({ context: { outcome } }: Known) => outcome !== undefined && holdsBodies(self, outcome.tally),
    isLastCallToMerge: ({ context }: Known) => context.best >= lastCall(at(context).merge),
    isTooLateToMerge: ({ context }: Known) => context.best > lastCall(at(context).merge),
    isMergeFinal: isFinal('merge'),
    isMergePast: isPast('merge'),
    isLastFinal: isFinal('last'),
    isLastPast: isPast('last'),
    /** From here on the engine is needed for the next cycle. */
    isNextRevealFinal: ({ context }: Known) => context.finalised >= deadlinesIn(self, context.input.cycle + 1).reveal,
  }
}
