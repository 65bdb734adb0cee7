import { describe, expect, test } from 'vitest'
import type { DecodedCall } from '../../../../src/chain/dev/define.ts'
import { SudoKey } from '../../../../src/chain/dev/pallet/sudo.ts'
import { Account } from '../../../../src/chain/dev/pallet/system.ts'
import { ALICE, alice, BOB, createTestChain, eventNames, eventsOf, NOBODY, remark, sign, transferOf } from '../world.ts'

const batch = (name: string, calls: readonly DecodedCall[]): DecodedCall => ({
  pallet: 'Utility',
  name,
  args: { calls },
})
const good = transferOf(NOBODY, 1000n)
const bad = transferOf(NOBODY, 10n ** 18n)

function run(call: DecodedCall) {
  const { chain } = createTestChain()
  chain.submit(sign(chain, alice, call))
  chain.seal()
  return { chain, received: chain.state.get(Account, NOBODY).data.free, names: eventNames(chain).slice(1, -2) }
}

describe('a batch', () => {
  test('runs all', () => {
    const { received, names } = run(batch('batch', [good, good]))
    expect(received).toBe(2000n)
    expect(names.at(-1)).toBe('Utility.BatchCompleted')
  })

  test('stops at the first failure and keeps what was before', () => {
    const { chain, received } = run(batch('batch', [good, bad, good]))
    expect(received).toBe(1000n)
    const event = eventsOf(chain).find(({ event }) => event.name === 'BatchInterrupted')?.event
    expect(event?.fields).toMatchObject({ index: 1, error: { pallet: 'Token', error: 'FundsUnavailable' } })
    expect(eventNames(chain).at(-1)).toBe('System.ExtrinsicSuccess')
  })

  test('of all or none keeps nothing after a failure', () => {
    const { chain, received, names } = run(batch('batch_all', [good, bad]))
    expect([received, names]).toEqual([0n, []])
    expect(eventNames(chain).at(-1)).toBe('System.ExtrinsicFailed')
  })

  test('that is forced goes on after a failure', () => {
    const { received, names } = run(batch('force_batch', [good, bad, good]))
    expect(received).toBe(2000n)
    expect(names.filter((name) => name.startsWith('Utility'))).toEqual([
      'Utility.ItemCompleted',
      'Utility.ItemFailed',
      'Utility.ItemCompleted',
      'Utility.BatchCompletedWithErrors',
    ])
  })

  test('within a batch is taken back alone', () => {
    const { received } = run(batch('force_batch', [batch('batch_all', [good, bad]), good]))
    expect(received).toBe(1000n)
  })

  test('of too many calls is refused', () => {
    const { chain } = run(
      batch(
        'batch',
        Array.from({ length: 10_923 }, () => remark('')),
      ),
    )
    expect(eventsOf(chain).at(-1)?.event.fields['dispatch_error']).toMatchObject({ error: 'TooManyCalls' })
  })
})

describe('sudo', () => {
  const sudo = (call: DecodedCall): DecodedCall => ({ pallet: 'Sudo', name: 'sudo', args: { call } })

  test('runs a call as root, free of charge, and says how it went', () => {
    const { chain } = run(
      sudo({ pallet: 'Balances', name: 'transfer_all', args: { dest: { type: 'Id', value: BOB }, keep_alive: true } }),
    )
    const [sudid, success] = eventsOf(chain)
    expect(sudid?.event.fields['sudo_result']).toMatchObject({ type: 'Err', value: { error: 'BadOrigin' } })
    expect(success?.event.name).toBe('ExtrinsicSuccess')
    expect(chain.state.get(Account, ALICE).data.free).toBe(10n ** 15n)
  })

  test('runs a call as somebody else', () => {
    const args = { who: { type: 'Id', value: BOB }, call: good }
    const { chain, received } = run({ pallet: 'Sudo', name: 'sudo_as', args })
    expect(received).toBe(1000n)
    expect(chain.state.get(Account, BOB).data.free).toBe(10n ** 15n - 1000n)
  })

  test('hands its key on', () => {
    const { chain } = run({ pallet: 'Sudo', name: 'set_key', args: { new: { type: 'Id', value: BOB } } })
    expect(chain.state.get(SudoKey)).toBe(BOB)
  })
})
