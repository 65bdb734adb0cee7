import { expect, test } from 'vitest'
import { createBuilder } from '../../../src/gpu/graph/build.ts'
import { emit } from '../../../src/gpu/onnx/emit.ts'
import type { OnnxModel } from '../../../src/gpu/onnx/model.ts'
import { readOnnx } from '../../../src/gpu/onnx/read.ts'
import { writeOnnx } from '../../../src/gpu/onnx/write.ts'
import { allCases, kindOf, type OpCase } from '../graph/op-case.ts'

test.each(allCases())('what is written of %s is read back', (_name, op, { inputs, attrs }: OpCase) => {
  const b = createBuilder()
  const values = inputs.map((tensor, i) => b.input(`x${i}`, kindOf(tensor)))
  for (const [i, value] of b.op(op, values, attrs).entries()) b.output(`y${i}`, value)
  for (const contrib of [true, false]) {
    const model = emit(b.finish(), { contrib })
    expect(readOnnx(writeOnnx(model))).toEqual(model)
  }
})

const rare: OnnxModel = {
  irVersion: 10,
  producer: 'test',
  opsets: new Map([['', 21]]),
  graph: {
    name: 'outer',
    nodes: [
      {
        opType: 'Loop',
        domain: '',
        name: 'loop',
        inputs: ['', 'x'],
        outputs: ['y'],
        attributes: new Map([
          ['body', { kind: 'graph', value: { name: 'inner', nodes: [], initializers: [], inputs: [], outputs: [] } }],
          ['axes', { kind: 'ints', value: [-1, 0, 2 ** 40] }],
          ['alpha', { kind: 'float', value: -0.5 }],
          ['mode', { kind: 'string', value: 'größer' }],
        ]),
      },
    ],
    initializers: [
      {
        name: 'w',
        type: 'bf16',
        dims: [3, 2],
        data: { at: 'file', location: 'm.safetensors', offset: 2 ** 33, length: 12 },
      },
      { name: 'empty', type: 'f32', dims: [0], data: { at: 'here', bytes: new Uint8Array() } },
    ],
    inputs: [{ name: 'x', type: 'f32', dims: ['rows', 4] }],
    outputs: [],
  },
}

test('files, graphs in graphs, names of dimensions, large and negative numbers', () => {
  expect(readOnnx(writeOnnx(rare))).toEqual(rare)
})

test('the bytes of a small model are those that the format prescribes', () => {
  const { producer, irVersion, opsets } = rare
  const graph = { name: 'g', nodes: [], initializers: [], inputs: [], outputs: [] }
  const bytes = writeOnnx({ producer, irVersion, opsets, graph })
  // ir_version = 10, producer_name = "test", graph { name = "g" }, opset_import { domain = "", version = 21 }.
  expect(Buffer.from(bytes).toString('hex')).toBe('080a120474657374' + '3a03120167' + '42040a001015')
})

test('a number that never ends and a field beyond its message are refused', () => {
  expect(() => readOnnx(Uint8Array.of(8, ...new Array(11).fill(255)))).toThrow('ten bytes')
  expect(() => readOnnx(Uint8Array.of(0x3a, 5, 1))).toThrow('ends within its message')
})
