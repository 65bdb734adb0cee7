/**
 * A graph: operations on tensors in an order in which they can be computed. Plain data; a value is itself, not its name.
 *
 * A dimension is a number, or a name where only a run can tell: how many rows an expert gets.
 */
import type { Attrs, Op } from './op.ts'

/** `bf16` and `f16` are how weights are stored; arithmetic is f32. */
export type Dtype = 'f32' | 'bf16' | 'f16' | 'i64' | 'bool'
export type Dim = number | string
export type Shape = readonly Dim[]

export type Kind = { readonly dtype: Dtype; readonly shape: Shape }
/** One assignment: made once, by one node or from outside. */
export type Value = Kind

export type Node<K extends Op = Op> = {
  readonly [P in K]: {
    readonly op: P
    readonly inputs: readonly Value[]
    readonly outputs: readonly Value[]
    readonly attrs: Attrs[P]
  }
}[K]

/** The bytes of a file, mapped and never copied, or numbers at hand. */
export type Data =
  | { readonly at: 'memory'; readonly values: Float32Array | BigInt64Array }
  | { readonly at: 'file'; readonly path: string; readonly offset: number; readonly bytes: number }

export type Named = { readonly name: string; readonly value: Value }
export type Constant = Named & { readonly data: Data }

export type Graph = {
  readonly inputs: readonly Named[]
  readonly constants: readonly Constant[]
  readonly nodes: readonly Node[]
  readonly outputs: readonly Named[]
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1)

/** A shape that is known before a run. */
export function fixed(shape: Shape): readonly number[] {
  return shape.map((dim) => {
    if (typeof dim === 'number') return dim
    throw new Error(`broken invariant: dimension ${dim} is known before a run`)
  })
}

/** For people: a line for every input, constant, node and output. */
export function printGraph({ inputs, constants, nodes, outputs }: Graph): string {
  const names = new Map<Value, string>()
  for (const { name, value } of [...inputs, ...constants]) names.set(value, name)
  for (const node of nodes) for (const value of node.outputs) names.set(value, `%${names.size}`)
  const nameOf = (value: Value): string => names.get(value) ?? '?'
  return [
    ...inputs.map(({ name, value }) => `input ${name}: ${printKind(value)}`),
    ...constants.map(({ name, value, data }) => `constant ${name}: ${printKind(value)} in ${data.at}`),
    ...nodes.map((node) => printNode(node, nameOf)),
    ...outputs.map(({ name, value }) => `output ${name} = ${nameOf(value)}`),
  ].join('\n')
}

export const printKind = ({ dtype, shape }: Kind): string => `${dtype}[${shape.join(', ')}]`

export function printNode({ op, inputs, outputs, attrs }: Node, nameOf: (value: Value) => string): string {
  const made = outputs.map((value) => `${nameOf(value)}: ${printKind(value)}`).join(', ')
  const told = Object.entries(attrs).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  return `${made} = ${op}(${[...inputs.map(nameOf), ...told].join(', ')})`
}
