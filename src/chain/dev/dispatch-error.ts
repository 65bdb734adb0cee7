/**
 * From the failure of a call to the `DispatchError` that clients decode.
 *
 * Most errors belong to a pallet. Those of the framework itself are written `refuse('BadOrigin')` and
 * `refuse('Token', 'FundsUnavailable')`.
 */
import { assert } from '../../util/assert.ts'
import { DispatchFailure, type Pallet } from './define.ts'
import type { EnumValue } from './scale.ts'

/** Not a name of any pallet. */
const FRAMEWORK = 'DispatchError'
const GROUPS = ['Token', 'Arithmetic', 'Transactional'] as const

export function refuse(error: 'BadOrigin' | 'CannotLookup' | 'Other' | 'Unavailable'): DispatchFailure
export function refuse(group: (typeof GROUPS)[number], error: string): DispatchFailure
export function refuse(first: string, second?: string): DispatchFailure {
  return second === undefined ? new DispatchFailure(FRAMEWORK, first) : new DispatchFailure(first, second)
}

export function dispatchError(failure: DispatchFailure, pallets: readonly Pallet[]): EnumValue {
  const { pallet: name, error: errorName } = failure
  if (name === FRAMEWORK) return { type: errorName, value: null }
  if ((GROUPS as readonly string[]).includes(name)) return { type: name, value: { type: errorName, value: null } }
  const pallet = pallets.find((each) => each.name === name)
  const error = pallet?.errors.find((each) => each.name === errorName)
  assert(pallet !== undefined && error !== undefined, `an error is in the table of its pallet: ${name}.${errorName}`)
  return { type: 'Module', value: { index: pallet.index, error: Uint8Array.of(error.index, 0, 0, 0) } }
}
