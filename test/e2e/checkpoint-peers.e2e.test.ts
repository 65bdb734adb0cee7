/** `wheelwright peers` and `doctor` against an entry peer, a peer that serves, and a chain. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SYSTEM } from '../../src/chain/system.ts'
import { main } from '../../src/cli/main.ts'
import { startEntryPeer } from '../../src/p2p/entry.ts'
import { startPeer } from '../../src/p2p/peer.ts'
import { openMemoryStore } from '../../src/p2p/store/index.ts'
import { createFakeIo } from '../cli/fake-io.ts'
import { SILENT } from './chain-stage.ts'
import { NETWORK } from './p2p-stage.ts'

const { clock } = SYSTEM
const OTHER = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

const secret = () => crypto.getRandomValues(new Uint8Array(32))
const place = { network: NETWORK, listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], privateAllowed: true }

async function run(...words: readonly string[]) {
  const { io, texts } = createFakeIo()
  const exit = await main([...words, '--json'], io)
  const lines = texts.out.trim().split('\n')
  return { exit, lines: lines.map((line) => JSON.parse(line)) }
}

test('peers are found through an entry peer, with what they speak', async () => {
  const entry = await startEntryPeer({ ...place, secret: secret(), entries: [] }, { clock, log: SILENT })
  const store = await openMemoryStore({ quotaBytes: 1024 ** 2, freeBytesMin: 0 }, { log: SILENT })
  const options = { ...place, secret: secret(), relay: false, entries: entry.addresses }
  const peer = await startPeer(options, { store, clock, log: SILENT })
  try {
    await expect.poll(() => entry.peerCount()).toBe(1)
    const words = ['peers', '--subnet', NETWORK, '--entry', entry.addresses.join(','), '--private']
    const { exit, lines } = await run(...words, '--seconds', '8')
    expect(exit).toBe(0)
    const found = new Map(lines[0].peers.map((each: { peerId: string }) => [each.peerId, each]))
    expect(found.get(entry.peerId)).toMatchObject({ servesCheckpoints: false, latencyMs: expect.any(Number) })
    expect(found.get(peer.host.peerId.toString())).toMatchObject({ servesCheckpoints: true })

    const other = await run('peers', '--subnet', OTHER, '--entry', entry.addresses.join(','), '--private')
    expect([other.exit, other.lines[0].error.code]).toEqual([5, 'PEERS_UNAVAILABLE'])
    expect(other.lines[0].error.what).toBe(`nobody of ${OTHER} was met`)

    const wrong = entry.addresses[0]?.replace(/tcp\/\d+/, 'tcp/1') ?? ''
    const nobody = await run('peers', '--subnet', NETWORK, '--entry', wrong, '--private', '--seconds', '1')
    expect([nobody.exit, nobody.lines[0].error.code]).toEqual([5, 'PEERS_UNAVAILABLE'])

    const doctor = await run('doctor', '--listen', '/ip4/127.0.0.1/tcp/0', '--entry', `${entry.addresses[0]},${wrong}`)
    expect(doctor.lines.filter(({ check }) => check === 'entry').map(({ ok }) => ok)).toEqual([true, false])
    expect([doctor.exit, doctor.lines.at(-1).error.code]).toEqual([4, 'MACHINE_UNFIT'])
  } finally {
    await peer.stop()
    await entry.stop()
  }
})

test('the doctor reaches a chain and compares the clock with it', async () => {
  const { io, texts, stop } = createFakeIo()
  const chain = main(['chain', '--port', '0', '--block-ms', '250', '--json'], io)
  try {
    await expect.poll(() => texts.out, { timeout: 20_000 }).toContain('\n')
    const { url } = JSON.parse(texts.out)
    await sleep(2_000) // block 0 has no time
    const { exit, lines } = await run('doctor', '--listen', '/ip4/127.0.0.1/tcp/0', '--network', url)
    expect(lines.find(({ check }) => check === 'clock').what).toContain('the newest block')
    const states = lines.map(({ check, ok }) => [check, ok])
    expect(states).toContainEqual(['chain', true])
    expect(states).toContainEqual(['clock', true])
    expect(exit).toBe(0)
    const refused = await run('doctor', '--listen', '/ip4/127.0.0.1/tcp/0', '--network', 'ws://127.0.0.1:1')
    expect(refused.lines.find(({ check }) => check === 'chain')).toMatchObject({ ok: false })
  } finally {
    stop.abort()
    await chain
  }
})
