/**
 * Losses of a model under changes of some experts, with nothing computed twice: what lies below the lowest changed layer is
 * run once per set of samples, and of that layer itself only the changed experts are, on the tokens that go to them.
 *
 * The unchanged model goes the same way as a changed one, so equal weights give equal bits.
 */
import type { SessionOptions } from '../backend/session.ts'
import { type Checkpoint, keyOf, readWeight } from '../model/checkpoint.ts'
import type { Batch } from '../model/forward.ts'
import type { Weight } from '../model/layout.ts'
import { type Piece, weightsOf } from './pieces.ts'
import { createSessions, type Halfway, type Sessions, type WeightFeeds } from './sessions.ts'

export type Sequences = {
  /** Equal names are equal content: what was computed for them is kept under it. */
  readonly name: string
  readonly tokens: readonly ArrayLike<number>[]
}

export type Question = {
  readonly sequences: Sequences
  /** Values of the open weights, by key; those that are absent are the base's. */
  readonly changes: WeightFeeds
  /** Numbers of sequences after which `goOn` is asked. */
  readonly checkpoints: readonly number[]
  readonly goOn: (losses: readonly number[]) => boolean | Promise<boolean>
}

export type ScorerOptions = SessionOptions & {
  /** Tokens of a run: enough to be fast, few enough for their activations to stay small. */
  readonly tokensPerRun: number
  /** What may be kept of the layers below. */
  readonly cacheBytesMax: number
}

export type Scorer = {
  /** Says which pieces changes may touch; what was kept for others is forgotten. */
  readonly open: (pieces: readonly Piece[]) => Promise<void>
  /** The mean loss of each sequence, in nats, in order: of all, or as many as `goOn` wanted. */
  readonly losses: (question: Question) => Promise<readonly number[]>
  readonly release: () => Promise<void>
}

type Chunk = Batch & { readonly first: number; readonly inputs: BigInt64Array; readonly targets: BigInt64Array }

/** What is the same for every change: the open layer up to its open experts, and who goes where. */
type Prepared = {
  readonly half: Halfway
  readonly visits: readonly Visit[]
  /** Rows that an open expert sees, ascending. */
  readonly affected: readonly number[]
  /** Losses of the other rows, when nothing comes after this layer but the head. */
  readonly rest: Float32Array | null
}
type Visit = { readonly expert: number; readonly rows: readonly number[]; readonly weights: readonly number[] }

/** The lowest changed layer. `swapped`: its open experts when its routing rows stay, else the layer is run whole. */
type Open = { readonly pieces: readonly Piece[]; readonly layer: number; readonly swapped: ReadonlySet<number> | null }

export function createScorer(checkpoint: Checkpoint, options: ScorerOptions): Scorer {
  const sessions = createSessions(checkpoint, options)
  const base = new Map<string, Float32Array>()
  const cache = createCache(options.cacheBytesMax)
  let open: Open = { pieces: [], layer: checkpoint.model.layers, swapped: null }

  const tokenLosses = async (key: string, chunk: Chunk, fed: WeightFeeds): Promise<Float32Array> => {
    const { layer, swapped } = open
    if (swapped === null) return above(checkpoint, sessions, await below(sessions, chunk, layer), layer, chunk, fed)
    const prepared = cache.get(key) ?? (await prepare(checkpoint, sessions, chunk, { layer, swapped }))
    cache.put(key, prepared)
    return swappedLosses(checkpoint, sessions, prepared, layer, chunk, fed)
  }
  return {
    open: async (pieces) => {
      if (sameKeys(open.pieces, pieces)) return
      await sessions.open(pieces.flatMap(weightsOf))
      base.clear()
      cache.clear()
      open = openOf(pieces, checkpoint.model.layers)
      for (const weight of pieces.flatMap(weightsOf)) base.set(keyOf(weight), await readWeight(checkpoint, weight))
    },
    losses: async ({ sequences, changes, checkpoints, goOn }) => {
      const fed = new Map([...base, ...changes])
      const losses: number[] = []
      for (const chunk of chunksOf(sequences.tokens, options.tokensPerRun, checkpoints)) {
        if (checkpoints.includes(chunk.first) && chunk.first > 0 && !(await goOn([...losses]))) return losses
        const each = await tokenLosses(`${sequences.name} ${chunk.first} ${chunk.batch}`, chunk, fed)
        losses.push(...meansOf(each, chunk))
      }
      return losses
    },
    release: sessions.release,
  }
}

