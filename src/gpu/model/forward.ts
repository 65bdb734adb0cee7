/**
 * The model as a graph, in the parts in which it is run: embed, then for every layer attend and mix, then the loss. All five
 * families come out of here; what they differ in is in `config.ts`.
 *
 * Rows are tokens, sequence after sequence: [T, D] with T = batch · places. Comments name the shapes.
 */
import type { Builder } from '../graph/build.ts'
import type { Value } from '../graph/graph.ts'
import type { Architecture, HeadAttention, LatentAttention } from './config.ts'
import type { Gated, Layout, Linear, Weight } from './layout.ts'
import { latentScale, ropeTables } from './rope.ts'

export type Batch = { readonly batch: number; readonly places: number }

/** How a weight enters the graph: as a constant in its stored type, or as an input that is trained or swapped. */
export type Weigh = (weight: Weight) => Value

export type Forward = ReturnType<typeof createForward>

/** Far below every score, and finite: a row that sees nothing must not become NaN. */
const UNSEEN = -1e9

export function createForward(
  b: Builder,
  model: Architecture,
  layout: Layout,
  stored: Weigh,
  { batch, places }: Batch,
) {
  const rows = batch * places
  const weigh: Weigh = (weight) => b.cast(stored(weight), 'f32')
  const linear = (x: Value, { weight, bias }: Linear): Value => {
    const y = b.linear(x, weigh(weight))
    return bias === null ? y : b.add(y, weigh(bias))
  }
  const gated = (x: Value, { gate, up, down }: Gated): Value =>
    b.linear(b.mul(b.silu(b.linear(x, weigh(gate))), b.linear(x, weigh(up))), weigh(down))
  const norm = (x: Value, name: string, eps = model.eps): Value =>
    b.rmsNorm(x, weigh(layout.norm(name, x.shape.at(-1) as number)), eps)
  const context: Context = {
    b,
    model,
    layout,
    batch,
    places,
    linear,
    norm,
    angles: once(() => rotations(b, model, places)),
    mask: memo((window) => maskOf(b, places, window)),
  }
  return {
    /** tokens [T] → [T, D]. */
    embed: (tokens: Value): Value => b.cast(b.gather(stored(layout.embedding()), tokens), 'f32'),
    /** The residual stream after attention, [T, D]. */
    attend: (x: Value, layer: number): Value => {
      const seen = norm(x, `${layout.at(layer)}.input_layernorm`)
      const { attention } = model
      const y =
        attention.kind === 'heads'
          ? byHeads(context, attention, seen, layer)
          : byLatent(context, attention, seen, layer)
      return b.add(x, y)
    },
    /** What the experts of a layer see of the residual stream. */
    before: (x: Value, layer: number): Value => norm(x, `${layout.at(layer)}.post_attention_layernorm`),
    /** What a layer's network adds to the residual stream, apart from experts that were chosen. */
    common: (h: Value, layer: number): Value | null => {
      const dense = model.dense[layer] ?? null
      if (dense !== null) return gated(h, layout.dense(layer, dense))
      const { shared } = model.mixture
      if (shared === null) return null
      const y = gated(h, layout.shared(layer, shared.width))
      return shared.gated ? b.mul(b.sigmoid(b.linear(h, weigh(layout.sharedGate(layer)))), y) : y
    },
    route: (h: Value, layer: number): Routing => route(b, model, h, weigh(layout.router(layer)), rows),
    /** What the chosen experts add; without those that are left out. */
    experts: (h: Value, routing: Routing, layer: number, without: ReadonlySet<number> = NONE): Value =>
      chosenExperts(context, gated, h, routing, layer, without),
    /** The loss of every token, [T], in nats. */
    loss: (x: Value, targets: Value): Value =>
      b.crossEntropy(b.linear(norm(x, 'model.norm'), weigh(layout.head())), targets),
  }
}

const NONE: ReadonlySet<number> = new Set()
type GatedNetwork = (x: Value, weights: Gated) => Value

/**
 * Rows are brought to their experts in order, so that each has its own side by side, and back again. Those of experts that are
 * left out go together into one more part, which comes back as zeros.
 */
