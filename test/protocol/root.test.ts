import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Certificate, CertifiedRow } from '../../src/protocol/agreement.ts'
import { encode } from '../../src/protocol/codec.ts'
import { type Constitution, constitutionCid } from '../../src/protocol/constitution.ts'
import { HISTORY_CYCLES_MAX } from '../../src/protocol/history.ts'
import { ROOT_BYTES_MAX, ROWS_MAX, SCORE_MAX } from '../../src/protocol/limits.ts'
import { pagesOf, withPages } from '../../src/protocol/manifest.ts'
import { REWARD_POT } from '../../src/protocol/reward.ts'
import {
  brokenAt,
  decodeRoot,
  encodeRoot,
  genesisRoot,
  nextModel,
  nextRoot,
  type Root,
  recordedRewards,
  rewardsOf,
  rootCid,
  rootShape,
  settle,
} from '../../src/protocol/root.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { ROUTER, type Track } from '../../src/protocol/track.ts'
import { base, baseCid, cidOfText, constitution, hexOf, model, network, refused, rowOf } from './world.ts'

const track = constitution.tracks[0] as Track
const { harmMax, epsilonMin, referenceMin } = track.scoring
const A = hexOf(1, 0xcc)
const B = hexOf(2, 0xcc)
const BLOCKS = { report: '0a'.repeat(32), attest: '0b'.repeat(32) }

const certificateWith = (cycle: number, rows: CertifiedRow[], change: Partial<Certificate> = {}): Certificate => ({
  cycle,
  counted: [hexOf(1)],
  rows,
  worse: new Map(),
  amendment: null,
  ...change,
})
const rootAfter = (root: Root, certificate: Certificate, rules: Constitution = constitution): Root =>
  nextRoot({ network, constitution: rules, base: root, certificate, blocks: BLOCKS, model: cidOfText('merged') })
const won = rowOf(A, { score: 4_000_000, marginal: 3_000_000 })
const stateOf = (root: Root, group = 'code') => root.groups.find((state) => state.group === group)

describe('the root before the first cycle', () => {
  test('is what everybody computes from the genesis constitution', () => {
    expect(base).toEqual({
      network: network.constitution,
      constitution: constitutionCid(constitution),
      cycle: -1,
      previous: null,
      model: constitution.model.genesis,
      blocks: { report: '00'.repeat(32), attest: '00'.repeat(32) },
      rows: [],
      rewards: [],
      burned: 0,
      groups: ['code', 'law'].map((group) => ({
        group,
        best: [],
        merged: [],
        epsilon: epsilonMin,
        reference: referenceMin,
      })),
      routerRoot: null,
      amendment: null,
    })
    expect(rootCid(genesisRoot(constitution))).toBe(baseCid)
  })

  test('comes back from its bytes', () => expect(decodeRoot(encodeRoot(base))).toEqual(base))
})

describe('the next root', () => {
  const root = rootAfter(base, certificateWith(0, [won, rowOf(B, { group: 'law', ...refused })]))

  test('names its predecessor, its rules and the blocks that decided', () => {
    expect(root).toMatchObject({ cycle: 0, previous: baseCid, blocks: BLOCKS, model: cidOfText('merged') })
    expect(root).toMatchObject({ network: network.constitution, constitution: constitutionCid(constitution) })
  })

  test('records the certified rows and what they earn', () => {
    expect(root.rows.map(({ hotkey }) => hotkey)).toEqual([A, B])
    expect(root.rewards).toEqual([{ hotkey: A, reward: 750_000_000 }])
    expect(root.burned).toBe(REWARD_POT - 750_000_000)
    const { rewards, burned } = recordedRewards(root)
    expect([[...rewards], burned]).toEqual([[[A, 750_000_000]], 250_000_000])
  })

  test('carries what holds in the next cycle', () => {
    expect(stateOf(root)).toEqual({
      group: 'code',
      best: [4_000_000],
      merged: [3_000_000],
      epsilon: 400_000,
      reference: 3_000_000,
    })
    expect(stateOf(root, 'law')).toMatchObject({ best: [0], merged: [0], epsilon: epsilonMin, reference: referenceMin })
  })

  test('pays by the reference of its base, not by its own', () => {
    const small = rowOf(A, { score: 500_000, marginal: 500_000 })
    expect(rootAfter(base, certificateWith(0, [small])).rewards).toEqual([{ hotkey: A, reward: 375_000_000 }])
    expect(rootAfter(root, certificateWith(1, [small])).rewards).toEqual([{ hotkey: A, reward: 125_000_000 }])
  })

  test('counts a cycle that left no root as an empty one', () => {
    expect(stateOf(rootAfter(root, certificateWith(3, [])))?.best).toEqual([4_000_000, 2_000_000, 1_000_000, 500_000])
    expect(stateOf(rootAfter(root, certificateWith(3, [won])))?.merged).toEqual([
      3_000_000, 1_500_000, 750_000, 3_000_000,
    ])
  })

  test('forgets all but the last cycles, however long nobody agreed', () => {
    const late = rootAfter(root, certificateWith(1_000_000, []))
    expect(stateOf(late)?.best).toHaveLength(HISTORY_CYCLES_MAX)
    expect(stateOf(late)?.best.at(-1)).toBe(Math.floor(4_000_000 / 2 ** 9))
  })

  test('does not depend on who signed or whose reports counted', () => {
    const certificate = certificateWith(0, [won])
    const other = { ...certificate, counted: [hexOf(2), hexOf(3)] }
    expect(rootCid(rootAfter(base, other))).toBe(rootCid(rootAfter(base, certificate)))
  })

  test('carries an amendment that was adopted', () => {
    const amendment = cidOfText('amendment')
    expect(rootAfter(base, certificateWith(0, [], { amendment })).amendment).toBe(amendment)
  })

  test('of a cycle that its base has seen is our own mistake', () => {
    expect(() => rootAfter(root, certificateWith(0, []))).toThrow('broken invariant')
  })
})

