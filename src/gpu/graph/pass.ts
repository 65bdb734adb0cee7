/**
 * Passes: graph → graph, each of them short, in one order, with the verifier after each.
 */
import type { Graph, Node, Value } from './graph.ts'
import { verify } from './verify.ts'

export type Pass = (graph: Graph) => Graph

/** Leaves a graph that computes the same outputs with less. */
export function optimise(graph: Graph): Graph {
  verify(graph)
  return PASSES.reduce((before, pass) => {
    const after = pass(before)
    verify(after)
    return after
  }, graph)
}

/** Rewrites nodes one after the other; what the earlier ones made may have been replaced. */
function rewrite(graph: Graph, visit: (node: Node, replace: (from: Value, to: Value) => void) => Node | null): Graph {
  const replaced = new Map<Value, Value>()
  const now = (value: Value): Value => replaced.get(value) ?? value
  const nodes: Node[] = []
  for (const node of graph.nodes) {
    const moved = { ...node, inputs: node.inputs.map(now) } as Node
    const kept = visit(moved, (from, to) => void replaced.set(from, to))
    if (kept !== null) nodes.push(kept)
  }
  return { ...graph, nodes, outputs: graph.outputs.map(({ name, value }) => ({ name, value: now(value) })) }
}

/** Equal operations on equal inputs are done once. */
export const shareEqual: Pass = (graph) => {
  const ids = new Map<Value, number>()
  const idOf = (value: Value): number => {
    const id = ids.get(value) ?? ids.size
    ids.set(value, id)
    return id
  }
  const seen = new Map<string, Node>()
  return rewrite(graph, (node, replace) => {
    const key = `${node.op} ${node.inputs.map(idOf)} ${JSON.stringify(node.attrs)}`
    const same = seen.get(key)
    if (same === undefined) {
      seen.set(key, node)
      return node
    }
    for (const [i, value] of node.outputs.entries()) replace(value, same.outputs[i] as Value)
    return null
  })
}

/** A reshape of a reshape, a reshape to the same, and two transposes that cancel. */
export const shortenForms: Pass = (graph) => {
  const makers = new Map<Value, Node>()
  return rewrite(graph, (node, replace) => {
    const kept = shortened(node, makers)
    if (!('op' in kept)) {
      replace(node.outputs[0] as Value, kept)
      return null
    }
    for (const value of kept.outputs) makers.set(value, kept)
    return kept
  })
}

function shortened(node: Node, makers: ReadonlyMap<Value, Node>): Node | Value {
  const [x] = node.inputs as readonly [Value]
  const maker = makers.get(x)
  if (node.op === 'Reshape') {
    const source = maker?.op === 'Reshape' ? (maker.inputs[0] as Value) : x
    return `${source.shape}` === `${node.attrs.shape}` ? source : { ...node, inputs: [source] }
  }
  if (node.op === 'Transpose' && maker?.op === 'Transpose') {
    const perm = node.attrs.perm.map((axis) => maker.attrs.perm[axis] as number)
    if (perm.every((axis, i) => axis === i)) return maker.inputs[0] as Value
  }
  return node
}

/** A product that is only added to something becomes one operation that adds while it multiplies. */
export const fuseMatMulAdd: Pass = (graph) => {
  const uses = useCounts(graph)
  const makers = new Map<Value, Node>()
  for (const node of graph.nodes) for (const value of node.outputs) makers.set(value, node)
  return rewrite(graph, (node) => {
    if (node.op !== 'Add') return node
    const [a, b] = node.inputs as readonly [Value, Value]
    for (const [product, other] of [
      [b, a],
      [a, b],
    ] as const) {
      const maker = makers.get(product)
      if (maker?.op !== 'MatMul' || uses.get(product) !== 1 || maker.attrs.alpha !== 1) continue
      if (product.shape.length !== 2 || `${product.shape}` !== `${other.shape}`) continue
      const { transA, transB } = maker.attrs
      return { op: 'MatMulAdd', inputs: [...maker.inputs, other], outputs: node.outputs, attrs: { transA, transB } }
    }
    return node
  })
}

/** What no output needs is not computed. */
export const dropUnused: Pass = (graph) => {
  const needed = new Set<Value>(graph.outputs.map(({ value }) => value))
  const nodes: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((value) => needed.has(value))) continue
    nodes.push(node)
    for (const value of node.inputs) needed.add(value)
  }
  const constants = graph.constants.filter(({ value }) => needed.has(value))
  return { ...graph, constants, nodes: nodes.toReversed() }
}

function useCounts({ nodes, outputs }: Graph): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>()
  const used = [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ value }) => value)]
  for (const value of used) uses.set(value, (uses.get(value) ?? 0) + 1)
  return uses
}

const PASSES: readonly Pass[] = [dropUnused, shareEqual, shortenForms, fuseMatMulAdd, dropUnused]
