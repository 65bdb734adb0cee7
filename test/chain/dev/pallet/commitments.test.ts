import { describe, expect, test } from 'vitest'
import { CommitmentOf, LastCommitment, UsedSpaceOf } from '../../../../src/chain/dev/pallet/commitments.ts'
import * as s from '../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { createFakeChain, type FakeChain, key, subnetOf } from '../fake-context.ts'

const P = 'Commitments'
const HOT = key(1)
const raw = (bytes: number) => ({ type: `Raw${bytes}`, value: new Uint8Array(bytes) })
const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(1, 1)] })
  chain.pass(1)
  return chain
}
const commit = (chain: FakeChain, fields: readonly object[], who = HOT) =>
  chain.call(who, P, 'set_commitment', { netuid: 1, info: { fields } })

test('the last write counts', () => {
  const chain = create()
  expect(commit(chain, [raw(3)])).toBe('ok')
  chain.pass(1)
  expect(commit(chain, [raw(4), raw(5)])).toBe('ok')
  const kept = chain.get(CommitmentOf, 1, HOT)
  expect(kept).toEqual({ deposit: 0n, block: 2, info: { fields: [raw(4), raw(5)] } })
  expect(chain.get(LastCommitment, 1, HOT)).toBe(2)
  expect(chain.told(P)).toEqual(['Commitment', 'Commitment'])
})

test('strangers and long lists are refused', () => {
  const chain = create()
  expect(commit(chain, [raw(1), raw(1), raw(1), raw(1)], key(99))).toBe(`${P}.AccountNotAllowedCommit`)
  expect(commit(chain, [raw(1), raw(1), raw(1), raw(1)])).toBe(`${P}.TooManyFieldsInCommitmentInfo`)
})

describe('space', () => {
  test('31 small commitments fit into an epoch, and as many into the next', () => {
    const chain = create()
    for (let i = 0; i < 31; i++) expect(commit(chain, [raw(16)])).toBe('ok')
    expect(commit(chain, [raw(16)])).toBe(`${P}.SpaceLimitExceeded`)
    chain.pass(20)
    expect(commit(chain, [raw(16)])).toBe('ok')
    expect(chain.get(UsedSpaceOf, 1, HOT)).toEqual({ last_epoch: 1n, used_space: 100n })
  })

  test.each([
    [[], 100n],
    [[raw(128)], 128n],
    [[raw(90), raw(20)], 110n],
    [[{ type: 'Sha256', value: new Uint8Array(32) }], 100n],
    [[{ type: 'BigRaw', value: new Uint8Array(512) }], 512n],
    [
      [
        { type: 'None', value: null },
        { type: 'ResetBondsFlag', value: null },
      ],
      100n,
    ],
    [[{ type: 'TimelockEncrypted', value: { encrypted: new Uint8Array(300), reveal_round: 9n } }], 300n],
  ])('%o takes %i bytes', (fields, bytes) => {
    const chain = create()
    expect(commit(chain, fields)).toBe('ok')
    expect(chain.get(UsedSpaceOf, 1, HOT)?.used_space).toBe(bytes)
  })

  test('its limit is what the root says', () => {
    const chain = create()
    expect(chain.call(HOT, P, 'set_max_space', { new_limit: 1 })).toBe('DispatchError.BadOrigin')
    expect(chain.call('root', P, 'set_max_space', { new_limit: 99 })).toBe('ok')
    expect(commit(chain, [raw(1)])).toBe(`${P}.SpaceLimitExceeded`)
  })
})

test('the flag resets bonds where the subnet allows it', () => {
  const chain = create()
  const flag = [{ type: 'ResetBondsFlag', value: null }]
  chain.context.set(
    s.Bonds,
    [1, 0],
    [
      [1, 5],
      [2, 6],
    ],
  )
  commit(chain, flag)
  expect(chain.get(s.Bonds, 1, 0)).toHaveLength(2)
  chain.put(s.BondsResetOn, true)
  commit(chain, flag)
  expect(chain.get(s.Bonds, 1, 0)).toEqual([[2, 6]])
})

test('what was encrypted leaves when its pulse comes, and what was not stays', () => {
  const chain = create()
  const sealed = { type: 'TimelockEncrypted', value: { encrypted: new Uint8Array(9), reveal_round: 5n } }
  commit(chain, [raw(4), sealed])
  chain.pass(1)
  expect(chain.get(CommitmentOf, 1, HOT)?.info.fields).toHaveLength(2)
  const pulse = { round: 5n, randomness: new Uint8Array(32), signature: new Uint8Array(48) }
  expect(chain.call('root', 'Drand', 'write_pulse', { pulses_payload: { pulses: [pulse] }, signature: null })).toBe(
    'ok',
  )
  chain.pass(1)
  expect(chain.get(CommitmentOf, 1, HOT)?.info.fields).toEqual([raw(4)])
})
