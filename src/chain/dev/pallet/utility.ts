/** Several calls in one transaction: up to the first failure, all or none, or as many as work. */
import {
  type Context,
  type DecodedCall,
  DispatchFailure,
  type Fields,
  need,
  type Origin,
  type Pallet,
} from '../define.ts'

const P = 'Utility'
const BATCH_CALLS_MAX = 10_922

/** What the call wrote is taken back when it fails; its failure is returned. A bug of ours passes through. */
export function attempt(context: Context, origin: Origin, call: DecodedCall): DispatchFailure | null {
  try {
    context.dispatch(origin, call)
    return null
  } catch (error) {
    if (error instanceof DispatchFailure) return error
    throw error
  }
}

function callsOf(args: Fields): readonly DecodedCall[] {
  const calls = args['calls'] as readonly DecodedCall[]
  need(calls.length <= BATCH_CALLS_MAX, P, 'TooManyCalls')
  return calls
}

function batch(context: Context, origin: Origin, args: Fields): void {
  for (const [index, call] of callsOf(args).entries()) {
    const error = attempt(context, origin, call)
    if (error !== null) {
      context.emit(P, 'BatchInterrupted', { index, error })
      return
    }
    context.emit(P, 'ItemCompleted', {})
  }
  context.emit(P, 'BatchCompleted', {})
}

function batchAll(context: Context, origin: Origin, args: Fields): void {
  for (const call of callsOf(args)) {
    context.dispatch(origin, call)
    context.emit(P, 'ItemCompleted', {})
  }
  context.emit(P, 'BatchCompleted', {})
}

function forceBatch(context: Context, origin: Origin, args: Fields): void {
  let failed = false
  for (const call of callsOf(args)) {
    const error = attempt(context, origin, call)
    failed ||= error !== null
    if (error === null) context.emit(P, 'ItemCompleted', {})
    else context.emit(P, 'ItemFailed', { error })
  }
  context.emit(P, failed ? 'BatchCompletedWithErrors' : 'BatchCompleted', {})
}

export const utility: Pallet = {
  index: 11,
  name: P,
  storage: [],
  calls: [
    { index: 0, name: 'batch', args: 'calls: Vec<RuntimeCall>', paysFee: true, run: batch },
    { index: 2, name: 'batch_all', args: 'calls: Vec<RuntimeCall>', paysFee: true, run: batchAll },
    { index: 4, name: 'force_batch', args: 'calls: Vec<RuntimeCall>', paysFee: true, run: forceBatch },
  ],
  events: [
    { index: 0, name: 'BatchInterrupted', fields: 'index: u32, error: DispatchError' },
    { index: 1, name: 'BatchCompleted', fields: '' },
    { index: 2, name: 'BatchCompletedWithErrors', fields: '' },
    { index: 3, name: 'ItemCompleted', fields: '' },
    { index: 4, name: 'ItemFailed', fields: 'error: DispatchError' },
  ],
  errors: [
    { index: 0, name: 'TooManyCalls' },
    { index: 1, name: 'InvalidDerivedAccount' },
  ],
  constants: [{ name: 'batched_calls_limit', type: 'u32', value: BATCH_CALLS_MAX }],
}
