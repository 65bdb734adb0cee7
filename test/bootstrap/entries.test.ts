/** The list of entry peers: what stands there can be dialled by anybody, and says who must answer. */
import { CID } from 'multiformats/cid'
import { expect, test } from 'vitest'
import { ENTRIES } from '../../bootstrap/entries.ts'
import { isDialable } from '../../src/protocol/address.ts'
import { NETWORK } from '../e2e/p2p-stage.ts'

const isGood = (address: string): boolean => isDialable(address, false) && /\/p2p\/[^/]+$/.test(address)
const isNetwork = (name: string): boolean => CID.parse(name).toString() === name

const flaws = (entries: typeof ENTRIES): readonly string[] =>
  Object.entries(entries).flatMap(([network, addresses]) =>
    isNetwork(network) ? addresses.filter((address) => !isGood(address)) : [network],
  )

test('every network is a CID, and every address public and of a named peer', () => {
  expect(flaws(ENTRIES)).toEqual([])
  const peer = '/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
  const bad = [`/ip4/192.168.1.2/tcp/4001${peer}`, '/dns4/entry.example.org/tcp/4001']
  expect(flaws({ [NETWORK]: [...bad, `/dns4/entry.example.org/tcp/4001${peer}`] })).toEqual(bad)
})
