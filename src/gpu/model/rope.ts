/**
 * Rotary position embeddings: the angle of every pair of elements at every place. Formulas as in `transformers`'
 * modeling_rope_utils; in float64, rounded once.
 */
import type { LatentAttention, Rope, Yarn } from './config.ts'

/** Cosines and sines [places, width / 2], already scaled where the method scales attention. */
export function ropeTables(
  rope: Rope,
  width: number,
  places: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const frequencies = frequenciesOf(rope, width)
  const scale = rope.type === 'yarn' ? yarnAttention(rope) : 1
  const angles = Float64Array.from({ length: places * frequencies.length }, (_, i) => {
    const place = Math.floor(i / frequencies.length)
    return place * (frequencies[i % frequencies.length] as number)
  })
  return {
    cos: Float32Array.from(angles, (angle) => scale * Math.cos(angle)),
    sin: Float32Array.from(angles, (angle) => scale * Math.sin(angle)),
  }
}

function frequenciesOf(rope: Rope, width: number): readonly number[] {
  const plain = Array.from({ length: width / 2 }, (_, i) => rope.theta ** ((-2 * i) / width))
  switch (rope.type) {
    case 'default':
      return plain
    case 'linear':
      return plain.map((frequency) => frequency / rope.factor)
    case 'llama3':
      return plain.map((frequency) => {
        const turns = (rope.trainedPlaces * frequency) / (2 * Math.PI)
        if (turns > rope.highFrequency) return frequency
        if (turns < rope.lowFrequency) return frequency / rope.factor
        const kept = (turns - rope.lowFrequency) / (rope.highFrequency - rope.lowFrequency)
        return ((1 - kept) * frequency) / rope.factor + kept * frequency
      })
    case 'yarn':
      return yarnFrequencies(rope, plain, width)
  }
}

/** Fast pairs keep their frequency, slow ones are stretched, between them a ramp. */
function yarnFrequencies(
  yarn: Yarn & { readonly theta: number },
  plain: readonly number[],
  width: number,
): readonly number[] {
  const pairOf = (rotations: number): number =>
    (width * Math.log(yarn.trainedPlaces / (rotations * 2 * Math.PI))) / (2 * Math.log(yarn.theta))
  const [fast, slow] = [pairOf(yarn.betaFast), pairOf(yarn.betaSlow)]
  const low = Math.max(yarn.truncate ? Math.floor(fast) : fast, 0)
  const high = Math.min(yarn.truncate ? Math.ceil(slow) : slow, width - 1)
  const span = high === low ? 0.001 : high - low
  return plain.map((frequency, i) => {
    const stretched = Math.min(1, Math.max(0, (i - low) / span))
    return (frequency / yarn.factor) * stretched + frequency * (1 - stretched)
  })
}

const mscaleOf = (factor: number, mscale: number): number => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1)

function yarnAttention({ attentionFactor, factor, mscale, mscaleAll }: Yarn): number {
  if (attentionFactor !== null) return attentionFactor
  return mscale !== 0 && mscaleAll !== 0 ? mscaleOf(factor, mscale) / mscaleOf(factor, mscaleAll) : mscaleOf(factor, 1)
}

/** Scores are divided by √width; latent attention under yarn scales them once more. */
export function latentScale({ plainWidth, rotatedWidth }: LatentAttention, rope: Rope): number {
  const scale = (plainWidth + rotatedWidth) ** -0.5
  return rope.type === 'yarn' && rope.mscaleAll !== 0 ? scale * mscaleOf(rope.factor, rope.mscaleAll) ** 2 : scale
}
