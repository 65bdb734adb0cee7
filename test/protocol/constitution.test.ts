import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WINDOWS } from '../../src/protocol/clock.ts'
import { cidOf, encode } from '../../src/protocol/codec.ts'
import {
  type Constitution,
  checkAmendment,
  checkConstitution,
  constitutionAt,
  constitutionCid,
  constitutionShape,
  decodeConstitution,
  encodeConstitution,
  networkOf,
  parseConstitution,
} from '../../src/protocol/constitution.ts'
import { CONSTITUTION_BYTES_MAX } from '../../src/protocol/limits.ts'
import { found, PRESET_NAMES } from '../../src/protocol/preset.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import type { Track } from '../../src/protocol/track.ts'
import { amendmentOf, cidOfText, constitution, foundingOf, withTwoTracks } from './sample.ts'

const jsonOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** The document as people write it, with another value at a place; `undefined` takes the key out. */
function altered(place: string, value: unknown, base: unknown = constitution): unknown {
  const document = jsonOf(base) as never
  const keys = place.split('.')
  const last = keys.pop() ?? ''
  const holder = keys.reduce<Record<string, unknown>>((at, key) => at[key] as never, document)
  if (value === undefined) delete holder[last]
  else holder[last] = value
  return document
}
const two = withTwoTracks(constitution)
const group = { name: 'more-a', domain: 'code', value: 1, seats: 1, tensors: ['layers.9.up'] }
const groups = (count: number, seats = 1, domain = 'code') =>
  Array.from({ length: count }, (_, i) => ({ ...group, domain, name: `more-${i}`, seats, tensors: [`layers.9.${i}`] }))

describe('a good constitution', () => {
  test.each(PRESET_NAMES)('of the preset %s has one CID in both of its forms', (preset) => {
    const written = found(foundingOf(preset))
    const parsed = parseConstitution(jsonOf(written))
    expect(parsed).toEqual(written)
    const bytes = encodeConstitution(written)
    expect(decodeConstitution(bytes)).toEqual(written)
    expect(constitutionCid(written)).toBe(cidOf(bytes))
    expect(networkOf(written)).toEqual({ genesis: written.chain.genesis, constitution: cidOf(bytes) })
  })

  test('with two tracks is read', () => expect(parseConstitution(jsonOf(two))).toEqual(two))

  test('says the same in any order of its keys', () => {
    const reversed = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value
      if (Array.isArray(value)) return value.map(reversed)
      return Object.fromEntries(
        Object.entries(value)
          .map(([key, entry]) => [key, reversed(entry)])
          .reverse(),
      )
    }
    const parsed = parseConstitution(reversed(constitution))
    expect(parsed).not.toBeInstanceOf(Flaw)
    expect(constitutionCid(parsed as Constitution)).toBe(constitutionCid(constitution))
  })

  test.each<[why: string, document: unknown]>([
    ['every window as short as its finality allows', altered('windows', { ...constitution.windows, ...shortest(1) })],
    ['no checkpoint', altered('tracks.0.scoring.checkpoints', [])],
    ['a group that is paid nothing beside one that is', altered('tracks.0.groups.1.value', 0)],
    ['a track that shares nothing', altered('tracks.1.sharePpm', 0, altered('tracks.0.sharePpm', 1_000_000, two))],
    [
      'as many groups as may be',
      altered('tracks.0.groups', [
        ...found(foundingOf('local')).tracks.flatMap((track) => track.groups),
        ...groups(62),
      ]),
    ],
    ['as many seats as may be', altered('tracks.0.groups.0.seats', 252)],
    ['a group named like a domain', altered('tracks.0.groups.0.name', 'law')],
    ['a share of one millionth', altered('tracks.1.sharePpm', 1, altered('tracks.0.sharePpm', 999_999, two))],
  ])('with %s is read', (_, document) => {
    expect(parseConstitution(document)).not.toBeInstanceOf(Flaw)
  })
})

function shortest(finality: number) {
  const onChain = finality + 3
  return {
    distribute: 1,
    train: 60 - 1 - 5 * onChain - 2 * finality - 1,
    commit: onChain,
    reveal: finality + 1,
    evaluate: onChain,
    report: onChain,
    attest: onChain,
    merge: onChain,
    weigh: finality,
  }
}

