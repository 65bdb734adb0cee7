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

  const honestGains: number[] = []
  let norm = 0
  for (let seed = 0; seed < HONEST; seed++) {
    const changes = await honest(checkpoint, seed)
    norm += distance(base, changes) / HONEST
    honestGains.push(await judge(changes))
  }
  const noiseGains: number[] = []
  const [least, most] = NOISE_SIZES
  for (let seed = 0; seed < NOISE; seed++) {
    const size = least * (most / least) ** (seed / (NOISE - 1))
    noiseGains.push(await judge(noise(base, size * norm, seed)))
  }
  await scorer.release()
  const { epsilonMin } = SCORING
  const best = Math.max(...honestGains)
  const carried = Math.max(epsilonMin, Math.floor(best / EPSILON_PARTS))
  const passed = (gains: readonly number[], epsilon: number) =>
    (100 * gains.filter((gain) => gain > epsilon).length) / gains.length
  const about = `${NOISE} draws of ${least} to ${most} times the norm of an honest change, ${SCORING.samples} sequences in ${SHARDS} shards`
  const nats = (epsilon: number) => `ε = ${(epsilon / 1e9).toFixed(4)} nats`
  return [
    resultOf(
      {
        name: 'noise that passes, in percent',
        includes: `${about}; ${nats(carried)}, a tenth of the best honest gain, as the root carries it after a cycle`,
        unit: 'x at most',
        target: NOISE_PERCENT_MAX,
      },
      [passed(noiseGains, carried)],
    ),
    resultOf(
      {
        name: 'the same in the very first cycle',
        includes: `${nats(epsilonMin)}: the least that there is, before anybody has gained anything`,
        unit: 'x at most',
        target: null,
      },
      [passed(noiseGains, epsilonMin)],
    ),
    resultOf(
      {
        name: 'honest work that passes, in percent',
        includes: `${HONEST} runs of ${HONEST_STEPS_MIN} to ${HONEST_STEPS_MIN + HONEST - 1} steps on text of their own, ${GROUP.length} of 8 experts in each layer, the same ε`,
        unit: 'x at least',
        target: HONEST_PERCENT_MIN,
      },
      [passed(honestGains, carried)],
    ),
  ]
}

/** What ε is of the best gain (protocol §5). */
const EPSILON_PARTS = 10

/** The gain in nano-nats on shards of one stake each; 0 where the first gate is shut or the rest was not worth looking at. */
async function createJudge(scorer: Scorer): Promise<(changes: Changes) => Promise<number>> {
  const { samples, checkpoints, zMilli, harmMax } = SCORING
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
    return losses.length < samples ? 0 : judgeGain(shardsOf(nano(losses)), { epsilon: 0, harmMax }).gain
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