/** Keeps what fits; what does not is made again each time. */
function createCache(bytesMax: number) {
  const held = new Map<string, Prepared>()
  let heldBytes = 0
  return {
    get: (key: string) => held.get(key),
    put: (key: string, prepared: Prepared): void => {
      const bytes = 2 * prepared.half.stream.byteLength
      if (held.has(key) || heldBytes + bytes > bytesMax) return
      held.set(key, prepared)
      heldBytes += bytes
    },
    clear: (): void => {
      held.clear()
      heldBytes = 0
    },
  }
}

async function below(sessions: Sessions, chunk: Chunk, layer: number): Promise<Float32Array> {
  let x = await sessions.embed(chunk.inputs)
  for (let l = 0; l < layer; l++) x = await sessions.layer(l, x, chunk, new Map())
  return x
}

async function above(
  { model }: Checkpoint,
  sessions: Sessions,
  x: Float32Array,
  layer: number,
  chunk: Chunk,
  fed: WeightFeeds,
): Promise<Float32Array> {
  let y = x
  for (let l = layer; l < model.layers; l++) y = await sessions.layer(l, y, chunk, fed)
  return sessions.loss(y, chunk.targets)
}

async function prepare(
  { model }: Checkpoint,
  sessions: Sessions,
  chunk: Chunk,
  { layer, swapped }: { readonly layer: number; readonly swapped: ReadonlySet<number> },
): Promise<Prepared> {
  const half = await sessions.halfway(layer, await below(sessions, chunk, layer), chunk, swapped)
  const { visits, affected } = visitsOf(half, swapped, model.mixture.chosen)
  const isLast = layer === model.layers - 1
  return { half, visits, affected, rest: isLast ? await restLosses(sessions, half, affected, chunk.targets) : null }
}

/** The open experts on the tokens that go to them, and what comes after. */
async function swappedLosses(
  checkpoint: Checkpoint,
  sessions: Sessions,
  { half, visits, affected, rest }: Prepared,
  layer: number,
  chunk: Chunk,
  fed: WeightFeeds,
): Promise<Float32Array> {
  const { model, layout } = checkpoint
  const value = (weight: Weight): Float32Array => fed.get(keyOf(weight)) as Float32Array
  const stream = half.stream.slice()
  for (const { expert, rows, weights } of visits) {
    const { gate, up, down } = layout.expert(layer, expert)
    const own = { gate: value(gate), up: value(up), down: value(down) }
    const made = await sessions.expert(gathered(half.seen, rows, model.width), own)
    addRows(stream, made, rows, weights, model.width)
  }
  if (rest === null) return above(checkpoint, sessions, stream, layer + 1, chunk, fed)
  return withRest(rest, affected, await lossesOfRows(sessions, stream, affected, chunk.targets, model.width))
}

function openOf(pieces: readonly Piece[], layers: number): Open {
  const layer = Math.min(layers, ...pieces.map((piece) => piece.layer))
  const lowest = pieces.filter((piece) => piece.layer === layer)
  const experts = lowest.flatMap((piece) => (piece.kind === 'expert' ? [piece.expert] : []))
  return { pieces, layer, swapped: lowest.length > 0 && experts.length === lowest.length ? new Set(experts) : null }
}

const sameKeys = (a: readonly Piece[], b: readonly Piece[]): boolean => {
  const [x, y] = [a, b].map((pieces) => pieces.flatMap(weightsOf).map(keyOf).toSorted())
  return `${x}` === `${y}`
}

