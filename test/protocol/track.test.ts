import { expect, test } from 'vitest'
import { nameShape } from '../../src/protocol/name.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import {
  checkExperts,
  domainsOf,
  groupsOf,
  isRouterCycle,
  type Taken,
  TRACK_KINDS,
  type Track,
  trackOfGroup,
} from '../../src/protocol/track.ts'
import { TRACK_RULES } from '../../src/protocol/track-rule.ts'
import { constitution, withTwoTracks } from './sample.ts'

const two = withTwoTracks(constitution)
const [track] = constitution.tracks as [Track]
const nobody = (): Taken => ({ domains: new Map(), groups: new Map(), tensors: new Map() })

test('groups and domains keep the order of the document', () => {
  expect(groupsOf(two).map(({ name }) => name)).toEqual(['code-a', 'law-a', 'biology-a'])
  expect(domainsOf(two)).toEqual(['code', 'law', 'biology'])
})

test.each([
  ['code-a', 'experts'],
  ['biology-a', 'more'],
])('the group %s is in the track %s', (group, name) => {
  expect(trackOfGroup(two, group).name).toBe(name)
})

test.each(['router', 'code', 'toString'])('%s is no group, and to ask for its track is our own mistake', (group) => {
  expect(() => trackOfGroup(two, group)).toThrow('a group is in a track')
})

test('every kind of track has its rules', () => {
  expect(Object.keys(TRACK_RULES)).toEqual([...TRACK_KINDS])
})

const routers = (...everyCycles: number[]) => ({
  tracks: everyCycles.map((every) => ({ ...track, router: { ...track.router, everyCycles: every } })),
})
test.each<[every: number[], cycles: number[]]>([
  [[1], [1, 2, 3, 4, 5, 6, 7]],
  [[3], [3, 6]],
  [[8], []],
  [
    [2, 3],
    [2, 3, 4, 6],
  ],
])('routing rows every %j cycles are open in %j, never in cycle 0', (every, cycles) => {
  const open = [0, 1, 2, 3, 4, 5, 6, 7].filter((cycle) => isRouterCycle(routers(...every), cycle))
  expect(open).toEqual(cycles)
})

test('a good track claims its names and its tensors', () => {
  const taken = nobody()
  expect(checkExperts(track, 'tracks[0]', taken)).toBeNull()
  expect([...taken.domains.keys()]).toEqual(['code', 'law'])
  expect([...taken.groups.keys()]).toEqual(['code-a', 'law-a'])
  expect(taken.tensors.get('layers.0.gate')).toBe('router')
  expect(taken.tensors.get('layers.0.experts.2.up')).toBe('law-a')
})

test.each<[what: string, taken: Partial<Taken>, field: string]>([
  ['domain', { domains: new Map([['law', 'tracks[7].domains[0].name']]) }, 'tracks[8].domains[1].name'],
  ['group', { groups: new Map([['law-a', 'tracks[7].groups[0].name']]) }, 'tracks[8].groups[1].name'],
  ['tensor', { tensors: new Map([['layers.0.experts.1.up', 'art-a']]) }, 'tracks[8].groups[0].tensors[1]'],
  ['tensor of the router', { tensors: new Map([['layers.0.gate', 'router']]) }, 'tracks[8].router.tensors[0]'],
])('a %s that another track holds is refused', (_, taken, field) => {
  expect(checkExperts(track, 'tracks[8]', { ...nobody(), ...taken })).toMatchObject({ field })
})

test.each(['a', 'code-a', 'z9-', 'n'.repeat(32)])('%j is a name', (name) => {
  expect(nameShape.read(name, 'x', 'wire')).toBe(name)
})

test.each(['', 'A', '9a', '-a', 'a_b', 'a.b', 'a b', 'a\n', 'ä', 'n'.repeat(33), '__proto__'])(
  '%j is no name',
  (name) => {
    expect(nameShape.read(name, 'x', 'wire')).toEqual(new Flaw('x', 'must be a short name of a-z, 0-9 and -'))
  },
)
