import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { createAdmission, gaterOf, OPEN_TO_ALL } from '../../src/p2p/admission.ts'

const RELAY = '12D3KooWKFYaMQq5rKbcPhbfXbK1c9dgkvr5nT7n3vyCLPEJxZzk'

test.each([
  ['known', true],
  ['stranger', false],
  ['allowed', true],
  ['denied', false],
  ['known and denied', false],
  ['allowed and denied', false],
])('a peer that is %s: %s', (peer, expected) => {
  const lists = {
    allow: new Set(['allowed', 'allowed and denied']),
    deny: new Set(['denied', 'known and denied', 'allowed and denied']),
  }
  expect(createAdmission(lists, (id) => id.startsWith('known')).admits(peer)).toBe(expected)
})

test.each([
  ['known', true],
  ['stranger', true],
  ['denied', false],
  ['allowed and denied', false],
])('a peer that is %s may come in where strangers may show a card: %s', (peer, expected) => {
  const lists = { allow: new Set(['allowed and denied']), deny: new Set(['denied', 'allowed and denied']) }
  const knocking: string[] = []
  const lets = (id: string): boolean => knocking.push(id) > 0
  const admission = createAdmission(lists, (id) => id === 'known', { lets })
  expect(admission.lets(peer, null)).toBe(expected)
  expect(knocking).toEqual(peer === 'stranger' ? ['stranger'] : [])
  expect(createAdmission(lists, (id) => id === 'known').lets(peer, null)).toBe(peer === 'known')
})

test.each([
  ['/ip4/203.0.114.7/tcp/4001', false, true],
  ['/ip4/127.0.0.1/tcp/4001', false, false],
  ['/ip4/127.0.0.1/tcp/4001', true, true],
  ['/ip4/10.0.0.1/tcp/4001', false, false],
  [`/ip4/203.0.114.7/tcp/4001/p2p/${RELAY}/p2p-circuit`, false, true],
  [`/ip4/203.0.114.7/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${RELAY}`, false, true],
  [`/ip4/192.168.1.1/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${RELAY}`, false, false],
])('%s is dialled where private addresses are allowed (%s): %s', async (address, privateAllowed, expected) => {
  const gater = gaterOf(OPEN_TO_ALL, privateAllowed)
  expect(await gater.denyDialMultiaddr?.(multiaddr(address))).toBe(!expected)
})
