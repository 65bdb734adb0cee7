import { describe, expect, test } from 'vitest'
import type { Base } from '../../src/actors/base.ts'
import { type Evaluation, type EvaluationInput, evaluateCycle, readSubmissions } from '../../src/actors/evaluation.ts'
import type { DomainSamples } from '../../src/actors/sampling.ts'
import { type Engine, STAGES } from '../../src/actors/turn.ts'
import { NodeError } from '../../src/errors.ts'
import type { Overlay, Samples } from '../../src/ports.ts'
import { ROWS_MAX } from '../../src/protocol/limits.ts'
import {
  encodeModel,
  encodePage,
  encodeSubmission,
  type Submission,
  type TensorEntry,
} from '../../src/protocol/manifest.ts'
import type { Reason } from '../../src/protocol/reason.ts'
import { seatsOf } from '../../src/protocol/seat.ts'
import type { Group } from '../../src/protocol/track.ts'
import { createSimBlobs } from '../../src/sim/blobs.ts'
import { hexBytes } from '../../src/util/bytes.ts'
import { never } from '../contracts/harness.ts'
import * as world from '../protocol/world.ts'
import { createSteppedTurns } from './stage.ts'

const { CYCLE, cidOfText, constitution, hexOf, network, pageOf, tensorNamed } = world
const HASH = 'ab'.repeat(32)
const BASE_LOSS = 3_000_000_000
const SHARDS = 2
const EACH = 64

const miner = (number: number): string => hexOf(number, 0xee)

/** What a tensor does, by its CID; a merge is as good as the best of its members. */
type Effect = {
  readonly own?: number
  readonly elsewhere?: number
  readonly inspect?: () => Promise<Reason | null>
  readonly losses?: () => Promise<readonly number[]>
}

async function createBench() {
  const blobs = createSimBlobs().join('peer')
  const effects = new Map<string, Effect>()
  const asked: string[] = []
  const put = (bytes: Uint8Array) => blobs.put(bytes, { codec: 'dag-cbor', withheld: false, signal: never })
  const parts = []
  for (const name of ['code', 'hub', 'law', 'router']) {
    parts.push({ name, pages: [await put(encodePage(pageOf(name)))] })
  }
  const model = { files: [], parts }
  const root = { ...world.base, model: await put(encodeModel(model)) }
  const before = { root: { ...root, model: cidOfText('the model before') }, model }
  const base: Base = { cid: world.baseCid, root, model, before }
  const evaluator: Engine['evaluator'] = {
    losses: async ({ model: { manifest }, overlay, samples, checkpoints, goOn }) => {
      if (manifest === before.root.model) return samples.sequences.map(() => BASE_LOSS + 5_000_000)
      const failure = effectOf(effects, overlay).losses
      if (failure !== undefined) return failure()
      const losses: number[] = []
      for (const _ of samples.sequences) {
        if (checkpoints.includes(losses.length) && !goOn(losses)) break
        losses.push(BASE_LOSS - gainOf(effects, overlay, samples))
      }
      return losses
    },
    inspect: async ({ tensors }) => {
      asked.push(tensors[0]?.cid ?? '')
      return (await effects.get(tensors[0]?.cid ?? '')?.inspect?.()) ?? null
    },
  }
  const engine: Engine = { blobs, evaluator, turns: createSteppedTurns().turns }
  return { effects, asked, put, base, engine }
}
type Bench = Awaited<ReturnType<typeof createBench>>

const effectOf = (effects: ReadonlyMap<string, Effect>, overlay: Overlay): Effect =>
  (overlay.kind === 'values' ? effects.get(overlay.tensors[0]?.cid ?? '') : undefined) ?? {}

function gainOf(effects: ReadonlyMap<string, Effect>, overlay: Overlay, { name }: Samples): number {
  const gain = ([tensor]: readonly TensorEntry[]): number => {
    const { own = 0, elsewhere = 0 } = effects.get(tensor?.cid ?? '') ?? {}
    return name.startsWith('own') ? own : elsewhere
  }
  if (overlay.kind === 'none') return 0
  return overlay.kind === 'values' ? gain(overlay.tensors) : Math.max(...overlay.members.map((m) => gain(m.tensors)))
}

