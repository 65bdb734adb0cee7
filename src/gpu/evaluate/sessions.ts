/**
 * The pieces of a model as sessions, each made when it is first used: embedding, a layer, a layer up to its experts, one
 * expert, the loss. A model is run piece by piece, so one larger than memory is evaluated too, and what a submission does
 * not change is not run again.
 *
 * `open` are experts whose weights are fed with every run instead of being mapped: swapping them makes no new session.
 */
import { createSession, type Session, type SessionOptions } from '../backend/session.ts'
import { createBuilder } from '../graph/build.ts'
import { fixed, type Graph, type Value } from '../graph/graph.ts'
import type { Tensor } from '../graph/interpret.ts'
import { type Checkpoint, constantOf, keyOf } from '../model/checkpoint.ts'
import { type Batch, createForward, layerOf, type Weigh } from '../model/forward.ts'
import type { Gated, Weight } from '../model/layout.ts'

export type Sessions = ReturnType<typeof createSessions>

/** What a layer has computed before its open experts are: the stream with everybody else's part, and where tokens go. */
export type Halfway = {
  readonly stream: Float32Array
  readonly seen: Float32Array
  readonly ids: BigInt64Array
  readonly weights: Float32Array
}

export type WeightFeeds = ReadonlyMap<string, Float32Array>

export function createSessions(checkpoint: Checkpoint, options: SessionOptions) {
  const { width } = checkpoint.model
  const graphs = graphsOf(checkpoint)
  const held = new Map<string, Promise<Session>>()
  let openKeys: ReadonlySet<string> = new Set()

  const session = (name: string, make: Make): Promise<Session> => {
    const b = createBuilder()
    const made = held.get(name) ?? createSession(finished(b, make, weighing(b, checkpoint, openKeys)), options)
    held.set(name, made)
    return made
  }
  const releaseAll = async (): Promise<void> => {
    const sessions = [...held.values()]
    held.clear()
    for (const made of sessions) await (await made).release()
  }
  const stream = (x: Float32Array): Tensor => ({ dtype: 'f32', shape: [x.length / width, width], data: x })
  const integers = (data: BigInt64Array): Tensor => ({ dtype: 'i64', shape: [data.length], data })

  return {
    /** Sessions of other open weights are given back first. */
    open: async (weights: readonly Weight[]): Promise<void> => {
      const keys = new Set(weights.map(keyOf))
      if (keys.size === openKeys.size && [...keys].every((key) => openKeys.has(key))) return
      await releaseAll()
      openKeys = keys
    },
    embed: async (tokens: BigInt64Array): Promise<Float32Array> => {
      const made = await session('embed', graphs.embed)
      return floats(await made.run(new Map([['tokens', integers(tokens)]])), 'x')
    },
    layer: async (layer: number, x: Float32Array, batch: Batch, fed: WeightFeeds): Promise<Float32Array> => {
      const made = await session(`layer ${layer} ${sizeName(batch)}`, graphs.layer(layer, batch))
      return floats(await made.run(new Map([['x', stream(x)], ...swapped(made, fed)])), 'y')
    },
    /** A layer but for the experts `without`. */
    halfway: async (layer: number, x: Float32Array, batch: Batch, without: ReadonlySet<number>): Promise<Halfway> => {
      const made = await session(`halfway ${layer} ${sizeName(batch)}`, graphs.halfway(layer, batch, without))
      const out = await made.run(new Map([['x', stream(x)]]))
      const ids = (out.get('ids') as Tensor).data as BigInt64Array
      return { stream: floats(out, 'stream'), seen: floats(out, 'seen'), ids, weights: floats(out, 'weights') }
    },
    /** One expert on rows of its own, with weights from outside: one session for all experts of a model. */
    expert: async (rows: Float32Array, weights: ExpertWeights): Promise<Float32Array> => {
      const made = await session('expert', graphs.expert)
      const fed = made.inputs.slice(1).map(({ name, value }) => {
        const data = weights[name as keyof Gated]
        return [name, { dtype: 'f32', shape: fixed(value.shape), data }] as const
      })
      return floats(await made.run(new Map<string, Tensor>([['x', stream(rows)], ...fed])), 'y')
    },
    /** The loss of every row. */
    loss: async (x: Float32Array, targets: BigInt64Array): Promise<Float32Array> => {
      const made = await session('loss', graphs.loss)
      const feeds = new Map([
        ['x', stream(x)],
        ['targets', integers(targets)],
      ] as const)
      return floats(await made.run(feeds), 'loss')
    },
    release: releaseAll,
  }
}

