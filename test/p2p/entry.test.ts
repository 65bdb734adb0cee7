/** Entry peers are told with the peer id that must answer there. */
import { expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { startEntryPeer } from '../../src/p2p/entry.ts'
import { startPeer } from '../../src/p2p/peer.ts'
import { openMemoryStore } from '../../src/p2p/store/index.ts'
import { SILENT } from './member-stage.ts'

const PEER = '12D3KooWKFYaMQq5rKbcPhbfXbK1c9dgkvr5nT7n3vyCLPEJxZzk'
const { clock, random } = SYSTEM

test.each([['nonsense'], ['/ip4/127.0.0.1/tcp/1'], [`/ip4/127.0.0.1/tcp/1/p2p/${PEER}/p2p-circuit`]])(
  'a peer does not start with the entry peer %s',
  async (entry) => {
    const store = await openMemoryStore({ quotaBytes: 1024 ** 2, freeBytesMin: 0 }, { log: SILENT })
    const place = { network: 'x', listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], privateAllowed: true }
    const options = { ...place, secret: random.bytes(32), entries: [entry] }
    const deps = { clock, log: SILENT }
    await expect(startEntryPeer(options, deps)).rejects.toMatchObject({ code: 'ADDRESS_INVALID' })
    await expect(startPeer({ ...options, relay: false }, { ...deps, store })).rejects.toMatchObject({
      code: 'ADDRESS_INVALID',
    })
  },
)