const name = 'must be a short name of a-z, 0-9 and -'
const bad: readonly [why: string, document: unknown, field: string, problem: string][] = [
  ['no document', null, 'document', 'must be a map'],
  ['a list', [], 'document', 'must be a map'],
  ['an empty document', {}, 'version', 'is missing'],
  ['another version', altered('version', 2), 'version', 'must be 1'],
  ['no version', altered('version', undefined), 'version', 'is missing'],
  ['a key of its own', altered('author', 'me'), 'author', 'is unknown here; known are version, predecessor'],
  ['an unknown key in the chain', altered('chain.name', 'finney'), 'chain.name', 'is unknown here'],
  ['an unknown key in a group', altered('tracks.0.groups.1.cap', 1), 'tracks[0].groups[1].cap', 'is unknown here'],
  ['an unknown key in the scoring', altered('tracks.0.scoring.x', 1), 'tracks[0].scoring.x', 'is unknown here'],
  ['a group without seats', altered('tracks.0.groups.1.seats', undefined), 'tracks[0].groups[1].seats', 'is missing'],
  ['a chain without its genesis', altered('chain.genesis', undefined), 'chain.genesis', 'is missing'],
  ['a genesis of 31 bytes', altered('chain.genesis', 'ab'.repeat(31)), 'chain.genesis', '64 hex digits'],
  ['a genesis in upper case', altered('chain.genesis', 'AB'.repeat(32)), 'chain.genesis', '64 hex digits'],
  ['a netuid beyond u16', altered('chain.netuid', 65_536), 'chain.netuid', '0 to 65535'],
  ['a finality of 0', altered('chain.finality', 0), 'chain.finality', '1 to 64'],
  ['a fraction of a block', altered('windows.train', 1.5), 'windows.train', 'whole number'],
  ['a window without blocks', altered('windows.train', 0), 'windows.train', '1 to 100000'],
  ['a window that is missing', altered('windows.attest', undefined), 'windows.attest', 'is missing'],
  ['a model that is no link', altered('model.genesis', 'model'), 'model.genesis', 'CIDv1'],
  ['another compute type', altered('model.compute', 'f16'), 'model.compute', 'must be "f32"'],
  ['no track', altered('tracks', []), 'tracks', '1 to 8 entries, not 0'],
  ['nine tracks', altered('tracks', new Array(9).fill({})), 'tracks', '1 to 8 entries, not 9'],
  ['another kind of track', altered('tracks.0.kind', 'models'), 'tracks[0].kind', 'must be one of experts'],
  ['a first cycle that is not 0', altered('start.cycle', 3), 'start.cycle', 'must be 0'],

  [
    'routing rows in too many cycles',
    altered('tracks.0.router.everyCycles', 1, seedLike()),
    'windows',
    '= 36, × 100 bytes = 3600 > 3100',
  ],
  ['cycles too short for the space', altered('chain.tempo', 3_600), 'windows', '61 × 3 writes'],
  [
    'routing rows of two tracks that never fall together',
    altered(
      'tracks.1.router.everyCycles',
      5,
      altered('tracks.0.router.everyCycles', 3, withTwoTracks(found(foundingOf('seed')))),
    ),
    'windows',
    '9 × 3 writes + 5 of router cycles = 32',
  ],
  [
    'rewards over part of a tempo',
    altered('chain.tempo', 50),
    'rewards.cycles',
    '6 cycles of 60 blocks are 360, no multiple of the tempo 50',
  ],
  ['rewards of seven cycles of 45', altered('rewards.cycles', 7, found(foundingOf('seed'))), 'rewards.cycles', '315'],

  ['shares below one', altered('tracks.0.sharePpm', 999_999), 'tracks', 'shares add up to 999999'],
  ['shares above one', altered('tracks.0.sharePpm', 600_001, two), 'tracks', 'shares add up to 1000001'],
  ['two tracks of one name', altered('tracks.1.name', 'experts', two), 'tracks[1].name', 'taken by tracks[0].name'],
  [
    'two domains of one name',
    altered('tracks.0.domains.1.name', 'code'),
    'tracks[0].domains[1].name',
    'taken by tracks[0].domains[0].name',
  ],
  [
    'a domain of two tracks',
    altered('tracks.1.domains.0.name', 'law', two),
    'tracks[1].domains[0].name',
    'taken by tracks[0].domains[1].name',
  ],
  [
    'two groups of one name',
    altered('tracks.0.groups.1.name', 'code-a'),
    'tracks[0].groups[1].name',
    'taken by tracks[0].groups[0].name',
  ],
  [
    'a group name of two tracks',
    altered('tracks.1.groups.0.name', 'law-a', two),
    'tracks[1].groups[0].name',
    'taken by tracks[0].groups[1].name',
  ],
  [
    'a domain without a group',
    altered('tracks.0.groups.1.domain', 'code'),
    'tracks[0].domains[1]',
    '"law" has no group',
  ],
  [
    'a group of an unknown domain',
    altered('tracks.0.groups.1.domain', 'art'),
    'tracks[0].groups[1].domain',
    'there is no domain "art"',
  ],
  [
    'a group of another track’s domain',
    altered('tracks.1.groups.0.domain', 'law', two),
    'tracks[1].groups[0].domain',
    'there is no domain "law"',
  ],
  [
    'a group named router',
    altered('tracks.0.groups.0.name', 'router'),
    'tracks[0].groups[0].name',
    '"router" is reserved',
  ],
  ['a group named hub', altered('tracks.0.groups.0.name', 'hub'), 'tracks[0].groups[0].name', '"hub" is reserved'],
  ['a name in upper case', altered('tracks.0.groups.0.name', 'Code'), 'tracks[0].groups[0].name', name],
  ['a name that begins with a digit', altered('tracks.0.domains.0.name', '1a'), 'tracks[0].domains[0].name', name],
  ['a name of 33 letters', altered('tracks.0.name', 'n'.repeat(33)), 'tracks[0].name', name],
  ['a name with a line end', altered('tracks.0.groups.0.name', 'code\n'), 'tracks[0].groups[0].name', name],
  ['a name with a slash', altered('tracks.0.groups.0.name', 'code/a'), 'tracks[0].groups[0].name', name],
  ['an empty name', altered('tracks.0.groups.0.name', ''), 'tracks[0].groups[0].name', name],
  ['__proto__ as a name', altered('tracks.0.groups.0.name', '__proto__'), 'tracks[0].groups[0].name', name],

  [
    'a tensor of two groups',
    altered('tracks.0.groups.1.tensors', ['layers.0.experts.1.up']),
    'tracks[0].groups[1].tensors[0]',
    'belongs to "code-a" too',
  ],
  [
    'a tensor of a group and the router',
    altered('tracks.0.router.tensors', ['layers.0.experts.2.up', 'layers.0.gate']),
    'tracks[0].router.tensors[0]',
    'belongs to "law-a" too',
  ],
  [
    'a tensor of two tracks',
    altered('tracks.1.groups.0.tensors', ['layers.0.experts.0.up'], two),
    'tracks[1].groups[0].tensors[0]',
    'belongs to "code-a" too',
  ],
  [
    'a tensor of a group and another track’s router',
    altered('tracks.1.router.tensors', ['layers.0.gate'], two),
    'tracks[1].router.tensors[0]',
    'belongs to "router" too',
  ],
  [
    'a tensor twice',
    altered('tracks.0.groups.0.tensors', ['a', 'a']),
    'tracks[0].groups[0].tensors[1]',
    'must come after',
  ],
  [
    'tensors out of order',
    altered('tracks.0.groups.0.tensors', ['b', 'a']),
    'tracks[0].groups[0].tensors[1]',
    'must come after',
  ],
  [
    'a group without tensors',
    altered('tracks.0.groups.0.tensors', []),
    'tracks[0].groups[0].tensors',
    '1 to 2048 entries',
  ],
  [
    'a tensor with a space',
    altered('tracks.0.groups.0.tensors', ['a b']),
    'tracks[0].groups[0].tensors[0]',
    'is no tensor name',
  ],
  [
    'half of a surrogate pair in a tensor',
    altered('tracks.0.groups.0.tensors', ['a\ud800']),
    'tracks[0].groups[0].tensors[0]',
    'is no tensor name',
  ],
  [
    '__proto__ as a tensor',
    altered('tracks.0.groups.0.tensors', ['__proto__']),
    'tracks[0].groups[0].tensors[0]',
    'is no tensor name',
  ],
  [
    'a tensor name of 129 letters',
    altered('tracks.0.router.tensors', ['n'.repeat(129)]),
    'tracks[0].router.tensors[0]',
    'must be a tensor name',
  ],

  [
    'all values 0',
    altered('tracks.0.groups', [
      { ...group, value: 0 },
      { ...group, name: 'law-a', domain: 'law', value: 0, tensors: ['x'] },
    ]),
    'tracks[0].groups',
    'all values are 0',
  ],
  ['no seat', altered('tracks.0.groups.0.seats', 0), 'tracks[0].groups[0].seats', '1 to 256'],
  ['too many seats', altered('tracks.0.groups.0.seats', 253), 'tracks', 'groups have 257 seats in all, at most 256'],
  ['too many seats over two tracks', altered('tracks.1.groups.0.seats', 245, two), 'tracks', 'groups have 257 seats'],
  ['65 groups', altered('tracks.0.groups', groups(65)), 'tracks[0].groups', '1 to 64 entries, not 65'],
  [
    '65 groups over two tracks',
    altered('tracks.1.groups', groups(63, 1, 'biology'), two),
    'tracks',
    'have 65 groups in all, at most 64',
  ],
  ['65 domains over two tracks', altered('tracks.1', domains(63), two), 'tracks', 'have 65 groups in all'],

  [
    'checkpoints that reach the samples',
    altered('tracks.0.scoring.checkpoints', [64, 256]),
    'tracks[0].scoring.checkpoints',
    '256 is not below samples 256',
  ],
  [
    'checkpoints out of order',
    altered('tracks.0.scoring.checkpoints', [64, 32]),
    'tracks[0].scoring.checkpoints[1]',
    'must come after',
  ],
  [
    'a checkpoint at one sample',
    altered('tracks.0.scoring.checkpoints', [1]),
    'tracks[0].scoring.checkpoints[0]',
    '2 to 4096',
  ],
  [
    '17 checkpoints',
    altered(
      'tracks.0.scoring.checkpoints',
      Array.from({ length: 17 }, (_, i) => i + 2),
    ),
    'tracks[0].scoring.checkpoints',
    '0 to 16 entries',
  ],
  [
    'epsilon upside down',
    altered('tracks.0.scoring.epsilonMin', 50_000_001),
    'tracks[0].scoring.epsilonMin',
    '50000001 is above epsilonMax 50000000',
  ],
  ['a negative epsilon', altered('tracks.0.scoring.epsilonMin', -1), 'tracks[0].scoring.epsilonMin', 'whole number'],
  ['a z that shuts the gate', altered('tracks.0.scoring.zMilli', 10_001), 'tracks[0].scoring.zMilli', '1 to 10000'],
  ['too few samples', altered('tracks.0.scoring.samples', 15), 'tracks[0].scoring.samples', '16 to 4096'],
  [
    'samples that no shard can hold',
    altered('model.sequenceTokens', 8_192),
    'tracks[0].scoring.samples',
    '256 sequences of 8192 tokens are 8390144 bytes',
  ],
  ['a merge that moves nothing', altered('tracks.0.merge.etaPpm', 0), 'tracks[0].merge.etaPpm', '1 to 10000000'],
  ['an unlimited card', altered('limits.cardBlocks', 2 ** 32), 'limits.cardBlocks', '1 to 4294967295'],
  [
    'cards that live less than two cycles',
    altered('limits.cardBlocks', 119),
    'limits.cardBlocks',
    'at least two cycles (120)',
  ],
  ['a submission of no bytes', altered('limits.submissionBytes', 0), 'limits.submissionBytes', 'whole number'],
  ['a submission beyond 2^53', altered('limits.submissionBytes', 2 ** 53), 'limits.submissionBytes', 'whole number'],
]
test.each(bad)('%s is refused', (_, document, field, problem) => {
  const flaw = parseConstitution(document)
  expect(flaw).toBeInstanceOf(Flaw)
  expect(flaw).toMatchObject({ field, problem: expect.stringContaining(problem) })
})

