import { describe, expect, test } from 'vitest'
import { type Builder, createBuilder } from '../../../src/gpu/graph/build.ts'
import { backward } from '../../../src/gpu/graph/grad.ts'
import type { Graph, Value } from '../../../src/gpu/graph/graph.ts'
import { interpret, type Tensor } from '../../../src/gpu/graph/interpret.ts'
import type { Op } from '../../../src/gpu/graph/op.ts'
import { optimise } from '../../../src/gpu/graph/pass.ts'
import { verify } from '../../../src/gpu/graph/verify.ts'
import { distance } from './near.ts'
import { allCases, floats, integers, isFloat, kindOf, type OpCase } from './op-case.ts'

type Body = (b: Builder, inputs: readonly Value[]) => readonly Value[]

/** A graph whose loss is a weighted sum of all that the body makes, with the gradients of its inputs. */
function differentiated(tensors: readonly Tensor[], body: Body): Graph {
  const b = createBuilder()
  const inputs = tensors.map((tensor, i) => b.input(`x${i}`, kindOf(tensor)))
  const sums = body(b, inputs)
    .filter(isFloat)
    .map((value) => {
      const weights = floats(...(value.shape as number[]))
      const weighted = b.mul(value, b.numbers(weights.data as Float32Array, weights.shape))
      return b.sum(
        weighted,
        value.shape.map((_, axis) => axis),
      )
    })
  const loss = sums.reduce((sum, value) => b.add(sum, value))
  const wrt = inputs.filter(isFloat)
  b.output('loss', loss)
  for (const [i, gradient] of backward(b, loss, wrt).entries())
    b.output(`d${inputs.indexOf(wrt[i] as Value)}`, gradient)
  return b.finish()
}

/** Central differences, one element after the other. */
function measured(graph: Graph, tensors: readonly Tensor[], place: number): Tensor {
  const step = 1e-2
  const lossAt = (i: number, shift: number): number => {
    const moved = tensors.map((tensor, k) => {
      if (k !== place) return tensor
      const data = (tensor.data as Float32Array).slice()
      data[i] = (data[i] as number) + shift
      return { ...tensor, data }
    })
    const made = interpret(graph, new Map(moved.map((tensor, k) => [`x${k}`, tensor])))
    return (made.get('loss') as Tensor).data[0] as number
  }
  const { shape, data } = tensors[place] as Tensor
  const slopes = Float32Array.from(data as Float32Array, (_, i) => (lossAt(i, step) - lossAt(i, -step)) / (2 * step))
  return { dtype: 'f32', shape, data: slopes }
}

function expectGradients(tensors: readonly Tensor[], body: Body): void {
  const graph = differentiated(tensors, body)
  verify(graph)
  const made = interpret(optimise(graph), new Map(tensors.map((tensor, i) => [`x${i}`, tensor])))
  for (const [i, tensor] of tensors.entries()) {
    if (tensor.dtype === 'f32') expect(distance(made.get(`d${i}`), measured(graph, tensors, i))).toBeLessThan(2e-3)
  }
}

/** What only chooses has no gradient; rows of unknown number are tested below. */
const CHOICES: ReadonlySet<Op> = new Set(['Equal', 'Order', 'Count', 'Cast', 'Max', 'SplitRows'])
const differentiable = allCases().filter(([, op]) => !CHOICES.has(op))

describe('gradients are what central differences measure', () => {
  test.each(differentiable)('%s', (_name, op, { inputs, attrs }: OpCase) => {
    // Of the second output nothing flows back, and the angles of a rotation are constants.
    const body: Body = (b, values) => b.op(op, values, attrs).slice(0, op === 'Split' ? 2 : 1)
    if (op !== 'Rope') expectGradients(inputs, body)
    else
      expectGradients(inputs.slice(0, 1), (b, [x]) =>
        body(b, [x as Value, ...inputs.slice(1).map((angle) => b.numbers(angle.data as Float32Array, angle.shape))]),
      )
  })

  test('JoinRows, behind a SplitRows', () => {
    expectGradients([floats(6, 2), integers([3], 2, 0, 4)], (b, [x, counts]) => {
      const parts = b.splitRows(x as Value, counts as Value, ['a', 'b', 'c'])
      return [b.joinRows(counts as Value, [b.exp(parts[0] as Value), parts[1] as Value, b.neg(parts[2] as Value)], 6)]
    })
  })

  test('a value that is used twice gets both gradients', () => {
    expectGradients([floats(2, 3)], (b, [x]) => [b.mul(x as Value, b.exp(x as Value))])
  })
})

test('nothing is built for what is frozen', () => {
  const b = createBuilder()
  const frozen = b.input('frozen', { dtype: 'f32', shape: [4, 3] })
  const trained = b.input('trained', { dtype: 'f32', shape: [2, 4] })
  const x = b.input('x', { dtype: 'f32', shape: [5, 3] })
  const y = b.linear(b.linear(x, frozen), trained)
  const before = b.nodes.length
  backward(b, b.sum(y, [0, 1]), [trained])
  const built = b.nodes.slice(before)
  expect(built.filter(({ op }) => op === 'MatMul')).toHaveLength(1)
  expect(built.every(({ inputs }) => !inputs.includes(frozen))).toBe(true)
})

test('what does not reach the loss has a gradient of zeros', () => {
  const b = createBuilder()
  const [x, y] = ['x', 'y'].map((name) => b.input(name, { dtype: 'f32', shape: [2] })) as [Value, Value]
  const [, dy] = backward(b, b.sum(x, [0]), [x, y])
  b.output('dy', dy as Value)
  const made = interpret(
    optimise(b.finish()),
    new Map([
      ['x', floats(2)],
      ['y', floats(2)],
    ]),
  )
  expect(made.get('dy')?.data).toEqual(new Float32Array(2))
})
