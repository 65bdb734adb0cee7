import { expect, test } from 'vitest'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { createFakeChain, key, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'

test('each mechanism has an epoch of its own, weighted by its emission', () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 3, { weightsRateLimit: 0, uidsMax: 128 })] })
  const admin = (name: string, args: object) => chain.call('root', 'AdminUtils', name, { netuid: 1, ...args })
  expect(admin('sudo_set_mechanism_count', { mechanism_count: 2 })).toBe('ok')
  expect(admin('sudo_set_mechanism_emission_split', { maybe_split: [16_384, 49_151] })).toBe('ok')
  chain.pass(1)
  for (const uid of [1, 2]) {
    const set = (mecid: number, dests: number[]) =>
      chain.call(key(uid), P, 'set_mechanism_weights', { netuid: 1, mecid, dests, weights: [1], version_key: 0n })
    expect(set(0, [3])).toBe('ok')
    expect(set(1, [4])).toBe('ok')
  }
  chain.pass(19)
  expect(chain.get(s.Incentive, 1)).toEqual([0, 0, 0, 65535, 0, 0])
  expect(chain.get(s.Incentive, 4097)).toEqual([0, 0, 0, 0, 65535, 0])
  const [third, fourth] = [3, 4].map((uid) => Number(chain.get(s.TotalHotkeyAlpha, key(uid), 1)))
  expect((fourth ?? 0) / (third ?? 1)).toBeCloseTo(49_151 / 16_384, 3)
  expect(chain.get(s.ValidatorPermit, 1)).toEqual([true, true, true, true, true, false].map((_, uid) => uid < 3))
})

test('with fewer of them, those that go leave nothing', () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 3, { weightsRateLimit: 0, uidsMax: 128 })] })
  const count = (mechanism_count: number) =>
    chain.call('root', 'AdminUtils', 'sudo_set_mechanism_count', { netuid: 1, mechanism_count })
  count(2)
  chain.pass(1)
  const args = { netuid: 1, mecid: 1, dests: [3], weights: [1], version_key: 0n }
  chain.call(key(1), P, 'set_mechanism_weights', args)
  chain.pass(20)
  expect(chain.get(s.Bonds, 4097, 1)).not.toEqual([])
  expect(count(1)).toBe('ok')
  expect(chain.get(s.Weights, 4097, 1)).toEqual([])
  expect(chain.get(s.Bonds, 4097, 1)).toEqual([])
  expect(chain.get(s.LastUpdate, 4097)).toEqual([])
})
