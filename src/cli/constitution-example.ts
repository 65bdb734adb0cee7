/** `wheelwright constitution example`: a valid constitution to start from. Chain, model and tensors are made up. */
import { rawCidOf } from '../protocol/codec.ts'
import type { Constitution } from '../protocol/constitution.ts'
import { found, type PresetName } from '../protocol/preset.ts'
import { utf8 } from '../util/bytes.ts'
import type { FlagValues } from './command.ts'
import type { CONSTITUTION_EXAMPLE_FLAGS } from './command-table.ts'
import type { Io } from './io.ts'

const GIB = 2 ** 30
const LAYERS = [0, 1]
const tensorsOf = (experts: readonly number[]): readonly string[] =>
  LAYERS.flatMap((layer) =>
    experts.flatMap((expert) =>
      ['gate_proj', 'up_proj', 'down_proj'].map((part) => `model.layers.${layer}.mlp.experts.${expert}.${part}.weight`),
    ),
  ).toSorted()

function exampleConstitution(preset: PresetName): Constitution {
  return found({
    preset,
    chain: { genesis: '00'.repeat(32), netuid: 1, startBlock: 100 },
    model: {
      genesis: rawCidOf(utf8('put the CID of the genesis model here')),
      compute: 'f32',
      graph: 1,
      vocabulary: 256,
      sequenceTokens: 128,
    },
    domains: [
      { name: 'english', pool: null },
      { name: 'python', pool: null },
    ],
    groups: [
      { name: 'english', domain: 'english', value: 1, seats: 8, tensors: tensorsOf([0, 1]) },
      { name: 'python', domain: 'python', value: 1, seats: 8, tensors: tensorsOf([2, 3]) },
    ],
    router: { everyCycles: 8, tensors: LAYERS.map((layer) => `model.layers.${layer}.mlp.gate.weight`) },
    burnUid: 0,
    submissionBytes: 8 * GIB,
  })
}

export async function run({ preset }: FlagValues<typeof CONSTITUTION_EXAMPLE_FLAGS>, io: Io): Promise<void> {
  io.stdout.write(`${JSON.stringify(exampleConstitution(preset as PresetName), null, 2)}\n`)
}
