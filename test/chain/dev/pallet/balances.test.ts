import { describe, expect, test } from 'vitest'
import type { DecodedCall } from '../../../../src/chain/dev/define.ts'
import { EXISTENTIAL_DEPOSIT, TotalIssuance } from '../../../../src/chain/dev/pallet/balances.ts'
import { Account } from '../../../../src/chain/dev/pallet/system.ts'
import { ALICE, alice, BOB, bob, createTestChain, eventNames, eventsOf, NOBODY, sign, transferOf } from '../world.ts'

const FUNDS = 10n ** 12n
const setup = () => createTestChain({ accounts: { [ALICE]: FUNDS, [BOB]: FUNDS } }).chain
type TestChain = ReturnType<typeof setup>

const freeOf = (chain: TestChain, account: string) => chain.state.get(Account, account).data.free
const feeOf = (bytes: Uint8Array) => 124_000n + BigInt(bytes.length)
function run(chain: TestChain, call: DecodedCall, pair = alice): bigint {
  const bytes = sign(chain, pair, call)
  chain.submit(bytes)
  chain.seal()
  return feeOf(bytes)
}
const failureOf = (chain: TestChain) => {
  const failed = eventsOf(chain).find(({ event }) => event.name === 'ExtrinsicFailed')
  const bytes = chain.runtime.codecs.encode('DispatchError', failed?.event.fields['dispatch_error'])
  return chain.runtime.codecs.decode('DispatchError', bytes)
}
const token = (type: string) => ({ type: 'Token', value: { type, value: null } })
const sudo = (call: DecodedCall): DecodedCall => ({ pallet: 'Sudo', name: 'sudo', args: { call } })
const id = (value: string) => ({ type: 'Id', value })

describe('a transfer', () => {
  test('moves money, and the sender pays the fee, which is burned', () => {
    const chain = setup()
    const fee = run(chain, transferOf(BOB, 5000n))
    expect([freeOf(chain, ALICE), freeOf(chain, BOB)]).toEqual([FUNDS - 5000n - fee, FUNDS + 5000n])
    expect(chain.state.get(TotalIssuance)).toBe(2n * FUNDS - fee)
    expect(eventNames(chain)).toEqual([
      'Balances.Withdraw',
      'Balances.Transfer',
      'TransactionPayment.TransactionFeePaid',
      'System.ExtrinsicSuccess',
    ])
  })

  test('makes an account', () => {
    const chain = setup()
    run(chain, transferOf(NOBODY, EXISTENTIAL_DEPOSIT))
    expect(chain.state.get(Account, NOBODY)).toMatchObject({ nonce: 0, providers: 1, data: { free: 500n } })
    expect(eventNames(chain)).toEqual(expect.arrayContaining(['System.NewAccount', 'Balances.Endowed']))
  })

  test('to oneself changes nothing but the fee', () => {
    const chain = setup()
    const fee = run(chain, transferOf(ALICE, 7n))
    expect(freeOf(chain, ALICE)).toBe(FUNDS - fee)
  })

  test('may end the sender when it says so', () => {
    const chain = setup()
    const fee = feeOf(sign(chain, alice, transferOf(BOB, FUNDS, 'transfer_allow_death')))
    run(chain, transferOf(BOB, FUNDS - fee - 10n, 'transfer_allow_death'))
    expect(chain.state.get(Account, ALICE)).toMatchObject({ nonce: 0, providers: 0 })
    expect(eventNames(chain)).toEqual(expect.arrayContaining(['System.KilledAccount', 'Balances.DustLost']))
    expect(chain.state.get(TotalIssuance)).toBe(freeOf(chain, BOB))
  })

  test('of all leaves nothing, or what keeps the sender alive', () => {
    for (const [keepAlive, left] of [
      [false, 0n],
      [true, EXISTENTIAL_DEPOSIT],
    ] as const) {
      const chain = setup()
      run(chain, { pallet: 'Balances', name: 'transfer_all', args: { dest: id(BOB), keep_alive: keepAlive } })
      expect(freeOf(chain, ALICE)).toBe(left)
    }
  })

  const failures: [why: string, call: DecodedCall, error: object][] = [
    ['more than there is', transferOf(BOB, FUNDS), token('FundsUnavailable')],
    ['more than there is, to oneself', transferOf(ALICE, FUNDS), token('FundsUnavailable')],
    ['the last of it', transferOf(BOB, FUNDS - 124_300n), token('NotExpendable')],
    ['too little for a new account', transferOf(NOBODY, 499n), token('BelowMinimum')],
    ['an index', { ...transferOf(BOB, 1n), args: { dest: { type: 'Index', value: null }, value: 1n } }, { type: 'CannotLookup', value: null }], // biome-ignore format: a row
    ['as if it were root', { pallet: 'Balances', name: 'force_set_balance', args: { who: id(BOB), new_free: 1n } }, { type: 'BadOrigin', value: null }], // biome-ignore format: a row
  ]
  test.each(failures)('of %s fails, and only the fee is gone', (_, call, error) => {
    const chain = setup()
    const fee = run(chain, call)
    expect(failureOf(chain)).toEqual(error)
    expect([freeOf(chain, ALICE), freeOf(chain, BOB)]).toEqual([FUNDS - fee, FUNDS])
    expect(chain.state.get(Account, ALICE).nonce).toBe(1)
  })

  test('with a tip costs the tip too', () => {
    const chain = setup()
    const bytes = sign(chain, alice, transferOf(BOB, 1n), { tip: 77n })
    chain.submit(bytes)
    chain.seal()
    expect(freeOf(chain, ALICE)).toBe(FUNDS - 1n - feeOf(bytes) - 77n)
  })
})

describe('root', () => {
  test.each([5n * FUNDS, FUNDS / 2n, 100n])('sets a balance to %s, and the issuance follows', (free) => {
    const chain = setup()
    run(chain, sudo({ pallet: 'Balances', name: 'force_set_balance', args: { who: id(BOB), new_free: free } }))
    const kept = free < EXISTENTIAL_DEPOSIT ? 0n : free
    expect(freeOf(chain, BOB)).toBe(kept)
    expect(chain.state.get(TotalIssuance)).toBe(freeOf(chain, ALICE) + kept)
  })

  test('moves the money of others', () => {
    const chain = setup()
    const args = { source: id(BOB), dest: id(ALICE), value: 9n }
    run(chain, sudo({ pallet: 'Balances', name: 'force_transfer', args }))
    expect([freeOf(chain, ALICE), freeOf(chain, BOB)]).toEqual([FUNDS + 9n, FUNDS - 9n])
  })
})

test('money is neither made nor lost by many transfers', () => {
  const chain = setup()
  for (let i = 0; i < 20; i++)
    run(chain, transferOf(i % 2 === 0 ? BOB : ALICE, BigInt(i * 1000)), i % 3 === 0 ? bob : alice)
  const all = [...chain.state.entries(Account)].reduce((sum, [, info]) => sum + info.data.free, 0n)
  expect(chain.state.get(TotalIssuance)).toBe(all)
})
