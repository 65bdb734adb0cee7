import { expect, test } from 'vitest'
import { cycleBlocks } from '../../src/protocol/clock.ts'
import { checkConstitution, decodeConstitution, encodeConstitution } from '../../src/protocol/constitution.ts'
import { found, PRESET_NAMES, PRESETS } from '../../src/protocol/preset.ts'
import { foundingOf } from './sample.ts'

test.each<[name: keyof typeof PRESETS, blocks: number, tempos: number]>([
  ['local', 60, 6],
  ['seed', 45, 1],
  ['mainnet', 500, 25],
])('%s has %i blocks, and its rewards run over %i tempos', (name, blocks, tempos) => {
  const preset = PRESETS[name]
  expect(cycleBlocks(preset)).toBe(blocks)
  expect(preset.rewardCycles * blocks).toBe(tempos * preset.tempo)
})

test.each(PRESET_NAMES)('what is founded on %s is a good constitution', (preset) => {
  const constitution = found(foundingOf(preset))
  expect(checkConstitution(constitution)).toBeNull()
  expect(decodeConstitution(encodeConstitution(constitution))).toEqual(constitution)
})

test('everything that a founder says is in the constitution, and the rest is the preset', () => {
  const founding = { ...foundingOf('seed'), burnUid: 9, submissionBytes: 77 }
  const constitution = found(founding)
  expect(constitution).toMatchObject({
    version: 1,
    predecessor: null,
    start: { block: founding.chain.startBlock, cycle: 0 },
    chain: { genesis: founding.chain.genesis, netuid: founding.chain.netuid, tempo: 360, finality: 3 },
    windows: PRESETS.seed.windows,
    model: founding.model,
    limits: { submissionBytes: 77, cardBlocks: 12 * 45 },
    rewards: { cycles: 8, burnUid: 9 },
  })
  const [track, ...others] = constitution.tracks
  expect(others).toEqual([])
  expect(track).toMatchObject({
    kind: 'experts',
    sharePpm: 1_000_000,
    domains: founding.domains,
    groups: founding.groups,
    router: founding.router,
  })
})

test('routing rows every third cycle fit the space of the 45-block cycle, every second do not', () => {
  const withRouter = (everyCycles: number) =>
    found({ ...foundingOf('seed'), router: { everyCycles, tensors: ['layers.0.gate'] } })
  expect(checkConstitution(withRouter(3))).toBeNull()
  expect(checkConstitution(withRouter(2))?.problem).toContain('3200 > 3100')
})
