import { describe, expect, test } from 'vitest'
import type { Self } from '../../src/actors/cycle.ts'
import { recentRewards } from '../../src/actors/settling.ts'
import { encodeRoot, type Root, rootCid } from '../../src/protocol/root.ts'
import { createSimBlobs } from '../../src/sim/blobs.ts'
import { never } from '../contracts/harness.ts'
import * as world from '../protocol/world.ts'

const WINDOW = world.constitution.rewards.cycles
const [hotkey] = [world.hexOf(1)]

/** A history whose cycles pay one hotkey a power of two each, so that a sum says which of them are in it. */
async function historyOf(cycles: readonly number[]) {
  const blobs = createSimBlobs().join('peer')
  let root: Root = { ...world.base, cycle: -1, previous: null, rewards: [{ hotkey, reward: 2 ** 40 }] }
  for (const cycle of cycles) {
    await blobs.put(encodeRoot(root), { codec: 'dag-cbor', withheld: false, signal: never })
    root = { ...world.base, cycle, previous: rootCid(root), rewards: [{ hotkey, reward: 2 ** cycle }], burned: 1 }
  }
  return { blobs, root }
}

const rewardedIn = (sum: number): readonly number[] =>
  Array.from({ length: 40 }, (_, cycle) => cycle).filter((cycle) => Math.floor(sum / 2 ** cycle) % 2 === 1)

describe('the window before a cycle', () => {
  const upTo = (last: number): readonly number[] => Array.from({ length: last + 1 }, (_, cycle) => cycle)
  test.each<[title: string, cycles: readonly number[], cycle: number, counted: readonly number[]]>([
    ['is empty at the beginning', [], 0, []],
    ['has what there is', upTo(1), 2, [0, 1]],
    [
      'is full with one cycle less than the constitution names: the cycle itself is the last',
      upTo(19),
      20,
      upTo(19).slice(1 - WINDOW),
    ],
    ['counts a cycle without a root as one that paid nothing', [0, 1, 18], 20, [18]],
    ['is empty when all of them left no root', [0, 1], 1 + WINDOW, []],
    ['has its oldest one for exactly so long', [0, 1], WINDOW, [1]],
  ])('%s', async (_, cycles, cycle, counted) => {
    const { blobs, root } = await historyOf(cycles)
    const self = { constitution: world.constitution } as Self
    const { rewards, burned } = await recentRewards(self, { blobs }, root, cycle, { signal: never })
    expect(rewardedIn(rewards.get(hotkey) ?? 0)).toEqual(counted)
    expect(burned).toBe(counted.length)
  })
})
