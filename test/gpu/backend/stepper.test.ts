import { expect, test } from 'vitest'
import { createStepper } from '../../../src/gpu/backend/stepper.ts'
import { createBuilder } from '../../../src/gpu/graph/build.ts'
import type { Graph } from '../../../src/gpu/graph/graph.ts'
import type { Tensor } from '../../../src/gpu/graph/interpret.ts'

/** x ← x + told · row; says Σ x before, and which row it was told. */
function counter(): Graph {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2, 3] })
  const told = b.input('told', { dtype: 'f32', shape: [3] })
  const id = b.input('id', { dtype: 'i64', shape: [1] })
  b.output('sum', b.sum(x, [0, 1]))
  b.output('told again', b.reshape(b.gather(b.numbers(Float32Array.of(7, 8, 9), [3, 1]), id), 1))
  b.output('next x', b.add(x, told))
  return b.finish()
}
const row = (id: number): ReadonlyMap<string, Tensor> =>
  new Map([
    ['told', { dtype: 'f32', shape: [3], data: Float32Array.of(id, 0, 1) }],
    ['id', { dtype: 'i64', shape: [1], data: BigInt64Array.of(BigInt(id)) }],
  ])
const begin = new Map([['x', { dtype: 'f32', shape: [2, 3], data: new Float32Array(6) } as const]])

test.each([false, true])('state goes from one iteration to the next; in one run: %s', async (inOneRun) => {
  const stepper = await createStepper(counter(), new Map([['x', 'next x']]), { device: 'cpu', threads: 1, inOneRun })
  stepper.write(begin)
  const made = [...(await stepper.run([row(0), row(1), row(2)])), ...(await stepper.run([row(1)]))]
  expect(made.map((out) => [[...out.keys()], out.get('sum')?.data[0], out.get('told again')?.data[0]])).toEqual([
    [['sum', 'told again'], 0, 7],
    [['sum', 'told again'], 2, 8],
    [['sum', 'told again'], 6, 9],
    [['sum', 'told again'], 12, 8],
  ])
  expect([...(await stepper.read('x'))]).toEqual([4, 0, 4, 4, 0, 4])
  stepper.write(begin)
  expect([...(await stepper.read('x'))]).toEqual([0, 0, 0, 0, 0, 0])
  await stepper.release()
})

test('an iteration that fails leaves the state as it was', async () => {
  const options = { device: 'cpu', threads: 1, inOneRun: false } as const
  const stepper = await createStepper(counter(), new Map([['x', 'next x']]), options)
  stepper.write(begin)
  await expect(stepper.run([row(2), new Map()])).rejects.toThrow('is missing')
  expect([...(await stepper.read('x'))]).toEqual([2, 0, 1, 2, 0, 1])
  await stepper.release()
})
