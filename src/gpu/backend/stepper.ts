/**
 * A graph that is run again and again, some of its outputs being inputs of the next time: weights that are trained, and what
 * their optimiser remembers. This state stays on the device as far as onnxruntime lets it: on WebGPU from run to run; on CUDA,
 * where a run takes its inputs from memory and puts its outputs there, through many iterations of one run.
 */
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import { createBuilder } from '../graph/build.ts'
import { type Graph, sizeOf } from '../graph/graph.ts'
import type { Numbers, Tensor } from '../graph/interpret.ts'
import { optimise } from '../graph/pass.ts'
import { looped, outside } from '../onnx/loop.ts'
import { emitFor, type Feeds, openSession, ortOf, type SessionOptions, tensorOf } from './session.ts'

export type StepperOptions = SessionOptions & {
  /** All iterations in one run, or a run for each. */
  readonly inOneRun: boolean
}

export type Stepper = {
  /** Before the first run: all that is carried. */
  readonly write: (state: Feeds) => void
  /** Runs the graph once for each of them; what it puts out besides its state. A failed iteration leaves no trace. */
  readonly run: (iterations: readonly Feeds[]) => Promise<readonly Outputs[]>
  readonly read: (name: string) => Promise<Float32Array>
  readonly release: () => Promise<void>
}
type Outputs = ReadonlyMap<string, Tensor>
type State = ReadonlyMap<string, OrtTensor>

/** `carried` names outputs of the graph by the inputs that they become. */
export async function createStepper(
  graph: Graph,
  carried: ReadonlyMap<string, string>,
  { inOneRun, ...options }: StepperOptions,
): Promise<Stepper> {
  const optimised = optimise(graph)
  const model = emitFor(optimised, options)
  const named = (name: string): string => (inOneRun ? outside(name) : name)
  const to = [...carried.values()]
  const heard = optimised.outputs.map(({ name }) => name).filter((name) => !to.includes(name))
  const session = await openSession(inOneRun ? looped(model, carried) : model, optimised, options, to.map(named))
  const download = createDownload(options)
  let state: State = new Map()

  const once = async (feeds: Feeds): Promise<Outputs> => {
    const fed = [...state, ...[...feeds].map(([name, tensor]) => [name, ortOf(tensor)] as const)]
    const made = await session.run(Object.fromEntries(fed.map(([name, tensor]) => [named(name), tensor])))
    const output = (name: string): OrtTensor => made[named(name)] as OrtTensor
    for (const before of state.values()) before.dispose()
    state = new Map([...carried].map(([from, name]) => [from, output(name)]))
    return new Map(heard.map((name) => [name, tensorOf(output(name))]))
  }
  return {
    write: (values) => {
      for (const before of state.values()) before.dispose()
      state = new Map([...values].map(([name, tensor]) => [name, ortOf(tensor)]))
    },
    run: async (iterations) => {
      if (inOneRun) return apart(await once(stacked(iterations)), iterations.length)
      const outputs: Outputs[] = []
      for (const feeds of iterations) outputs.push(await once(feeds))
      return outputs
    },
    read: async (name) => {
      const tensor = state.get(name) as OrtTensor
      return tensor.location === 'cpu' ? (tensor.data as Float32Array) : download.run(tensor)
    },
    release: async () => {
      for (const tensor of state.values()) tensor.dispose()
      await session.release()
      await download.release()
    },
  }
}

/** A run that changes nothing brings numbers back: onnxruntime's own way of reading them ends the process. */
function createDownload(options: SessionOptions) {
  const sessions = new Map<number, ReturnType<typeof openSession>>()
  const sessionOf = (rank: number) => {
    const b = createBuilder()
    b.output('y', b.input('x', { dtype: 'f32', shape: Array.from({ length: rank }, (_, axis) => `axis.${axis}`) }))
    const graph = b.finish()
    const session = sessions.get(rank) ?? openSession(emitFor(graph, options), graph, options)
    sessions.set(rank, session)
    return session
  }
  return {
    run: async (tensor: OrtTensor): Promise<Float32Array> => {
      const made = await (await sessionOf(tensor.dims.length)).run({ x: tensor })
      return (made['y'] as OrtTensor).data as Float32Array
    },
    release: async () => {
      for (const session of sessions.values()) await (await session).release()
    },
  }
}

/** A row for each iteration. */
function stacked(iterations: readonly Feeds[]): Feeds {
  return new Map(
    [...(iterations[0] ?? [])].map(([name, { dtype, shape, data }]) => {
      const size = data.length
      const all = new (data.constructor as new (length: number) => Numbers)(size * iterations.length)
      for (const [i, feeds] of iterations.entries()) all.set((feeds.get(name) as Tensor).data as never, i * size)
      return [name, { dtype, shape: [iterations.length, ...shape], data: all }]
    }),
  )
}

function apart(outputs: Outputs, count: number): readonly Outputs[] {
  return Array.from({ length: count }, (_, i) => {
    const rows = [...outputs].map(
      ([
        name,
        {
          dtype,
          shape: [, ...shape],
          data,
        },
      ]) => {
        const size = sizeOf(shape)
        return [name, { dtype, shape, data: data.subarray(i * size, (i + 1) * size) }] as const
      },
    )
    return new Map(rows)
  })
}
