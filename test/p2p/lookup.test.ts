/** A name that means an address in a private network leads nowhere. */
import dns, { type LookupAddress } from 'node:dns'
import { createServer } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test, vi } from 'vitest'
import { OPEN_TO_ALL } from '../../src/p2p/admission.ts'
import { startHost } from '../../src/p2p/host.ts'
import { publicLookup } from '../../src/p2p/lookup.ts'

const PEER = '12D3KooWKFYaMQq5rKbcPhbfXbK1c9dgkvr5nT7n3vyCLPEJxZzk'
const PUBLIC: LookupAddress[] = [
  { address: '8.8.4.4', family: 4 },
  { address: '2606:4700:4700::1111', family: 6 },
]
const PRIVATE: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '10.0.0.1', family: 4 },
  { address: '::1', family: 6 },
  { address: 'fd00::1', family: 6 },
  { address: '::ffff:10.0.0.1', family: 6 },
]

function ask(found: LookupAddress[], all: boolean, failure: Error | null = null): Promise<unknown> {
  const lookup = publicLookup((_, options, done) => {
    expect(options.all).toBe(true)
    done(failure, found)
  })
  return new Promise((resolve, reject) => {
    lookup('node.example.org', { all }, (error, address) => (error === null ? resolve(address) : reject(error)))
  })
}

test.each([true, false])('what is private is left out (all of them: %s)', async (all) => {
  expect(await ask([...PRIVATE, ...PUBLIC], all)).toEqual(all ? PUBLIC : PUBLIC[0]?.address)
  await expect(ask(PRIVATE, all)).rejects.toThrow('no public address')
  await expect(ask([], all, new Error('ENOTFOUND'))).rejects.toThrow('ENOTFOUND')
})

test.each([
  [false, 0],
  [true, 1],
])('a host dials a name of its own network where private addresses are allowed (%s)', async (privateAllowed, times) => {
  let connections = 0
  const inner = createServer((socket) => {
    connections += 1
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => inner.once('listening', resolve))
  const lookup = vi
    .spyOn(dns, 'lookup')
    .mockImplementation(((
      _: string,
      { all }: dns.LookupOptions,
      done: (error: null, found: unknown, family?: number) => void,
    ) => (all === true ? done(null, [PRIVATE[0]]) : done(null, '127.0.0.1', 4))) as unknown as typeof dns.lookup)
  const secret = crypto.getRandomValues(new Uint8Array(32))
  const place = { network: 'x', secret, listen: [], announce: [], privateAllowed, relay: false }
  const host = await startHost({ ...place, admission: OPEN_TO_ALL })
  try {
    const { port } = inner.address() as { port: number }
    const address = multiaddr(`/dns4/node.attacker.net/tcp/${port}/p2p/${PEER}`)
    await expect(host.dial(address, { signal: AbortSignal.timeout(3_000) })).rejects.toThrow()
    expect(lookup).toHaveBeenCalled()
    expect(connections).toBe(times)
  } finally {
    lookup.mockRestore()
    await host.stop()
    inner.close()
  }
})