const listOf = (name: string, count: number): Samples => ({ name, sequences: Array(count).fill(new Uint8Array(16)) })
const samplesOf = (domain: string): DomainSamples => ({
  domain,
  shards: Array.from({ length: SHARDS }, (_, i) => ({
    owner: hexOf(i),
    stake: 10n,
    sequences: Array(EACH).fill(new Uint8Array(16)),
  })),
  own: listOf(`own/${domain}`, SHARDS * EACH),
  elsewhere: listOf(`elsewhere/${domain}`, SHARDS * 4),
})

/** Somebody who committed, in order of the chain. */
type Part = {
  readonly hotkey: string
  readonly effect?: Effect
  readonly change?: Partial<Submission>
  readonly revealed?: boolean
  /** What is stored in place of the manifest; nothing, when it is `null`. */
  readonly manifest?: Uint8Array | null
}

async function evaluate(
  bench: Bench,
  parts: readonly Part[],
  change: Partial<Omit<EvaluationInput, 'submissions'>> = {},
  signal = never,
): Promise<Evaluation> {
  const commitments = new Map<string, EvaluationInput['commitments'] extends ReadonlyMap<string, infer W> ? W : never>()
  const reveals = new Map<string, EvaluationInput['reveals'] extends ReadonlyMap<string, infer R> ? R : never>()
  for (const [i, { hotkey, effect, change: other, revealed = true, manifest }] of parts.entries()) {
    const submission = submissionOf(hotkey, i, other)
    if (effect !== undefined) bench.effects.set(submission.tensors[0]?.cid ?? '', effect)
    const bytes = manifest ?? encodeSubmission(submission)
    const cid = manifest === null ? cidOfText(`missing ${i}`) : await bench.put(bytes)
    commitments.set(hotkey, { kind: 'submission', cycle: CYCLE, hash: HASH, block: 500 + i, index: 0 })
    const reveal = { kind: 'submission', manifest: cid, salt: HASH, card: new Uint8Array(0) } as const
    if (revealed) reveals.set(hotkey, reveal)
  }
  const input = {
    network,
    constitution,
    cycle: CYCLE,
    base: bench.base,
    commitments,
    reveals,
    samples: new Map(['code', 'law'].map((domain) => [domain, samplesOf(domain)])),
    lotteryHash: HASH,
    rewards: new Map<string, number>(),
    addressOf: () => [],
  }
  const { engine } = bench
  const revealed = { ...input, ...change }
  const submissions = await readSubmissions(engine, engine.turns.stage(STAGES.documents), revealed, { signal })
  return evaluateCycle(engine, { ...revealed, submissions }, { signal })
}

const submissionOf = (hotkey: string, i: number, change: Partial<Submission> = {}): Submission => ({
  ...world.submissionOf(world.minerKey(0)),
  hotkey,
  tensors: [tensorNamed('code.0.weight', 100 + i)],
  ...change,
})

const reasonsOf = ({ rows, unreported }: Evaluation): ReadonlyMap<string, Reason | null> =>
  new Map([...rows, ...unreported].map(({ hotkey, reason }) => [hotkey, reason]))

const fails = (code: 'BLOB_UNAVAILABLE' | null) => async (): Promise<never> => {
  throw code === null ? new Error('a bug of the engine') : new NodeError(code, { what: 'it', why: 'the test' })
}
const GOOD: Effect = { own: 50_000_000 }
const page = pageOf('code').tensors[0] as TensorEntry
const law = tensorNamed('law.0.weight', 7)

