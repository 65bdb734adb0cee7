/**
 * What a local network learns for real: the genesis model that ships with the project, on text that the project makes itself,
 * with engines in workers of this process.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Domain, makeText, type Speaker } from '../gpu/data/corpus.ts'
import { piecesOf } from '../gpu/evaluate/pieces.ts'
import { type Checkpoint, openCheckpoint, readStored } from '../gpu/model/checkpoint.ts'
import { createEvaluator, createTrainer, type EngineDeps, type TrainerOptions } from '../gpu/node/engine.ts'
import { createFolder } from '../gpu/node/folder.ts'
import { storeTensor } from '../library/tensor.ts'
import type { Blobs } from '../ports.ts'
import { TENSORS_MAX } from '../protocol/limits.ts'
import { encodeModel, encodePage, type ModelManifest, type TensorEntry } from '../protocol/manifest.ts'
import { sequenceOf } from '../protocol/shard.ts'
import { HUB, ROUTER } from '../protocol/track.ts'
import type { Founded, Kit } from '../sim/kit.ts'
import type { SeededRandom } from '../sim/random.ts'
import { compareText } from '../util/compare.ts'
import { openEngines } from './engine-open.ts'

/** Beside the sources and beside what is published. */
const GENESIS = fileURLToPath(new URL('../../bootstrap/genesis', import.meta.url))
const FILES = ['config.json', 'tokenizer.json', 'tokenizer_config.json']
/** Tokens of a sequence, which are bytes; the last is only predicted. */
const SEQUENCE_TOKENS = 65
const HELD_OUT_SEQUENCES = 64
/** Which tensors a group trains: what `wheelwright model select` made of the genesis model and text of these domains. */
type Selected = {
  readonly groups: readonly { readonly name: string; readonly domain: string; readonly tensors: readonly string[] }[]
}
const readGroups = async (): Promise<Selected['groups']> =>
  (JSON.parse(await readFile(join(GENESIS, 'groups.json'), 'utf8')) as Selected).groups

/** What a miner of a laptop does in its window: a dozen of them share two cores. */
const TRAINING: Omit<TrainerOptions, 'data'> = {
  steps: 24,
  batch: 16,
  // A higher rate gains little more, and costs the other domains several times as much.
  schedule: { rate: 5e-4, warmupSteps: 2, decay: 'constant', floor: 1 },
  adam: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01 },
  normMax: 1,
}
/**
 * Fewer samples than a network of strangers takes: every validator here judges a dozen submissions on the same two cores. And
 * more harm to other domains is borne: a model of eight experts has none that is one domain's alone.
 */
const SCORING: Kit['scoring'] = { samples: 96, checkpoints: [32, 64], harmMax: 50_000_000 }
/** Also sixty blocks, with more of them for judging. */
const WINDOWS: Kit['windows'] = {
  distribute: 2,
  train: 10,
  reveal: 5,
  evaluate: 24,
  report: 4,
  attest: 4,
  merge: 4,
}
const ENGINES = { engines: 2, threads: 1, tokensPerRun: 1024, cacheBytesMax: 64 * 2 ** 20 } as const