type Builder = ReturnType<typeof createBuilder>
type Make = (b: Builder, weigh: Weigh) => void
type ExpertWeights = { readonly [K in keyof Gated]: Float32Array }

const sizeName = ({ batch, places }: Batch): string => `${batch}×${places}`

function finished(b: Builder, make: Make, weigh: Weigh): Graph {
  make(b, weigh)
  return b.finish()
}

/** Of pieces that treat each row alone. */
const ANY: Batch = { batch: 1, places: 1 }

/** How each piece is built; inputs and outputs by the names under which they are fed and read above. */
const graphsOf = ({ model, layout }: Checkpoint) => ({
  embed: (b: Builder, weigh: Weigh) => {
    const tokens = b.input('tokens', { dtype: 'i64', shape: ['rows'] })
    b.output('x', createForward(b, model, layout, weigh, ANY).embed(tokens))
  },
  layer: (layer: number, batch: Batch) => (b: Builder, weigh: Weigh) => {
    const x = b.input('x', { dtype: 'f32', shape: [batch.batch * batch.places, model.width] })
    b.output('y', layerOf(b, createForward(b, model, layout, weigh, batch), model, x, layer))
  },
  halfway: (layer: number, batch: Batch, without: ReadonlySet<number>) => (b: Builder, weigh: Weigh) => {
    const rows = batch.batch * batch.places
    const x = b.input('x', { dtype: 'f32', shape: [rows, model.width] })
    const forward = createForward(b, model, layout, weigh, batch)
    const attended = forward.attend(x, layer)
    const seen = forward.before(attended, layer)
    const common = forward.common(seen, layer)
    const routing = forward.route(seen, layer)
    const kept = b.add(attended, forward.experts(seen, routing, layer, without))
    b.output('stream', common === null ? kept : b.add(kept, common))
    b.output('seen', seen)
    b.output('ids', b.reshape(routing.ids, rows * model.mixture.chosen))
    b.output('weights', b.reshape(routing.weights, rows * model.mixture.chosen))
  },
  expert: (b: Builder) => {
    const { width, mixture } = model
    const x = b.input('x', { dtype: 'f32', shape: ['rows', width] })
    const gate = b.input('gate', { dtype: 'f32', shape: [mixture.width, width] })
    const up = b.input('up', { dtype: 'f32', shape: [mixture.width, width] })
    const down = b.input('down', { dtype: 'f32', shape: [width, mixture.width] })
    b.output('y', b.linear(b.mul(b.silu(b.linear(x, gate)), b.linear(x, up)), down))
  },
  loss: (b: Builder, weigh: Weigh) => {
    const x = b.input('x', { dtype: 'f32', shape: ['rows', model.width] })
    const targets = b.input('targets', { dtype: 'i64', shape: ['rows'] })
    b.output('loss', createForward(b, model, layout, weigh, ANY).loss(x, targets))
  },
})

const floats = (made: ReadonlyMap<string, Tensor>, name: string): Float32Array =>
  (made.get(name) as Tensor).data as Float32Array

/** Every weight once: mapped from its file, or an input where it is open. */
export function weighing(
  b: ReturnType<typeof createBuilder>,
  checkpoint: Checkpoint,
  open: ReadonlySet<string>,
): Weigh {
  const known = new Map<string, Value>()
  return (weight) => {
    const key = keyOf(weight)
    const made =
      known.get(key) ?? (open.has(key) ? b.input(key, { dtype: 'f32', shape: weight.shape }) : mapped(weight))
    known.set(key, made)
    return made
  }
  function mapped(weight: Weight): Value {
    const { name, value, data } = constantOf(checkpoint, weight)
    return b.constant(name, value, data)
  }
}

/** Those of the open weights that a session asks for. */
function swapped({ inputs }: Session, fed: WeightFeeds): readonly (readonly [string, Tensor])[] {
  return inputs.flatMap(({ name, value }) => {
    const data = fed.get(name)
    return data === undefined ? [] : [[name, { dtype: 'f32', shape: fixed(value.shape), data }] as const]
  })
}
