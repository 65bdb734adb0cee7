/**
 * One epoch of a Bittensor subnet, so that a validator can see what its weights would earn before it sets them.
 *
 * The runtime's own arithmetic, to the last bit, in the order in which it takes its steps (subtensor, spec 425): the
 * weights that count, consensus, trust and incentive, then bonds and dividends. Nothing here knows of a chain's client.
 */
import { epochTerms } from './yuma/epoch.ts'
import { toU16 } from './yuma/fixed.ts'
import { checkInput, type YumaInput, type YumaRow } from './yuma/input.ts'

export type { YumaInput, YumaMode, YumaRow } from './yuma/input.ts'

/** Lists are by uid, and u16 as the chain stores them: 65535 is 1. */
export type YumaEpoch = {
  readonly consensus: readonly number[]
  readonly incentive: readonly number[]
  readonly dividends: readonly number[]
  readonly validatorTrust: readonly number[]
  /** Rows of the next epoch's `bonds`. A neuron without permit or without stake has none. */
  readonly bonds: readonly YumaRow[]
}

/** Throws a `TypeError` or `RangeError` that names the field where `input` could not be the state of a subnet. */
export function yumaEpoch(input: YumaInput): YumaEpoch {
  checkInput(input)
  const terms = epochTerms(input)
  return {
    consensus: Array.from(terms.consensus, toU16),
    incentive: Array.from(terms.incentive, toU16),
    dividends: Array.from(terms.dividends, toU16),
    validatorTrust: Array.from(terms.validatorTrust, toU16),
    bonds: terms.bonds,
  }
}
