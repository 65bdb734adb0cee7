import { expect, test } from 'vitest'
import { adoptRouter, type CertifiedGain, type GroupPlan, planExperts } from '../../src/protocol/merge-plan.ts'
import { ROUTER, type Track } from '../../src/protocol/track.ts'
import { cidOfText, constitution, hexOf } from './world.ts'

const track = constitution.tracks[0] as Track
const { harmMax } = track.scoring
const gain = (number: number, score: number, marginal: number, group = 'code'): CertifiedGain => ({
  hotkey: hexOf(number),
  group,
  manifest: cidOfText(`manifest ${number}`),
  score,
  marginal,
})
const member = (number: number, weight: number) => ({
  hotkey: hexOf(number),
  manifest: cidOfText(`manifest ${number}`),
  weight,
})
const KEEP: GroupPlan = { group: 'code', action: 'keep' }
const REVERT: GroupPlan = { group: 'code', action: 'revert' }

const cases: [why: string, rows: CertifiedGain[], worse: number | undefined, plan: GroupPlan][] = [
  ['nothing was submitted', [], 0, KEEP],
  ['nothing was accepted', [gain(1, 0, 0)], 0, KEEP],
  ['accepted, but it adds nothing', [gain(1, 9, 0)], 0, KEEP],
  ['of another group', [gain(1, 9, 9, 'law')], 0, KEEP],
  ['nobody compared the roots', [], undefined, KEEP],
  ['as much worse as is allowed', [], harmMax, KEEP],
  ['worse than is allowed', [], harmMax + 1, REVERT],
  ['what was measured on a base that goes back is merged nowhere', [gain(1, 9, 9)], harmMax + 1, REVERT],
  [
    'weights are scores, not marginals',
    [gain(1, 9, 4)],
    0,
    { group: 'code', action: 'merge', members: [member(1, 9)] },
  ],
  [
    'all that add something, in the order given',
    [gain(1, 9, 4), gain(2, 8, 0), gain(3, 7, 1), gain(4, 5, 5, 'law')],
    -5,
    { group: 'code', action: 'merge', members: [member(1, 9), member(3, 7)] },
  ],
]
test.each(cases)('%s', (_, rows, worse, plan) => {
  const plans = planExperts(track, { rows, worse: new Map(worse === undefined ? [] : [['code', worse]]) })
  expect(plans[0]).toEqual(plan)
  expect(plans.map(({ group }) => group)).toEqual(['code', 'law'])
})

test('a group that goes back leaves the others as they are', () => {
  const plans = planExperts(track, { rows: [gain(1, 9, 9, 'law')], worse: new Map([['code', harmMax + 1]]) })
  expect(plans.map(({ action }) => action)).toEqual(['revert', 'merge'])
})

test.each<[why: string, rows: CertifiedGain[], adopted: number | null]>([
  ['nobody submitted routing rows', [gain(1, 9, 9)], null],
  ['none was better than what there is', [gain(1, 0, 0, ROUTER)], null],
  ['the best score', [gain(1, 5, 5, ROUTER), gain(2, 7, 7, ROUTER), gain(3, 6, 6, ROUTER)], 2],
  ['of equals the lower hotkey, wherever it stands', [gain(2, 7, 7, ROUTER), gain(1, 7, 7, ROUTER)], 1],
  ['never the rows of an expert group', [gain(1, 99, 99), gain(2, 1, 1, ROUTER)], 2],
])('routing rows: %s', (_, rows, adopted) => {
  expect(adoptRouter(rows)?.hotkey ?? null).toBe(adopted === null ? null : hexOf(adopted))
})
