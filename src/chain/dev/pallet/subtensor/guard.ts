/**
 * Checks that a runtime makes twice: before a transaction enters the pool, where a failure is `1010 custom:N`, and again
 * before the call runs, also inside of a batch, where it is a dispatch error.
 */
import { type CallSpec, type Context, DispatchFailure, type Fields, type Origin } from '../../define.ts'
import { signer } from '../system.ts'
import { must, poolCode } from './error.ts'

/** Throws a `DispatchFailure`. Reads only. */
export type Guard = (context: Context, who: string, args: Fields) => void
type Body = (context: Context, who: string, args: Fields) => void

/** Lists of a batch that belong together, item by item. */
export const equalLengths =
  (...lists: readonly string[]): Guard =>
  (_context, _who, args) =>
    must(new Set(lists.map((name) => (args[name] as readonly unknown[]).length)).size === 1, 'InputLengthsUnequal')

/** The parts of a call that only a signer may make. Its guards come first, in their order. */
export function signed(body: Body, ...guards: readonly Guard[]): Pick<CallSpec, 'run' | 'reject'> {
  const run = (context: Context, origin: Origin, args: Fields): void => {
    const who = signer(origin)
    for (const guard of guards) guard(context, who, args)
    body(context, who, args)
  }
  return guards.length === 0 ? { run } : { run, reject: rejectBy(guards) }
}

function rejectBy(guards: readonly Guard[]): NonNullable<CallSpec['reject']> {
  return (context, origin, args) => {
    if (origin.kind !== 'signed') return null
    try {
      for (const guard of guards) guard(context, origin.account, args)
      return null
    } catch (error) {
      if (error instanceof DispatchFailure) return poolCode(error)
      throw error
    }
  }
}