function chosenExperts(
  { b, model, layout, batch, places }: Context,
  gated: GatedNetwork,
  h: Value,
  routing: Routing,
  layer: number,
  without: ReadonlySet<number>,
): Value {
  const { experts, chosen } = model.mixture
  const rows = batch * places
  const kept = Array.from({ length: experts }, (_, expert) => expert).filter((expert) => !without.has(expert))
  const names = kept.map((expert) => `rows.${layer}.${expert}`)
  if (without.size > 0) names.push(`rows.${layer}.none`)
  const flat = b.reshape(routing.ids, rows * chosen)
  const bins = without.size > 0 ? b.lookUp(kept.length, kept, experts, flat) : flat
  const [order, place] = b.order(bins)
  const counts = b.count(bins, names.length)
  const parts = b.splitRows(b.route(h, order, place, chosen), counts, names)
  const made = parts.map((part, i) => {
    const expert = kept[i]
    return expert === undefined ? b.mul(part, b.scalar(0)) : gated(part, layout.expert(layer, expert))
  })
  const back = b.route(b.joinRows(counts, made, rows * chosen), place, order, 1)
  const weighted = b.mul(b.reshape(back, rows, chosen, model.width), b.reshape(routing.weights, rows, chosen, 1))
  return b.sum(weighted, [1])
}

/** A whole layer: attention, then its network. */
export function layerOf(b: Builder, forward: Forward, model: Architecture, x: Value, layer: number): Value {
  const stream = forward.attend(x, layer)
  const h = forward.before(stream, layer)
  const common = forward.common(h, layer)
  const after = common === null ? stream : b.add(stream, common)
  return (model.dense[layer] ?? null) === null
    ? b.add(after, forward.experts(h, forward.route(h, layer), layer))
    : after
}

/** Which experts a token goes to, [T, k], and with what weight. */
export type Routing = { readonly ids: Value; readonly weights: Value }

function route(b: Builder, { mixture }: Architecture, h: Value, router: Value, rows: number): Routing {
  const { experts, chosen, groups, renormalised, scale } = mixture
  const scores = b.softmax(b.linear(h, router))
  const [weights, ids] = b.topK(groups === null ? scores : bestGroups(b, scores, groups, rows, experts), chosen)
  const relative = renormalised ? b.div(weights, b.sum(weights, [1], true)) : weights
  return { ids, weights: scale === 1 ? relative : b.mul(relative, b.scalar(scale)) }
}

/** Scores outside of the best groups become zero. A group is as good as its best expert. */
function bestGroups(
  b: Builder,
  scores: Value,
  { count, chosen }: { readonly count: number; readonly chosen: number },
  rows: number,
  experts: number,
): Value {
  const grouped = b.reshape(scores, rows, count, experts / count)
  const [, best] = b.topK(b.max(grouped, [2]), chosen)
  const open = b.putAlong(best, b.expand(b.scalar(1), [rows, chosen]), count)
  return b.reshape(b.mul(grouped, b.reshape(open, rows, count, 1)), rows, experts)
}

type Context = Batch & {
  readonly b: Builder
  readonly model: Architecture
  readonly layout: Layout
  readonly linear: (x: Value, weights: Linear) => Value
  readonly norm: (x: Value, name: string, eps?: number) => Value
  readonly angles: () => readonly [Value, Value]
  readonly mask: (window: number | null) => Value
}

/**
 * softmax(q·kᵀ·scale + mask)·v. Queries that share a key head lie side by side, so keys are never copied:
 * q [B, K, G·S, w], k [B, K, S, w], v [B, K, S, v] → [T, K·G·v].
 */
function attended(c: Context, q: Value, k: Value, v: Value, keyHeads: number, scale: number, layer: number): Value {
  const { b, batch, places } = c
  const group = (q.shape[2] as number) / places
  const valueWidth = v.shape[3] as number
  const scores = b.reshape(b.matmul(q, k, { transB: true, alpha: scale }), batch, keyHeads, group, places, places)
  const shares = b.softmax(b.add(scores, c.mask(c.model.window[layer] ?? null)))
  const seen = b.matmul(b.reshape(shares, batch, keyHeads, group * places, places), v)
  const byPlace = b.transpose(b.reshape(seen, batch, keyHeads * group, places, valueWidth), 0, 2, 1, 3)
  return b.reshape(byPlace, batch * places, keyHeads * group * valueWidth)
}