const rows: [title: string, part: Omit<Part, 'hotkey'>, reason: Reason | null][] = [
  ['one that lowers the loss', { effect: GOOD }, null],
  ['one of another network', { change: { network: cidOfText('another') } }, 'MANIFEST_FOREIGN'],
  ['one of another cycle', { change: { cycle: CYCLE - 1 } }, 'MANIFEST_FOREIGN'],
  ['one of another hotkey', { change: { hotkey: miner(99) } }, 'MANIFEST_FOREIGN'],
  ['one on another base', { change: { base: cidOfText('an older root') } }, 'BASE_STALE'],
  ['one with a tensor of another group', { change: { tensors: [page, law] } }, 'TENSOR_FOREIGN'],
  ['one with a tensor of another type', { change: { tensors: [{ ...page, dtype: 'I32' }] } }, 'TENSOR_DTYPE'],
  ['one with a tensor of another shape', { change: { tensors: [{ ...page, shape: [4] }] } }, 'TENSOR_SHAPE'],
  ['one whose bytes are flawed', { effect: { inspect: async () => 'TENSOR_DIGEST' } }, 'TENSOR_DIGEST'],
  ['one whose bytes are not served', { effect: { inspect: fails('BLOB_UNAVAILABLE') } }, 'FETCH_FAILED'],
  ['one on which an inspection breaks', { effect: { inspect: fails(null) } }, 'EVALUATION_FAILED'],
  ['one on which the engine breaks', { effect: { losses: fails(null) } }, 'EVALUATION_FAILED'],
  ['one that raises the loss', { effect: { own: -1_000_000 } }, 'LOSS_NOT_LOWER'],
  ['one that changes nothing', { effect: { own: 0 } }, 'LOSS_NOT_LOWER'],
  ['one that gains too little', { effect: { own: 100_000 } }, 'GAIN_BELOW_EPSILON'],
  ['one that harms other domains', { effect: { own: 50_000_000, elsewhere: -5_000_000 } }, 'HARMS_OTHER_DOMAINS'],
]

describe('a submission ends with a row', () => {
  test.each(rows)('%s', async (_, part, reason) => {
    const hotkey = miner(1)
    const {
      rows: [row, ...others],
      unreported,
    } = await evaluate(await createBench(), [{ hotkey, ...part }])
    expect([others, unreported]).toEqual([[], []])
    expect(row).toMatchObject({ hotkey, group: 'code', salt: HASH, reason })
    expect([(row?.score ?? 0) > 0, (row?.marginal ?? 0) > 0]).toEqual(Array(2).fill(reason === null))
  })
})

const unreportedCases: [title: string, part: Omit<Part, 'hotkey'>, reason: Reason, group: string | null][] = [
  ['nothing was revealed', { revealed: false }, 'REVEAL_MISSING', null],
  ['its manifest is not served', { manifest: null }, 'FETCH_FAILED', null],
  ['its manifest is malformed', { manifest: Uint8Array.of(0xff) }, 'MANIFEST_MALFORMED', null],
  ['it names no group of the network', { change: { group: 'medicine' } }, 'GROUP_UNKNOWN', null],
  ['it is for the router, which is closed', { change: { group: 'router' } }, 'GROUP_UNKNOWN', null],
]
test.each(unreportedCases)('where %s, there is a reason and no row', async (_, part, reason, group) => {
  const hotkey = miner(1)
  const evaluation = await evaluate(await createBench(), [{ hotkey, ...part }])
  expect(evaluation.rows).toEqual([])
  expect(evaluation.unreported).toEqual([{ hotkey, group, reason }])
})

test('where there is nothing to measure a group on, its submissions have a reason', async () => {
  const samples = new Map([['code', samplesOf('code')]])
  const parts: Part[] = [
    { hotkey: miner(1), effect: GOOD },
    { hotkey: miner(2), change: { group: 'law', tensors: [law] }, effect: GOOD },
  ]
  const evaluation = await evaluate(await createBench(), parts, { samples })
  expect(evaluation.rows.map(({ hotkey }) => hotkey)).toEqual([miner(1)])
  expect(evaluation.unreported).toEqual([{ hotkey: miner(2), group: 'law', reason: 'EVALUATION_FAILED' }])
})

test('every submission ends with a row or a reason, and one that fails takes nothing from the rest', async () => {
  const parts = [...rows, ...unreportedCases].map(([, part], i): Part => ({ ...part, hotkey: miner(i + 1) }))
  const seats = constitution.tracks.map((track) => ({
    ...track,
    groups: track.groups.map((group): Group => ({ ...group, seats: ROWS_MAX })),
  }))
  const evaluation = await evaluate(await createBench(), parts, { constitution: { ...constitution, tracks: seats } })
  const expected = [...rows, ...unreportedCases].map(([, , reason], i) => [miner(i + 1), reason])
  expect(reasonsOf(evaluation)).toEqual(new Map(expected as [string, Reason | null][]))
  expect(evaluation.rows.map(({ hotkey }) => hotkey)).toEqual(evaluation.rows.map(({ hotkey }) => hotkey).toSorted())
})

