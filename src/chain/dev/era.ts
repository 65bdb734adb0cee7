/**
 * How long a transaction may wait: for ever, or for a period that began at a block whose hash it signed.
 *
 * Two bytes hold a power of two and a phase. The block of birth is not written down: it is the last one with that phase, so
 * a transaction that is too old claims another birth than it signed, and its signature no longer fits.
 */
import type { EnumValue } from './scale.ts'
import { ScaleError } from './scale-io.ts'

export type Era = { readonly period: number; readonly phase: number }

const PERIOD_MIN = 4
/** Phases of long periods are stored in steps, or they would not fit into two bytes. */
const stepOf = (period: number) => Math.max(period >> 12, 1)

/** `null` is immortal. Throws `ScaleError` for a phase outside of its period. */
export function readEra({ type, value }: EnumValue): Era | null {
  if (type === 'Immortal') return null
  const encoded = Number(type.slice('Mortal'.length)) + 256 * (value as number)
  const period = 2 << (encoded % 16)
  const phase = (encoded >> 4) * stepOf(period)
  if (period < PERIOD_MIN || phase >= period) throw new ScaleError('Invalid period and phase')
  return { period, phase }
}

/** The block whose hash was signed, if the transaction were made for `current`. */
export const birthOf = ({ period, phase }: Era, current: number): number =>
  Math.floor((Math.max(current, phase) - phase) / period) * period + phase

/** The first block in which it is no longer valid. */
export const deathOf = (era: Era, current: number): number => birthOf(era, current) + era.period
