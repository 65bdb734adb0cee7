/**
 * What a node asks its engine, done here: losses under changes, with the sessions of the last models and groups kept for the
 * next call, and training.
 */
import { inMemory } from '../data/sequences.ts'
import { touched, weightsOf } from '../evaluate/pieces.ts'
import { createScorer, type Scorer } from '../evaluate/scorer.ts'
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts'
import { deltaOf, type NamedBytes, valuesOf } from '../model/delta.ts'
import { fineTune } from '../train/teft.ts'
import type { EngineOptions, LossesCall, TrainCall } from './call.ts'

/** Sessions of a group and of the plain model, for the present root and the one before. */
const SCORERS_MAX = 4

export type Scorers = ReturnType<typeof createScorers>

export function createScorers(options: EngineOptions) {
  const held = new Map<string, { readonly checkpoint: Checkpoint; readonly scorer: Scorer }>()
  const make = async (directory: string, open: readonly string[]) => {
    const checkpoint = await openCheckpoint(directory)
    const scorer = createScorer(checkpoint, { device: 'cpu', ...options })
    await scorer.open(touched(checkpoint, open))
    return { checkpoint, scorer }
  }
  return {
    /** The last used come last. */
    for: async (directory: string, open: readonly string[]) => {
      const key = JSON.stringify([directory, open.toSorted()])
      const known = held.get(key) ?? (await make(directory, open))
      held.delete(key)
      held.set(key, known)
      for (const [old, { scorer }] of [...held].slice(0, -SCORERS_MAX)) {
        held.delete(old)
        await scorer.release()
      }
      return known
    },
  }
}

export async function losses(
  scorers: Scorers,
  call: LossesCall,
  goOn: (losses: readonly number[]) => Promise<boolean>,
): Promise<readonly number[]> {
  const { checkpoint, scorer } = await scorers.for(call.directory, call.open)
  const weights = touched(checkpoint, call.open).flatMap(weightsOf)
  const changes = valuesOf(weights, new Map(call.changes.map((tensor) => [tensor.name, tensor])))
  const sequences = { name: call.samples, tokens: call.sequences }
  return scorer.losses({ sequences, changes, checkpoints: call.checkpoints, goOn })
}

export async function train(
  options: EngineOptions,
  call: TrainCall,
  enough: AbortSignal,
): Promise<readonly NamedBytes[]> {
  const checkpoint = await openCheckpoint(call.directory)
  const trained = touched(checkpoint, call.tensors).flatMap(weightsOf)
  const kept = { statePath: null, saveEverySteps: call.steps, identity: '', validation: null }
  const result = await fineTune(
    checkpoint,
    trained,
    inMemory(call.sequences),
    { device: 'cpu', ...options, ...call, ...kept, enough },
    () => undefined,
  )
  const { tensors, contents } = deltaOf(checkpoint, trained, result.values)
  const made: NamedBytes[] = []
  for await (const bytes of contents) {
    const { name, dtype, shape } = tensors[made.length] as (typeof tensors)[number]
    made.push({ name, dtype, shape, bytes })
  }
  return made
}
