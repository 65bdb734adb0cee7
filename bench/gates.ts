/**
 * What passes the two gates: noise of many sizes must not, honest work must. On the genesis model and its text, with the
 * constants of the protocol; judged as a validator judges, rejected early where it may be.
 */
import { join } from 'node:path'
import { createChance, makeText, type Speaker } from '../src/gpu/data/corpus.ts'
import { weightsOf } from '../src/gpu/evaluate/pieces.ts'
import { createScorer, type Scorer } from '../src/gpu/evaluate/scorer.ts'
import { type Checkpoint, keyOf, openCheckpoint, readWeight } from '../src/gpu/model/checkpoint.ts'
import { normalOf } from '../src/gpu/model/new.ts'
import { createTraining } from '../src/gpu/train/training.ts'
import { shardStat } from '../src/protocol/loss.ts'
import { SCORING } from '../src/protocol/preset.ts'
import { judgeGain, mayRejectEarly } from '../src/protocol/score.ts'
import { experts } from './engine-model.ts'
import { type Result, resultOf } from './harness.ts'

const GENESIS = join(import.meta.dirname, '..', 'bootstrap', 'genesis')
const SESSION = { device: 'cpu', threads: 2 } as const
const PLACES = 65
const SHARDS = 5
const NOISE = 500
const NOISE_PERCENT_MAX = 0.5
/** Norms of noise in those of an honest change, evenly over the logarithms. */
const NOISE_SIZES = [0.001, 3] as const
const HONEST = 40
const HONEST_PERCENT_MIN = 95
const HONEST_STEPS_MIN = 15
const BATCH = 8
const GROUP = [0, 1]

type Changes = ReadonlyMap<string, Float32Array>

export async function gateResults(): Promise<readonly Result[]> {
  const checkpoint = await openCheckpoint(GENESIS)
  const pieces = experts(checkpoint, GROUP)
  const base = new Map<string, Float32Array>()
  for (const weight of pieces.flatMap(weightsOf)) base.set(keyOf(weight), await readWeight(checkpoint, weight))
  const scorer = createScorer(checkpoint, { ...SESSION, tokensPerRun: 1024, cacheBytesMax: 2 ** 28 })
  await scorer.open(pieces)
  const judge = await createJudge(scorer)

  let honestPassed = 0
  let norm = 0
  for (let seed = 0; seed < HONEST; seed++) {
    const changes = await honest(checkpoint, seed)
    norm += distance(base, changes) / HONEST
    if (await judge(changes)) honestPassed++
  }
  let noisePassed = 0
  const [least, most] = NOISE_SIZES
  for (let seed = 0; seed < NOISE; seed++) {
    const size = least * (most / least) ** (seed / (NOISE - 1))
    if (await judge(noise(base, size * norm, seed))) noisePassed++
  }
  await scorer.release()
  return [
    resultOf(
      {
        name: 'noise that passes, in percent',
        includes: `${NOISE} draws of ${least} to ${most} times the norm of an honest change, both gates, ${SCORING.samples} sequences in ${SHARDS} shards`,
        unit: 'x at most',
        target: NOISE_PERCENT_MAX,
      },
      [(100 * noisePassed) / NOISE],
    ),
    resultOf(
      {
        name: 'honest work that passes, in percent',
        includes: `${HONEST} runs of ${HONEST_STEPS_MIN} to ${HONEST_STEPS_MIN + HONEST - 1} steps on text of their own, ${GROUP.length} of 8 experts in each layer`,
        unit: 'x at least',
        target: HONEST_PERCENT_MIN,
      },
      [(100 * honestPassed) / HONEST],
    ),
  ]
}

/** Both gates on shards of one stake each, at the least ε that there is. */
async function createJudge(scorer: Scorer): Promise<(changes: Changes) => Promise<boolean>> {
  const { samples, checkpoints, zMilli, epsilonMin, harmMax } = SCORING
  const sequences = { name: 'shards', tokens: text(samples, 99) }
  const bare = nano(await scorer.losses({ sequences, changes: new Map(), checkpoints, goOn: () => true }))
  const shardsOf = (losses: readonly number[]) =>
    Array.from({ length: SHARDS }, (_, shard) => {
      const own = (all: readonly number[]) => all.slice(0, losses.length).filter((_, i) => i % SHARDS === shard)
      return { stake: 1n, own: shardStat(own(bare), own(losses), zMilli), elsewhere: null }
    })
  return async (changes) => {
    const goOn = (losses: readonly number[]) => !mayRejectEarly(shardsOf(nano(losses)), losses.length, checkpoints)
    const losses = await scorer.losses({ sequences, changes, checkpoints, goOn })
    if (losses.length < samples) return false
    return judgeGain(shardsOf(nano(losses)), { epsilon: epsilonMin, harmMax }).accepted
  }
}

const nano = (losses: readonly number[]): readonly number[] => losses.map((loss) => Math.round(loss * 1e9))

function text(count: number, seed: number): readonly Uint8Array[] {
  const speaker: Speaker = { chance: createChance(seed), share: 'all' }
  return Array.from({ length: count }, () => new TextEncoder().encode(makeText('english', speaker, PLACES)))
}

async function honest(checkpoint: Checkpoint, seed: number): Promise<Changes> {
  const steps = HONEST_STEPS_MIN + seed
  const trained = experts(checkpoint, GROUP).flatMap(weightsOf)
  const training = await createTraining(checkpoint, trained, {
    ...SESSION,
    adam: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01 },
    normMax: 1,
    places: PLACES - 1,
    sequencesPerRun: BATCH,
  })
  const batches = text(steps * BATCH, 1_000 + seed)
  for (let step = 0; step < steps; step++) {
    await training.run([{ batch: batches.slice(step * BATCH, (step + 1) * BATCH), step: step + 1, rate: 2e-3 }])
  }
  const changes = new Map([...(await training.read('weights'))].map(([key, values]) => [key, values.slice()]))
  await training.release()
  return changes
}

function distance(base: Changes, changes: Changes): number {
  let sum = 0
  for (const [key, values] of base)
    for (const [i, x] of values.entries()) sum += ((changes.get(key)?.[i] ?? x) - x) ** 2
  return Math.sqrt(sum)
}

/** The base and a random direction of this norm. */
function noise(base: Changes, norm: number, seed: number): Changes {
  const normal = normalOf(createChance(seed))
  const direction = new Map([...base].map(([key, { length }]) => [key, Float32Array.from({ length }, normal)]))
  const size = Math.sqrt(
    [...direction.values()].reduce((sum, values) => sum + values.reduce((s, x) => s + x * x, 0), 0),
  )
  return new Map(
    [...base].map(([key, values]) => [key, values.map((x, i) => x + (norm / size) * (direction.get(key)?.[i] ?? 0))]),
  )
}
