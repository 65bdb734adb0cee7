/** The learning rate over the steps of a run: it may warm up, and then stay or fall. */

export const DECAYS = ['constant', 'linear', 'cosine'] as const
export type Schedule = {
  readonly rate: number
  readonly warmupSteps: number
  readonly decay: (typeof DECAYS)[number]
  /** What is left of the rate at the end of a decay. */
  readonly floor: number
}

/** `step` counts from zero: the first of four steps of warm-up has a quarter of the rate. */
export function rateAt({ rate, warmupSteps, decay, floor }: Schedule, step: number, steps: number): number {
  if (step < warmupSteps) return (rate * (step + 1)) / warmupSteps
  const left = 1 - (step - warmupSteps) / Math.max(1, steps - warmupSteps)
  if (decay === 'constant') return rate
  return rate * (floor + (1 - floor) * (decay === 'linear' ? left : (1 - Math.cos(Math.PI * left)) / 2))
}
