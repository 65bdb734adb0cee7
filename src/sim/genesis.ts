/** The beginning of a simulated network: the toy's genesis model, its public pools, and the constitution that names them. */
import { storeTensor } from '../library/tensor.ts'
import type { Blobs } from '../ports.ts'
import { encode } from '../protocol/codec.ts'
import type { Constitution } from '../protocol/constitution.ts'
import { encodeModel, encodePage, type TensorEntry } from '../protocol/manifest.ts'
import { found, type PresetName } from '../protocol/preset.ts'
import { encodeRoot, genesisRoot } from '../protocol/root.ts'
import { poolShape } from '../protocol/shard.ts'
import { HUB, ROUTER } from '../protocol/track.ts'
import { compareText } from '../util/compare.ts'
import { toySequences } from './data.ts'
import type { Ground } from './ground.ts'
import type { SeededRandom } from './random.ts'
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
export const GROUPS: readonly (ToyGroup & { readonly value: number })[] = [
  { name: 'english', domain: 0, value: 1 },
  { name: 'python', domain: 1, value: 1 },
]

export const NETUID = 1
/** Evaluated per group and cycle. */
const SEATS = 8
const POOL_SEQUENCES = 1_024

export async function foundNetwork(
  { genesis, startBlock, founder }: Pick<Ground, 'genesis' | 'startBlock' | 'founder'>,
  preset: PresetName,
  random: SeededRandom,
): Promise<Constitution> {
  const model = await storeModel(founder)
  const pools = new Map<string, string>()
  for (const [i, domain] of DOMAINS.entries()) {
    const sequences = toySequences(random.fork(domain), i, POOL_SEQUENCES)
    pools.set(domain, await put(founder, encode(poolShape, { domain, sequences })))
  }
  const constitution = found({
    preset,
    chain: { genesis, netuid: NETUID, startBlock },
    model: { genesis: model, compute: 'f32', graph: 1, vocabulary: TOY_VOCABULARY, sequenceTokens: TOY_TOKENS },
    domains: DOMAINS.map((name) => ({ name, pool: pools.get(name) ?? null })),
    groups: GROUPS.map(({ name, domain, value }) => ({
      name,
      domain: DOMAINS[domain] ?? '',
      value,
      seats: SEATS,
      tensors: [toyTensor(name)],
    })),
    router: { everyCycles: 8, tensors: [TOY_ROUTER] },
    burnUid: 0,
    submissionBytes: 1024 * 1024,
  })
  await put(founder, encodeRoot(genesisRoot(constitution)))
  return constitution
}

const put = (blobs: Blobs, bytes: Uint8Array): Promise<string> =>
  blobs.put(bytes, { codec: 'dag-cbor', withheld: false, signal: new AbortController().signal })

async function storeModel(blobs: Blobs): Promise<string> {
  const part = async (name: string, tensor: string, values: Float32Array) => {
    const kind = { name: tensor, dtype: 'F32', shape: [values.length] } as const
    const opts = { withheld: false, signal: new AbortController().signal }
    const entry: TensorEntry = await storeTensor(blobs, kind, bytesOfFloats(values), opts)
    return { name, pages: [await put(blobs, encodePage({ tensors: [entry] }))] }
  }
  const parts = [
    await part(HUB, TOY_HUB, new Float32Array(TOY_WIDTH)),
    await part(ROUTER, TOY_ROUTER, new Float32Array(GROUPS.length)),
  ]
  for (const { name } of GROUPS) parts.push(await part(name, toyTensor(name), toyGenesis(name)))
  return put(blobs, encodeModel({ files: [], parts: parts.toSorted((a, b) => compareText(a.name, b.name)) }))
}
