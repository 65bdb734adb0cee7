/**
 * A state that does one step of a cycle: invoked with what is known so far, it leaves what it found, and the chart goes on.
 * A step that fails is told, and the chart goes on elsewhere: every `invoke` has both its ends.
 *
 * A machine that uses it names its promise actor `work` and its actions `learn` and `tell`.
 */
export type Task<S extends string, F> = { readonly step: S; readonly facts: F }

export const createWork =
  <F>() =>
  <const S extends string, const T extends string, const E extends string>(step: S, target: T, otherwise: E) => ({
    invoke: {
      src: 'work' as const,
      input: ({ context }: { context: F }): Task<S, F> => ({ step, facts: context }),
      onDone: {
        target,
        actions: { type: 'learn' as const, params: ({ event }: { event: { output: Partial<F> } }) => event.output },
      },
      onError: {
        target: otherwise,
        actions: {
          type: 'tell' as const,
          params: ({ event }: { event: { error: unknown } }) => ({ step, error: event.error }),
        },
      },
    },
  })