function byHeads(c: Context, a: HeadAttention, x: Value, layer: number): Value {
  const { b, batch, places, layout, model } = c
  const self = `${layout.at(layer)}.self_attn`
  const project = (name: string, count: number): Value =>
    c.linear(x, layout.linear(`${self}.${name}_proj`, count * a.width, model.width, a.inBias))
  const split = (y: Value, count: number): Value => b.transpose(b.reshape(y, batch, places, count, a.width), 0, 2, 1, 3)
  const [cos, sin] = c.angles()
  const clipped = (y: Value): Value => (a.clip === null ? y : b.clip(y, -a.clip, a.clip))
  const rotated = (name: 'q' | 'k', count: number): Value => {
    const y = project(name, count)
    const apart = split(clipped(a.norm === 'whole' ? c.norm(y, `${self}.${name}_norm`) : y), count)
    return b.rope(a.norm === 'head' ? c.norm(apart, `${self}.${name}_norm`) : apart, cos, sin, false)
  }
  const v = split(clipped(project('v', a.keyHeads)), a.keyHeads)
  const q = b.reshape(rotated('q', a.heads), batch, a.keyHeads, (a.heads / a.keyHeads) * places, a.width)
  const y = attended(c, q, rotated('k', a.keyHeads), v, a.keyHeads, a.width ** -0.5, layer)
  return c.linear(y, layout.linear(`${self}.o_proj`, model.width, a.heads * a.width, a.outBias))
}

/** The norms inside latent attention have an ε of their own. */
const LATENT_EPS = 1e-6

function byLatent(c: Context, a: LatentAttention, x: Value, layer: number): Value {
  const { b, batch, places, layout, model } = c
  const self = `${layout.at(layer)}.self_attn`
  const queryWidth = a.plainWidth + a.rotatedWidth
  const apart = (y: Value, count: number, width: number): Value =>
    b.transpose(b.reshape(y, batch, places, count, width), 0, 2, 1, 3)
  const [cos, sin] = c.angles()
  const rotated = (y: Value): Value => b.rope(y, cos, sin, true)

  const { queryRank } = a
  const unfolded = (rank: number): Value => {
    const folded = c.linear(x, layout.linear(`${self}.q_a_proj`, rank, model.width, a.bias))
    const q = layout.linear(`${self}.q_b_proj`, a.heads * queryWidth, rank, false)
    return c.linear(c.norm(folded, `${self}.q_a_layernorm`, LATENT_EPS), q)
  }
  const queries =
    queryRank === null
      ? c.linear(x, layout.linear(`${self}.q_proj`, a.heads * queryWidth, model.width, false))
      : unfolded(queryRank)
  const [plainQ, turnedQ] = b.split(apart(queries, a.heads, queryWidth), 3, a.plainWidth, a.rotatedWidth) as [
    Value,
    Value,
  ]
  const q = b.concat(3, plainQ, rotated(turnedQ))

  const down = layout.linear(`${self}.kv_a_proj_with_mqa`, a.keyRank + a.rotatedWidth, model.width, a.bias)
  const [folded, turnedK] = b.split(c.linear(x, down), 1, a.keyRank, a.rotatedWidth) as [Value, Value]
  const up = layout.linear(`${self}.kv_b_proj`, a.heads * (a.plainWidth + a.valueWidth), a.keyRank, false)
  const both = apart(
    c.linear(c.norm(folded, `${self}.kv_a_layernorm`, LATENT_EPS), up),
    a.heads,
    a.plainWidth + a.valueWidth,
  )
  const [plainK, v] = b.split(both, 3, a.plainWidth, a.valueWidth) as [Value, Value]
  // One rotated key for all heads.
  const shared = b.expand(rotated(apart(turnedK, 1, a.rotatedWidth)), [batch, a.heads, places, a.rotatedWidth])
  const y = attended(c, q, b.concat(3, plainK, shared), v, a.heads, latentScale(a, model.rope), layer)
  return c.linear(y, layout.linear(`${self}.o_proj`, model.width, a.heads * a.valueWidth, a.bias))
}

function rotations(b: Builder, { rope, attention }: Architecture, places: number): readonly [Value, Value] {
  const width = attention.kind === 'heads' ? attention.width : attention.rotatedWidth
  const { cos, sin } = ropeTables(rope, width, places)
  return [b.numbers(cos, [places, width / 2]), b.numbers(sin, [places, width / 2])]
}

/** 0 where a token may look: at itself, back, and not beyond the window. */
function maskOf(b: Builder, places: number, window: number | null): Value {
  const mask = Float32Array.from({ length: places * places }, (_, i) => {
    const back = Math.floor(i / places) - (i % places)
    return back >= 0 && (window === null || back < window) ? 0 : UNSEEN
  })
  return b.numbers(mask, [places, places])
}

function once<T>(make: () => T): () => T {
  const made = memo<null, T>(make)
  return () => made(null)
}
function memo<K, T>(make: (key: K) => T): (key: K) => T {
  const made = new Map<K, T>()
  return (key) => {
    const value = made.get(key) ?? make(key)
    made.set(key, value)
    return value
  }
}