describe('seats', () => {
  const many = Array.from({ length: 7 }, (_, i): Part => ({ hotkey: miner(i + 1), effect: { own: 10_000_000 + i } }))
  const revealed = many.map(({ hotkey }) => ({ hotkey, reward: hotkey === miner(3) ? 5 : 0 }))
  const seated = seatsOf({ seats: 4, revealed, lotteryHash: hexBytes(HASH) })

  test('limit who is evaluated, not who is listed', async () => {
    const evaluation = await evaluate(await createBench(), many, { rewards: new Map([[miner(3), 5]]) })
    const without = evaluation.rows.filter(({ reason }) => reason === 'SEAT_NONE').map(({ hotkey }) => hotkey)
    expect(evaluation.rows).toHaveLength(7)
    expect(new Set(without)).toEqual(new Set(many.map(({ hotkey }) => hotkey).filter((h) => !seated.includes(h))))
    expect(seated).toContain(miner(3))
  })

  test('are taken in turn by the groups, so that the end of the phase cuts the tails of all', async () => {
    const bench = await createBench()
    const both = many.map((part, i): Part => {
      const change = { group: 'law', tensors: [tensorNamed('law.0.weight', 100 + i)] }
      return i < 2 ? part : i < 4 ? { ...part, change } : { ...part, revealed: false }
    })
    await evaluate(bench, both)
    const laws = new Set([2, 3].map((i) => tensorNamed('law.0.weight', 100 + i).cid))
    expect(bench.asked.map((cid) => (laws.has(cid) ? 'law' : 'code'))).toEqual(['code', 'law', 'code', 'law'])
  })

  test('go to those who have earned, whatever the lottery says', async () => {
    const lucky = seatsOf({
      seats: 7,
      revealed: revealed.map(({ hotkey }) => ({ hotkey, reward: 0 })),
      lotteryHash: hexBytes(HASH),
    })
    const unlucky = lucky.slice(-3)
    const rewards = new Map(unlucky.map((hotkey) => [hotkey, 1]))
    const evaluation = await evaluate(await createBench(), many, { rewards })
    const found = reasonsOf(evaluation)
    for (const hotkey of unlucky) expect(found.get(hotkey)).not.toBe('SEAT_NONE')
    expect([...found.values()].filter((reason) => reason === 'SEAT_NONE')).toHaveLength(3)
  })

  test('are taken in the order of the lottery', async () => {
    const bench = await createBench()
    await evaluate(bench, many, { rewards: new Map([[miner(3), 5]]) })
    const cids = new Map(many.map(({ hotkey }, i) => [hotkey, submissionOf(hotkey, i).tensors[0]?.cid]))
    expect(bench.asked).toEqual(seated.map((hotkey) => cids.get(hotkey)))
  })
})

describe('marginals', () => {
  test('the best is taken first, and who adds nothing to it earns nothing', async () => {
    const evaluation = await evaluate(await createBench(), [
      { hotkey: miner(1), effect: { own: 10_000_000 } },
      { hotkey: miner(2), effect: { own: 30_000_000 } },
    ])
    expect(evaluation.rows.map(({ score, marginal, reason }) => [score, marginal, reason])).toEqual([
      [10_000_000, 0, 'ADDS_NOTHING'],
      [30_000_000, 30_000_000, null],
    ])
  })

  test('among equals the one that committed first', async () => {
    for (const order of [
      [miner(1), miner(2)],
      [miner(2), miner(1)],
    ]) {
      const evaluation = await evaluate(
        await createBench(),
        order.map((hotkey) => ({ hotkey, effect: GOOD })),
      )
      const first = evaluation.rows.find(({ marginal }) => marginal > 0)
      expect(first?.hotkey).toBe(order[0])
    }
  })

  test('one that breaks the merge is left out of it, and nobody else', async () => {
    const bench = await createBench()
    const { losses } = bench.engine.evaluator
    const bad = submissionOf(miner(1), 0).tensors[0]?.cid
    const evaluator: Engine['evaluator'] = {
      ...bench.engine.evaluator,
      losses: (task, opts) => {
        const { overlay } = task
        const breaks = overlay.kind === 'merge' && overlay.members.some(({ tensors }) => tensors[0]?.cid === bad)
        return breaks ? Promise.reject(new Error('broken')) : losses(task, opts)
      },
    }
    const evaluation = await evaluate({ ...bench, engine: { ...bench.engine, evaluator } }, [
      { hotkey: miner(1), effect: { own: 30_000_000 } },
      { hotkey: miner(2), effect: { own: 10_000_000 } },
    ])
    expect(evaluation.rows.map(({ marginal }) => marginal)).toEqual([0, 10_000_000])
  })
})

