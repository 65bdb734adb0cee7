/** The checkpoint commands as real processes, and other IPFS software in place of one of them. */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { withBitswap } from '@helia/bitswap'
import { type HeliaWithLibp2p, withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { CarReader } from '@ipld/car'
import { identify } from '@libp2p/identify'
import type { ServiceMap } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { CID } from 'multiformats/cid'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addressIn, createStage, MIB, type Stage, sha256Of, until } from './checkpoint-stage.ts'

let stage: Stage
let others: Other[]
beforeEach(() => {
  stage = createStage()
  others = []
})
afterEach(async () => {
  stage.end()
  await Promise.all(others.map((other) => other.stop()))
})

const blocksIn = (dir: string): number => {
  try {
    return readdirSync(join(dir, 'open'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.data'),
    ).length
  } catch {
    return 0 // it was not made yet, or changes at this moment
  }
}

test('a checkpoint is added, served, and fetched by another process', async () => {
  const { path, run, serve, makeFile } = stage
  const file = makeFile('f.bin', 20 * MIB + 1)
  const { last: added } = await run('add', file, '--dir', path('a'))
  const server = await serve('--dir', path('a'))
  const { exit, last } = await run('get', added.cid, '--from', server.address, '--out', 'g.bin', '--dir', path('b'))
  expect(exit).toBe(0)
  expect(last).toMatchObject({ cid: added.cid, bytes: 20 * MIB + 1, sha256: await sha256Of(file), dropped: [] })
  expect(last.receivedBytes).toBeLessThan(1.02 * added.bytes)
  expect(await sha256Of(path('g.bin'))).toBe(added.sha256)
  const inUse = await run('ls', '--dir', path('a'))
  expect([inUse.exit, inUse.last.error.code]).toEqual([4, 'DATA_IN_USE'])
  expect(await server.stop()).toBe(0)
})

test('a fetch that is killed with -9 leaves no file, and goes on where it was', async () => {
  const { path, start, run, serve, makeFile, root } = stage
  const file = makeFile('f.bin', 256 * MIB)
  const { last: added } = await run('add', file, '--dir', path('a'))
  const server = await serve('--dir', path('a'))
  const words = ['get', added.cid, '--from', server.address, '--out', 'g.bin', '--dir', path('b')]
  const { child, ended } = start(...words)
  await until(() => blocksIn(path('b')) > 40)
  child.kill('SIGKILL')
  await ended
  expect(readdirSync(root)).not.toContain('g.bin')
  const here = blocksIn(path('b'))
  expect(here).toBeLessThan(257)
  const { exit, last } = await run(...words)
  expect(exit).toBe(0)
  expect(last.receivedBytes).toBeLessThanOrEqual((257 - here) * MIB)
  expect(last.sha256).toBe(added.sha256)
  expect(await sha256Of(path('g.bin'))).toBe(added.sha256)
})

test('two servers of one checkpoint, of which one is not there', async () => {
  const { path, run, serve, makeFile } = stage
  const file = makeFile('f.bin', 8 * MIB)
  const { last: added } = await run('add', file, '--dir', path('a'))
  const server = await serve('--dir', path('a'))
  const gone = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
  const words = ['--out', 'g.bin', '--dir', path('b')]
  const { exit, last } = await run('get', added.cid, '--from', `${gone},${server.address}`, ...words)
  expect(exit).toBe(0)
  expect(last.dropped).toEqual([{ peer: gone.split('/').at(-1), misdeed: 'unreachable' }])
  const refused = await run('get', added.cid, '--from', gone, '--dir', path('c'))
  expect([refused.exit, refused.last.error.code]).toEqual([5, 'BLOB_UNAVAILABLE'])
})

test('a server that stands still is named, beside another and alone', async () => {
  const { path, start, run, makeFile } = stage
  const { last: added } = await run('add', makeFile('f.bin', 256 * MIB), '--dir', path('a'))
  cpSync(path('a'), path('b'), { recursive: true })
  const [stays, stops] = ['a', 'b'].map((dir) => start('serve', '--dir', path(dir), '--listen', '/ip4/127.0.0.1/tcp/0'))
  if (stays === undefined || stops === undefined) throw new Error('there are two')
  await until(() => stays.out().includes('\n') && stops.out().includes('\n'))
  const addresses = [stays, stops].map(({ out }) => addressIn(out()))
  const fetching = async (from: string, dir: string) => {
    const { ended, out } = start('get', added.cid, '--from', from, '--dir', path(dir))
    await until(() => blocksIn(path(dir)) > 20)
    stops.child.kill('SIGSTOP')
    const exit = await ended
    stops.child.kill('SIGCONT')
    return { exit, last: JSON.parse(out().trim().split('\n').at(-1) ?? '') }
  }
  const beside = await fetching(addresses.join(','), 'c')
  expect(beside.exit).toBe(0)
  expect(beside.last.dropped).toEqual([{ peer: addresses[1]?.split('/').at(-1), misdeed: 'stalled' }])
  const alone = await fetching(addresses[1] ?? '', 'd')
  expect([alone.exit, alone.last.error.code]).toEqual([5, 'BLOB_UNAVAILABLE'])
  expect(alone.last.error.why).toBe('of 1 peers asked: 1 stalled')
})

test('who is not allowed gets nothing', async () => {
  const { path, start, run, makeFile } = stage
  const { last: added } = await run('add', makeFile('f.bin', MIB), '--dir', path('a'))
  const allowed = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
  const { child, out } = start('serve', '--dir', path('a'), '--listen', '/ip4/127.0.0.1/tcp/0', '--allow', allowed)
  await until(() => out().includes('\n'))
  const [address] = JSON.parse(out()).addrs
  const refused = await run('get', added.cid, '--from', address, '--dir', path('b'))
  expect([refused.exit, refused.last.error.code]).toEqual([5, 'BLOB_UNAVAILABLE'])
  child.kill()
})

test('a CAR of ours is read by @ipld/car, and goes into another store', async () => {
  const { path, run, makeFile } = stage
  const { last: added } = await run('add', makeFile('f.bin', 5 * MIB + 3), '--dir', path('a'))
  expect((await run('export', added.cid, '--out', 'f.car', '--dir', path('a'))).exit).toBe(0)
  const reader = await CarReader.fromBytes(readFileSync(path('f.car')))
  expect((await reader.getRoots()).map(String)).toEqual([added.cid])
  let bytes = 0
  for await (const block of reader.blocks()) {
    expect(Buffer.from(block.cid.multihash.digest).equals(createHash('sha256').update(block.bytes).digest())).toBe(true)
    bytes += block.bytes.length
  }
  expect(bytes).toBeGreaterThan(5 * MIB + 3)
  expect((await run('import', 'f.car', '--dir', path('b'), '--pin', 'base')).last.roots).toEqual([added.cid])
  expect((await run('get', added.cid, '--out', 'g.bin', '--dir', path('b'))).last.sha256).toBe(added.sha256)
})

type Other = HeliaWithLibp2p<ServiceMap>

/** An IPFS node that has nothing of ours: plain Helia over plain libp2p. */
async function createOther(): Promise<Other> {
  const libp2p = {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  }
  const other = withBitswap(
    withLibp2pLight<ReturnType<typeof createHeliaLight>, ServiceMap>(createHeliaLight(), libp2p),
  )
  await other.start()
  others.push(other)
  return other
}

test('other IPFS software fetches ours by its CID', async () => {
  const { path, run, serve, makeFile } = stage
  const { last: added } = await run('add', makeFile('f.bin', 12 * MIB + 9), '--dir', path('a'))
  const server = await serve('--dir', path('a'))
  const other = await createOther()
  await other.libp2p.dial(multiaddr(server.address))
  const hash = createHash('sha256')
  for await (const part of unixfs(other).cat(CID.parse(added.cid))) hash.update(part)
  expect(hash.digest('hex')).toBe(added.sha256)
})

test('what other IPFS software fetches is not held in memory', async () => {
  const { path, start, run, makeFile } = stage
  const { last: added } = await run('add', makeFile('f.bin', 256 * MIB), '--dir', path('a'))
  const { child, out } = start('serve', '--dir', path('a'), '--listen', '/ip4/127.0.0.1/tcp/0')
  await until(() => out().includes('\n'))
  const heldBytes = () => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)])) * 1024
  const idleBytes = heldBytes()
  const other = await createOther()
  await other.libp2p.dial(multiaddr(addressIn(out())))
  let bytes = 0
  for await (const part of unixfs(other).cat(CID.parse(added.cid))) bytes += part.length
  expect(bytes).toBe(256 * MIB)
  expect(heldBytes() - idleBytes).toBeLessThan(160 * MIB)
})

