/**
 * Computes a graph the slow way, for readers and for tests: every backend must give what this gives. Plain loops over plain
 * arrays, sums in float64, one rounding to float32 at the end of each operation.
 */
import { assert } from '../../util/assert.ts'
import type { Dtype, Graph, Node, Value } from './graph.ts'
import { kernels } from './kernel.ts'

export type Numbers = Float32Array | BigInt64Array | Uint8Array
export type Tensor = { readonly dtype: Dtype; readonly shape: readonly number[]; readonly data: Numbers }

export function interpret(graph: Graph, feeds: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const held = new Map<Value, Tensor>()
  for (const { name, value } of graph.inputs) {
    const tensor = feeds.get(name)
    assert(tensor !== undefined, `the input ${name} is fed`)
    held.set(value, tensor)
  }
  for (const { name, value, data } of graph.constants) {
    assert(data.at === 'memory', `${name} is at hand: the interpreter reads no files`)
    held.set(value, { dtype: value.dtype, shape: value.shape as readonly number[], data: data.values })
  }
  const read = (value: Value): Tensor => held.get(value) as Tensor
  for (const node of graph.nodes) {
    const kernel = kernels[node.op] as (
      inputs: readonly Tensor[],
      attrs: Node['attrs'],
      node: Node,
    ) => readonly Tensor[]
    const made = kernel(node.inputs.map(read), node.attrs, node)
    for (const [i, value] of node.outputs.entries()) held.set(value, made[i] as Tensor)
  }
  return new Map(graph.outputs.map(({ name, value }) => [name, read(value)]))
}
