/**
 * What an epoch of a subnet is computed from, in the chain's own units, and the refusal of what no chain can hold.
 *
 * This is the public face of a library, so a mistake of the caller is a `TypeError` or `RangeError` that names the field.
 */
import { U16_MAX } from './fixed.ts'

/** One row of `Weights` or `Bonds`. An entry that is absent differs from a stored zero. */
export type YumaRow = readonly (readonly [uid: number, value: number])[]

/** `yuma2`: bonds are shares of a column. `yuma3`: a bond is the validator's own. `liquid`: Yuma 3 with liquid alpha. */
export type YumaMode = 'yuma2' | 'yuma3' | 'liquid'

/** Lists are by uid and equally long. */
export type YumaInput = {
  /** Stake weight in any unit, zero below the subnet's threshold. Only proportions matter. */
  readonly stake: readonly number[]
  readonly weights: readonly YumaRow[]
  readonly bonds: readonly YumaRow[]
  /** Whether the neuron's last update is within the activity cutoff. */
  readonly active: readonly boolean[]
  /** As the chain stores them, from the last epoch. The owner's is taken as true. */
  readonly permits: readonly boolean[]
  /** Blocks. Weights set no later than the block at which their target registered are for a predecessor. */
  readonly lastUpdate: readonly number[]
  readonly registeredAt: readonly number[]
  /** The one neuron whose weight on itself counts. */
  readonly ownerUid?: number | null | undefined
  /** u16: the share of the stake that must support a weight. */
  readonly kappa: number
  /** Per million: the share of the old bonds that stays, where alpha is not liquid. */
  readonly bondsMovingAverage: number
  /** u16: how far bonds follow the clipped weights (65535) rather than the weights as set (0). */
  readonly bondsPenalty: number
  readonly mode: YumaMode
  /** u16, by default 45875 and 58982, as on chain: the bounds of liquid alpha. */
  readonly alphaLow?: number | undefined
  readonly alphaHigh?: number | undefined
  /** i16 in hundredths, by default 1000: how steeply liquid alpha rises between its bounds. */
  readonly alphaSteepness?: number | undefined
  /**
   * The block of the last epoch (`LastMechansimStepBlock`): bonds to who registered after it belonged to a predecessor.
   * Without it all bonds count. A subnet that has had no epoch stores 0; the runtime then takes this block - tempo - 1.
   */
  readonly lastStepBlock?: number | undefined
  /** By uid, under commit-reveal: the block of the earliest commit still alive, null where there is none. */
  readonly earliestCommit?: readonly (number | null)[] | undefined
}

/** Bounds what a call can cost: a dense matrix of doubles is 128 MiB then. The chain's limit is 256. */
const NEURONS_MAX = 4_096

export const ALPHA_LOW_DEFAULT = 45_875
export const ALPHA_HIGH_DEFAULT = 58_982
export const ALPHA_STEEPNESS_DEFAULT = 1_000

const MODES: readonly string[] = ['yuma2', 'yuma3', 'liquid'] satisfies YumaMode[]
const PER_MILLION = 1_000_000
const I16_MIN = -32_768
const I16_MAX = 32_767

/** Throws unless `input` could be the state of a subnet. */
export function checkInput(input: YumaInput): void {
  checkLists(input)
  checkRows('weights', input.weights)
  checkRows('bonds', input.bonds)
  checkParameters(input)
}

function checkLists(input: YumaInput): void {
  const { stake, active, permits, lastUpdate, registeredAt, earliestCommit } = input
  checkLength('stake', stake, null)
  if (stake.length > NEURONS_MAX) throw new RangeError(`stake has ${stake.length} entries; at most ${NEURONS_MAX} fit.`)
  checkLength('weights', input.weights, stake.length)
  checkLength('bonds', input.bonds, stake.length)
  stake.forEach((value, uid) => {
    if (!(Number.isFinite(value) && value >= 0)) throw refusal(`stake[${uid}]`, value, 'a number of 0 or more')
  })
  for (const [field, list] of Object.entries({ active, permits })) {
    checkLength(field, list, stake.length)
    list.forEach((value, uid) => {
      if (typeof value !== 'boolean') throw new TypeError(`${field}[${uid}] is ${String(value)}, not true or false.`)
    })
  }
  for (const [field, list] of Object.entries({ lastUpdate, registeredAt, earliestCommit: earliestCommit ?? null })) {
    if (list === null) continue
    checkLength(field, list, stake.length)
    list.forEach((block, uid) => {
      if (block !== null || field !== 'earliestCommit') {
        checkInteger(`${field}[${uid}]`, block, 0, Number.MAX_SAFE_INTEGER)
      }
    })
  }
}

function checkRows(field: string, rows: readonly YumaRow[]): void {
  const count = rows.length
  const namedBy = new Int32Array(count).fill(-1)
  rows.forEach((row, i) => {
    if (!Array.isArray(row)) throw new TypeError(`${field}[${i}] is not a list of [uid, value].`)
    for (const entry of row as YumaRow) {
      const uid = entry?.[0]
      const value = entry?.[1]
      if (!(Number.isInteger(uid) && uid >= 0 && uid < count)) {
        throw refusal(`${field}[${i}]`, uid, `a uid of 0 to ${count - 1}`)
      }
      if (namedBy[uid] === i) throw new RangeError(`${field}[${i}] names uid ${uid} twice.`)
      namedBy[uid] = i
      if (!isWithin(value, 0, U16_MAX)) throw refusal(`${field}[${i}], uid ${uid},`, value, `0 to ${U16_MAX}`)
    }
  })
}

function checkParameters(input: YumaInput): void {
  const { ownerUid, alphaLow = ALPHA_LOW_DEFAULT, alphaHigh = ALPHA_HIGH_DEFAULT } = input
  if (!MODES.includes(input.mode))
    throw new RangeError(`mode is ${String(input.mode)}, not one of ${MODES.join(', ')}.`)
  checkInteger('kappa', input.kappa, 0, U16_MAX)
  checkInteger('bondsMovingAverage', input.bondsMovingAverage, 0, PER_MILLION)
  checkInteger('bondsPenalty', input.bondsPenalty, 0, U16_MAX)
  checkInteger('alphaLow', alphaLow, 0, U16_MAX)
  checkInteger('alphaHigh', alphaHigh, alphaLow, U16_MAX)
  checkInteger('alphaSteepness', input.alphaSteepness ?? ALPHA_STEEPNESS_DEFAULT, I16_MIN, I16_MAX)
  if (ownerUid !== null && ownerUid !== undefined) checkInteger('ownerUid', ownerUid, 0, input.stake.length - 1)
  if (input.lastStepBlock !== undefined) checkInteger('lastStepBlock', input.lastStepBlock, 0, Number.MAX_SAFE_INTEGER)
}

function checkLength(field: string, list: readonly unknown[], count: number | null): void {
  if (!Array.isArray(list)) throw new TypeError(`${field} is not a list.`)
  if (count !== null && list.length !== count) {
    throw new RangeError(`${field} has ${list.length} entries where stake has ${count}.`)
  }
}

function checkInteger(field: string, value: unknown, min: number, max: number): void {
  if (!isWithin(value, min, max)) throw refusal(field, value, `an integer of ${min} to ${max}`)
}

const isWithin = (value: unknown, min: number, max: number): boolean =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max

const refusal = (field: string, value: unknown, wanted: string) =>
  new RangeError(`${field} has the value ${String(value)}, which is not ${wanted}.`)