describe('when time runs out', () => {
  const parts = Array.from({ length: 4 }, (_, i): Part => ({ hotkey: miner(i + 1), effect: { own: 10_000_000 + i } }))
  const order = seatsOf({
    seats: 4,
    revealed: parts.map(({ hotkey }) => ({ hotkey, reward: 0 })),
    lotteryHash: hexBytes(HASH),
  })
  const hanging = (): Promise<never> => new Promise(() => undefined)

  test.each<[hung: readonly number[], scored: readonly boolean[]]>([
    [[1], [true, false, true, true]],
    [
      [0, 3],
      [false, true, true, false],
    ],
    [
      [1, 2],
      [true, false, false, false],
    ],
    [
      [0, 1],
      [false, false, false, false],
    ],
  ])(
    'where the engine hangs on places %j of the lottery, only they and the tail go without a score',
    async (hung, scored) => {
      const { turns, runDry } = createSteppedTurns()
      const bench = await createBench()
      const hangs = (hotkey: string): boolean => hung.some((place) => order[place] === hotkey)
      const withHangs = parts.map((part) => (hangs(part.hotkey) ? { ...part, effect: { losses: hanging } } : part))
      const evaluation = evaluate({ ...bench, engine: { ...bench.engine, turns } }, withHangs)
      await runDry(evaluation)
      const { rows: found } = await evaluation
      const inOrder = order.map((hotkey) => found.find((row) => row.hotkey === hotkey))
      expect(inOrder.map((row) => (row?.score ?? 0) > 0)).toEqual(scored)
      expect(inOrder.map((row) => row?.reason === 'EVALUATION_FAILED')).toEqual(scored.map((was) => !was))
      expect(found.some(({ marginal }) => marginal > 0)).toBe(scored.includes(true))
    },
  )

  test('peers that do not serve their tensors hold up nobody, and have a reason of their own', async () => {
    const bench = await createBench()
    const hung = order.slice(0, 3)
    const { turns, runDry } = createSteppedTurns()
    const withHangs = parts.map((part) =>
      hung.includes(part.hotkey) ? { ...part, effect: { inspect: hanging } } : part,
    )
    const evaluation = evaluate({ ...bench, engine: { ...bench.engine, turns } }, withHangs)
    await runDry(evaluation)
    const found = reasonsOf(await evaluation)
    expect(order.map((hotkey) => found.get(hotkey))).toEqual([...Array(3).fill('FETCH_FAILED'), null])
  })

  test('a merge that hangs leaves out its candidate, which says why', async () => {
    const bench = await createBench()
    const { losses } = bench.engine.evaluator
    const { turns, runDry } = createSteppedTurns()
    const evaluator: Engine['evaluator'] = {
      ...bench.engine.evaluator,
      losses: (task, opts) =>
        task.overlay.kind === 'merge' && task.overlay.members.length > 1 ? hanging() : losses(task, opts),
    }
    const evaluation = evaluate({ ...bench, engine: { ...bench.engine, evaluator, turns } }, parts.slice(0, 2))
    await runDry(evaluation)
    expect((await evaluation).rows.map(({ score, reason }) => [score > 0, reason])).toEqual(
      [...reasonsOf(await evaluation).values()].map((reason) => [true, reason]),
    )
    expect(new Set(reasonsOf(await evaluation).values())).toEqual(new Set([null, 'EVALUATION_FAILED']))
  })

  test.each(['breaks', 'hangs'])('a group on whose base the engine %s costs no other group anything', async (how) => {
    const bench = await createBench()
    const { losses } = bench.engine.evaluator
    const { turns, runDry } = createSteppedTurns()
    const evaluator: Engine['evaluator'] = {
      ...bench.engine.evaluator,
      losses: (task, opts) => {
        const isBroken = task.overlay.kind === 'none' && task.samples.name === 'own/code'
        return isBroken ? (how === 'hangs' ? hanging() : fails(null)()) : losses(task, opts)
      },
    }
    const both: Part[] = [
      { hotkey: miner(1), effect: GOOD },
      { hotkey: miner(2), change: { group: 'law', tensors: [law] }, effect: GOOD },
    ]
    const evaluation = evaluate({ ...bench, engine: { ...bench.engine, evaluator, turns } }, both)
    await runDry(evaluation)
    const { rows, losses: told, unreported, failures } = await evaluation
    expect(rows.map(({ hotkey, reason }) => [hotkey, reason])).toEqual([[miner(2), null]])
    expect(told.map(({ group }) => group)).toEqual(['law'])
    expect(unreported).toEqual([{ hotkey: miner(1), group: 'code', reason: 'EVALUATION_FAILED' }])
    expect(failures).toHaveLength(1)
  })

  test('with nothing to judge on there are reasons, and no rows', async () => {
    const evaluation = await evaluate(await createBench(), parts, { samples: new Map() })
    expect(evaluation).toMatchObject({ rows: [], losses: [], owners: new Set(), failures: [] })
    expect(new Set(reasonsOf(evaluation).values())).toEqual(new Set(['EVALUATION_FAILED']))
    expect(evaluation.unreported).toHaveLength(parts.length)
  })
})

