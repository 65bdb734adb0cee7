import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { createSession } from '../../../src/gpu/backend/session.ts'
import { createBuilder } from '../../../src/gpu/graph/build.ts'
import type { Graph, Value } from '../../../src/gpu/graph/graph.ts'
import { interpret, type Tensor } from '../../../src/gpu/graph/interpret.ts'
import { emit } from '../../../src/gpu/onnx/emit.ts'
import { writeOnnx } from '../../../src/gpu/onnx/write.ts'
import { distance } from '../graph/near.ts'
import { allCases, floats, integers, kindOf, type OpCase } from '../graph/op-case.ts'

type Made = ReadonlyMap<string, Tensor>

async function byCpu(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Made> {
  const session = await createSession(graph, { device: 'cpu', threads: 1 })
  const made = await session.run(feeds)
  await session.release()
  return made
}

/** The operators of ONNX alone, as every other device gets them. */
async function byStandard(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Made> {
  const types = { f32: 'float32', i64: 'int64', bool: 'bool' } as const
  const session = await InferenceSession.create(writeOnnx(emit(graph, { contrib: false })), { logSeverityLevel: 3 })
  const fed = [...feeds].map(([name, { dtype, shape, data }]) => {
    return [name, new OrtTensor(types[dtype as 'f32'], data as Float32Array, shape)] as const
  })
  const made = await session.run(Object.fromEntries(fed))
  await session.release()
  return new Map(
    Object.entries(made).map(([name, { dims, data }]) => [
      name,
      { dtype: 'f32', shape: dims, data: data as Float32Array },
    ]),
  )
}

function graphOf(
  tensors: readonly Tensor[],
  body: (values: readonly Value[], b: ReturnType<typeof createBuilder>) => readonly Value[],
): Graph {
  const b = createBuilder()
  const inputs = tensors.map((tensor, i) => b.input(`x${i}`, kindOf(tensor)))
  for (const [i, value] of body(inputs, b).entries()) b.output(`y${i}`, value)
  return b.finish()
}

async function expectAgreement(graph: Graph, tensors: readonly Tensor[]): Promise<void> {
  const feeds = new Map(tensors.map((tensor, i) => [`x${i}`, tensor]))
  const wanted = interpret(graph, feeds)
  for (const run of [byCpu, byStandard]) {
    const made = await run(graph, feeds)
    for (const [name, tensor] of wanted)
      expect(distance(made.get(name), tensor), `${run.name} ${name}`).toBeLessThan(1e-6)
  }
}

describe('onnxruntime computes what the interpreter computes', () => {
  test.each(allCases())('%s', async (_name, op, { inputs, attrs }: OpCase) => {
    await expectAgreement(
      graphOf(inputs, (values, b) => b.op(op, values, attrs)),
      inputs,
    )
  })

  test('JoinRows, behind a SplitRows, with a part of no rows', async () => {
    const tensors = [floats(6, 2), integers([3], 2, 0, 4), floats(3, 2)]
    const graph = graphOf(tensors, ([x, counts, weight], b) => {
      const parts = b.splitRows(x as Value, counts as Value, ['a', 'b', 'c'])
      const through = parts.map((part) => b.matmul(b.linear(part, weight as Value), weight as Value))
      return [b.joinRows(counts as Value, through, 6)]
    })
    await expectAgreement(graph, tensors)
  })

  test('an output that is an input, and one that is asked for twice', async () => {
    const tensors = [floats(2, 2)]
    const graph = graphOf(tensors, ([x], b) => {
      const y = b.neg(x as Value)
      return [x as Value, y, y]
    })
    await expectAgreement(graph, tensors)
  })
})

test('an output is written where the caller wants it', async () => {
  const graph = graphOf([floats(2, 2)], ([x], b) => [b.neg(x as Value)])
  const session = await createSession(graph, { device: 'cpu', threads: 1 })
  const place = { dtype: 'f32', shape: [2, 2], data: new Float32Array(4) } as const
  const x = floats(2, 2)
  await session.run(new Map([['x0', x]]), new Map([['y0', place]]))
  expect([...place.data]).toEqual([...(x.data as Float32Array)].map((value) => -value))
  await session.release()
})