export async function createGenesisKit(): Promise<Kit> {
  const groups = await readGroups()
  const directory = await mkdtemp(join(tmpdir(), 'wheelwright-engine-'))
  const engines = openEngines(ENGINES)
  const deps = (blobs: Blobs): EngineDeps => ({ blobs, folder, engines })
  const folder = createFolder(directory)
  return {
    domains: groups.map(({ domain }) => domain),
    groups: groups.map(({ name, domain }) => ({ name, domain, value: 1 })),
    about: 'a mixture of a million parameters, trained and judged by onnxruntime on this machine',
    noise: 0.02,
    scoring: SCORING,
    windows: WINDOWS,
    found: (founder) => foundGenesis(founder, groups),
    pool: (domain, random, count) => sequences(domain, random, count).map(sequenceOf),
    trainer: (blobs, random) => {
      const data = async (domain: string, cycle: number) =>
        sequences(domain, random.fork(`train/${domain}/${cycle}`), TRAINING.steps * TRAINING.batch)
      return createTrainer({ ...TRAINING, data }, deps(blobs))
    },
    evaluator: (blobs) => createEvaluator(deps(blobs)),
    data: (random, common) => ({
      draw: async ({ domain, cycle, count }, { signal }) => {
        signal.throwIfAborted()
        return sequences(domain, random.fork(`draw/${domain}/${cycle}`), count).map(sequenceOf)
      },
      heldOut: async (domain, { signal }) => {
        signal.throwIfAborted()
        const held = sequences(domain, common.fork(`held-out/${domain}`), HELD_OUT_SEQUENCES)
        return { name: `held-out/${domain}`, sequences: held.map(sequenceOf) }
      },
    }),
    stop: async () => {
      await engines.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Each begins anywhere in a document, as sequences of real text do. */
function sequences(domain: string, random: SeededRandom, count: number): readonly Uint32Array[] {
  const speaker: Speaker = { chance: random.next, share: 'all' }
  return Array.from({ length: count }, () => {
    const text = makeText(domain as Domain, speaker, 3 * SEQUENCE_TOKENS)
    const begin = Math.floor(random.next() * 2 * SEQUENCE_TOKENS)
    return Uint32Array.from(text.slice(begin, begin + SEQUENCE_TOKENS), (letter) => letter.charCodeAt(0))
  })
}

async function foundGenesis(founder: Blobs, groups: Selected['groups']): Promise<Founded> {
  const checkpoint = await openCheckpoint(GENESIS)
  const opts = { withheld: false, signal: new AbortController().signal }
  const files: ModelManifest['files'][number][] = []
  for (const name of FILES) {
    const bytes = await readFile(join(GENESIS, name))
    files.push({ name, bytes: bytes.length, cid: await founder.put(bytes, { codec: 'raw', ...opts }) })
  }
  const named = partsOf(checkpoint, groups)
  const parts: ModelManifest['parts'][number][] = []
  for (const name of [...named.keys()].toSorted(compareText)) {
    const tensors: TensorEntry[] = []
    for (const tensor of named.get(name) ?? []) {
      const stored = checkpoint.tensors.get(tensor)
      if (stored !== undefined) tensors.push(await storeTensor(founder, stored, await readStored(stored), opts))
    }
    const pages: string[] = []
    for (let at = 0; at < tensors.length; at += TENSORS_MAX) {
      const page = encodePage({ tensors: tensors.slice(at, at + TENSORS_MAX) })
      pages.push(await founder.put(page, { codec: 'dag-cbor', ...opts }))
    }
    parts.push({ name, pages })
  }
  const genesis = await founder.put(encodeModel({ files, parts }), { codec: 'dag-cbor', ...opts })
  const { vocabulary } = checkpoint.model
  return {
    model: { genesis, compute: 'f32', graph: 1, vocabulary, sequenceTokens: SEQUENCE_TOKENS },
    groupTensors: named,
    routerTensors: named.get(ROUTER) ?? [],
  }
}

/** The names of the tensors of every part, sorted: groups, routing rows, and all the rest as the hub. */
function partsOf(checkpoint: Checkpoint, groups: Selected['groups']): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string>([...checkpoint.tensors.keys()].map((name) => [name, HUB]))
  for (const piece of piecesOf(checkpoint)) if (piece.kind === 'router') places.set(piece.weight.tensor, ROUTER)
  for (const { name, tensors } of groups) for (const tensor of tensors) places.set(tensor, name)
  const names = [HUB, ROUTER, ...groups.map(({ name }) => name)]
  return new Map(
    names.map((part) => {
      const own = [...places].filter(([, place]) => place === part).map(([tensor]) => tensor)
      return [part, own.toSorted(compareText)]
    }),
  )
}
