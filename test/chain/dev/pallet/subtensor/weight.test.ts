import { describe, expect, test } from 'vitest'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { maxUpscale } from '../../../../../src/chain/dev/pallet/subtensor/weight.ts'
import { createFakeChain, type FakeChain, key, OWNER, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const VALIDATOR = key(1)
const MINER = key(3)
const good = { netuid: 1, dests: [3, 4], weights: [10, 20], version_key: 0n }

const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 3)] })
  chain.pass(10)
  return chain
}
const set = (chain: FakeChain, args: object = {}, who = VALIDATOR) =>
  chain.call(who, P, 'set_weights', { ...good, ...args })

test('weights are stored as set, scaled so that the greatest is 65535', () => {
  const chain = create()
  expect(set(chain)).toBe('ok')
  expect(chain.get(s.Weights, 1, 1)).toEqual([
    [3, 32768],
    [4, 65535],
  ])
  expect(chain.get(s.LastUpdate, 1)[1]).toBe(10n)
  expect(chain.told().at(-1)).toBe('WeightsSet')
})

test.each<[string, (chain: FakeChain) => string]>([
  [
    'NotEnoughStakeToSetWeights',
    (chain) => {
      chain.context.set(s.StakeThreshold, [], 10n ** 15n)
      return set(chain, { dests: [3], weights: [] })
    },
  ],
  [
    'SettingWeightsTooFast',
    (chain) => {
      set(chain)
      return set(chain, { dests: [3] })
    },
  ],
  [
    'CommitRevealEnabled',
    (chain) => {
      chain.put(s.CommitRevealWeightsEnabled, true)
      return set(chain, { dests: [3] })
    },
  ],
  [
    'CanNotSetRootNetworkWeights',
    (chain) => {
      chain.context.set(s.CommitRevealWeightsEnabled, [0], false)
      return set(chain, { netuid: 0, dests: [3] })
    },
  ],
  [
    'WeightVecNotEqualSize',
    (chain) => {
      chain.context.set(s.CommitRevealWeightsEnabled, [9], false)
      return set(chain, { netuid: 9, dests: [3] })
    },
  ],
  [
    'MechanismDoesNotExist',
    (chain) => {
      chain.context.set(s.CommitRevealWeightsEnabled, [9], false)
      return set(chain, { netuid: 9 })
    },
  ],
  [
    'UidsLengthExceedUidsInSubNet',
    (chain) => set(chain, { dests: [1, 2, 3, 4, 5, 6, 7], weights: [1, 1, 1, 1, 1, 1, 1] }, key(99)),
  ],
  [
    'HotKeyNotRegisteredInSubNet',
    (chain) => {
      chain.put(s.WeightsVersionKey, 7n)
      return set(chain, {}, key(99))
    },
  ],
  [
    'IncorrectWeightVersionKey',
    (chain) => {
      chain.put(s.WeightsVersionKey, 7n)
      return set(chain, { version_key: 6n }, MINER)
    },
  ],
  ['NeuronNoValidatorPermit', (chain) => set(chain, { dests: [4, 4] }, MINER)],
  ['DuplicateUids', (chain) => set(chain, { dests: [99, 99] })],
  [
    'UidVecContainInvalidOne',
    (chain) => {
      chain.put(s.MinAllowedWeights, 3)
      return set(chain, { dests: [3, 99] })
    },
  ],
  [
    'WeightVecLengthIsLow',
    (chain) => {
      chain.put(s.MinAllowedWeights, 3)
      chain.put(s.MaxWeightsLimit, 1)
      return set(chain)
    },
  ],
  [
    'MaxWeightExceeded',
    (chain) => {
      chain.put(s.MaxWeightsLimit, 40_000)
      return set(chain)
    },
  ],
])('%s comes before what else is wrong', (error, act) => {
  const chain = create()
  expect(act(chain)).toBe(`${P}.${error}`)
})