function seedLike(): Constitution {
  return found(foundingOf('seed'))
}

/** A second track of that many domains, each with its group. */
function domains(count: number): unknown {
  const names = Array.from({ length: count }, (_, i) => `domain-${i}`)
  return {
    ...two.tracks[1],
    domains: names.map((name) => ({ name, pool: null })),
    groups: groups(count).map((entry, i) => ({ ...entry, domain: names[i] })),
  }
}

describe('every window', () => {
  const cases = WINDOWS.flatMap((window) => [1, 3, 5, 64].map((finality) => [window, finality] as const))
  test.each(cases)(
    '%s, one block too short for a finality of %i, is refused with the arithmetic',
    (window, finality) => {
      const windows = shortest(finality)
      const long = { ...windows, train: 9_999 }
      const limits = { ...constitution.limits, cardBlocks: 100_000 }
      const rules = { ...constitution, limits, chain: { ...constitution.chain, finality, tempo: 1 } }
      expect(checkConstitution({ ...rules, windows: long })).toBeNull()
      const flaw = checkConstitution({
        ...rules,
        windows: { ...long, [window]: window === 'train' ? 0 : windows[window] - 1 },
      })
      expect(flaw).toMatchObject({
        field: `windows.${window}`,
        problem: expect.stringMatching(
          /^has \d+ blocks, at least \d+ are needed: .*finality|^has \d+ blocks, at least/,
        ),
      })
      if (!['distribute', 'train'].includes(window)) expect(flaw?.problem).toContain(`${finality}`)
    },
  )
})

