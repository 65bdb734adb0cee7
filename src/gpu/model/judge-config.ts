/** Whether the sizes of a model fit together. Each was read as a number before; here they are asked about one another. */
import { NodeError } from '../../errors.ts'
import { TENSOR_DIM_MAX } from '../../protocol/tensor.ts'
import type { Architecture, HeadAttention, LatentAttention, Mixture } from './config.ts'

/** Ten times what the deepest public models have. */
export const LAYERS_MAX = 1_000
/** A hundred times what the widest mixtures have. */
const EXPERTS_MAX = 2 ** 16

type Claim = readonly [holds: boolean, what: string, why: string]

export function demandSound(model: Architecture): Architecture {
  const wrong = claimsOf(model).find(([holds]) => !holds)
  if (wrong === undefined) return model
  const [, what, why] = wrong
  throw new NodeError('MODEL_MALFORMED', { what: `config.json asks for ${what}`, why })
}

function claimsOf(model: Architecture): readonly Claim[] {
  const { layers, width, vocabulary, eps, rope, attention, window, mixture, dense } = model
  const inner = dense.filter((each) => each !== null)
  return [
    ...sizes({ 'number of layers': layers, 'hidden width': width, 'size of the vocabulary': vocabulary }),
    [eps >= 0, `an ε of ${eps}`, 'what keeps a root from being zero is not negative'],
    [rope.theta > 0, `a rope_theta of ${rope.theta}`, 'frequencies are powers of a positive number'],
    [window.every((each) => each === null || each >= 1), 'a window of nothing', 'a token sees at least itself'],
    ...inner.flatMap((each) => sizes({ 'width of a plain layer': each })),
    [inner.length < layers, 'layers without experts only', 'what is trained here are experts'],
    ...(attention.kind === 'heads' ? claimsOfHeads(attention) : claimsOfLatent(attention)),
    ...claimsOfMixture(mixture),
  ]
}

const claimsOfHeads = ({ heads, keyHeads, width }: HeadAttention): readonly Claim[] => [
  ...sizes({ 'number of heads': heads, 'number of key heads': keyHeads, 'width of a head': width }),
  [width % 2 === 0, `heads of width ${width}`, 'their elements are rotated in pairs'],
  [heads % keyHeads === 0, `${heads} heads over ${keyHeads} for keys`, 'each key head serves as many heads'],
]

const claimsOfLatent = (a: LatentAttention): readonly Claim[] => [
  ...sizes({ 'number of heads': a.heads, 'rank of queries': a.queryRank ?? 1, 'rank of keys': a.keyRank }),
  ...sizes({ 'plain width': a.plainWidth, 'rotated width': a.rotatedWidth, 'width of values': a.valueWidth }),
  [a.rotatedWidth % 2 === 0, `heads of which ${a.rotatedWidth} are rotated`, 'elements are rotated in pairs'],
]

const claimsOfMixture = ({ experts, chosen, width, groups, shared }: Mixture): readonly Claim[] => [
  ...sizes({ 'number of experts': experts, 'experts of a token': chosen, 'width of an expert': width }),
  ...sizes({ 'width of the shared expert': shared?.width ?? 1 }),
  [experts <= EXPERTS_MAX, `${experts} experts`, `a layer has at most ${EXPERTS_MAX}`],
  [chosen <= experts, `${chosen} experts for a token`, `a layer has ${experts}`],
  ...(groups === null ? [] : claimsOfGroups(groups, experts)),
]

const claimsOfGroups = ({ count, chosen }: NonNullable<Mixture['groups']>, experts: number): readonly Claim[] => [
  ...sizes({ 'number of groups': count, 'groups of a token': chosen }),
  [experts % count === 0, `${experts} experts in ${count} groups`, 'groups are of one size'],
  [chosen <= count, `${chosen} groups for a token`, `there are ${count}`],
]

const sizes = (named: Readonly<Record<string, number>>): readonly Claim[] =>
  Object.entries(named).map(([name, size]) => {
    const holds = Number.isInteger(size) && size >= 1 && size <= TENSOR_DIM_MAX
    return [holds, `${size} as the ${name}`, `it is a whole number from 1 to ${TENSOR_DIM_MAX}`]
  })
