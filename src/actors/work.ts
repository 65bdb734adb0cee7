/**
 * A state that does one step of a cycle: invoked with what is known so far, it leaves what it found, and the chart goes on.
 * A step that fails, or that has not ended when its block comes, is told, and the chart goes on elsewhere: every `invoke`
 * has both its ends, and every wait has a third.
 *
 * A machine that uses it names its promise actor `work` and its actions `learn`, `tell` and `tellLate`.
 */
export type Task<S extends string, F> = { readonly step: S; readonly facts: F }

/** `end` is the guard that says when it is too late for the step. */
export type Ways<T extends string, E extends string, G extends string> = {
  readonly done: T
  readonly failed: E
  readonly end: G
}

export const createWork =
  <F>() =>
  <const S extends string, const T extends string, const E extends string, const G extends string>(
    step: S,
    { done, failed, end }: Ways<T, E, G>,
  ) => ({
    invoke: {
      src: 'work' as const,
      input: ({ context }: { context: F }): Task<S, F> => ({ step, facts: context }),
      onDone: {
        target: done,
        actions: { type: 'learn' as const, params: ({ event }: { event: { output: Partial<F> } }) => event.output },
      },
      onError: {
        target: failed,
        actions: {
          type: 'tell' as const,
          params: ({ event }: { event: { error: unknown } }) => ({ step, error: event.error }),
        },
      },
    },
    always: { guard: end, target: failed, actions: { type: 'tellLate' as const, params: { step } } },
  })

/** A step's input was left by the step before it, or the chart is wrong. */
export function known<T>(fact: T | undefined): T {
  if (fact === undefined) throw new Error('broken invariant: the chart runs steps in the order of what they need')
  return fact
}
