import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Piece, piecesOf, touched, weightsOf } from '../../../src/gpu/evaluate/pieces.ts'
import { chunksOf, createScorer, type Scorer, type Sequences } from '../../../src/gpu/evaluate/scorer.ts'
import { type Checkpoint, keyOf, openCheckpoint, readWeight } from '../../../src/gpu/model/checkpoint.ts'
import { numbersOf } from '../graph/op-case.ts'

const FIXTURE = join(import.meta.dirname, '..', '..', 'fixtures', 'models', 'mixtral')
const OPTIONS = { device: 'cpu', threads: 1, tokensPerRun: 40, cacheBytesMax: 2 ** 20 } as const
const all = { checkpoints: [], goOn: () => true }

const next = numbersOf(11)
const sequences: Sequences = {
  name: 'some',
  tokens: Array.from({ length: 9 }, () => Array.from({ length: 11 }, () => Math.floor((next() + 1) * 20))),
}

describe('losses under changes', () => {
  let checkpoint: Checkpoint
  let scorer: Scorer
  beforeAll(async () => {
    checkpoint = await openCheckpoint(FIXTURE)
    scorer = createScorer(checkpoint, OPTIONS)
  })
  afterAll(() => scorer.release())

  const experts = (layer: number, ...wanted: readonly number[]) =>
    piecesOf(checkpoint).filter((p) => p.kind === 'expert' && p.layer === layer && wanted.includes(p.expert))
  const losses = (changes: ReadonlyMap<string, Float32Array>) => scorer.losses({ sequences, changes, ...all })
  /** All values of some pieces, moved a little. */
  const moved = async (pieces: readonly Piece[]) => {
    const values = new Map<string, Float32Array>()
    for (const weight of pieces.flatMap(weightsOf)) {
      values.set(
        keyOf(weight),
        (await readWeight(checkpoint, weight)).map((x) => x + 0.2 * next()),
      )
    }
    return values
  }
  /** Everything open, so that the model runs whole and nothing is reused. */
  const wholly = async (changes: ReadonlyMap<string, Float32Array>) => {
    const other = createScorer(checkpoint, { ...OPTIONS, cacheBytesMax: 0 })
    await other.open(piecesOf(checkpoint))
    const made = await other.losses({ sequences, changes, ...all })
    await other.release()
    return made
  }

  test.each([
    ['the last layer', () => experts(2, 0, 3)],
    ['a layer between', () => experts(1, 1)],
    ['several layers', () => [...experts(0, 2), ...experts(2, 0)]],
    ['all experts of a layer', () => experts(2, 0, 1, 2, 3)],
    ['routing rows', () => piecesOf(checkpoint).filter((piece) => piece.kind === 'router')],
    ['routing rows and experts', () => piecesOf(checkpoint).filter((piece) => piece.layer === 1)],
  ] as const)('of %s are those of the whole model', async (_name, pick) => {
    const pieces = pick()
    await scorer.open(pieces)
    const [before, changes] = [await losses(new Map()), await moved(pieces)]
    const after = await losses(changes)
    const wanted = await wholly(changes)
    expect(after).not.toEqual(before)
    for (const [i, loss] of after.entries()) expect(loss).toBeCloseTo(wanted[i] as number, 5)
  })

  test('equal weights give equal bits', async () => {
    const pieces = experts(1, 0, 2)
    await scorer.open(pieces)
    const same = new Map<string, Float32Array>()
    for (const weight of pieces.flatMap(weightsOf)) same.set(keyOf(weight), await readWeight(checkpoint, weight))
    expect(await losses(same)).toEqual(await losses(new Map()))
  })

  test('nothing open is the model as it is', async () => {
    await scorer.open([])
    const plain = await losses(new Map())
    for (const [i, loss] of (await wholly(new Map())).entries()) expect(plain[i]).toBeCloseTo(loss, 5)
  })

  test('who says no at a checkpoint gets the losses so far', async () => {
    await scorer.open(experts(2, 1))
    const asked: number[] = []
    const goOn = (soFar: readonly number[]) => {
      asked.push(soFar.length)
      return soFar.length < 6
    }
    const made = await scorer.losses({ sequences, changes: new Map(), checkpoints: [3, 6, 8], goOn })
    expect([asked, made.length]).toEqual([[3, 6], 6])
  })

  test('a tensor of the hub is refused by name', () => {
    expect(() => touched(checkpoint, ['model.norm.weight'])).toThrow('model.norm.weight')
  })
})

test('chunks have one length, fit a run, and are cut at checkpoints', () => {
  const tokens = [5, 5, 5, 5, 3, 3, 9].map((length) => new Array<number>(length).fill(1))
  expect(chunksOf(tokens, 8, [3]).map(({ first, batch, places }) => [first, batch, places])).toEqual([
    [0, 2, 4],
    [2, 1, 4],
    [3, 1, 4],
    [4, 2, 2],
    [6, 1, 8],
  ])
})
