/**
 * Models from nothing: every weight that a configuration asks for, drawn at random, the same from the same seed.
 */
import { createBuilder } from '../graph/build.ts'
import { keyOf } from './checkpoint.ts'
import { type Architecture, readConfig } from './config.ts'
import type { NamedBytes } from './delta.ts'
import { createForward, layerOf } from './forward.ts'
import { createLayout, type Weight } from './layout.ts'

/** Every weight of a model, in the order in which it is used; experts are stored one by one. */
export function everyWeight(
  model: Architecture,
  layout = createLayout(model, (_name, wanted) => wanted ?? null),
): readonly Weight[] {
  const weights = new Map<string, Weight>()
  const b = createBuilder()
  const forward = createForward(
    b,
    model,
    layout,
    (weight) => {
      weights.set(keyOf(weight), weight)
      return b.input(keyOf(weight), { dtype: 'f32', shape: weight.shape })
    },
    { batch: 1, places: 2 },
  )
  const tokens = b.input('tokens', { dtype: 'i64', shape: [2] })
  let x = forward.embed(tokens)
  for (let layer = 0; layer < model.layers; layer++) x = layerOf(b, forward, model, x, layer)
  forward.loss(x, tokens)
  return [...weights.values()]
}

export type Normal = () => number

/** Normal deviates from uniform ones (Box and Muller). */
export function normalOf(uniform: () => number): Normal {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

/**
 * Matrices are as wide as keeps the size of what goes through them: 1/√(inputs). Vectors scale, so they are ones; biases would
 * be zeros. What adds to the stream is smaller the more layers there are.
 */
export function* newTensors(json: unknown, normal: Normal): Generator<NamedBytes> {
  const model = readConfig(json)
  for (const { tensor, shape } of everyWeight(model)) {
    const [rows = 1, columns] = shape
    const size = rows * (columns ?? 1)
    const addsToStream = /\.(o_proj|down_proj|w2)\.weight$/.test(tensor)
    const deviation = tensor.endsWith('embed_tokens.weight') ? 1 : (columns ?? 1) ** -0.5
    const scale = addsToStream ? deviation / Math.sqrt(2 * model.layers) : deviation
    const values =
      columns === undefined
        ? new Float32Array(size).fill(tensor.endsWith('bias') ? 0 : 1)
        : Float32Array.from({ length: size }, () => scale * normal())
    yield { name: tensor, dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) }
  }
}
