/**
 * An engine on its own side: one call after the other, with the sessions of the last models and groups kept for the next.
 */
import { NodeError } from '../../errors.ts'
import { inMemory } from '../data/sequences.ts'
import { touched, weightsOf } from '../evaluate/pieces.ts'
import { createScorer, type Scorer } from '../evaluate/scorer.ts'
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts'
import { deltaOf, type NamedBytes, valuesOf } from '../model/delta.ts'
import { fineTune } from '../train/teft.ts'
import type { Call, EngineOptions, FromEngine, LossesCall, ToEngine, TrainCall } from './call.ts'
import { JOBS } from './jobs.ts'

/** Sessions of a group and of the plain model, for the present root and the one before. */
const SCORERS_MAX = 4

/** `hear` gives what the other side says, one message after the other. */
export function serveEngine(
  say: (message: FromEngine) => void,
  hear: (listener: (message: ToEngine) => void) => void,
): void {
  let host: ReturnType<typeof createHost> | null = null
  hear((message) => {
    if (message.say === 'begin') host = createHost(message.options, say)
    else host?.hear(message)
  })
}

function createHost(options: EngineOptions, say: (message: FromEngine) => void) {
  const scorers = createScorers(options)
  /** Asked between two chunks; replaced by every question. */
  let answered: (goOn: boolean) => void = () => undefined
  let enough = new AbortController()
  const ask = (losses: readonly number[]): Promise<boolean> =>
    new Promise((resolve) => {
      answered = resolve
      say({ say: 'asked', losses })
    })
  const work = (call: Call): Promise<unknown> => {
    if (call.kind === 'losses') return losses(scorers, call, ask)
    if (call.kind === 'train') return train(options, call, enough.signal)
    const job = JOBS[call.name] as (task: unknown, tell: (told: unknown) => void) => Promise<unknown>
    return job(call.task, (told) => say({ say: 'told', told }))
  }
  const serve = async (call: Call): Promise<void> => {
    enough = new AbortController()
    try {
      say({ say: 'done', result: await work(call) })
    } catch (error) {
      if (!(error instanceof NodeError)) throw error
      const { code, what, why, remedy, data } = error
      say({ say: 'failed', failure: { code, what, why, remedy, data } })
    }
  }
  return {
    hear: (message: Exclude<ToEngine, { say: 'begin' }>): void => {
      if (message.say === 'call') void serve(message.call)
      else if (message.say === 'answer') answered(message.goOn)
      else enough.abort()
    },
  }
}

type Scorers = ReturnType<typeof createScorers>

function createScorers(options: EngineOptions) {
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

async function losses(
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

async function train(options: EngineOptions, call: TrainCall, enough: AbortSignal): Promise<readonly NamedBytes[]> {
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
