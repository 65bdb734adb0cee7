import { expect, test } from 'vitest'
import { createBuilder } from '../../../src/gpu/graph/build.ts'
import { type Graph, printGraph, type Value } from '../../../src/gpu/graph/graph.ts'
import { interpret } from '../../../src/gpu/graph/interpret.ts'
import { dropUnused, fuseMatMulAdd, optimise, shareEqual, shortenForms } from '../../../src/gpu/graph/pass.ts'
import { verify } from '../../../src/gpu/graph/verify.ts'
import { distance } from './near.ts'
import { floats } from './op-case.ts'

const ops = ({ nodes }: Graph) => nodes.map(({ op }) => op)
const matrix = { dtype: 'f32', shape: [2, 2] } as const

test('a graph prints itself', () => {
  const b = createBuilder()
  const x = b.input('x', matrix)
  b.output('y', b.sum(b.linear(x, x), [1]))
  expect(printGraph(b.finish())).toBe(
    [
      'input x: f32[2, 2]',
      '%1: f32[2, 2] = MatMul(x, x, transA=false, transB=true, alpha=1)',
      '%2: f32[2] = Sum(%1, axes=[1], keep=false)',
      'output y = %2',
    ].join('\n'),
  )
})

test('what no output needs is dropped, with its constants', () => {
  const b = createBuilder()
  const x = b.input('x', matrix)
  b.mul(x, b.scalar(3))
  b.output('y', b.exp(x))
  const graph = dropUnused(b.finish())
  expect([ops(graph), graph.constants]).toEqual([['Exp'], []])
})

test('equal operations on equal inputs are done once, and those told something else are not', () => {
  const b = createBuilder()
  const x = b.input('x', matrix)
  b.output('y', b.add(b.add(b.exp(x), b.exp(x)), b.add(b.sum(x, [0], true), b.sum(x, [1], true))))
  expect(ops(shareEqual(b.finish())).toSorted()).toEqual(['Add', 'Add', 'Add', 'Exp', 'Sum', 'Sum'])
})

test('reshapes and transposes that cancel go', () => {
  const b = createBuilder()
  const x = b.input('x', matrix)
  const there = b.reshape(b.transpose(b.transpose(x, 1, 0), 1, 0), 4)
  b.output('y', b.exp(b.reshape(there, 2, 2)))
  expect(ops(dropUnused(shortenForms(b.finish())))).toEqual(['Exp'])
})

test('a product that is only added becomes one operation; one that is used elsewhere does not', () => {
  const b = createBuilder()
  const [x, w] = [b.input('x', matrix), b.input('w', matrix)]
  const used = b.linear(w, w)
  b.output('y', b.add(b.linear(x, w), x))
  b.output('z', b.add(used, b.exp(used)))
  expect(ops(fuseMatMulAdd(b.finish()))).toEqual(['MatMul', 'MatMul', 'MatMulAdd', 'Exp', 'Add'])
  expect(ops(dropUnused(fuseMatMulAdd(b.finish())))).toEqual(['MatMul', 'MatMulAdd', 'Exp', 'Add'])
})

test('passes change nothing of what is computed', () => {
  const b = createBuilder()
  const [x, w] = [b.input('x', matrix), b.input('w', matrix)]
  b.output('y', b.add(b.linear(b.reshape(b.reshape(x, 4), 2, 2), w), b.add(b.exp(x), b.exp(x))))
  const feeds = new Map([
    ['x', floats(2, 2)],
    ['w', floats(2, 2)],
  ])
  const [before, after] = [b.finish(), optimise(b.finish())]
  expect(after.nodes.length).toBeLessThan(before.nodes.length)
  expect(distance(interpret(after, feeds).get('y'), interpret(before, feeds).get('y'))).toBeLessThan(1e-6)
})

test('the verifier finds a use before its making, a wrong kind, and a name that is there twice', () => {
  const b = createBuilder()
  const x = b.input('x', matrix)
  b.output('y', b.exp(b.neg(x)))
  const graph = b.finish()
  const [neg, exp] = graph.nodes as [Graph['nodes'][0], Graph['nodes'][0]]
  expect(() => verify({ ...graph, nodes: [exp, neg] })).toThrow('made before its use')
  const wrong: Value = { dtype: 'f32', shape: [3] }
  expect(() => verify({ ...graph, nodes: [neg, { ...exp, outputs: [wrong] }] })).toThrow('not f32[3]')
  expect(() => verify({ ...graph, outputs: [...graph.outputs, ...graph.outputs] })).toThrow('there once')
  expect(() => verify({ ...graph, outputs: [{ name: 'z', value: wrong }] })).toThrow('the output z is made')
})

test('a graph that cannot be computed cannot be built', () => {
  const b = createBuilder()
  const [x, tall] = [b.input('x', matrix), b.input('tall', { dtype: 'f32', shape: [3, 2] })]
  expect(() => b.add(x, tall)).toThrow('broadcast')
  expect(() => b.matmul(x, tall)).toThrow('inner axes')
  expect(() => b.reshape(x, 3)).toThrow('as many elements')
  expect(() => b.gather(x, tall)).toThrow('i64')
})