test('what is larger than one block of the store is refused', () => {
  const tensors = (part: number) =>
    Array.from({ length: 2_048 }, (_, i) => `${`${part}.`.padEnd(124, 'x')}${1_000 + i}`)
  const large = altered('tracks.0.groups', [
    ...Array.from({ length: 5 }, (_, i) => ({ ...groups(5)[i], tensors: tensors(i).toSorted() })),
    { ...group, name: 'law-a', domain: 'law' },
  ])
  expect(parseConstitution(large)).toMatchObject({
    field: 'document',
    problem: expect.stringContaining(`at most ${CONSTITUTION_BYTES_MAX} are allowed`),
  })
})

test('bytes are judged as text is', () => {
  const flawed = { ...constitution, rewards: { cycles: 7, burnUid: 0 }, chain: { ...constitution.chain, tempo: 50 } }
  expect(decodeConstitution(encode(constitutionShape, flawed))).toMatchObject({ field: 'rewards.cycles' })
  expect(decodeConstitution(new Uint8Array(CONSTITUTION_BYTES_MAX + 1))).toMatchObject({ field: 'document' })
})

test('no document throws, however it was altered', () => {
  const places: string[] = []
  const walk = (value: unknown, place: string): void => {
    if (place !== '') places.push(place)
    if (typeof value !== 'object' || value === null) return
    for (const [key, entry] of Object.entries(value)) walk(entry, place === '' ? key : `${place}.${key}`)
  }
  walk(two, '')
  const edges = fc.constantFrom(
    0,
    1,
    2,
    1e6,
    2 ** 32 - 1,
    2 ** 53 - 1,
    '',
    'router',
    'code',
    cidOfText('x'),
    null,
    [],
    {},
  )
  const value = fc.oneof(edges, fc.anything(), fc.constant(undefined))
  fc.assert(
    fc.property(fc.constantFrom(...places), value, (place, entry) => {
      const read = constitutionShape.read(altered(place, entry, two), '', 'json')
      const judged = read instanceof Flaw ? read : checkConstitution(read)
      expect(judged === null || judged instanceof Flaw).toBe(true)
    }),
    { numRuns: 1_000 },
  )
})

