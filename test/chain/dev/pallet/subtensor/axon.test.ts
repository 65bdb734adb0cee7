import { describe, expect, test } from 'vitest'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { createFakeChain, type FakeChain, key, subnetOf } from '../../fake-context.ts'

const P = 'SubtensorModule'
const HOT = key(1)
const axon = {
  netuid: 1,
  version: 7,
  ip: 0x08080808n,
  port: 80,
  ip_type: 4,
  protocol: 4,
  placeholder1: 0,
  placeholder2: 0,
}
const create = () => {
  const chain = createFakeChain({ subnets: [subnetOf(1, 1)] })
  chain.pass(1)
  return chain
}
const serve = (chain: FakeChain, args: object = {}, who = HOT) => chain.call(who, P, 'serve_axon', { ...axon, ...args })

test('an axon is kept with its block', () => {
  const chain = create()
  expect(serve(chain)).toBe('ok')
  const { netuid: _, ...kept } = axon
  expect(chain.get(s.Axons, 1, HOT)).toEqual({ ...kept, block: 1n })
  expect(chain.told()).toEqual(expect.arrayContaining(['AxonServed']))
})

test('a certificate is kept beside it', () => {
  const chain = create()
  expect(chain.call(HOT, P, 'serve_axon_tls', { ...axon, certificate: Uint8Array.of(1, 2, 3) })).toBe('ok')
  expect(chain.get(s.NeuronCertificates, 1, HOT)).toEqual({ algorithm: 1, public_key: Uint8Array.of(2, 3) })
})

test.each([
  ['127.0.0.1', 4, 0x7f000001n, 'InvalidIpAddress', 11],
  ['127.0.0.2', 4, 0x7f000002n, null, null],
  ['0.0.0.0', 4, 0n, null, null],
  ['255.255.255.255', 4, 0xffffffffn, 'InvalidIpAddress', 11],
  ['::1', 6, 1n, 'InvalidIpAddress', 11],
  ['2001:db8::', 6, 0x20010db8000000000000000000000000n, null, null],
  ['all ones', 6, 2n ** 128n - 1n, 'InvalidIpAddress', 11],
  ['another type', 5, 9n, 'InvalidIpType', 255],
])('%s of type %i', (_, ip_type, ip, error, code) => {
  const chain = create()
  expect(chain.pool(HOT, P, 'serve_axon', { ...axon, ip_type, ip })).toBe(code)
  expect(serve(chain, { ip_type, ip })).toBe(error === null ? 'ok' : `${P}.${error}`)
})

describe('refusals', () => {
  test('of a stranger, of a port of zero, and of too many', () => {
    const chain = create()
    expect(serve(chain, { ip_type: 5 }, key(99))).toBe(`${P}.HotKeyNotRegisteredInNetwork`)
    expect(chain.pool(key(99), P, 'serve_axon', axon)).toBe(10)
    expect(serve(chain, { port: 0 })).toBe(`${P}.InvalidPort`)
    expect(chain.pool(HOT, P, 'serve_axon', { ...axon, port: 0 })).toBe(13)
    serve(chain)
    chain.pass(49)
    expect(serve(chain)).toBe(`${P}.ServingRateLimitExceeded`)
    expect(chain.pool(HOT, P, 'serve_axon', axon)).toBe(12)
    chain.pass(1)
    expect(serve(chain)).toBe('ok')
  })

  test('of a prometheus without an address', () => {
    const chain = create()
    const args = { netuid: 1, version: 1, ip: 5n, port: 9, ip_type: 4 }
    expect(chain.call(HOT, P, 'serve_prometheus', { ...args, ip: 0n })).toBe(`${P}.InvalidIpAddress`)
    expect(chain.call(HOT, P, 'serve_prometheus', args)).toBe('ok')
    expect(chain.call(HOT, P, 'serve_prometheus', args)).toBe(`${P}.ServingRateLimitExceeded`)
  })
})