test('what counts as a gain is what the root says, and without a word of it the least', async () => {
  const bench = await createBench()
  const { groups } = bench.base.root
  const part: Part = { hotkey: miner(1), effect: { own: 5_000_000 } }
  for (const [epsilon, reason] of [
    [4_999_999, null],
    [5_000_000, 'GAIN_BELOW_EPSILON'],
  ] as const) {
    const root = { ...bench.base.root, groups: groups.map((state) => ({ ...state, epsilon })) }
    const { rows: found } = await evaluate({ ...bench, base: { ...bench.base, root } }, [part])
    expect(found.map((row) => row.reason)).toEqual([reason])
  }
})

test('a hopeless submission is refused at the first checkpoint', async () => {
  const bench = await createBench()
  const { losses } = bench.engine.evaluator
  const taken: number[] = []
  const evaluator: Engine['evaluator'] = {
    ...bench.engine.evaluator,
    losses: async (task, opts) => {
      const result = await losses(task, opts)
      if (task.overlay.kind === 'values') taken.push(result.length)
      return result
    },
  }
  const part = { hotkey: miner(1), effect: { own: -1_000_000 } }
  const evaluation = await evaluate({ ...bench, engine: { ...bench.engine, evaluator } }, [part])
  expect(taken).toEqual([constitution.tracks[0]?.scoring.checkpoints[0]])
  expect(evaluation.rows[0]?.reason).toBe('LOSS_NOT_LOWER')
})

test('the losses of the base and of the root before it are told per group', async () => {
  const { losses } = await evaluate(await createBench(), [])
  const own = { before: BASE_LOSS + 5_000_000, after: BASE_LOSS }
  expect(losses).toEqual([
    { group: 'code', ...own },
    { group: 'law', ...own },
  ])
})

test('whose shards were used is told, and the pool is nobody’s', async () => {
  const pool = { ...samplesOf('code'), shards: [{ owner: null, stake: 1n, sequences: [] }] }
  expect((await evaluate(await createBench(), [])).owners).toEqual(new Set([hexOf(0), hexOf(1)]))
  const samples = new Map([['code', { ...pool, own: listOf('own', 32) }]])
  expect((await evaluate(await createBench(), [], { samples })).owners).toEqual(new Set())
})

test.each(['fetching', 'inspecting'])(
  'cancelled while %s, it ends with an error and not with reasons',
  async (where) => {
    const bench = await createBench()
    const { blobs, evaluator } = bench.engine
    const stop = new AbortController()
    const cancelled = async (): Promise<never> => {
      stop.abort()
      throw stop.signal.reason
    }
    const engine: Engine = {
      ...bench.engine,
      blobs: { get: where === 'fetching' ? cancelled : (cid, opts) => blobs.get(cid, opts) },
      evaluator: { ...evaluator, inspect: cancelled },
    }
    await expect(evaluate({ ...bench, engine }, [{ hotkey: miner(1) }], {}, stop.signal)).rejects.toThrow()
  },
)
