import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DomainSamples, drawSamples, type SamplingInput, split } from '../../src/actors/sampling.ts'
import { STAGES, type Turns } from '../../src/actors/turn.ts'
import { encode } from '../../src/protocol/codec.ts'
import { openingKey, poolShape, type Shard, sequenceOf, shardShape } from '../../src/protocol/shard.ts'
import type { Track } from '../../src/protocol/track.ts'
import { createSimBlobs } from '../../src/sim/blobs.ts'
import { toHex } from '../../src/util/bytes.ts'
import { interleave } from '../../src/util/interleave.ts'
import { never } from '../contracts/harness.ts'
import { CYCLE, cidOfText, constitution, hexOf, network, snapshotWith } from '../protocol/world.ts'
import { createSteppedTurns } from './stage.ts'

const TRACK = constitution.tracks[0] as Track
const SAMPLES = 48
const BEACON = 'ab'.repeat(32)
const OWNERS = [hexOf(1), hexOf(2), hexOf(3)] as const

describe('lists that were dealt out in turn', () => {
  const lists = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 20 })).chain(([shards, length]) =>
    fc.array(fc.array(fc.integer(), { minLength: length, maxLength: length }), {
      minLength: shards,
      maxLength: shards,
    }),
  )

  test('come back to their shards', () => {
    fc.assert(
      fc.property(lists, (all) => {
        expect(split(interleave(all), all.length)).toEqual(all)
      }),
    )
  })

  test('come back as beginnings of equal length when each has had as many turns', () => {
    fc.assert(
      fc.property(lists, fc.nat(20), (all, turns) => {
        const beginning = interleave(all).slice(0, turns * all.length)
        expect(split(beginning, all.length)).toEqual(all.map((list) => list.slice(0, turns)))
      }),
    )
  })
})

/** Sequences that say whose they are. */
const sequencesOf = (owner: number, domain: number, count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, i) => sequenceOf([owner, domain, i, 0]))

type Store = ReturnType<typeof createStore>
function createStore() {
  const blobs = createSimBlobs().join('peer')
  const openings = new Map<string, string>()
  const put = (bytes: Uint8Array) => blobs.put(bytes, { codec: 'dag-cbor', withheld: false, signal: never })
  const open = async (owner: number, domain: string, count = 32, change: Partial<Shard> = {}): Promise<void> => {
    const sequences = sequencesOf(owner, domain === 'code' ? 0 : 1, count)
    const shard = { network: network.constitution, cycle: CYCLE, domain, salt: '11'.repeat(32), sequences, ...change }
    openings.set(openingKey(OWNERS[owner] as string, domain), await put(encode(shardShape, shard)))
  }
  const pool = async (domain: string, count = 200): Promise<string> =>
    put(encode(poolShape, { domain, sequences: sequencesOf(9, domain === 'code' ? 0 : 1, count) }))
  return { blobs, openings, put, open, pool }
}

const draw = (
  { blobs, openings }: { readonly blobs: Pick<Store['blobs'], 'get'>; readonly openings: Store['openings'] },
  pools: { readonly [domain: string]: string } = {},
  change: Partial<SamplingInput> = {},
  turns: Turns = createSteppedTurns().turns,
): Promise<ReadonlyMap<string, DomainSamples>> => {
  const domains = TRACK.domains.map(({ name }) => ({ name, pool: pools[name] ?? null }))
  const track = { ...TRACK, domains, scoring: { ...TRACK.scoring, samples: SAMPLES } }
  const snapshot = snapshotWith([30n, 20n, 10n])
  const input = { network, constitution, track, snapshot, cycle: CYCLE, beacon: BEACON, openings, addressOf: () => [] }
  return drawSamples({ blobs, turns }, turns.stage(STAGES.documents), { ...input, ...change }, { signal: never })
}

/** Whose the sequences are, in order. */
const whose = (sequences: readonly Uint8Array[]): readonly number[] =>
  sequences.map((sequence) => sequence[0] as number)
const texts = (samples: DomainSamples | undefined): readonly string[] => (samples?.own.sequences ?? []).map(toHex)

