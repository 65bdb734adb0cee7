/**
 * Training of some experts, or of routing rows, step by step. The hub is frozen by construction: there is no gradient of it in
 * the graph. Where the numbers lie while they are trained is the device's matter: beside the CPU, or on the device itself.
 */
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Weight } from '../model/layout.ts'
import { createDeviceTraining } from './on-device.ts'
import { createHostTraining } from './on-host.ts'
import type { Training, TrainingOptions } from './step.ts'

/** Steps of one run on CUDA, where weights and moments go to the device and back with every run. */
const CUDA_STEPS = 16

export function createTraining(
  checkpoint: Checkpoint,
  trained: readonly Weight[],
  options: TrainingOptions,
): Promise<Training> {
  const { device } = options
  if (device === 'cpu') return createHostTraining(checkpoint, trained, options)
  return createDeviceTraining(checkpoint, trained, options, device === 'cuda' ? CUDA_STEPS : null)
}
