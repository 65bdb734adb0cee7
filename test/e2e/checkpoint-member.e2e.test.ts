/** `checkpoint serve --admit metagraph` as a real process over a real chain: members fetch, and nobody else. */
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DevChain } from '../../src/chain/dev/index.ts'
import { createKey } from '../../src/chain/wallet.ts'
import { toHex } from '../../src/util/bytes.ts'
import { constitution } from '../protocol/world.ts'
import { connect, createSigners, createSubnetChain, hotkeyOf, NETUID } from './chain-stage.ts'
import { createStage, MIB, type Stage } from './checkpoint-stage.ts'

let stage: Stage
let dev: DevChain
/** What every command here is told besides. */
let subnet: readonly string[]
/** The hash of the chain's first block. */
let genesis: string
/** A wallet with one hotkey in the subnet and one outside. */
let wallet: readonly string[]

beforeEach(async () => {
  stage = createStage()
  const dir = stage.path('wallets')
  const makeHotkey = async (hotkey: string): Promise<string> =>
    toHex((await createKey({ dir, wallet: 'w', hotkey }, 'hotkey', { password: null })).publicKey)
  const hotkey = await makeHotkey('member')
  await makeHotkey('stranger')
  const [alice] = await createSigners()
  const owner = { coldkey: hotkeyOf(alice), hotkey: hotkeyOf(alice) }
  const neurons = [{ coldkey: hotkey, hotkey }]
  dev = await createSubnetChain([], { blockMs: 250, subnets: [{ netuid: NETUID, owner, neurons, tempo: 8 }] })
  const client = await connect(dev, null, 250)
  genesis = await client.hashOf(0, { signal: new AbortController().signal })
  client.stop()
  const rules = { ...constitution, chain: { ...constitution.chain, genesis, netuid: NETUID } }
  writeFileSync(stage.path('subnet.json'), JSON.stringify(rules))
  subnet = ['--subnet', 'subnet.json', '--network', dev.url]
  wallet = ['--wallet', 'w', '--wallet-dir', dir]
})
afterEach(async () => {
  stage.end()
  await dev.stop()
})

test('a member fetches with its card; who shows none, or one of an unregistered hotkey, does not', async () => {
  const { path, run, serve, makeFile } = stage
  const { last: added } = await run('add', makeFile('f.bin', 8 * MIB), '--dir', path('a'))
  const server = await serve('--dir', path('a'), '--private', '--admit', 'metagraph', ...subnet)
  const fetchInto = (dir: string, ...words: readonly string[]) =>
    run('get', added.cid, '--from', server.address, '--dir', path(dir), ...words)

  const nobody = await fetchInto('b')
  expect([nobody.exit, nobody.last.error.code]).toEqual([5, 'BLOB_UNAVAILABLE'])
  const stranger = await fetchInto('c', ...wallet, '--hotkey', 'stranger', ...subnet)
  expect([stranger.exit, stranger.last.error.code]).toEqual([5, 'BLOB_UNAVAILABLE'])
  const member = await fetchInto('d', ...wallet, '--hotkey', 'member', ...subnet, '--out', 'g.bin')
  expect([member.exit, member.last.sha256]).toEqual([0, added.sha256])
  expect(await server.stop()).toBe(0)
})

test('what does not fit together is said before anything is served', async () => {
  const { path, run, makeFile } = stage
  await run('add', makeFile('f.bin', 1_000), '--dir', path('a'))
  const serve = async (...words: readonly string[]) => {
    const { exit, last } = await run('serve', '--dir', path('a'), '--listen', '/ip4/127.0.0.1/tcp/0', ...words)
    return [exit, last.error.code]
  }
  expect(await serve('--admit', 'metagraph')).toEqual([2, 'USAGE'])
  expect(await serve('--admit', 'nobody')).toEqual([2, 'USAGE'])
  writeFileSync(
    path('other.json'),
    JSON.stringify({ ...constitution, chain: { ...constitution.chain, netuid: NETUID } }),
  )
  const other = ['--subnet', 'other.json', '--network', dev.url]
  expect(await serve('--admit', 'metagraph', ...other)).toEqual([3, 'CHAIN_FOREIGN'])
  const unknown = { ...constitution, chain: { ...constitution.chain, genesis, netuid: NETUID + 41 } }
  writeFileSync(path('unknown.json'), JSON.stringify(unknown))
  const missing = ['--subnet', 'unknown.json', '--network', dev.url]
  expect(await serve('--admit', 'metagraph', ...missing)).toEqual([3, 'SUBNET_UNKNOWN'])
})
