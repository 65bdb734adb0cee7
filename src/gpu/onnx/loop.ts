/**
 * Says of a model that it is run over and over within one run: `Loop` of ONNX. What a device cannot keep from run to run, such as
 * weights that are trained, goes from one iteration to the next without leaving it.
 */
import type { OnnxModel, OnnxNode, OnnxType, OnnxValue } from './model.ts'

const [ITERATION, GO_ON, COUNT] = ['loop.iteration', 'loop.go-on', 'loop.count']

/** The name of an input or output of the whole run. Inside of a graph no name may hide one from outside. */
export const outside = (name: string): string => `whole ${name}`

/**
 * `carried` names outputs by the inputs that they become in the next iteration. Every other input and output has a row for each
 * iteration; how many there are is known when the model is run.
 */
export function looped(model: OnnxModel, carried: ReadonlyMap<string, string>): OnnxModel {
  const { nodes, initializers, inputs, outputs } = model.graph
  const [from, to] = [[...carried.keys()], [...carried.values()]]
  const [state, told] = parted(inputs, from)
  const [next, heard] = parted(outputs, to)
  const body = {
    name: 'iteration',
    nodes: [
      ...told.map(({ name }) => node('Gather', [outside(name), ITERATION], [name])),
      ...nodes,
      node('Identity', [GO_ON], [`${GO_ON}.next`]),
    ],
    // Weights in files stay outside, where they are there once; shapes and axes lie beside who reads them.
    initializers: initializers.filter(({ data }) => data.at === 'here'),
    inputs: [scalar(ITERATION, 'i64'), scalar(GO_ON, 'bool'), ...state],
    outputs: [scalar(`${GO_ON}.next`, 'bool'), ...next, ...heard],
  }
  const loop = node('Loop', [COUNT, '', ...from.map(outside)], [...to, ...heard.map(({ name }) => name)].map(outside))
  const renamed = (value: OnnxValue): OnnxValue => ({ ...value, name: outside(value.name) })
  const rows = (value: OnnxValue): OnnxValue => ({ ...renamed(value), dims: ['iterations', ...value.dims] })
  return {
    ...model,
    graph: {
      name: 'main',
      nodes: [
        node('Shape', [outside(told[0]?.name ?? '')], ['loop.shape']),
        node('Gather', ['loop.shape', 'loop.first'], [COUNT]),
        { ...loop, attributes: new Map([['body', { kind: 'graph', value: body }]]) },
      ],
      initializers: [
        { name: 'loop.first', type: 'i64', dims: [], data: { at: 'here', bytes: new Uint8Array(8) } },
        ...initializers.filter(({ data }) => data.at === 'file'),
      ],
      inputs: [...state.map(renamed), ...told.map(rows)],
      outputs: [...next.map(renamed), ...heard.map(rows)],
    },
  }
}

/** Those that are named, in the order of their names, and the others. */
function parted(
  values: readonly OnnxValue[],
  names: readonly string[],
): readonly [readonly OnnxValue[], readonly OnnxValue[]] {
  return [
    names.flatMap((name) => values.filter((value) => value.name === name)),
    values.filter(({ name }) => !names.includes(name)),
  ]
}

const scalar = (name: string, type: OnnxType): OnnxValue => ({ name, type, dims: [] })

const node = (opType: string, inputs: readonly string[], outputs: readonly string[]): OnnxNode => ({
  opType,
  domain: '',
  name: `loop.${opType}.${inputs[0]}`,
  inputs,
  outputs,
  attributes: new Map(),
})
