import { describe, expect, test } from 'vitest'
import type { Pallet } from '../../../src/chain/dev/define.ts'
import { Account } from '../../../src/chain/dev/pallet/system.ts'
import { NO_PARTS } from '../../../src/chain/dev/parts.ts'
import type { PoolLimits, TxStatus } from '../../../src/chain/dev/pool.ts'
import type { RpcError } from '../../../src/chain/dev/rpc-error.ts'
import {
  ALICE,
  alice,
  BOB,
  bob,
  createTestChain,
  edith,
  keyOf,
  remark,
  type SignOptions,
  sign,
  transferOf,
} from './world.ts'

const errorOf = (run: () => unknown): Pick<RpcError, 'code' | 'message' | 'data'> => {
  try {
    run()
  } catch (error) {
    const { code, message, data } = error as RpcError
    return { code, message, data }
  }
  return expect.fail('nothing was thrown')
}
const invalid = (data: string) => ({ code: 1010, message: 'Invalid Transaction', data })

describe('a transaction is refused with the codes and words of Substrate:', () => {
  const cases: [why: string, options: SignOptions, error: object][] = [
    ['an old nonce', { nonce: 0 }, invalid('Transaction is outdated')],
    ['another runtime', { specVersion: 424 }, invalid('Transaction has a bad signature')],
    ['another block of birth', { era: { period: 64, phase: 1 }, birthHash: '00'.repeat(32) }, invalid('Transaction has a bad signature')], // biome-ignore format: a row
    ['a birth that is to come', { era: { period: 64, phase: 9 }, birthHash: '00'.repeat(32) }, invalid('Transaction has an ancient birth block')], // biome-ignore format: a row
    ['more than it has', { tip: 10n ** 18n }, invalid('Inability to pay some fees (e.g. account balance too low)')],
    ['a hash of the metadata', { wantsMetadataHash: true }, { code: 1011, message: 'Unknown Transaction Validity', data: 'CannotLookup' }], // biome-ignore format: a row
  ]
  test.each(cases)('%s', (_, options, error) => {
    const { chain } = createTestChain()
    chain.submit(sign(chain, alice, remark()))
    chain.seal()
    const bytes = sign(chain, alice, remark(), options)
    expect(errorOf(() => chain.submit(bytes))).toEqual(error)
  })

  test('an account that does not exist', () => {
    const { chain } = createTestChain()
    expect(errorOf(() => chain.submit(sign(chain, edith, remark())))).toEqual(
      invalid('Inability to pay some fees (e.g. account balance too low)'),
    )
  })

  test('sudo by others', () => {
    const { chain } = createTestChain()
    const call = { pallet: 'Sudo', name: 'sudo', args: { call: remark() } }
    expect(errorOf(() => chain.submit(sign(chain, bob, call)))).toEqual(invalid('Invalid signing address'))
  })

  test('the same again', () => {
    const { chain } = createTestChain()
    const bytes = sign(chain, alice, remark())
    chain.submit(bytes)
    expect(errorOf(() => chain.submit(bytes))).toEqual({
      code: 1013,
      message: 'Transaction Already Imported',
      data: 'Any { .. }',
    })
  })

  test('another of the same nonce', () => {
    const { chain } = createTestChain()
    chain.submit(sign(chain, alice, remark()))
    expect(errorOf(() => chain.submit(sign(chain, alice, remark('other'), { nonce: 0, tip: 99n })))).toEqual({
      code: 1014,
      message: 'Priority is too low: (1 vs 1)',
      data: 'The transaction has too low priority to replace another transaction already in the pool.',
    })
  })

  test('what was in a block, or was refused, is banned for half an hour', () => {
    const { chain, wait } = createTestChain()
    const landed = sign(chain, alice, remark())
    chain.submit(landed)
    chain.seal()
    const stale = sign(chain, alice, remark(), { nonce: 0, tip: 1n })
    expect(errorOf(() => chain.submit(stale)).code).toBe(1010)
    const banned = { code: 1012, message: 'Transaction is temporarily banned', data: undefined }
    expect([landed, stale].map((bytes) => errorOf(() => chain.submit(bytes)))).toEqual([banned, banned])
    wait(31 * 60_000)
    expect(errorOf(() => chain.submit(landed))).toEqual(invalid('Transaction is outdated'))
  })

  test('too many', () => {
    const poolLimits: PoolLimits = { readyMax: 2, futureMax: 1, bytesMax: 10_000 }
    const { chain } = createTestChain({ poolLimits })
    const full = {
      code: 1016,
      message: 'Immediately Dropped',
      data: "The transaction couldn't enter the pool because of the limit",
    }
    chain.submit(sign(chain, alice, remark(), { nonce: 5 }))
    expect(errorOf(() => chain.submit(sign(chain, alice, remark(), { nonce: 7 })))).toEqual(full)
    chain.submit(sign(chain, alice, remark()))
    chain.submit(sign(chain, alice, remark()))
    expect(errorOf(() => chain.submit(sign(chain, bob, remark())))).toEqual(full)
  })

  test('too many bytes', () => {
    const { chain } = createTestChain({ poolLimits: { readyMax: 9, futureMax: 9, bytesMax: 1000 } })
    expect(errorOf(() => chain.submit(sign(chain, alice, remark('x'.repeat(2000))))).code).toBe(1016)
  })
})