/** Runs of sequences of one length, cut where somebody wants to be asked. */
export function chunksOf(
  sequences: readonly ArrayLike<number>[],
  tokensPerRun: number,
  checkpoints: readonly number[],
): readonly Chunk[] {
  const chunks: Chunk[] = []
  for (let first = 0; first < sequences.length; ) {
    const places = (sequences[first] as ArrayLike<number>).length - 1
    const room = Math.max(1, Math.floor(tokensPerRun / places))
    const until = Math.min(first + room, sequences.length, ...checkpoints.filter((count) => count > first))
    let end = first + 1
    while (end < until && sequences[end]?.length === places + 1) end++
    const part = sequences.slice(first, end).map((tokens) => Array.from(tokens))
    const integers = (from: number, to: number) =>
      BigInt64Array.from(
        part.flatMap((tokens) => tokens.slice(from, to)),
        BigInt,
      )
    chunks.push({ first, batch: end - first, places, inputs: integers(0, places), targets: integers(1, places + 1) })
    first = end
  }
  return chunks
}

/** Which rows go to which open expert, and with what weight. */
function visitsOf(half: Halfway, open: ReadonlySet<number>, chosen: number): Pick<Prepared, 'visits' | 'affected'> {
  const visits = new Map([...open].map((expert) => [expert, { expert, rows: [] as number[], weights: [] as number[] }]))
  const affected = new Set<number>()
  for (const [slot, id] of half.ids.entries()) {
    const visit = visits.get(Number(id))
    if (visit === undefined) continue
    const row = Math.floor(slot / chosen)
    visit.rows.push(row)
    visit.weights.push(half.weights[slot] as number)
    affected.add(row)
  }
  return {
    visits: [...visits.values()].filter(({ rows }) => rows.length > 0),
    affected: [...affected].sort((a, b) => a - b),
  }
}

function gathered(x: Float32Array, rows: readonly number[], width: number): Float32Array {
  const out = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) out.set(x.subarray(row * width, (row + 1) * width), i * width)
  return out
}

function addRows(
  to: Float32Array,
  from: Float32Array,
  rows: readonly number[],
  weights: readonly number[],
  width: number,
): void {
  for (let i = 0; i < rows.length; i++) {
    const [begin, weight] = [(rows[i] as number) * width, weights[i] as number]
    for (let k = 0; k < width; k++) {
      to[begin + k] = (to[begin + k] as number) + weight * (from[i * width + k] as number)
    }
  }
}

const pick = (targets: BigInt64Array, rows: readonly number[]): BigInt64Array =>
  BigInt64Array.from(rows, (row) => targets[row] as bigint)

async function lossesOfRows(
  sessions: Sessions,
  x: Float32Array,
  rows: readonly number[],
  targets: BigInt64Array,
  width: number,
): Promise<Float32Array> {
  return rows.length === 0 ? new Float32Array() : sessions.loss(gathered(x, rows, width), pick(targets, rows))
}

/** Of the rows that no open expert sees; of the others it says nothing. */
async function restLosses(
  sessions: Sessions,
  { stream }: Halfway,
  affected: readonly number[],
  targets: BigInt64Array,
): Promise<Float32Array> {
  const width = stream.length / targets.length
  const seen = new Set(affected)
  const rows = Array.from(targets, (_, row) => row).filter((row) => !seen.has(row))
  return withRest(new Float32Array(targets.length), rows, await lossesOfRows(sessions, stream, rows, targets, width))
}

function withRest(rest: Float32Array, rows: readonly number[], values: Float32Array): Float32Array {
  const all = rest.slice()
  for (const [i, row] of rows.entries()) all[row] = values[i] as number
  return all
}

function meansOf(losses: Float32Array, { batch, places }: Batch): readonly number[] {
  return Array.from({ length: batch }, (_, i) => {
    let sum = 0
    for (const loss of losses.subarray(i * places, (i + 1) * places)) sum += loss
    return sum / places
  })
}
