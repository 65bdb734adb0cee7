/**
 * Liquid alpha: how fast one bond follows its weight, by how far the two are apart.
 *
 * A sigmoid between two bounds. A validator whose weight is above consensus moves its bond by the distance to consensus,
 * one that gives a bond up by how much it gives up.
 */
import { divide, exponential, multiply, ONE, ratio, U16_MAX } from './fixed.ts'
import { ALPHA_HIGH_DEFAULT, ALPHA_LOW_DEFAULT, ALPHA_STEEPNESS_DEFAULT, type YumaInput } from './input.ts'

const HALF = ONE / 2

type LiquidAlpha = (weight: number, bonded: number, consensus: number) => number

export function createLiquidAlpha(input: Pick<YumaInput, 'alphaLow' | 'alphaHigh' | 'alphaSteepness'>): LiquidAlpha {
  const low = ratio(input.alphaLow ?? ALPHA_LOW_DEFAULT, U16_MAX)
  const high = ratio(input.alphaHigh ?? ALPHA_HIGH_DEFAULT, U16_MAX)
  // Hundredths, and the sign that the exponent of a sigmoid has; cut off towards zero, as the runtime divides.
  const steepness = Math.trunc(((input.alphaSteepness ?? ALPHA_STEEPNESS_DEFAULT) * ONE) / -100)

  const alphaAt = (distance: number): number => {
    const sigmoid = divide(ONE, ONE + exponential(multiply(steepness, distance - HALF)))
    return low + multiply(sigmoid, high - low)
  }
  const alphaAtZero = alphaAt(0) // nearly every clipped weight that has caught up with its bond, and a series saved

  return (weight, bonded, consensus) => {
    const distance = weight >= bonded ? weight - consensus : bonded - weight
    return distance > 0 ? alphaAt(distance) : alphaAtZero
  }
}
