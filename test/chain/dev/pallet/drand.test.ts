import { expect, test } from 'vitest'
import { LastStoredRound, OldestStoredRound, Pulses } from '../../../../src/chain/dev/pallet/drand.ts'
import { createFakeChain, key } from '../fake-context.ts'

const pulse = (round: bigint) => ({ round, randomness: new Uint8Array(32), signature: new Uint8Array(48) })
const payload = (...rounds: bigint[]) => ({
  pulses_payload: { block_number: 1, pulses: rounds.map(pulse), public: null },
  signature: null,
})

test('the development key and the root write pulses, in the order of their rounds', () => {
  const chain = createFakeChain({})
  const write = (who: string, ...rounds: bigint[]) => chain.call(who, 'Drand', 'write_pulse', payload(...rounds))
  expect(write(key(5), 7n)).toBe('DispatchError.BadOrigin')
  expect(write(key(0xa11ce), 7n, 9n)).toBe('ok')
  expect(chain.get(Pulses, 9n)).toEqual(pulse(9n))
  expect(chain.get(Pulses, 8n)).toBeNull()
  expect([chain.get(OldestStoredRound), chain.get(LastStoredRound)]).toEqual([7n, 9n])
  expect(write('root', 9n)).toBe('Drand.InvalidRoundNumber')
  expect(chain.told('Drand')).toEqual(['NewPulse'])
})

test('old pulses go', () => {
  const chain = createFakeChain({})
  chain.call('root', 'Drand', 'write_pulse', payload(1n, 2n, 3n))
  chain.call('root', 'Drand', 'write_pulse', payload(216_002n))
  expect(chain.get(Pulses, 2n)).toBeNull()
  expect(chain.get(Pulses, 3n)).not.toBeNull()
  expect(chain.get(OldestStoredRound)).toBe(3n)
})
