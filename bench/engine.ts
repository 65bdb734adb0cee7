/**
 * What the engine costs, beside PyTorch where Python has it, and beside doing without its short cuts. Everything in one run,
 * round about, two threads each; ratios are those of medians.
 */
import { spawnSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { weightsOf } from '../src/gpu/evaluate/pieces.ts'
import { createScorer, type Scorer } from '../src/gpu/evaluate/scorer.ts'
import { type Checkpoint, openCheckpoint } from '../src/gpu/model/checkpoint.ts'
import { createTraining } from '../src/gpu/train/training.ts'
import { changed, experts, makeModel, makeTokens, withChanges } from './engine-model.ts'
import { startTorch } from './engine-torch.ts'
import { type Result, resultOf } from './harness.ts'

const THREADS = 2
const SESSION = { device: 'cpu', threads: THREADS } as const
const SCORER = { ...SESSION, tokensPerRun: 1024, cacheBytesMax: 2 ** 30 } as const
const BATCH = 8
const PLACES = 129
const ROUNDS = 9
const SLOW_ROUNDS = 3
const SUBMISSIONS = 8
const SEQUENCES = 256
const CHECKPOINTS = [32, 64, 128]

const all = { checkpoints: [], goOn: () => true }

export async function engineResults(): Promise<readonly Result[]> {
  const checkpoint = await makeModel()
  const tokens = makeTokens(BATCH, PLACES, checkpoint.model.vocabulary)
  try {
    return [
      ...(await besideTorch(checkpoint, tokens)),
      ...(await topLayer(checkpoint)),
      ...(await allLayers(checkpoint)),
      ...(await memory()),
    ]
  } finally {
    await rm(checkpoint.directory, { recursive: true })
  }
}

type Timed = { readonly name: string; readonly run: () => Promise<unknown> }

/** Milliseconds of each, taken round about after one round to warm up. */
async function round(cases: readonly Timed[], rounds: number): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map(cases.map(({ name }) => [name, [] as number[]]))
  for (let i = -1; i < rounds; i++) {
    for (const { name, run } of cases) {
      const begin = performance.now()
      await run()
      if (i >= 0) times.get(name)?.push(performance.now() - begin)
    }
  }
  return times
}

async function besideTorch(checkpoint: Checkpoint, tokens: readonly Uint32Array[]): Promise<readonly Result[]> {
  const path = join(checkpoint.directory, 'tokens.json')
  await writeFile(path, JSON.stringify(tokens.map((row) => [...row])))
  const scorer = createScorer(checkpoint, SCORER)
  const trained = experts(checkpoint, [0, 1]).flatMap(weightsOf)
  const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01 }
  const training = await createTraining(checkpoint, trained, {
    ...SESSION,
    adam,
    normMax: null,
    places: (tokens[0]?.length ?? 1) - 1,
    sequencesPerRun: BATCH,
  })
  const rivals = await startTorch(checkpoint.directory, path, THREADS)
  let step = 0
  try {
    const ours: readonly Timed[] = [
      {
        name: 'forward',
        run: () => scorer.losses({ sequences: { name: 'bench', tokens }, changes: new Map(), ...all }),
      },
      { name: 'train', run: () => training.run([{ batch: tokens, step: ++step, rate: 1e-3 }]) },
    ]
    const theirs = rivals.flatMap(({ name, ask }) =>
      (['forward', 'train'] as const).map((what) => ({ name: `${what} ${name}`, run: () => ask(what) })),
    )
    const times = await round([...ours, ...theirs], ROUNDS)
    return rows(
      times,
      rivals.map(({ name }) => name),
    )
  } finally {
    for (const { stop } of rivals) stop()
    await scorer.release()
    await training.release()
  }
}

const TARGETS: Readonly<Record<string, number>> = {
  'forward stock': 0.43,
  'forward strong': 0.8,
  'train stock': 0.48,
  'train strong': 0.92,
}

function rows(times: ReadonlyMap<string, readonly number[]>, rivals: readonly string[]): readonly Result[] {
  return (['forward', 'train'] as const).flatMap((what) => {
    const own = times.get(what) ?? []
    const includes = `14.7 M parameters, ${BATCH} sequences of ${PLACES - 1} tokens, ${THREADS} threads${what === 'train' ? ', two experts a layer, AdamW' : ''}`
    return [
      resultOf({ name: `${what}, ours`, includes, unit: 'ms', target: null }, own),
      ...rivals.map((rival) =>
        resultOf(
          {
            name: `${what} ÷ PyTorch ${rival}`,
            includes,
            unit: 'x at most',
            target: TARGETS[`${what} ${rival}`] ?? null,
          },
          ratios(own, times.get(`${what} ${rival}`) ?? []),
        ),
      ),
    ]
  })
}

