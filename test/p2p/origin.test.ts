import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { originOf } from '../../src/p2p/origin.ts'

const OTHER = '12D3KooWQhWNNkydqRPhogVSKLQwRynRyWLDRF8xgE4LYVSCSfMA'
const PEER = '12D3KooWKFYaMQq5rKbcPhbfXbK1c9dgkvr5nT7n3vyCLPEJxZzk'

test.each([
  ['/ip4/203.0.114.7/tcp/4001', '203.0.114.7'],
  [`/ip4/203.0.114.7/tcp/4002/p2p/${PEER}`, '203.0.114.7'],
  ['/ip6/2a01:4f8:1:2:3:4:5:6/tcp/4001', '2a01:4f8:1:2'],
  ['/ip6/2a01:4f8:1:2::9/tcp/4001', '2a01:4f8:1:2'],
  ['/ip6/2a01::9/tcp/4001', '2a01:0:0:0'],
  ['/ip6/::1/tcp/4001', '0:0:0:0'],
  ['/dns4/node.example.org/tcp/4001', 'node.example.org'],
  [`/ip4/203.0.114.7/tcp/4001/p2p/${PEER}/p2p-circuit`, PEER],
  [`/ip4/203.0.114.7/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${OTHER}`, PEER],
  [`/p2p/${PEER}/p2p-circuit/p2p/${OTHER}`, PEER],
])('%s comes from %s', (address, origin) => {
  expect(originOf(multiaddr(address))).toBe(origin)
})