describe('a group that the base made worse', () => {
  const worse = new Map([['code', harmMax + 1]])
  const law = rowOf(B, { group: 'law', score: 2_000_000, marginal: 2_000_000 })
  const certificate = certificateWith(1, [won, law], { worse })
  const first = rootAfter(base, certificateWith(0, [won]))
  const root = rootAfter(first, certificate)

  test('takes its pages back, and the others keep theirs', () => {
    const before = withPages(model, 'code', [cidOfText('old page')])
    const merged = new Map([
      ['code', [cidOfText('merged code')]],
      ['law', [cidOfText('merged law')]],
    ])
    const next = nextModel(model, before, settle(constitution, certificate), merged)
    expect(pagesOf(next, 'code')).toEqual([cidOfText('old page')])
    expect(pagesOf(next, 'law')).toEqual([cidOfText('merged law')])
    expect(pagesOf(next, ROUTER)).toEqual(pagesOf(model, ROUTER))
  })

  test('pays nobody, and the others are paid as ever', () => {
    const { rewards, burned } = rewardsOf(constitution, first, certificate)
    expect([[...rewards], burned]).toEqual([[[B, 250_000_000]], 750_000_000])
    expect(root.rewards).toEqual([{ hotkey: B, reward: 250_000_000 }])
  })

  test('remembers no gain that was measured on what is gone', () => {
    expect(stateOf(root)).toMatchObject({ best: [4_000_000, 2_000_000], merged: [3_000_000, 1_500_000] })
    expect(root.rows).toContainEqual(won)
  })

  test('stays when it is worse by what is allowed', () => {
    const allowed = certificateWith(1, [won], { worse: new Map([['code', harmMax]]) })
    expect(settle(constitution, allowed).groups[0]?.action).toBe('merge')
  })
})

describe('routing rows', () => {
  const routing = rowOf(hexOf(1), { group: ROUTER, score: 7, marginal: 7 })

  test('are adopted whole, and the root that did so is the one they are judged against', () => {
    const adopted = rootAfter(base, certificateWith(0, [routing]))
    expect(adopted.routerRoot).toBeNull()
    const next = rootAfter(adopted, certificateWith(1, []))
    expect(next.routerRoot).toBe(rootCid(adopted))
    expect(rootAfter(next, certificateWith(2, [])).routerRoot).toBe(rootCid(adopted))
    expect(rootAfter(next, certificateWith(2, [routing])).routerRoot).toBeNull()
  })

  test('before any adoption are those of the genesis model', () => {
    const first = rootAfter(base, certificateWith(0, []))
    expect(first.routerRoot).toBe(baseCid)
    expect(rootAfter(first, certificateWith(1, [])).routerRoot).toBe(baseCid)
  })

  test('change the pages of the router and nothing else, and earn nothing', () => {
    const certificate = certificateWith(0, [routing])
    const settlement = settle(constitution, certificate)
    expect(settlement.router).toEqual({ hotkey: hexOf(1), manifest: routing.manifest, weight: 7 })
    const next = nextModel(model, model, settlement, new Map([[ROUTER, [cidOfText('routing')]]]))
    expect(next).toEqual(withPages(model, ROUTER, [cidOfText('routing')]))
    expect(rewardsOf(constitution, base, certificate)).toEqual({ rewards: new Map(), burned: REWARD_POT })
  })

  test('that nobody submitted leave the model as it is', () => {
    expect(nextModel(model, model, settle(constitution, certificateWith(0, [])), new Map())).toEqual(model)
  })
})

describe('an amendment that adds a group', () => {
  const groups = [...track.groups, { name: 'art', domain: 'law', value: 4, seats: 1, tensors: ['art.0.weight'] }]
  const amended: Constitution = { ...constitution, predecessor: network.constitution, tracks: [{ ...track, groups }] }

  test('begins it like every cold group, in its first cycle already', () => {
    const certificate = certificateWith(9, [rowOf(A, { group: 'art', score: referenceMin, marginal: referenceMin })])
    const root = rootAfter(base, certificate, amended)
    expect(root.rewards).toEqual([{ hotkey: A, reward: REWARD_POT / 2 }])
    expect(root.groups.map(({ group }) => group)).toEqual(['art', 'code', 'law'])
    expect(root).toMatchObject({ network: network.constitution, constitution: constitutionCid(amended) })
  })

  test('forgets a group that it drops', () => {
    const fewer: Constitution = { ...amended, tracks: [{ ...track, groups: track.groups.slice(0, 1) }] }
    expect(rootAfter(base, certificateWith(9, []), fewer).groups.map(({ group }) => group)).toEqual(['code'])
  })
})

