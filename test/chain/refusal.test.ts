import { expect, test } from 'vitest'
import { poolError } from '../../src/chain/dev/rpc-error.ts'
import { explainRefusal } from '../../src/chain/refusal.ts'
import { RpcError } from '../../src/chain/socket.ts'

const errorOf = (code: number, message: string, data: string) => {
  const refusal = explainRefusal(new RpcError(code, message, data), 'slot')
  return refusal?.is === 'failed' ? refusal.error : null
}

test('a code of its own is read in every form that nodes write it', () => {
  for (const data of ['Custom error: 6', '{"invalid": {"custom": 6}}', 'Custom(6)']) {
    const error = errorOf(1010, 'Invalid Transaction', data)
    expect([error?.code, error?.why], data).toEqual(['RATE_LIMITED', 'the rate limit is not over yet'])
  }
  expect(errorOf(1010, 'Invalid Transaction', 'Custom error: 3')?.code).toBe('SUBNET_UNKNOWN')
  expect(errorOf(1010, 'Invalid Transaction', 'Custom error: 10')?.remedy).toMatch('chain register')
  expect(errorOf(1010, 'Invalid Transaction', 'Custom error: 250')?.why).toMatch('250')
})

test('who cannot pay is told so', () => {
  const error = errorOf(1010, 'Invalid Transaction', 'Inability to pay some fees (e.g. account balance too low)')
  expect(error?.remedy).toMatch('coldkey')
})

test('a nonce that is over and a transaction that is known are no failures', () => {
  const stale = poolError.invalid('Stale')
  expect(explainRefusal(new RpcError(stale.code, stale.message, String(stale.data)), 'slot')).toBeNull()
  expect(explainRefusal(new RpcError(1013, 'Already imported', ''), 'slot')).toBeNull()
  expect(explainRefusal(new RpcError(1012, 'Temporarily banned', ''), 'slot')).toEqual({ is: 'banned' })
})
