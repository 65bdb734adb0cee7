/** The toy as a kit: a model of one tensor a group, trained and judged in memory, the same bits everywhere. */
import { storeTensor } from '../library/tensor.ts'
import type { Blobs } from '../ports.ts'
import { encodeModel, encodePage } from '../protocol/manifest.ts'
import { HUB, ROUTER } from '../protocol/track.ts'
import { compareText } from '../util/compare.ts'
import { createToyData, toySequences } from './data.ts'
import { createToyEvaluator, createToyTrainer, type ToyEngineOptions } from './engine.ts'
import type { Kit } from './kit.ts'
import {
  bytesOfFloats,
  TOY_HUB,
  TOY_ROUTER,
  TOY_TOKENS,
  TOY_VOCABULARY,
  TOY_WIDTH,
  type ToyGroup,
  toyGenesis,
  toyTensor,
} from './toy.ts'

export const DOMAINS = ['english', 'python'] as const
export const GROUPS: readonly ToyGroup[] = [
  { name: 'english', domain: 0 },
  { name: 'python', domain: 1 },
]
const ENGINE: ToyEngineOptions = { groups: GROUPS, rate: 0.25, noise: 0.8 }

export const TOY_KIT: Kit = {
  domains: DOMAINS,
  groups: GROUPS.map(({ name, domain }) => ({ name, domain: DOMAINS[domain] ?? '', value: 1 })),
  about: 'a toy: everything else about it is real, messages, files, scores, weights',
  noise: 0.2,
  scoring: {},
  windows: {},
  found: async (founder) => ({
    model: {
      genesis: await storeModel(founder),
      compute: 'f32',
      graph: 1,
      vocabulary: TOY_VOCABULARY,
      sequenceTokens: TOY_TOKENS,
    },
    groupTensors: new Map(GROUPS.map(({ name }) => [name, [toyTensor(name)]])),
    routerTensors: [TOY_ROUTER],
  }),
  pool: (domain, random, count) => toySequences(random, placeOf(domain), count),
  trainer: (blobs, random) => createToyTrainer(ENGINE, { blobs, random }),
  evaluator: (blobs) => createToyEvaluator(ENGINE, { blobs }),
  data: (random, common) => createToyData(DOMAINS, random, common),
  stop: async () => undefined,
}

const placeOf = (domain: string): number => (DOMAINS as readonly string[]).indexOf(domain)

async function storeModel(blobs: Blobs): Promise<string> {
  const opts = { withheld: false, signal: new AbortController().signal }
  const put = (bytes: Uint8Array) => blobs.put(bytes, { codec: 'dag-cbor', ...opts })
  const part = async (name: string, tensor: string, values: Float32Array) => {
    const kind = { name: tensor, dtype: 'F32', shape: [values.length] } as const
    const entry = await storeTensor(blobs, kind, bytesOfFloats(values), opts)
    return { name, pages: [await put(encodePage({ tensors: [entry] }))] }
  }
  const parts = [
    await part(HUB, TOY_HUB, new Float32Array(TOY_WIDTH)),
    await part(ROUTER, TOY_ROUTER, new Float32Array(GROUPS.length)),
  ]
  for (const { name } of GROUPS) parts.push(await part(name, toyTensor(name), toyGenesis(name)))
  return put(encodeModel({ files: [], parts: parts.toSorted((a, b) => compareText(a.name, b.name)) }))
}
