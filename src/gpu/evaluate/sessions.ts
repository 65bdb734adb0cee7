/**
 * The pieces of a model as sessions, each made when it is first used: embedding, a layer, a layer up to its experts, one
 * expert, the loss. A model is run piece by piece, so one larger than memory is evaluated too, and what a submission does
 * not change is not run again.
 *
 * `open` are experts whose weights are fed with every run instead of being mapped: swapping them makes no new session.
 */
import { createSession, type Session, type SessionOptions } from '../backend/session.ts'
import { createBuilder } from '../graph/build.ts'
import { fixed, type Value } from '../graph/graph.ts'
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

type Make = (weigh: Weigh, b: ReturnType<typeof createBuilder>) => void

export function createSessions(checkpoint: Checkpoint, options: SessionOptions) {
  const { model, layout } = checkpoint
  const held = new Map<string, Promise<Session>>()
  let openKeys: ReadonlySet<string> = new Set()

  const session = (name: string, make: Make): Promise<Session> => {
    const known = held.get(name)
    if (known !== undefined) return known
    const b = createBuilder()
    make(weighing(b, checkpoint, openKeys), b)
    const made = createSession(b.finish(), options)
    held.set(name, made)
    return made
  }
  const releaseAll = async (): Promise<void> => {
    const sessions = [...held.values()]
    held.clear()
    for (const made of sessions) await (await made).release()
  }
  const shape = (batch: Batch): string => `${batch.batch}×${batch.places}`
  const rowsOf = ({ batch, places }: Batch): number => batch * places
  const stream = (x: Float32Array, rows: number): Tensor => ({ dtype: 'f32', shape: [rows, model.width], data: x })
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
      const made = await session('embed', (weigh, b) => {
        const ids = b.input('tokens', { dtype: 'i64', shape: ['rows'] })
        const forward = createForward(b, model, layout, weigh, { batch: 1, places: 1 })
        b.output('x', forward.embed(ids))
      })
      return floats(await made.run(new Map([['tokens', integers(tokens)]])), 'x')
    },
    layer: async (layer: number, x: Float32Array, batch: Batch, fed: WeightFeeds): Promise<Float32Array> => {
      const rows = rowsOf(batch)
      const made = await session(`layer ${layer} ${shape(batch)}`, (weigh, b) => {
        const input = b.input('x', { dtype: 'f32', shape: [rows, model.width] })
        const forward = createForward(b, model, layout, weigh, batch)
        b.output('y', layerOf(b, forward, model, input, layer))
      })
      return floats(await made.run(new Map([['x', stream(x, rows)], ...swapped(made, fed)])), 'y')
    },
    /** A layer but for the experts `without`. */
    halfway: async (layer: number, x: Float32Array, batch: Batch, without: ReadonlySet<number>): Promise<Halfway> => {
      const rows = rowsOf(batch)
      const made = await session(`halfway ${layer} ${shape(batch)}`, (weigh, b) => {
        const input = b.input('x', { dtype: 'f32', shape: [rows, model.width] })
        const forward = createForward(b, model, layout, weigh, batch)
        const attended = forward.attend(input, layer)
        const seen = forward.before(attended, layer)
        const common = forward.common(seen, layer)
        const routing = forward.route(seen, layer)
        const kept = b.add(attended, forward.experts(seen, routing, layer, without))
        b.output('stream', common === null ? kept : b.add(kept, common))
        b.output('seen', seen)
        b.output('ids', b.reshape(routing.ids, rows * model.mixture.chosen))
        b.output('weights', b.reshape(routing.weights, rows * model.mixture.chosen))
      })
      const out = await made.run(new Map([['x', stream(x, rows)]]))
      const ids = (out.get('ids') as Tensor).data as BigInt64Array
      return { stream: floats(out, 'stream'), seen: floats(out, 'seen'), ids, weights: floats(out, 'weights') }
    },
    /** One expert on rows of its own, with weights from outside: one session for all experts of a model. */
    expert: async (
      rows: Float32Array,
      weights: { readonly [K in keyof Gated]: Float32Array },
    ): Promise<Float32Array> => {
      const { width, mixture } = model
      const shapes = { gate: [mixture.width, width], up: [mixture.width, width], down: [width, mixture.width] } as const
      const made = await session('expert', (_weigh, b) => {
        const x = b.input('x', { dtype: 'f32', shape: ['rows', width] })
        const [gate, up, down] = (['gate', 'up', 'down'] as const).map((name) =>
          b.input(name, { dtype: 'f32', shape: shapes[name] }),
        ) as [Value, Value, Value]
        b.output('y', b.linear(b.mul(b.silu(b.linear(x, gate)), b.linear(x, up)), down))
      })
      const fed = (['gate', 'up', 'down'] as const).map((name) => {
        const tensor: Tensor = { dtype: 'f32', shape: shapes[name], data: weights[name] }
        return [name, tensor] as const
      })
      return floats(await made.run(new Map([['x', stream(rows, rows.length / width)], ...fed])), 'y')
    },
    /** The loss of every row. */
    loss: async (x: Float32Array, targets: BigInt64Array): Promise<Float32Array> => {
      const made = await session('loss', (weigh, b) => {
        const input = b.input('x', { dtype: 'f32', shape: ['rows', model.width] })
        const wanted = b.input('targets', { dtype: 'i64', shape: ['rows'] })
        const forward = createForward(b, model, layout, weigh, { batch: 1, places: 1 })
        b.output('loss', forward.loss(input, wanted))
      })
      const feeds = new Map([
        ['x', stream(x, targets.length)],
        ['targets', integers(targets)],
      ] as const)
      return floats(await made.run(feeds), 'loss')
    },
    release: releaseAll,
  }
}

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
