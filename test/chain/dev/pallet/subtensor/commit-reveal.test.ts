import { describe, expect, test } from 'vitest'
import { commitHash } from '../../../../../src/chain/dev/pallet/subtensor/commit-reveal.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { createFakeChain, type FakeChain, key, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const VALIDATOR = key(1)
const weights = { uids: [3, 4], values: [10, 20], salt: [1, 2, 3], versionKey: 0n }
const revealArgs = { netuid: 1, uids: [3, 4], values: [10, 20], salt: [1, 2, 3], version_key: 0n }

const create = (more = {}) => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 3, { commitReveal: true, weightsRateLimit: 0, ...more })] })
  chain.pass(1)
  return chain
}
const commit = (chain: FakeChain, given: object = {}) =>
  chain.call(VALIDATOR, P, 'commit_weights', {
    netuid: 1,
    commit_hash: commitHash(VALIDATOR, 1, { ...weights, ...given }),
  })
const reveal = (chain: FakeChain, given: object = {}) =>
  chain.call(VALIDATOR, P, 'reveal_weights', { ...revealArgs, ...given })

describe('the window of a reveal', () => {
  test.each([1, 3])('is exactly the epoch that a period of %i names', (period) => {
    const chain = create({ revealPeriodEpochs: period })
    expect(commit(chain)).toBe('ok')
    for (let block = 1; block < period * 20 + 40; block++) {
      const epoch = Number(chain.get(s.SubnetEpochIndex, 1))
      const code = chain.pool(VALIDATOR, P, 'reveal_weights', revealArgs)
      expect([epoch, code]).toEqual([epoch, epoch === period ? null : 17])
      chain.pass(1)
    }
    expect(reveal(chain)).toBe(`${P}.RevealTooEarly`)
  })

  test('a reveal in time sets the weights and forgets the commit, and those before it', () => {
    const chain = create()
    commit(chain, { salt: [9] })
    commit(chain)
    commit(chain, { salt: [8] })
    chain.pass(20)
    chain.told()
    expect(reveal(chain)).toBe('ok')
    expect(chain.told()).toEqual(['WeightsSet', 'WeightsRevealed'])
    expect(chain.get(s.WeightCommits, 1, VALIDATOR)).toHaveLength(1)
    expect(chain.get(s.Weights, 1, 1)).toHaveLength(2)
    expect(reveal(chain, { salt: [8] })).toBe('ok')
    expect(chain.get(s.WeightCommits, 1, VALIDATOR)).toBeNull()
  })

  test('the last update is that of the commit', () => {
    const chain = create()
    commit(chain)
    chain.pass(20)
    reveal(chain)
    expect(chain.get(s.LastUpdate, 1)[1]).toBe(1n)
  })
})

test('commits are refused in the order of the checks', () => {
  const chain = create({ weightsRateLimit: 5 })
  const args = { netuid: 1, commit_hash: key(7) }
  expect(chain.call(VALIDATOR, P, 'commit_weights', { ...args, netuid: 9 })).toBe(`${P}.MechanismDoesNotExist`)
  expect(chain.call(key(99), P, 'commit_weights', args)).toBe(`${P}.HotKeyNotRegisteredInSubNet`)
  expect(commit(chain)).toBe('ok')
  expect(commit(chain)).toBe(`${P}.CommittingWeightsTooFast`)
  expect(chain.pool(VALIDATOR, P, 'commit_weights', args)).toBe(6)
  chain.put(s.CommitRevealWeightsEnabled, false)
  chain.pass(5)
  expect(commit(chain)).toBe(`${P}.CommitRevealDisabled`)
  expect(reveal(chain)).toBe(`${P}.RevealTooEarly`)
})

test('ten commits may wait', () => {
  const chain = create()
  for (let i = 0; i < 10; i++) expect(commit(chain, { salt: [i] })).toBe('ok')
  expect(commit(chain)).toBe(`${P}.TooManyUnrevealedCommits`)
})

test('what was not committed cannot be revealed', () => {
  const chain = create()
  expect(reveal(chain)).toBe(`${P}.NoWeightsCommitFound`)
  expect(chain.pool(VALIDATOR, P, 'reveal_weights', revealArgs)).toBe(16)
  commit(chain)
  chain.pass(20)
  expect(chain.pool(VALIDATOR, P, 'reveal_weights', { ...revealArgs, values: [1, 1] })).toBe(16)
})

test('weights are not set openly', () => {
  const chain = create()
  const args = { netuid: 1, dests: [3], weights: [1], version_key: 0n }
  expect(chain.call(VALIDATOR, P, 'set_weights', args)).toBe(`${P}.CommitRevealEnabled`)
})

test('a batch of reveals is all or nothing', () => {
  const chain = create()
  commit(chain)
  commit(chain, { salt: [4] })
  chain.pass(20)
  const batch = (salts: readonly (readonly number[])[]) => ({
    netuid: 1,
    uids_list: salts.map(() => [3, 4]),
    values_list: salts.map(() => [10, 20]),
    salts_list: salts,
    version_keys: salts.map(() => 0n),
  })
  expect(chain.pool(VALIDATOR, P, 'batch_reveal_weights', batch([[1, 2, 3], [5]]))).toBe(16)
  expect(chain.call(VALIDATOR, P, 'batch_reveal_weights', batch([[1, 2, 3], [4]]))).toBe('ok')
  expect(chain.get(s.WeightCommits, 1, VALIDATOR)).toBeNull()
})

describe('timelocked', () => {
  const args = { netuid: 1, commit: Uint8Array.of(1, 2), reveal_round: 5n, commit_reveal_version: 4 }
  const send = (chain: FakeChain, given: object = {}) =>
    chain.call(VALIDATOR, P, 'commit_timelocked_weights', { ...args, ...given })
  const pulse = (chain: FakeChain, round: bigint) =>
    chain.call('root', 'Drand', 'write_pulse', {
      pulses_payload: { pulses: [{ round, randomness: new Uint8Array(32), signature: new Uint8Array(48) }] },
      signature: null,
    })

  test('a commit waits under its epoch', () => {
    const chain = create()
    expect(send(chain)).toBe('ok')
    expect(chain.get(s.TimelockedWeightCommits, 1, 0n)).toEqual([[VALIDATOR, 1n, args.commit, 5n]])
    expect(chain.told().at(-1)).toBe('TimelockedWeightsCommitted')
  })

  test('another version, and a round that is over, are refused', () => {
    const chain = create()
    expect(send(chain, { commit_reveal_version: 3 })).toBe(`${P}.IncorrectCommitRevealVersion`)
    expect(pulse(chain, 6n)).toBe('ok')
    expect(send(chain)).toBe(`${P}.InvalidRevealRound`)
    expect(chain.pool(VALIDATOR, P, 'commit_timelocked_weights', args)).toBe(15)
  })

  test('without a pulse it waits through its epoch and is then forgotten', () => {
    const chain = create()
    send(chain)
    chain.pass(38)
    expect(chain.get(s.TimelockedWeightCommits, 1, 0n)).toHaveLength(1)
    chain.pass(1)
    expect(chain.get(s.TimelockedWeightCommits, 1, 0n)).toEqual([])
  })

  test('what cannot be opened is dropped once its pulse is there', () => {
    const chain = create()
    send(chain)
    pulse(chain, 5n)
    chain.pass(18)
    expect(chain.get(s.TimelockedWeightCommits, 1, 0n)).toHaveLength(1)
    chain.pass(1)
    expect(chain.get(s.TimelockedWeightCommits, 1, 0n)).toEqual([])
    expect(chain.get(s.Weights, 1, 1)).toEqual([])
  })
})