describe('exceptions', () => {
  test('a single weight on oneself needs neither permit nor length', () => {
    const chain = create()
    chain.put(s.MinAllowedWeights, 5)
    expect(set(chain, { dests: [3], weights: [1] }, MINER)).toBe('ok')
  })

  test("the owner's hotkey needs neither stake nor permit", () => {
    const chain = create()
    chain.context.set(s.StakeThreshold, [], 10n ** 15n)
    chain.put(s.ValidatorPermit, [])
    expect(set(chain, {}, OWNER.hotkey)).toBe('ok')
  })

  test('the version key is a floor, and none when zero', () => {
    const chain = create()
    chain.put(s.WeightsVersionKey, 7n)
    expect(set(chain, { version_key: 8n })).toBe('ok')
  })

  test('the limit is over after so many blocks', () => {
    const chain = create()
    expect(set(chain)).toBe('ok')
    chain.pass(4)
    expect(set(chain)).toBe(`${P}.SettingWeightsTooFast`)
    chain.pass(1)
    expect(set(chain)).toBe('ok')
  })
})

test.each([
  ['too soon', 6, (chain: FakeChain) => void set(chain)],
  ['too little stake', 1, (chain: FakeChain) => chain.context.set(s.StakeThreshold, [], 10n ** 15n)],
  ['nothing wrong', null, () => {}],
])('the pool judges what needs no call: %s is %s', (_, code, arrange) => {
  const chain = create()
  arrange(chain)
  expect(chain.pool(VALIDATOR, P, 'set_weights', good)).toBe(code)
})

test('a batch tells of what failed and keeps the rest', () => {
  const chain = create()
  const row = [
    [3, 1],
    [4, 1],
  ]
  const args = { netuids: [1, 9], weights: [row, row], version_keys: [0n, 0n] }
  chain.context.set(s.CommitRevealWeightsEnabled, [9], false)
  chain.told()
  expect(chain.call(VALIDATOR, P, 'batch_set_weights', args)).toBe('ok')
  expect(chain.told()).toEqual([
    'WeightsSet',
    'BatchCompletedWithErrors',
    'BatchWeightItemFailed',
    'BatchWeightsCompleted',
  ])
  expect(chain.call(VALIDATOR, P, 'batch_set_weights', { ...args, netuids: [1] })).toBe(`${P}.InputLengthsUnequal`)
  expect(chain.pool(VALIDATOR, P, 'batch_set_weights', { ...args, netuids: [1] })).toBe(18)
})

test('mechanisms have weights of their own', () => {
  const chain = create()
  chain.put(s.MaxAllowedUids, 128)
  expect(chain.call('root', 'AdminUtils', 'sudo_set_mechanism_count', { netuid: 1, mechanism_count: 2 })).toBe('ok')
  expect(chain.call(VALIDATOR, P, 'set_mechanism_weights', { ...good, mecid: 1 })).toBe('ok')
  expect(chain.get(s.Weights, 1, 1)).toEqual([])
  expect(chain.get(s.Weights, 4097, 1)).toHaveLength(2)
  expect(chain.get(s.LastUpdate, 4097)).toEqual([0n, 10n, 0n, 0n, 0n, 0n])
  expect(chain.call(key(99), P, 'set_mechanism_weights', { ...good, mecid: 2 })).toBe(`${P}.MechanismDoesNotExist`)
})

test.each([
  [[], []],
  [
    [0, 0],
    [0, 0],
  ],
  [[1], [65_535]],
  [
    [1, 2, 3],
    [21_845, 43_690, 65_535],
  ],
  [
    [65_535, 1],
    [65_535, 1],
  ],
  [
    [65_534, 32_767],
    [65_535, 32_767],
  ],
  [
    [40_000, 13],
    [65_535, 21],
  ],
])('max-upscale of %j is %j', (values, expected) => {
  expect(maxUpscale(values)).toEqual(expected)
})
