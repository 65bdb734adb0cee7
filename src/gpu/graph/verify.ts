/**
 * Checks that a graph is one: every value made once and before its use, every kind what the rule of its operation says,
 * every name there once. Run after every pass, so a pass that breaks a graph is caught where it did.
 */
import { assert } from '../../util/assert.ts'
import { type Graph, printKind, type Value } from './graph.ts'
import type { Attrs, Op } from './op.ts'
import { shapeRules } from './shape.ts'

export function verify({ inputs, constants, nodes, outputs }: Graph): void {
  const made = new Set<Value>()
  const make = (value: Value): void => {
    assert(!made.has(value), `${printKind(value)} is made once`)
    made.add(value)
  }
  for (const { value } of [...inputs, ...constants]) make(value)
  for (const node of nodes) {
    for (const value of node.inputs) assert(made.has(value), `an input of ${node.op} is made before its use`)
    const rule = shapeRules[node.op] as (inputs: readonly Value[], attrs: Attrs[Op]) => readonly Value[]
    const kinds = rule(node.inputs, node.attrs)
    assert(kinds.length === node.outputs.length, `${node.op} has ${kinds.length} outputs`)
    for (const [i, kind] of kinds.entries()) {
      const value = node.outputs[i] as Value
      assert(printKind(kind) === printKind(value), `${node.op} makes ${printKind(kind)}, not ${printKind(value)}`)
      make(value)
    }
  }
  for (const { name, value } of outputs) assert(made.has(value), `the output ${name} is made`)
  for (const named of [[...inputs, ...constants], outputs]) {
    const names = named.map(({ name }) => name)
    assert(new Set(names).size === names.length, 'names are there once')
  }
}
