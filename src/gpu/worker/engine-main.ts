/**
 * The engine of a node, on the worker's side: one call after the other, with the sessions of the last models and groups kept
 * for the next.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { NodeError } from '../../errors.ts'
import { inMemory } from '../data/sequences.ts'
import { touched, weightsOf } from '../evaluate/pieces.ts'
import { createScorer, type Scorer } from '../evaluate/scorer.ts'
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts'
import { deltaOf, type NamedBytes, valuesOf } from '../model/delta.ts'
import { fineTune } from '../train/teft.ts'
import type { Call, EngineOptions, FromEngine, LossesCall, ToEngine, TrainCall } from './call.ts'

/** Sessions of a group and of the plain model, for the present root and the one before. */
const SCORERS_MAX = 4

const options = workerData as EngineOptions
const session = { device: 'cpu', threads: options.threads } as const
const port = parentPort as NonNullable<typeof parentPort>
const say = (message: FromEngine): void => port.postMessage(message)

const scorers = new Map<string, { readonly checkpoint: Checkpoint; readonly scorer: Scorer }>()
/** Asked between two steps or two chunks; replaced by every call. */
let answered: (goOn: boolean) => void = () => undefined
let enough = new AbortController()

/** The last used come last. */
async function scorerFor(directory: string, open: readonly string[]) {
  const key = JSON.stringify([directory, open.toSorted()])
  const known = scorers.get(key) ?? (await makeScorer(directory, open))
  scorers.delete(key)
  scorers.set(key, known)
  for (const [old, { scorer }] of [...scorers].slice(0, -SCORERS_MAX)) {
    scorers.delete(old)
    await scorer.release()
  }
  return known
}

async function makeScorer(directory: string, open: readonly string[]) {
  const checkpoint = await openCheckpoint(directory)
  const scorer = createScorer(checkpoint, { ...session, ...options })
  await scorer.open(touched(checkpoint, open))
  return { checkpoint, scorer }
}

async function losses(call: LossesCall): Promise<readonly number[]> {
  const { checkpoint, scorer } = await scorerFor(call.directory, call.open)
  const weights = touched(checkpoint, call.open).flatMap(weightsOf)
  const changes = valuesOf(weights, new Map(call.changes.map((tensor) => [tensor.name, tensor])))
  const sequences = { name: call.samples, tokens: call.sequences }
  const goOn = (soFar: readonly number[]): Promise<boolean> =>
    new Promise((resolve) => {
      answered = resolve
      say({ say: 'asked', losses: soFar })
    })
  return scorer.losses({ sequences, changes, checkpoints: call.checkpoints, goOn })
}

async function train(call: TrainCall): Promise<readonly NamedBytes[]> {
  const checkpoint = await openCheckpoint(call.directory)
  const trained = touched(checkpoint, call.tensors).flatMap(weightsOf)
  const result = await fineTune(
    checkpoint,
    trained,
    inMemory(call.sequences),
    {
      ...session,
      ...call,
      tokensPerRun: options.tokensPerRun,
      statePath: null,
      saveEverySteps: call.steps,
      identity: '',
      validation: null,
      enough: enough.signal,
    },
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

async function serve(call: Call): Promise<void> {
  enough = new AbortController()
  try {
    say({ say: 'done', result: await (call.kind === 'losses' ? losses(call) : train(call)) })
  } catch (error) {
    // A class does not survive the way between threads.
    if (!(error instanceof NodeError)) throw error
    const { code, what, why, remedy, data } = error
    say({ say: 'failed', code, what, why, remedy, data })
  }
}

port.on('message', (message: ToEngine) => {
  if (message.say === 'call') void serve(message.call)
  else if (message.say === 'answer') answered(message.goOn)
  else enough.abort()
})