describe('opened shards', () => {
  test('are used alike, cut to what is asked for, in turn', async () => {
    const store = createStore()
    for (const owner of [0, 1, 2]) await store.open(owner, 'code')
    const code = (await draw(store)).get('code')
    expect(code?.shards.map(({ owner, stake, sequences }) => [owner, stake, sequences.length])).toEqual([
      [OWNERS[0], 30n, 16],
      [OWNERS[1], 20n, 16],
      [OWNERS[2], 10n, 16],
    ])
    expect(whose(code?.own.sequences ?? []).slice(0, 6)).toEqual([0, 1, 2, 0, 1, 2])
    expect(code?.own.sequences).toHaveLength(SAMPLES)
  })

  test('of other domains stand for elsewhere, each owner’s own', async () => {
    const store = createStore()
    for (const owner of [0, 1, 2]) for (const domain of ['code', 'law']) await store.open(owner, domain)
    const drawn = await draw(store)
    const elsewhere = drawn.get('code')?.elsewhere?.sequences ?? []
    expect(whose(elsewhere)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
    expect(new Set(elsewhere.map((sequence) => sequence[4]))).toEqual(new Set([1]))
    expect(new Set(drawn.get('law')?.elsewhere?.sequences.map((sequence) => sequence[4]))).toEqual(new Set([0]))
  })

  test('an owner that opened nothing elsewhere takes the first shard there', async () => {
    const store = createStore()
    for (const owner of [0, 1, 2]) await store.open(owner, 'code')
    for (const owner of [0, 1]) await store.open(owner, 'law')
    expect(whose((await draw(store)).get('code')?.elsewhere?.sequences ?? []).slice(0, 3)).toEqual([0, 1, 0])
  })

  test('with no other domain there is no elsewhere', async () => {
    const store = createStore()
    for (const owner of [0, 1, 2]) await store.open(owner, 'code')
    expect((await draw(store)).get('code')?.elsewhere).toBe(null)
  })

  test.each<[string, (store: Store) => Promise<void>]>([
    ['cannot be fetched', async ({ openings }) => void openings.set(openingKey(OWNERS[2], 'code'), cidOfText('gone'))],
    ['is of another cycle', ({ open }) => open(2, 'code', 32, { cycle: CYCLE + 1 })],
    ['is of another network', ({ open }) => open(2, 'code', 32, { network: cidOfText('another') })],
    ['is of another domain', ({ open }) => open(2, 'code', 32, { domain: 'law' })],
    ['has sequences of another length', ({ open }) => open(2, 'code', 1, { sequences: [sequenceOf([1, 2])] })],
    [
      'has a token outside the vocabulary',
      ({ open }) => open(2, 'code', 1, { sequences: [sequenceOf([1, 2, 3, 999])] }),
    ],
    ['is too small to mean anything', ({ open }) => open(2, 'code', 15)],
  ])('one that %s is as one that was not opened', async (_, make) => {
    const store = createStore()
    for (const owner of [0, 1]) await store.open(owner, 'code')
    await make(store)
    expect((await draw(store)).get('code')?.shards.map(({ owner }) => owner)).toEqual([OWNERS[0], OWNERS[1]])
  })

  test('of who is not in the snapshot do not count', async () => {
    const store = createStore()
    for (const owner of [0, 1, 2]) await store.open(owner, 'code')
    const code = (await draw(store, {}, { snapshot: snapshotWith([30n, 20n]) })).get('code')
    expect(code?.shards.map(({ owner }) => owner)).toEqual([OWNERS[0], OWNERS[1]])
  })
})

describe('owners that hang', () => {
  const dust = Array.from({ length: 80 }, (_, i) => hexOf(i + 10))
  const stakes = [30n, 20n, 10n, ...dust.map(() => 0n)]

  test.each([1, 8, 80])('%i of hardly any stake cost nobody a shard', async (hung) => {
    const store = createStore()
    for (const owner of [0, 1, 2]) for (const domain of ['code', 'law']) await store.open(owner, domain)
    const gone = dust.slice(0, hung)
    for (const hotkey of gone) store.openings.set(openingKey(hotkey, 'code'), cidOfText(hotkey))
    const hanging = new Set(gone.map(cidOfText))
    const get: typeof store.blobs.get = (cid, opts) =>
      hanging.has(cid) ? new Promise(() => undefined) : store.blobs.get(cid, opts)
    const snapshot = snapshotWith(stakes.map((stake, i) => (i < 3 ? stake * 1_000n : 1n)))
    const { turns, runDry } = createSteppedTurns()
    const drawn = draw({ blobs: { get }, openings: store.openings }, {}, { snapshot }, turns)
    await runDry(drawn)
    const owners = [...(await drawn).values()].map(({ shards }) => shards.map(({ owner }) => owner))
    expect(owners).toEqual([OWNERS.slice(0, 3), OWNERS.slice(0, 3)])
  })

  test('are asked after those of more stake', async () => {
    const store = createStore()
    for (const owner of [0, 1, 2]) await store.open(owner, 'code')
    const asked: string[] = []
    const get: typeof store.blobs.get = (cid, opts) => {
      asked.push(cid)
      return store.blobs.get(cid, opts)
    }
    await draw({ blobs: { get }, openings: store.openings }, {}, { snapshot: snapshotWith([20n, 10n, 30n]) })
    expect(asked).toEqual([2, 0, 1].map((owner) => store.openings.get(openingKey(OWNERS[owner] as string, 'code'))))
  })

  test('with more than a third of the stake leave the pool, and a pool that hangs as well leaves nothing', async () => {
    const store = createStore()
    await store.open(0, 'code')
    for (const owner of [1, 2]) store.openings.set(openingKey(OWNERS[owner] as string, 'code'), cidOfText('gone'))
    const pools = { code: await store.pool('code'), law: cidOfText('no pool') }
    const get: typeof store.blobs.get = (cid, opts) =>
      [cidOfText('gone'), pools.law].includes(cid) ? new Promise(() => undefined) : store.blobs.get(cid, opts)
    const { turns, runDry } = createSteppedTurns()
    const drawn = draw({ blobs: { get }, openings: store.openings }, pools, {}, turns)
    await runDry(drawn)
    expect([...(await drawn)].map(([domain, { shards }]) => [domain, shards[0]?.owner])).toEqual([['code', null]])
  })
})

describe('the public pool', () => {
  test('is sampled where nothing was opened', async () => {
    const store = createStore()
    const drawn = await draw(store, { code: await store.pool('code') })
    expect([...drawn.keys()]).toEqual(['code'])
    const code = drawn.get('code')
    expect(code?.shards.map(({ owner, sequences }) => [owner, sequences.length])).toEqual([[null, SAMPLES]])
    expect(new Set(texts(code)).size).toBe(SAMPLES)
  })

  test('is sampled where less than two thirds of the stake opened', async () => {
    const store = createStore()
    await store.open(0, 'code')
    await store.open(2, 'code', 8)
    expect((await draw(store, { code: await store.pool('code') })).get('code')?.shards[0]?.owner).toBe(null)
    await store.open(2, 'code')
    expect((await draw(store, { code: await store.pool('code') })).get('code')?.shards).toHaveLength(2)
  })

  test('is sampled by the beacon: the same for everybody, others in the next cycle', async () => {
    const store = createStore()
    const pools = { code: await store.pool('code') }
    const first = texts((await draw(store, pools)).get('code'))
    expect(texts((await draw(store, pools)).get('code'))).toEqual(first)
    expect(texts((await draw(store, pools, { beacon: 'cd'.repeat(32) })).get('code'))).not.toEqual(first)
  })

  test('that has less than a sample is used whole', async () => {
    const store = createStore()
    expect(texts((await draw(store, { code: await store.pool('code', 20) })).get('code'))).toHaveLength(20)
  })

  test.each<[string, (store: Store) => Promise<string>]>([
    ['cannot be fetched', async () => cidOfText('gone')],
    ['is malformed', ({ put }) => put(Uint8Array.of(0xff))],
    ['is of another domain', ({ pool }) => pool('law')],
    ['is too small', ({ pool }) => pool('code', 15)],
  ])('that %s leaves the domain without samples', async (_, make) => {
    const store = createStore()
    expect((await draw(store, { code: await make(store) })).size).toBe(0)
  })

  test('one domain may be sealed and another in the pool', async () => {
    const store = createStore()
    for (const owner of [0, 1, 2]) await store.open(owner, 'code')
    const drawn = await draw(store, { law: await store.pool('law') })
    expect(drawn.get('code')?.shards).toHaveLength(3)
    expect(drawn.get('law')?.shards.map(({ owner }) => owner)).toEqual([null])
    expect(whose(drawn.get('code')?.elsewhere?.sequences ?? [])).toEqual(Array(12).fill(9))
  })
})

test('samples that are named equally are equal, and others are named otherwise', async () => {
  const store = createStore()
  for (const owner of [0, 1, 2]) for (const domain of ['code', 'law']) await store.open(owner, domain)
  const all = [await draw(store), await draw(store)]
  store.openings.delete(openingKey(OWNERS[2], 'law'))
  all.push(await draw(store))
  const contents = new Map<string, string>()
  for (const drawn of all) {
    for (const { own, elsewhere } of drawn.values()) {
      for (const { name, sequences } of [own, ...(elsewhere === null ? [] : [elsewhere])]) {
        const content = sequences.map(toHex).join()
        expect(contents.get(name) ?? content).toBe(content)
        contents.set(name, content)
      }
    }
  }
  expect(new Set(contents.values()).size).toBe(contents.size)
  expect(contents.size).toBeGreaterThan(4)
})