const FORMS = [
  ['as it does by itself', {}],
  ['in chunks of 256 KiB', { chunker: fixedSize({ chunkSize: 262_144 }) }],
  ['with leaves inside nodes', { chunker: fixedSize({ chunkSize: 262_144 }), rawLeaves: false }],
  ['under CIDs of version 0', { cidVersion: 0, rawLeaves: false }],
] as const

test.each(FORMS)('we fetch what other IPFS software has added %s', async (_, form) => {
  const { path, run, serve } = stage
  const other = await createOther()
  const content = randomBytes(9 * MIB + 77)
  const cid = await unixfs(other).addBytes(content, form)
  const [address] = other.libp2p.getMultiaddrs()
  const { exit, last } = await run('get', String(cid), '--from', String(address), '--out', 'g.bin', '--dir', path('b'))
  expect([exit, last.bytes]).toEqual([0, content.length])
  expect(last.sha256).toBe(createHash('sha256').update(content).digest('hex'))
  expect(readFileSync(path('g.bin')).equals(content)).toBe(true)

  // And we serve it on in that form, to one another as well.
  const server = await serve('--dir', path('b'))
  const again = await run('get', String(cid), '--from', server.address, '--dir', path('c'))
  expect(again.last.sha256).toBe(last.sha256)
})
