/**
 * What the engine does for a command, from files to files: each job a function of plain data, run in a worker of its own.
 */
import { mkdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { NodeError } from '../../errors.ts'
import type { Device } from '../backend/device.ts'
import { checkDevice } from '../backend/self-check.ts'
import type { SessionOptions } from '../backend/session.ts'
import { openEncoder, packText } from '../data/pack.ts'
import { openPacked, openTokens, type SequenceSource, someOf } from '../data/sequences.ts'
import { DELTA } from '../evaluate/delta-file.ts'
import { type GroupSpec, readGroup } from '../evaluate/group-file.ts'
import { keysOf, type Piece, piecesOf, touched, weightsOf } from '../evaluate/pieces.ts'
import { createScorer, type Scorer } from '../evaluate/scorer.ts'
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts'
import { deltaOf } from '../model/delta.ts'
import { writeSafetensors } from '../model/safetensors-file.ts'
import type { Schedule } from '../train/schedule.ts'
import { fineTune, type TeftEvent } from '../train/teft.ts'

/** Tokens of a run: a thousand keep two cores busy, and their activations small. */
export const TOKENS_PER_RUN = 1024
/** Of activations that are kept from one submission to the next. */
const CACHE_BYTES_MAX = 256 * 2 ** 20
/** Sequences that are read and judged at once. */
const SEQUENCES_AT_ONCE = 64

export type Machine = { readonly device: Device; readonly threads: number | null }
export type SourceSpec =
  | { readonly kind: 'tokens'; readonly path: string }
  | { readonly kind: 'text'; readonly paths: readonly string[]; readonly places: number; readonly packed: string }

export type LossTask = Machine & { readonly directory: string; readonly source: SourceSpec }
export type LossResult = {
  readonly loss: number
  readonly sequences: number
  readonly tokens: number
  readonly perSequence: readonly number[]
}
export type Told = { readonly done: number; readonly of: number }

export type TrainTask = Machine & {
  readonly directory: string
  readonly source: SourceSpec
  readonly experts: readonly number[]
  readonly router: boolean
  /** Experts that differ from layer to layer. */
  readonly group?: GroupSpec | null
  readonly steps: number
  readonly schedule: Schedule
  readonly weightDecay: number
  readonly normMax: number | null
  readonly batch: number | null
  /** The part of the sequences that is kept for validation. */
  readonly heldOutShare: number
  readonly validateEverySteps: number
  readonly patience: number
  readonly saveEverySteps: number
  readonly out: string
}
export type TrainResult = {
  readonly delta: string
  readonly tensors: number
  readonly bytes: number
  readonly steps: number
  readonly losses: readonly number[]
}

/** Betas as the field trains with them; ε as PyTorch has it. */
const ADAM = { beta1: 0.9, beta2: 0.95, eps: 1e-8 }

/** Whoever is no CPU shows first that it computes as one. */
export async function sessionOf({ device, threads }: Machine): Promise<SessionOptions> {
  if (device !== 'cpu') await checkDevice(device)
  return { device, threads: threads ?? Math.max(1, availableParallelism()) }
}

export async function openSource(checkpoint: Checkpoint, spec: SourceSpec): Promise<SequenceSource> {
  if (spec.kind === 'tokens') return openTokens(spec.path, checkpoint.model.vocabulary)
  const { tokens } = await packText(spec.paths, await openEncoder(checkpoint.directory), spec.packed)
  if (tokens < spec.places) {
    throw new NodeError('DATA_INVALID', {
      what: `the text has ${tokens} tokens`,
      why: `a sequence has ${spec.places}`,
      remedy: 'Give more text, or shorter sequences with --sequence.',
    })
  }
  return openPacked(spec.packed, spec.places)
}

export async function lossJob(task: LossTask, tell: (told: Told) => void): Promise<LossResult> {
  const checkpoint = await openCheckpoint(task.directory)
  const source = await openSource(checkpoint, task.source)
  const scorer = createScorer(checkpoint, {
    ...(await sessionOf(task)),
    tokensPerRun: TOKENS_PER_RUN,
    cacheBytesMax: 0,
  })
  const perSequence = await lossesOf(scorer, source, new Map(), tell)
  const loss = perSequence.reduce((sum, value) => sum + value, 0) / perSequence.length
  return { loss, sequences: source.count, tokens: source.count * (source.places - 1), perSequence }
}

async function lossesOf(
  scorer: Scorer,
  source: SequenceSource,
  changes: ReadonlyMap<string, Float32Array>,
  tell: (told: Told) => void,
): Promise<readonly number[]> {
  const losses: number[] = []
  for (let first = 0; first < source.count; first += SEQUENCES_AT_ONCE) {
    const places = Array.from({ length: Math.min(SEQUENCES_AT_ONCE, source.count - first) }, (_, i) => first + i)
    const sequences = { name: `${first}`, tokens: await source.read(places) }
    losses.push(...(await scorer.losses({ sequences, changes, checkpoints: [], goOn: () => true })))
    tell({ done: losses.length, of: source.count })
  }
  return losses
}

export async function trainJob(task: TrainTask, tell: (event: TeftEvent) => void): Promise<TrainResult> {
  await mkdir(task.out, { recursive: true })
  const checkpoint = await openCheckpoint(task.directory)
  const pieces = await chosenPieces(checkpoint, task)
  const trained = pieces.flatMap(weightsOf)
  const source = await openSource(checkpoint, task.source)
  const heldOut = Math.floor(source.count * task.heldOutShare)
  const training = someOf(source, 0, source.count - heldOut)
  const session = await sessionOf(task)
  const scorer =
    heldOut === 0
      ? null
      : createScorer(checkpoint, { ...session, tokensPerRun: TOKENS_PER_RUN, cacheBytesMax: CACHE_BYTES_MAX })
  await scorer?.open(pieces)
  const held = someOf(source, training.count, heldOut)
  const result = await fineTune(
    checkpoint,
    trained,
    training,
    {
      ...session,
      adam: { ...ADAM, weightDecay: task.weightDecay },
      normMax: task.normMax,
      steps: task.steps,
      schedule: task.schedule,
      batch: task.batch ?? training.count,
      tokensPerRun: TOKENS_PER_RUN,
      statePath: join(task.out, STATE),
      saveEverySteps: task.saveEverySteps,
      identity: JSON.stringify({ ...task, steps: null, threads: null, out: null }),
      validation:
        scorer === null
          ? null
          : {
              everySteps: task.validateEverySteps,
              patience: task.patience,
              loss: async (weights) => mean(await lossesOf(scorer, held, weights, () => undefined)),
            },
    },
    tell,
  )
  const delta = join(task.out, DELTA)
  const { tensors, contents } = deltaOf(checkpoint, trained, result.values)
  const { bytes } = await writeSafetensors(delta, tensors, contents)
  await rm(join(task.out, STATE), { force: true })
  return { delta, tensors: tensors.length, bytes, steps: result.steps, losses: result.losses }
}

const STATE = 'state.safetensors'

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

async function chosenPieces(
  checkpoint: Checkpoint,
  { experts, router, group = null }: Pick<TrainTask, 'experts' | 'router' | 'group'>,
): Promise<readonly Piece[]> {
  const count = checkpoint.model.mixture.experts
  const wrong = experts.find((expert) => expert >= count)
  if (wrong !== undefined) {
    throw new NodeError('USAGE', {
      what: `there is no expert ${wrong}`,
      why: `the model has experts 0 to ${count - 1}`,
    })
  }
  if (experts.length === 0 && !router && group === null) {
    throw new NodeError('USAGE', {
      what: 'nothing is to be trained',
      why: 'none of --experts, --group and --router was given',
    })
  }
  const keys = new Set(group === null ? [] : keysOf(touched(checkpoint, await readGroup(group))))
  return piecesOf(checkpoint).filter((piece) => {
    const isChosen = piece.kind === 'router' ? router : experts.includes(piece.expert)
    return isChosen || keysOf([piece]).some((key) => keys.has(key))
  })
}