/** The ratio of the medians, with those of the rounds around it. */
const ratios = (ours: readonly number[], theirs: readonly number[]): readonly number[] => [
  medianOf(ours) / medianOf(theirs),
]
const medianOf = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** Experts of the last layer: everything below is the same for all submissions. */
async function topLayer(checkpoint: Checkpoint): Promise<readonly Result[]> {
  const { layers, vocabulary } = checkpoint.model
  const pieces = experts(checkpoint, [0, 1], [layers - 1])
  const submissions = await Promise.all(Array.from({ length: SUBMISSIONS }, (_, i) => changed(checkpoint, pieces, i)))
  const scorer = createScorer(checkpoint, SCORER)
  await scorer.open(pieces)
  const whole = createScorer(checkpoint, SCORER)
  const tokens = makeTokens(4 * BATCH, PLACES, vocabulary)
  let name = 0
  const times = await round(
    [
      {
        name: 'ours',
        run: async () => {
          name++ // Samples that nobody has seen: what lies below is computed, once.
          for (const changes of submissions)
            await scorer.losses({ sequences: { name: `${name}`, tokens }, changes, ...all })
        },
      },
      {
        name: 'full',
        run: async () => {
          for (const _ of submissions)
            await whole.losses({ sequences: { name: 'full', tokens }, changes: new Map(), ...all })
        },
      },
    ],
    SLOW_ROUNDS,
  )
  await scorer.release()
  await whole.release()
  const includes = `${SUBMISSIONS} submissions of 2 of 8 experts of the last of ${layers} layers, ${4 * BATCH} sequences, the layers below once ÷ ${SUBMISSIONS} passes through the whole model`
  return [
    resultOf(
      { name: 'evaluation of the top layer', includes, unit: 'x at most', target: 0.25 },
      ratios(times.get('ours') ?? [], times.get('full') ?? []),
    ),
  ]
}

/** Half of the submissions are noise, refused at a checkpoint as a validator does. */
async function allLayers(checkpoint: Checkpoint): Promise<readonly Result[]> {
  const { layers, vocabulary } = checkpoint.model
  const pieces = experts(checkpoint, [0, 1])
  const submissions = await Promise.all(Array.from({ length: SUBMISSIONS }, (_, i) => changed(checkpoint, pieces, i)))
  const directories = await Promise.all(submissions.map((values) => withChanges(checkpoint, values)))
  const tokens = makeTokens(SEQUENCES, 65, vocabulary)
  const sequences = { name: 'all', tokens }
  const times = await round(
    [
      { name: 'ours', run: () => oneModel(checkpoint, pieces, submissions, sequences) },
      {
        name: 'separately',
        run: async () => {
          for (const directory of directories) {
            const scorer = createScorer(await openCheckpoint(directory), SCORER)
            await scorer.losses({ sequences, changes: new Map(), ...all })
            await scorer.release()
          }
        },
      },
    ],
    SLOW_ROUNDS,
  )
  for (const directory of directories) await rm(directory, { recursive: true })
  const includes = `${SUBMISSIONS} submissions of 2 of 8 experts in ${layers} layers, 4 of them refused at the first checkpoint of ${SEQUENCES} sequences, the base with them ÷ loading and evaluating ${SUBMISSIONS} models`
  return [
    resultOf(
      { name: 'evaluation of all layers', includes, unit: 'x at most', target: 0.6 },
      ratios(times.get('ours') ?? [], times.get('separately') ?? []),
    ),
  ]
}

async function oneModel(
  checkpoint: Checkpoint,
  pieces: ReturnType<typeof experts>,
  submissions: readonly ReadonlyMap<string, Float32Array>[],
  sequences: { readonly name: string; readonly tokens: readonly Uint32Array[] },
): Promise<void> {
  const scorer: Scorer = createScorer(checkpoint, SCORER)
  await scorer.open(pieces)
  await scorer.losses({ sequences, changes: new Map(), checkpoints: CHECKPOINTS, goOn: () => true })
  for (const [i, changes] of submissions.entries()) {
    await scorer.losses({ sequences, changes, checkpoints: CHECKPOINTS, goOn: () => i % 2 === 0 })
  }
  await scorer.release()
}

/** 1.1 GB of weights in sixteen experts a layer; one of each layer is changed. */
const LARGE = { width: 1024, layers: 6, heads: 8, experts: 16, inner: 1024, vocabulary: 2048 } as const

async function memory(): Promise<readonly Result[]> {
  if (process.platform !== 'linux') return []
  const checkpoint = await makeModel(LARGE, 'pattern')
  const modelBytes = [...checkpoint.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  const script = join(import.meta.dirname, 'engine-memory.ts')
  const made = spawnSync(process.execPath, [...process.execArgv, script, checkpoint.directory], { encoding: 'utf8' })
  await rm(checkpoint.directory, { recursive: true })
  if (made.status !== 0) throw new Error(`the process whose memory is measured has failed: ${made.stderr}`)
  const { bytes } = JSON.parse(made.stdout) as { readonly bytes: number }
  const includes = `the peak of a process that evaluates ${Math.round(modelBytes / 1e6)} MB of weights and a submission of one of ${LARGE.experts} experts in each layer, above itself idle; mapped pages count`
  const row = { name: 'memory of evaluation ÷ model', includes, unit: 'x at most', target: 1.2 } as const
  return [resultOf(row, [bytes / modelBytes])]
}