describe('a history', () => {
  const first = rootAfter(base, certificateWith(0, [won]))
  const second = rootAfter(first, certificateWith(2, []))
  const cases: [why: string, roots: Root[], at: number | null][] = [
    ['of nothing', [], null],
    ['of one root', [second], null],
    ['from the beginning', [base, first, second], null],
    ['from the middle', [first, second], null],
    ['with a root missing', [base, second], 1],
    ['with a root altered', [base, { ...first, burned: 1 }, second], 2],
    ['in another order', [first, base], 1],
    ['with a cycle that does not come later', [first, { ...second, cycle: 0 }], 1],
    ['of another network', [first, { ...second, network: cidOfText('elsewhere') }], 1],
  ]
  test.each(cases)('%s', (_, roots, at) => expect(brokenAt(roots)).toBe(at))
})

const nano = fc.nat({ max: SCORE_MAX })
const history = fc.array(nano, { maxLength: HISTORY_CYCLES_MAX })
const anyRoot: fc.Arbitrary<Root> = fc
  .record({
    cycle: fc.integer({ min: -1, max: 0xffff_ffff }),
    previous: fc.option(fc.constant(baseCid)),
    rows: fc.uniqueArray(fc.tuple(fc.nat(), nano, nano), { selector: ([n]) => n, maxLength: 12 }),
    rewards: fc.uniqueArray(fc.tuple(fc.nat(), fc.integer({ min: 1, max: REWARD_POT })), {
      selector: ([n]) => n,
      maxLength: 12,
    }),
    burned: fc.nat({ max: REWARD_POT }),
    groups: fc.array(fc.tuple(history, history, nano, nano), { minLength: 1, maxLength: 5 }),
    routerRoot: fc.option(fc.constant(baseCid)),
  })
  .map(({ rows, rewards, groups, ...rest }) => ({
    ...base,
    ...rest,
    rows: rows
      .toSorted(([a], [b]) => a - b)
      .map(([n, score, marginal]) => rowOf(hexOf(n), { score, marginal, reason: marginal > 0 ? null : 'SEAT_NONE' })),
    rewards: rewards.toSorted(([a], [b]) => a - b).map(([n, reward]) => ({ hotkey: hexOf(n), reward })),
    groups: groups.map(([best, merged, epsilon, reference], i) => ({
      group: `g${i}`,
      best,
      merged,
      epsilon,
      reference,
    })),
  }))

test('roots come back as they were written', () => {
  fc.assert(
    fc.property(anyRoot, (root) => {
      expect(decodeRoot(encodeRoot(root))).toEqual(root)
    }),
  )
})

test.each<[why: string, change: object, field: string]>([
  ['before the root before the first cycle', { cycle: -2 }, 'cycle'],
  ['without a group', { groups: [] }, 'groups'],
  ['rows in falling order', { rows: [rowOf(B), rowOf(A)] }, 'rows[1]'],
  ['a reward of nothing', { rewards: [{ hotkey: A, reward: 0 }] }, 'rewards[0].reward'],
  ['more burned than there is', { burned: REWARD_POT + 1 }, 'burned'],
  ['a history too long', { groups: [{ ...base.groups[0], best: Array(9).fill(1) }] }, 'groups[0].best'],
])('malformed: %s', (_, change, field) => {
  const read = decodeRoot(encode(rootShape, { ...base, ...change } as Root))
  expect(read).toBeInstanceOf(Flaw)
  expect((read as Flaw).field).toBe(field)
})

test('a full root of the longest names fits its bound and comes back', () => {
  const group = 'g'.repeat(32)
  const full = Array.from({ length: HISTORY_CYCLES_MAX }, () => SCORE_MAX)
  const root: Root = {
    ...rootAfter(base, certificateWith(0, [])),
    rows: Array.from({ length: ROWS_MAX }, (_, i) => rowOf(hexOf(i), { group, score: SCORE_MAX, marginal: 1 })),
    rewards: Array.from({ length: ROWS_MAX }, (_, i) => ({ hotkey: hexOf(i), reward: REWARD_POT })),
    groups: Array.from({ length: 64 }, (_, i) => ({
      group: `${'g'.repeat(30)}${String(i).padStart(2, '0')}`,
      best: full,
      merged: full,
      epsilon: 100_000_000_000,
      reference: 100_000_000_000,
    })),
    routerRoot: baseCid,
    amendment: baseCid,
  }
  expect(encodeRoot(root).length).toBeLessThanOrEqual(ROOT_BYTES_MAX)
  expect(decodeRoot(encodeRoot(root))).toEqual(root)
})