describe('an amendment', () => {
  const good = amendmentOf(constitution, 12)

  test('names its predecessor and starts with a cycle, two cycles ahead', () => {
    expect(checkAmendment(constitution, good, 10)).toBeNull()
    expect(checkAmendment(constitution, good, 0)).toBeNull()
    expect(decodeConstitution(encodeConstitution(good))).toEqual(good)
  })

  test('may change the windows, the tracks and the rewards', () => {
    const windows = { ...constitution.windows, train: 80 }
    expect(checkAmendment(constitution, { ...good, windows }, 10)).toBeNull()
    expect(checkAmendment(constitution, withTwoTracks(good), 10)).toBeNull()
  })

  const { start, chain } = good
  test.each<[why: string, next: Constitution, field: string, problem: string]>([
    ['names nobody', { ...good, predecessor: null }, 'predecessor', 'last adopted'],
    ['names another', { ...good, predecessor: cidOfText('another') }, 'predecessor', 'last adopted'],
    ['moves to another chain', { ...good, chain: { ...chain, genesis: '00'.repeat(32) } }, 'chain.genesis', 'amended'],
    ['moves to another subnet', { ...good, chain: { ...chain, netuid: 8 } }, 'chain.netuid', 'cannot be amended'],
    ['starts too soon', amendmentOf(constitution, 11), 'start.cycle', 'at least 2 cycles ahead of cycle 10'],
    ['starts in the past', amendmentOf(constitution, 3), 'start.cycle', 'ahead'],
    ['starts a block early', { ...good, start: { ...start, block: start.block - 1 } }, 'start.block', 'must be 1720'],
    ['starts a block late', { ...good, start: { ...start, block: start.block + 1 } }, 'start.block', 'must be 1720'],
    [
      'cannot work',
      { ...good, rewards: { cycles: 1, burnUid: 0 }, chain: { ...chain, tempo: 50 } },
      'rewards.cycles',
      'no multiple',
    ],
  ])('that %s is refused', (_, next, field, problem) => {
    expect(checkAmendment(constitution, next, 10)).toMatchObject({ field, problem: expect.stringContaining(problem) })
  })

  test('of one that has not started yet replaces it, but never starts before it', () => {
    const windows = { ...constitution.windows, train: 80 }
    const pending = amendmentOf(constitution, 20, { windows })
    expect(checkAmendment(pending, amendmentOf(pending, 20), 10)).toBeNull()
    expect(checkAmendment(pending, amendmentOf(pending, 25), 10)).toBeNull()
    expect(checkAmendment(pending, amendmentOf(pending, 19), 10)).toMatchObject({
      field: 'start.cycle',
      problem: 'must not be before 20, where its predecessor starts',
    })
    expect(checkAmendment(pending, amendmentOf(constitution, 19), 10)).toMatchObject({ field: 'predecessor' })
  })

  test('is in force from its first block on', () => {
    const later = amendmentOf(good, 14)
    const adopted = [constitution, good, later] as const
    expect(constitutionAt([constitution], 0)).toBe(constitution)
    expect(constitutionAt(adopted, 0)).toBe(constitution)
    expect(constitutionAt(adopted, good.start.block - 1)).toBe(constitution)
    expect(constitutionAt(adopted, good.start.block)).toBe(good)
    expect(constitutionAt(adopted, later.start.block - 1)).toBe(good)
    expect(constitutionAt(adopted, later.start.block)).toBe(later)
    expect(constitutionAt([constitution, good, amendmentOf(good, 12)], good.start.block)).not.toBe(good)
  })
})

test('each field is part of the name', () => {
  const [track] = constitution.tracks as [Track]
  const others: Constitution[] = [
    { ...constitution, start: { block: 1_001, cycle: 0 } },
    { ...constitution, chain: { ...constitution.chain, genesis: '2e'.repeat(32) } },
    { ...constitution, windows: { ...constitution.windows, train: 21, reveal: 5 } },
    { ...constitution, model: { ...constitution.model, graph: 2 } },
    { ...constitution, tracks: [{ ...track, merge: { ...track.merge, etaPpm: 999_999 } }] },
    { ...constitution, limits: { ...constitution.limits, cardBlocks: 1 } },
    { ...constitution, rewards: { ...constitution.rewards, burnUid: 1 } },
  ]
  const names = new Set([constitution, ...others].map(constitutionCid))
  expect(names.size).toBe(others.length + 1)
})
