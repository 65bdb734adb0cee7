/** What the suites of test/contracts share. A suite uses a port and its small harness, and knows no adapter. */
import { expect } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'

export type Harness = { readonly close: () => Promise<void> }

/** Signals that a method may be given. */
export const never = new AbortController().signal
export const aborted = AbortSignal.abort()

/** A fresh harness for every test, closed when the test ends. */
export const fresh =
  <H extends Harness>(create: () => Promise<H>) =>
  (body: (harness: H) => Promise<void>) =>
  async (): Promise<void> => {
    const harness = await create()
    try {
      await body(harness)
    } finally {
      await harness.close()
    }
  }

/** All promises that can be settled are. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const expectCode = (promise: Promise<unknown>, code: ErrorCode): Promise<void> =>
  expect(promise).rejects.toMatchObject({ name: 'NodeError', code })

/** For work that takes a while: it ends with an error soon after its signal is aborted, before or while it runs. */
export async function expectCancelled(begin: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  await expect(begin(aborted)).rejects.toThrow()
  const stop = new AbortController()
  const begun = begin(stop.signal)
  stop.abort()
  await expect(begun).rejects.toThrow()
}