test('an account without money may call what is free, and a pallet may refuse it with a number', () => {
  const free = { index: 0, name: 'free', args: 'code: u8', paysFee: false, run: () => {} }
  const pallet: Pallet = {
    index: 90,
    name: 'Free',
    storage: [],
    calls: [{ ...free, reject: (_context, _origin, { code }) => (code === 0 ? null : (code as number)) }],
    events: [],
    errors: [],
    constants: [],
  }
  const { chain } = createTestChain({ parts: { ...NO_PARTS, pallets: [pallet] } })
  const callWith = (code: number) => ({ pallet: 'Free', name: 'free', args: { code } })
  chain.submit(sign(chain, edith, callWith(0)))
  chain.seal()
  expect(chain.state.get(Account, keyOf(edith))).toMatchObject({ nonce: 1, providers: 0 })
  expect(errorOf(() => chain.submit(sign(chain, edith, callWith(6))))).toEqual(invalid('Custom error: 6'))
})

describe('nonces', () => {
  test('the future waits until the gap is filled', () => {
    const { chain } = createTestChain()
    const heard: TxStatus[] = []
    const late = chain.submit(sign(chain, alice, remark(), { nonce: 1 }))
    late.watchers.add((status) => heard.push(status))
    expect([chain.pool.isReady(late), chain.pool.readyCount(ALICE)]).toEqual([false, 0])
    chain.seal()
    expect(chain.state.get(Account, ALICE).nonce).toBe(0)
    chain.submit(sign(chain, alice, remark(), { nonce: 0 }))
    expect([heard, chain.pool.readyCount(ALICE)]).toEqual([['ready'], 2])
    chain.seal()
    expect(chain.state.get(Account, ALICE).nonce).toBe(2)
  })

  test('many of one account are in one block, in their order', () => {
    const { chain } = createTestChain()
    for (const nonce of [3, 1, 0, 2]) chain.submit(sign(chain, alice, transferOf(BOB, BigInt(nonce)), { nonce }))
    expect(chain.seal().body).toHaveLength(5)
    expect(chain.pool.pending()).toEqual([])
  })

  test('when one of them falls out, those after it wait', () => {
    const { chain } = createTestChain()
    const mortal = { era: { period: 4, phase: 0 }, nonce: 1 }
    chain.submit(sign(chain, alice, remark(), { nonce: 2 }))
    const dies = chain.submit(sign(chain, alice, remark(), mortal))
    const heard: TxStatus[] = []
    dies.watchers.add((status) => heard.push(status))
    for (let block = 0; block < 5; block++) chain.seal()
    expect(heard).toEqual(['invalid'])
    chain.submit(sign(chain, alice, remark(), { nonce: 0 }))
    expect(chain.pool.readyCount(ALICE)).toBe(1)
  })

  test('an account that cannot pay for the second one has it dropped in its turn', () => {
    const { chain } = createTestChain({ accounts: { [ALICE]: 10n ** 9n } })
    chain.submit(sign(chain, alice, transferOf(BOB, 10n ** 9n - 200_000n, 'transfer_allow_death')))
    const heard: TxStatus[] = []
    chain.submit(sign(chain, alice, remark())).watchers.add((status) => heard.push(status))
    chain.seal()
    expect(heard).toEqual(['invalid'])
  })
})
