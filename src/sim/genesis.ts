/** The beginning of a local network: its constitution, the public pools, and the root of cycle zero. */
import type { Blobs } from '../ports.ts'
import { encode } from '../protocol/codec.ts'
import type { Constitution } from '../protocol/constitution.ts'
import { found, type PresetName } from '../protocol/preset.ts'
import { encodeRoot, genesisRoot } from '../protocol/root.ts'
import { poolShape } from '../protocol/shard.ts'
import type { Ground } from './ground.ts'
import type { Kit } from './kit.ts'
import type { SeededRandom } from './random.ts'

export const NETUID = 1
/** Evaluated per group and cycle. */
const SEATS = 8
const POOL_SEQUENCES = 1_024
/** A few times what a group of a small model has. */
const SUBMISSION_BYTES = 8 * 1024 * 1024

export async function foundNetwork(
  { genesis, startBlock, founder }: Pick<Ground, 'genesis' | 'startBlock' | 'founder'>,
  preset: PresetName,
  kit: Kit,
  random: SeededRandom,
): Promise<Constitution> {
  const { model, groupTensors, routerTensors } = await kit.found(founder)
  const pools = new Map<string, string>()
  for (const domain of kit.domains) {
    const sequences = kit.pool(domain, random.fork(domain), POOL_SEQUENCES)
    pools.set(domain, await put(founder, encode(poolShape, { domain, sequences: [...sequences] })))
  }
  const founded = found({
    preset,
    chain: { genesis, netuid: NETUID, startBlock },
    model,
    domains: kit.domains.map((name) => ({ name, pool: pools.get(name) ?? null })),
    groups: kit.groups.map(({ name, domain, value }) => ({
      name,
      domain,
      value,
      seats: SEATS,
      tensors: [...(groupTensors.get(name) ?? [])],
    })),
    router: { everyCycles: 8, tensors: [...routerTensors] },
    burnUid: 0,
    submissionBytes: SUBMISSION_BYTES,
  })
  const constitution = {
    ...founded,
    windows: { ...founded.windows, ...kit.windows },
    tracks: founded.tracks.map((track) => ({ ...track, scoring: { ...track.scoring, ...kit.scoring } })),
  }
  await put(founder, encodeRoot(genesisRoot(constitution)))
  return constitution
}

const put = (blobs: Blobs, bytes: Uint8Array): Promise<string> =>
  blobs.put(bytes, { codec: 'dag-cbor', withheld: false, signal: new AbortController().signal })
